/* SPDX-License-Identifier: MIT */
/* Open files.  No I/O. */
#include <stdlib.h>
#include <string.h>

#include "fs/model/handle.h"
#include "fs/model/listing.h"

void handles_init(struct handles *all, struct inodes *inodes, struct quotas *quotas, struct fs *fs)
{
	LIST_INIT(&all->open);
	all->count = 0;
	all->inodes = inodes;
	all->quotas = quotas;
	all->fs = fs;
}

void handles_deinit(struct handles *all)
{
	while (!LIST_EMPTY(&all->open))
		handle_free(LIST_FIRST(&all->open));
}

struct handle *handle_new(struct handles *all, struct inode *inode, int flags)
{
	struct handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	handle->all = all;
	handle->inode = inode_ref_open(inode);
	handle->flags = flags;
	LIST_INSERT_HEAD(&all->open, handle, open_link);
	all->count++;
	return handle;
}

void handle_set_own(struct handle *handle, void *own, void (*close)(struct fs *fs, void *own))
{
	handle->own = own;
	handle->close_own = close;
}

/* Returns whether the store still has an old value where the file reads as empty here. */
static bool differs_from_store(enum handle_state state)
{
	return state == HANDLE_EMPTIED || state == HANDLE_CUT || state == HANDLE_REFUSED;
}

bool handle_take_charge(struct handle *handle, uid_t *user)
{
	bool charged = handle->charged;

	*user = handle->user;
	handle->charged = false;
	return charged;
}

static bool owes(enum handle_state state)
{
	return state == HANDLE_EMPTIED || state == HANDLE_CUT;
}

static void set_state(struct handle *handle, enum handle_state state)
{
	bool differed = differs_from_store(handle->state), differs = differs_from_store(state);
	uid_t user;

	handle->state = state;
	if (!owes(state) && handle_take_charge(handle, &user))
		quota_release(handle->all->quotas, QUOTA_EMPTY, user, 1);
	if (differed && !differs)
		LIST_REMOVE(handle, emptied_link);
	else if (differs && !differed)
		LIST_INSERT_HEAD(&handle->inode->emptied, handle, emptied_link);
}

void handle_free(struct handle *handle)
{
	struct handles *all;

	if (!handle)
		return;
	all = handle->all;
	all->count--;
	inode_size_let_go(all->inodes, handle);
	LIST_REMOVE(handle, open_link);
	if (handle->unpoll)
		handle->unpoll(all->fs, handle);
	set_state(handle, HANDLE_EDITING);
	if (handle->own)
		handle->close_own(all->fs, handle->own);
	inode_put_open(all->inodes, handle->inode);
	listing_put(handle->listing);
	free(handle->snapshot);
	free(handle->content);
	free(handle);
}

void handle_set_snapshot(struct handle *handle, char *data, size_t size)
{
	char *old;

	old = handle->snapshot;
	handle->snapshot = data;
	handle->snapshot_size = size;
	handle->end_told = false;
	free(old);
}

static ssize_t read_snapshot(const struct handle *handle, char *buf, size_t size, off_t off)
{
	size_t count;

	if (!handle->snapshot)
		return -1;
	if ((size_t)off >= handle->snapshot_size)
		return 0;
	count = handle->snapshot_size - off;
	if (count > size)
		count = size;
	memcpy(buf, handle->snapshot + off, count);
	return count;
}

ssize_t handle_read_snapshot(struct handle *handle, char *buf, size_t size, off_t off)
{
	return read_snapshot(handle, buf, size, off);
}

ssize_t handle_read_growing(struct handle *handle, char *buf, size_t size, off_t off)
{
	ssize_t count;

	count = read_snapshot(handle, buf, size, off);
	if (count == 0 && handle->end_told)
		count = -1;
	else if (count == 0)
		handle->end_told = true;
	return count;
}

bool handle_extend_snapshot(struct handle *handle, char *data, size_t size)
{
	char *unused = data;
	bool grew, same;

	same = handle->snapshot && size == handle->snapshot_size &&
	       !memcmp(data, handle->snapshot, size);
	grew = !handle->snapshot || (size > handle->snapshot_size &&
				     !memcmp(data, handle->snapshot, handle->snapshot_size));
	if (grew) {
		unused = handle->snapshot;
		handle->snapshot = data;
		handle->snapshot_size = size;
		handle->end_told = false;
	}
	free(unused);
	return same || grew;
}

static void become(struct handle *handle, enum handle_state state, char *content, size_t size)
{
	free(handle->content);
	handle->content = content;
	handle->content_size = size;
	set_state(handle, state);
	handle_set_snapshot(handle, NULL, 0);
}

void handle_set_content(struct handle *handle, char *content, size_t size)
{
	become(handle, HANDLE_WHOLE, content, size);
}

static void become_empty(struct handle *handle, enum handle_state state, pid_t process)
{
	become(handle, state, NULL, 0);
	handle->emptied_since = handle->inode->contents;
	handle->emptier = process;
}

static int owe_empty(struct handle *handle, enum handle_state state, pid_t process, uid_t user)
{
	int err;

	if (!handle->charged) {
		err = quota_charge(handle->all->quotas, QUOTA_EMPTY, user, 1);
		if (err)
			return err;
		handle->charged = true;
		handle->user = user;
	}
	become_empty(handle, state, process);
	return 0;
}

int handle_empty(struct handle *handle, pid_t process, uid_t user)
{
	return owe_empty(handle, HANDLE_EMPTIED, process, user);
}

int handle_cut(struct handle *handle, pid_t process, uid_t user)
{
	return owe_empty(handle, HANDLE_CUT, process, user);
}

void handle_begin_empty(struct handle *handle, pid_t process)
{
	become_empty(handle, HANDLE_REFUSED, process);
}

void handle_refuse(struct handle *handle)
{
	if (differs_from_store(handle->state))
		set_state(handle, HANDLE_REFUSED);
}

void handle_edit(struct handle *handle)
{
	set_state(handle, HANDLE_EDITING);
}

bool handle_is_whole(const struct handle *handle)
{
	return handle->state != HANDLE_EDITING;
}

bool handle_is_last_close(struct handle *handle, uint64_t owner)
{
	bool last;

	last = handle->state == HANDLE_CUT ||
	       (handle->first_closer && handle->first_closer == owner);
	if (!handle->first_closer)
		handle->first_closer = owner;
	return last;
}

bool handle_settle_empty(struct handle *handle)
{
	bool differed = differs_from_store(handle->state);

	if (differed)
		set_state(handle, HANDLE_WHOLE);
	return differed;
}

bool handle_reads_empty(const struct handle *handle)
{
	return differs_from_store(handle->state) &&
	       handle->emptied_since == handle->inode->contents;
}

bool handle_ends_empty(const struct handle *handle)
{
	return handle_reads_empty(handle) && handle->state != HANDLE_REFUSED &&
	       !handle->inode->refused;
}
