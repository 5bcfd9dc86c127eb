/* SPDX-License-Identifier: MIT */
/* Open files.  Any thread; no I/O. */
#include <stdlib.h>
#include <string.h>

#include "fs/model/handle.h"
#include "fs/model/listing.h"

void handles_init(struct handles *all, struct inodes *inodes, struct fs *fs)
{
	LIST_INIT(&all->open);
	pthread_mutex_init(&all->lock, NULL);
	atomic_init(&all->count, 0);
	all->inodes = inodes;
	all->fs = fs;
}

void handles_deinit(struct handles *all)
{
	while (!LIST_EMPTY(&all->open))
		handle_free(LIST_FIRST(&all->open));
	pthread_mutex_destroy(&all->lock);
}

struct handle *handle_new(struct handles *all, struct inode *inode, int flags)
{
	struct handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	handle->all = all;
	handle->inode = inode_ref_open(all->inodes, inode);
	handle->flags = flags;
	pthread_mutex_init(&handle->lock, NULL);
	pthread_mutex_lock(&all->lock);
	LIST_INSERT_HEAD(&all->open, handle, open_link);
	pthread_mutex_unlock(&all->lock);
	atomic_fetch_add(&all->count, 1);
	return handle;
}

void handle_set_own(struct handle *handle, void *own, void (*close)(struct fs *fs, void *own))
{
	handle->own = own;
	handle->close_own = close;
}

void handle_free(struct handle *handle)
{
	struct handles *all;

	if (!handle)
		return;
	all = handle->all;
	atomic_fetch_sub(&all->count, 1);
	pthread_mutex_lock(&all->lock);
	LIST_REMOVE(handle, open_link);
	pthread_mutex_unlock(&all->lock);
	if (handle->unpoll)
		handle->unpoll(all->fs, handle);
	inode_clear_emptied(all->inodes, handle);
	if (handle->own)
		handle->close_own(all->fs, handle->own);
	inode_put_open(all->inodes, handle->inode);
	listing_put(handle->listing);
	free(handle->snapshot);
	free(handle->content);
	pthread_mutex_destroy(&handle->lock);
	free(handle);
}

void handle_set_snapshot(struct handle *handle, char *data, size_t size)
{
	char *old;

	pthread_mutex_lock(&handle->lock);
	old = handle->snapshot;
	handle->snapshot = data;
	handle->snapshot_size = size;
	handle->end_told = false;
	pthread_mutex_unlock(&handle->lock);
	free(old);
}

bool handle_has_snapshot(struct handle *handle)
{
	bool has;

	pthread_mutex_lock(&handle->lock);
	has = handle->snapshot != NULL;
	pthread_mutex_unlock(&handle->lock);
	return has;
}

static ssize_t read_snapshot_locked(const struct handle *handle, char *buf, size_t size, off_t off)
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
	ssize_t count;

	pthread_mutex_lock(&handle->lock);
	count = read_snapshot_locked(handle, buf, size, off);
	pthread_mutex_unlock(&handle->lock);
	return count;
}

ssize_t handle_read_growing(struct handle *handle, char *buf, size_t size, off_t off)
{
	ssize_t count;

	pthread_mutex_lock(&handle->lock);
	count = read_snapshot_locked(handle, buf, size, off);
	if (count == 0 && handle->end_told)
		count = -1;
	else if (count == 0)
		handle->end_told = true;
	pthread_mutex_unlock(&handle->lock);
	return count;
}

bool handle_extend_snapshot(struct handle *handle, char *data, size_t size)
{
	char *unused = data;
	bool grew, same;

	pthread_mutex_lock(&handle->lock);
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
	pthread_mutex_unlock(&handle->lock);
	free(unused);
	return same || grew;
}

void handle_set_content(struct handle *handle, char *content, size_t size)
{
	char *old;

	pthread_mutex_lock(&handle->lock);
	old = handle->content;
	handle->content = content;
	handle->content_size = size;
	handle->empty_due = false;
	inode_clear_emptied(handle->all->inodes, handle);
	handle->write_refused = false;
	pthread_mutex_unlock(&handle->lock);
	free(old);
	handle_set_snapshot(handle, NULL, 0);
}

void handle_truncate(struct handle *handle, pid_t process)
{
	unsigned changes = inode_changes(handle->all->inodes, handle->inode);

	handle_set_content(handle, NULL, 0);
	pthread_mutex_lock(&handle->lock);
	handle->whole = true;
	handle->empty_due = true;
	handle->due_since = changes;
	inode_set_emptied(handle->all->inodes, handle, process);
	pthread_mutex_unlock(&handle->lock);
}

void handle_set_partial(struct handle *handle)
{
	pthread_mutex_lock(&handle->lock);
	handle->whole = false;
	pthread_mutex_unlock(&handle->lock);
}

void handle_set_closing(struct handle *handle)
{
	pthread_mutex_lock(&handle->lock);
	handle->closing = true;
	pthread_mutex_unlock(&handle->lock);
}

void handle_set_asked(struct handle *handle)
{
	pthread_mutex_lock(&handle->lock);
	handle->asked = true;
	pthread_mutex_unlock(&handle->lock);
}

bool handle_is_last_close(struct handle *handle, uint64_t owner)
{
	bool last;

	pthread_mutex_lock(&handle->lock);
	last = handle->closing || (handle->first_closer && handle->first_closer == owner);
	if (!handle->first_closer)
		handle->first_closer = owner;
	pthread_mutex_unlock(&handle->lock);
	return last;
}

void handle_refuse_write(struct handle *handle)
{
	pthread_mutex_lock(&handle->lock);
	handle->write_refused = true;
	pthread_mutex_unlock(&handle->lock);
}

bool handle_take_empty_due(struct handle *handle)
{
	bool due;

	pthread_mutex_lock(&handle->lock);
	due = handle->empty_due;
	handle->empty_due = false;
	if (due)
		inode_clear_emptied(handle->all->inodes, handle);
	pthread_mutex_unlock(&handle->lock);
	return due;
}

bool handle_is_empty_due(struct handle *handle)
{
	unsigned changes = inode_changes(handle->all->inodes, handle->inode);
	bool due;

	pthread_mutex_lock(&handle->lock);
	due = handle->empty_due && handle->due_since == changes;
	pthread_mutex_unlock(&handle->lock);
	return due;
}

bool handle_ends_empty(struct handle *handle)
{
	bool due = handle_is_empty_due(handle), refused;

	pthread_mutex_lock(&handle->lock);
	refused = handle->write_refused;
	pthread_mutex_unlock(&handle->lock);
	return due && !refused && !inode_is_refused(handle->all->inodes, handle->inode);
}
