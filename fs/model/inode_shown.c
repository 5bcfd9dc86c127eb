/* SPDX-License-Identifier: MIT */
/*
 * The values that the kernel keeps of files, with cache=full.  No I/O.
 *
 * The kernel takes a file's size from one answer of ours and its content from another, and cuts the one to
 * the other.  So that a value is never cut to the size of an older or newer one, the content that belongs
 * to the size that was told last is remembered, and reads are answered from that.  If it is outdated the
 * kernel is told to forget what it got (inode_set_stale()), and then asks for the size anew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/handle.h"
#include "fs/model/inode_impl.h"
#include "fs/model/text.h"

/* A read that began with the size that was told last has reached us by this time after it, nearly always; and where it
 * was its own file that asked for that, by the other. */
#define READ_MS 20
#define OWN_READ_MS 1000

void inode_show(struct inode *inode, enum fs_format format, const void *value, size_t len, bool current)
{
	size_t size = text_size(format, len);
	char *content = inode->shown;

	if (!content || inode->shown_size != size || (len > 0 && memcmp(content, value, len))) {
		content = malloc(len + 1);
		if (content && len > 0)
			memcpy(content, value, len);
		if (content)
			text_from_value(format, content, len);
		free(inode->shown);
	}
	inode->shown = content;
	inode->shown_size = size;
	inode->shown_events = content && current ? inode->events : 0;
	inode->shown_ms = inode_now_ms();
}

bool inode_shows_current(const struct inode *inode)
{
	return inode->shown && inode->shown_events == inode->events;
}

/* The reader has asked for the size only now, and nothing was written here since. */
static bool is_about_to_read(const struct handle *reader)
{
	return reader->asked_ms && inode_now_ms() - reader->asked_ms < OWN_READ_MS &&
	       reader->size == reader->inode->shown_size && reader->written == reader->inode->outdated;
}

bool inode_shows(const struct handle *reader)
{
	const struct inode *inode = reader->inode;

	if (!inode->shown || inode_shows_current(inode))
		return inode->shown;
	return (inode->shown_events && inode_is_untold(inode)) ||
	       inode_now_ms() - inode->shown_ms < READ_MS || is_about_to_read(reader);
}

void inode_told_shown(struct inode *inode)
{
	/* Once: a program that has mapped the file may get it again meanwhile, and then the kernel is told again. */
	if (inode->shown_events && !inode_shows_current(inode)) {
		inode->shown_events = 0;
		inode->shown_ms = inode_now_ms();
	}
}

void inode_outdate_shown(struct inode *inode)
{
	inode->outdated++;
	inode->shown_events = 0;
	inode->shown_ms = inode_now_ms();
}

static void outdate(struct inode *inode)
{
	if (inode)
		inode_outdate_shown(inode);
}

/* Walks from the root of a view along `path`, which is relative to it. */
static void outdate_below(struct inodes *t, struct inode *dir, const char *path)
{
	char name[PATH_SIZE];
	size_t len;

	for (; dir && *path; path += len + (path[len] == '/')) {
		len = strcspn(path, "/");
		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		if (path[len] == '\0')
			outdate(inode_peek(t, dir, name, INODE_LEAF));
		dir = inode_peek(t, dir, name, INODE_DIR);
	}
	if (dir)
		outdate(inode_peek(t, dir, NAME_OF_VALUE, INODE_SPECIAL));
}

void inodes_outdate_shown(struct inodes *t, const char *path)
{
	const char *below = path_below(path, t->root_path);

	if (below) {
		outdate_below(t, t->root, below);
		outdate_below(t, t->nodes_root, below);
	}
}
