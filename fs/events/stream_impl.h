/* SPDX-License-Identifier: MIT */
/* The inside of an event stream, shared by stream.c (its queue, those who read it), stream_text.c
 * (the lines that they get) and subscription.c (the paths that it tells of).  For nobody else. */
#ifndef FS_EVENTS_STREAM_IMPL_H
#define FS_EVENTS_STREAM_IMPL_H

#include "fs/events/cover.h"
#include "fs/events/path_index.h"
#include "fs/events/path_queue.h"
#include "fs/events/stream.h"
#include "fs/op/op.h"

struct streams {
	struct path_index index; /* of subscriptions */
	LIST_HEAD(, stream) all;
	struct op_list due; /* reads that waited, whose turn it is: run_reads() */
	bool running;       /* it is at work */
	uint64_t overflows;
	unsigned count;
};

/* A subscription's charge to its user's share, approximately: itself, its path twice, and an entry for each name in
 * it, if nobody shares those. */
#define SUBSCRIPTION_BYTES 512
#define NAME_BYTES 128

struct subscription {
	struct cover_ref ref;
	struct path_user user; /* in the index */
	struct stream *stream;
	bool pending; /* its watch is under way: one of stream->unarmed */
	bool armed;
	int error;  /* why it is none, or is none any more */
	TAILQ_ENTRY(subscription) link;
	uint64_t charged; /* to the stream's user */
	char path[];
};

struct stream {
	struct fs *fs;
	uid_t user; /* who opened it, and answers for what it takes */
	LIST_ENTRY(stream) all_link;
	TAILQ_HEAD(, subscription) subscriptions;
	/* The one path whose values it tells, instead of what happens at and below paths; NULL: it does
	 * the latter. */
	char *value_of;
	struct path_queue queue;
	bool resync;
	bool lost;         /* of a subscription nothing will come any more */
	bool failed;       /* there are subscriptions with an error */
	bool checking;     /* a read is asking the store about the first paths */
	char *text;        /* lines that were begun, and how much of them was read */
	size_t text_len;
	size_t text_read;
	struct op_list parked;
	struct kept_poll *poll;

	/* A subscribe that waits for its watches. */
	struct op *subscriber; /* once it does */
	unsigned unarmed;      /* watches under way */
	int error;             /* the first of those that failed */
	void (*done)(struct op *op, int error);
};

static inline struct subscription *subscription_of(struct path_user *user)
{
	return (struct subscription *)((char *)user - offsetof(struct subscription, user));
}

/*
 * Makes the lines that say what became of the paths in op->data (each with its NUL, op->data_len bytes in all),
 * of which the round has asked those that are nodes.  Writes them to *text (malloc) and *len.
 * Returns 0, -ENOMEM, or -EINTR if not all were answered.
 */
int stream_lines(struct op *op, char **text, size_t *len);

/* Makes the line that has the value which the round has asked for: *text (malloc) and *len.
 * Returns 0, or why there is no value to tell: -errno. */
int stream_value_line(struct op *op, char **text, size_t *len);

/* Ends all subscriptions of a stream that no event finds any more. */
void subscriptions_end(struct stream *stream);

#endif
