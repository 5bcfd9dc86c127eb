/* SPDX-License-Identifier: MIT */
/*
 * Events of a mount, xsfs(5): subscribing to paths, reading lines, and waiting for them.  For the
 * tools' main thread.
 *
 * Waiting is done in epoll_wait(2), the only way to wait for a FUSE file in which Linux can
 * freeze a process and so save the guest that it runs in: read(2) has a request under way, and
 * poll(2) makes one when it is interrupted.  System calls are restarted after EINTR, which a
 * stop (Ctrl-Z) leaves behind.
 */
#ifndef SRC_TOOLS_TOOL_STREAM_H
#define SRC_TOOLS_TOOL_STREAM_H

#include "src/tools/tool.h"

struct stream_file;

struct stream {
	int epoll;
	struct stream_file *watch; /* .xsfs/watch, or NULL if no path can be written to it */
	struct stream_file *files; /* that one and the others, as a list */
};

/* A parsed line.  `path` is valid until the next call. */
struct stream_event {
	enum stream_kind { STREAM_CHANGED, STREAM_DELETED, STREAM_OVERFLOW, STREAM_RESYNC } kind;
	const char *path; /* "" for the last two kinds */
};

/* Starts without any paths.  Returns 0, or -errno with a reason. */
int stream_open(struct stream *s, struct tool *t);

/*
 * Subscribes to a path of mountpoint_key(), or to "@introduceDomain" or "@releaseDomain", which may
 * be followed by "/DOMID".  When it returns the store has its watch.  On a mount that is read-only
 * the subtree of the nearest node above the path is read instead, so that there are events of other
 * paths too.  Returns 0 or -errno with a reason: -EOPNOTSUPP where the server cannot tell of one
 * domain only.
 */
int stream_add(struct stream *s, struct tool *t, const char *path);

/* Takes the next event.  Returns 1, 0 if there is none now, or -errno with a reason. */
int stream_next(struct stream *s, struct tool *t, struct stream_event *event);

/* Waits until there may be an event, for at most `timeout_ms`, or for ever if that is -1.  Returns
 * 0, or -errno with a reason. */
int stream_wait(struct stream *s, struct tool *t, int timeout_ms);

/* Makes stream_wait() return also when `fd` can be read.  Returns 0, or -errno with a reason. */
int stream_add_fd(struct stream *s, struct tool *t, int fd);

/* Ends it; `fd` of stream_add_fd() stays open. */
void stream_close(struct stream *s);

/* Returns whether stream_add() accepts `path` although it is not a key. */
bool stream_is_special(const char *path);

#endif
