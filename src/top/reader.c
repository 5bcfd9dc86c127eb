/* SPDX-License-Identifier: MIT */
/*
 * The thread that keeps the copy of the store right.  It subscribes to all that the mount shows, reads it
 * once, and then reads again only what an event is about, ten times a second at most: events of one path
 * that come close together are one reading.  Where anything fails it begins anew after a while, so that
 * the end of the mount, or of the store, is not its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "src/tools/document.h"
#include "src/top/top.h"

/* Between two readings of events, and between two tries. */
#define PAUSE_MS 100
#define AGAIN_MS 500
/* The interval at which the reader checks that the mount is still the same one. */
#define LOOK_MS 1000

struct reader {
	struct top *top;
	struct tool tool; /* for reasons, and the mount */
	struct stream stream;
	struct statx mount; /* tells mounts apart */
	char base[PATH_SIZE];
	bool everything; /* is to be read: events were lost */
};

/* ---- the mount ------------------------------------------------------------------------------ */

/* Asks the kernel, which needs no answer of the mount, what is there. */
static int look(const struct reader *r, struct statx *st)
{
	if (statx(AT_FDCWD, r->tool.mountpoint.dir, AT_STATX_DONT_SYNC, STATX_MNT_ID, st) < 0)
		return -errno;
	return 0;
}

static int check_mount(struct reader *r)
{
	struct statx now;
	int err = look(r, &now);

	if (!err && now.stx_dev_minor == r->mount.stx_dev_minor &&
	    now.stx_mnt_id == r->mount.stx_mnt_id)
		return 0;
	return tool_complain(&r->tool, -ENODEV, "the mount on %s is gone", r->tool.mountpoint.dir);
}

/* A guest may not read the root of the store: then it is its own directory. */
static int find_base(struct reader *r)
{
	const struct mountpoint *m = &r->tool.mountpoint;
	struct tool_names names;
	int err;

	strcpy(r->base, m->root);
	err = tool_children(m, r->base, &names);
	tool_names_release(&names);
	if (err == -EACCES)
		err = domains_self(m, r->base);
	return err ? tool_fail(&r->tool, err, r->base) : 0;
}

/* A mount that has come back may show another part of the store: nothing of the old one would be read again. */
static void forget_other_base(struct reader *r)
{
	struct top *top = r->top;
	struct mirror empty;

	if (!top->base[0] || !strcmp(top->base, r->base) || mirror_init(&empty))
		return;
	empty.version = top->mirror.version + 1;
	mirror_release(&top->mirror);
	top->mirror = empty;
	top->loaded = false;
}

/* Tells the others which mount it is. */
static void tell_mount(struct reader *r)
{
	struct top *top = r->top;
	struct statvfs fs;
	bool read_only = statvfs(r->tool.mountpoint.dir, &fs) == 0 && (fs.f_flag & ST_RDONLY);

	pthread_mutex_lock(&top->lock);
	top->mountpoint = r->tool.mountpoint;
	top->read_only = read_only;
	forget_other_base(r);
	strcpy(top->base, r->base);
	top->state = TOP_READING;
	pthread_mutex_unlock(&top->lock);
	top_notify(top);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Puts what was read into the copy. */
static int take(struct reader *r, const char *path, const struct changes *nodes)
{
	struct top *top = r->top;
	int err;

	pthread_mutex_lock(&top->lock);
	/* At first nothing is news. */
	top->mirror.quiet = !top->loaded;
	err = mirror_take(&top->mirror, path, nodes, top_now());
	if (!err && !strcmp(path, r->base)) {
		top->state = TOP_LIVE;
		top->loaded = true;
	}
	pthread_mutex_unlock(&top->lock);
	return err;
}

/* Reads a node and all below it. */
static int read_node(struct reader *r, const char *path)
{
	char file[MOUNTPOINT_FILE_SIZE + 8];
	struct changes nodes = { 0 };
	int err;

	mountpoint_node(&r->tool.mountpoint, path, file);
	strcat(file, "/.json");
	err = document_read(file, path, &nodes, r->tool.why, sizeof(r->tool.why));
	if (err == -ENOENT || err == -ENOTDIR || err == -ESTALE ||
	    (err == -EACCES && strcmp(path, r->base) != 0)) {
		r->tool.why[0] = '\0';
		err = 0;
		changes_release(&nodes);
	}
	if (!err && take(r, path, &nodes))
		err = tool_fail(&r->tool, -ENOMEM, path);
	changes_release(&nodes);
	return err;
}

static bool is_at_or_below(const char *path, const char *top)
{
	size_t len = top[1] ? strlen(top) : 0;

	return !strncmp(path, top, len) && (path[len] == '/' || path[len] == '\0');
}

static int take_event(struct reader *r, const struct stream_event *event)
{
	char path[PATH_SIZE];

	if (event->kind == STREAM_OVERFLOW || event->kind == STREAM_RESYNC) {
		r->everything = true;
		return 0;
	}
	snprintf(path, sizeof(path), "%s", event->path);
	if (is_at_or_below(path, r->base) || !strcmp(path, r->base))
		return read_node(r, path);
	/* An event above the base may have brought all of it, or taken it away. */
	if (is_at_or_below(r->base, path))
		r->everything = true;
	return 0;
}

/* Takes what events there are, and shows what they change now and then. */
static int take_events(struct reader *r)
{
	struct stream_event event;
	int64_t shown = top_now();
	uint64_t count = 0;
	int n;

	while ((n = stream_next(&r->stream, &r->tool, &event)) > 0) {
		count++;
		n = take_event(r, &event);
		if (n)
			break;
		if (top_now() - shown >= PAUSE_MS) {
			top_notify(r->top);
			shown = top_now();
		}
	}
	if (!n && r->everything) {
		r->everything = false;
		n = read_node(r, r->base);
	}
	pthread_mutex_lock(&r->top->lock);
	r->top->events += count;
	pthread_mutex_unlock(&r->top->lock);
	if (count)
		top_notify(r->top);
	return n;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* The edit stays the reader's until it is done, so it may be read without the lock. */
static void write_edit(struct reader *r)
{
	struct top *top = r->top;
	bool wanted;
	uint64_t count;
	int status;

	if (read(top->order, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&top->lock);
	wanted = top->edit_state == TOP_EDIT_WANTED;
	pthread_mutex_unlock(&top->lock);
	if (!wanted)
		return;
	status = edit_write(&r->tool, &top->edit);
	pthread_mutex_lock(&top->lock);
	top->edit_status = status;
	strcpy(top->edit_why, r->tool.why);
	top->edit_state = TOP_EDIT_DONE;
	pthread_mutex_unlock(&top->lock);
	/* It is no reason to begin anew. */
	r->tool.why[0] = '\0';
	top_notify(top);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int begin(struct reader *r)
{
	char dir[PATH_MAX];
	int err;

	r->tool.why[0] = '\0';
	strcpy(dir, r->top->tool->mountpoint.dir);
	err = mountpoint_find(&r->tool.mountpoint, dir, NULL, r->tool.why, sizeof(r->tool.why));
	/* Words that are found later are about this mount, not about a transaction. */
	r->tool.mountpoint.tx[0] = '\0';
	if (!err)
		err = look(r, &r->mount);
	if (!err)
		err = find_base(r);
	if (err)
		return err;
	tell_mount(r);
	err = stream_open(&r->stream, &r->tool);
	if (err)
		return err;
	err = stream_add_fd(&r->stream, &r->tool, r->top->order);
	/* First subscribed to and then read, so that nothing is missed in between. */
	if (!err)
		err = stream_add(&r->stream, &r->tool, r->base);
	if (!err)
		err = read_node(r, r->base);
	if (err)
		stream_close(&r->stream);
	else
		top_notify(r->top);
	return err;
}

/* Waits for an edit, or until the time is over. */
static void pause_for(struct reader *r, int ms)
{
	struct pollfd order = { .fd = r->top->order, .events = POLLIN };

	poll(&order, 1, ms);
}

static int keep(struct reader *r)
{
	int err = stream_wait(&r->stream, &r->tool, LOOK_MS);

	write_edit(r);
	if (!err)
		err = check_mount(r);
	if (!err)
		err = take_events(r);
	if (!err)
		pause_for(r, PAUSE_MS);
	return err;
}

static void tell_lost(struct reader *r, int err)
{
	struct top *top = r->top;

	if (!r->tool.why[0])
		tool_fail(&r->tool, err, r->tool.mountpoint.dir);
	pthread_mutex_lock(&top->lock);
	top->state = TOP_LOST;
	strcpy(top->why, r->tool.why);
	pthread_mutex_unlock(&top->lock);
	top_notify(top);
}

void *reader_run(void *arg)
{
	struct top *top = arg;
	static struct reader r; /* too large for a stack */
	int err;

	r = (struct reader){ .top = top, .tool = { .name = top->tool->name } };
	r.tool.mountpoint = top->tool->mountpoint;
	for (;;) {
		err = begin(&r);
		if (!err) {
			while (!err)
				err = keep(&r);
			stream_close(&r.stream);
		}
		tell_lost(&r, err);
		pause_for(&r, AGAIN_MS);
		/* Without a mount this fails, and says so. */
		write_edit(&r);
	}
	return NULL;
}
