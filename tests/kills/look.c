/* SPDX-License-Identifier: MIT */
/* The state of a worker's keys, as the store has it and as a mount shows it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

#include "tests/kills/kills.h"

/* How to read a key. */
struct place {
	int fd;         /* of the store; -1: through a mount */
	unsigned mount;
	unsigned id;
};

void key_path(char *path, size_t size, unsigned mount, const char *middle, unsigned id, const char *key)
{
	snprintf(path, size, "%s%s%s/w%u%s%s", config.mounts[mount], middle, config.below, id, *key ? "/" : "", key);
}

static int number_of_text(const char *text, struct seen *seen)
{
	char *end;

	seen->exists = true;
	seen->empty = !*text;
	seen->number = strtoull(text, &end, 10);
	return *end && strcmp(end, "\n") != 0 ? EBADMSG : 0;
}

int read_number(const char *file, struct seen *seen)
{
	char text[64];
	int fd = open(file, O_RDONLY | O_CLOEXEC), err;
	ssize_t n;

	if (fd < 0)
		return errno;
	n = read(fd, text, sizeof(text) - 1);
	err = n < 0 ? errno : 0;
	close(fd);
	if (err)
		return err;
	text[n] = '\0';
	return number_of_text(text, seen);
}

bool is_missing(int err)
{
	return err == ENOENT || err == ENOTDIR;
}

/* Sets *seen; that there is no such key is no error. */
static int read_key(const struct place *place, const char *key, struct seen *seen)
{
	char answer[XENSTORE_PAYLOAD_MAX + 1], path[PATH_MAX];
	struct stat st;
	size_t len;
	int err;

	*seen = (struct seen){ 0 };
	if (place->fd >= 0) {
		snprintf(path, sizeof(path), "%s/w%u/%s", config.node, place->id, key);
		err = store_request(place->fd, XS_READ, 0, path, strlen(path) + 1, answer, &len);
		if (!err)
			err = number_of_text(answer, seen);
	} else {
		key_path(path, sizeof(path), place->mount, "", place->id, key);
		/* A key of KIND_DIR is a directory. */
		err = stat(path, &st) < 0 ? errno : 0;
		if (!err && S_ISDIR(st.st_mode))
			*seen = (struct seen){ .exists = true, .empty = true };
		else if (!err)
			err = read_number(path, seen);
	}
	return is_missing(err) ? 0 : err;
}

/* Two keys, of which either both are there with one number, or exactly one is, as `pair` says. */
static int read_two(const struct place *place, bool pair, const char *a, const char *b, struct seen *seen)
{
	uint64_t store = shared->store, mount = shared->mounts[place->mount];
	struct seen first, second;
	bool alive;
	int err = read_key(place, a, &first);

	if (!err)
		err = read_key(place, b, &second);
	if (err)
		return err;
	/* A store that dies between the two comes back without the other one, and so does what is below a dead mount. */
	alive = is_calm(store) && store == shared->store && is_calm(mount) && mount == shared->mounts[place->mount];
	if (alive && pair && (first.exists != second.exists || first.number != second.number))
		wrong("w%u: %s is %llu, %s is %llu: half a transaction", place->id, a, (unsigned long long)first.number,
		      b, (unsigned long long)second.number);
	if (alive && !pair && first.exists && second.exists)
		wrong("w%u: both %s and %s exist: half a rename", place->id, a, b);
	*seen = first;
	/* The number of a move says where the key is. */
	if (!pair) {
		seen->exists = first.exists || second.exists;
		seen->empty = first.exists ? first.empty : second.empty;
		seen->number = second.exists;
	}
	return 0;
}

static int look(const struct place *place, struct seen *seen)
{
	switch (shared->workers[place->id].kind) {
	case KIND_TX:
		return read_two(place, true, "x", "y", seen);
	case KIND_MOVE:
		return read_two(place, false, "a", "b", seen);
	case KIND_READ:
	case KIND_WAIT:
		*seen = (struct seen){ 0 };
		return 0;
	default:
		return read_key(place, "k", seen);
	}
}

int look_in_store(int fd, unsigned id, struct seen *seen)
{
	return look(&(struct place){ .fd = fd, .id = id }, seen);
}

int look_through_mount(unsigned id, unsigned mount, struct seen *seen)
{
	return look(&(struct place){ .fd = -1, .id = id, .mount = mount }, seen);
}
