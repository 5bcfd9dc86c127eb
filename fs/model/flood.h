/* SPDX-License-Identifier: MIT */
/*
 * Whether the server may have kept events back.
 *
 * oxenstored (Xen 4.17) queues 1024 messages for a client that takes them more slowly than others cause them
 * (quota-maxoutstanding).  The events after those it keeps back, and sends them with the next event of the same watch,
 * whenever that may be.  So it has to be found out whether so many were waiting.  The server sends answers and events
 * in one order: whatever was in its queue when it answered a question comes before that answer.  If therefore few
 * events have come between a question and the answer to the next one, there were never many in the queue meanwhile.
 *
 * Counts only; dispatch.c asks the questions.
 */
#ifndef FS_MODEL_FLOOD_H
#define FS_MODEL_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

/* Events after which a question is due. */
#define FLOOD_ASK 256

/* So many between a question and the answer to the next one are a flood.  Less than the server's 1024, as answers of
 * this mount's have a place in its queue, too. */
#define FLOOD_EVENTS 768

struct flood {
	uint64_t events;       /* that have come */
	uint64_t asked;        /* how many had when the last question was sent, */
	uint64_t asked_before; /* and the one before that */
	bool asking;           /* it was not answered yet */
	bool high;             /* there was a flood that is not over */
};

/* What to do after an answer. */
enum flood_next {
	FLOOD_NOTHING,
	FLOOD_ASK_AGAIN, /* at once, for it may go on */
	FLOOD_OVER,      /* it is over, and events of before may be held back */
};

/* An event has come.  Returns whether to ask a question. */
bool flood_event(struct flood *flood);

/* The question is sent. */
void flood_asked(struct flood *flood);

/* It is answered. */
enum flood_next flood_answered(struct flood *flood);

/* It will not be answered, or was not sent: the next event asks. */
void flood_unanswered(struct flood *flood);

#endif
