/* SPDX-License-Identifier: MIT */
/*
 * What the kernel believes of inodes, and what it is to be told; see notifier.c.  No I/O.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/inode_impl.h"
#include "ring/clock.h"

/*
 * An answer that is younger than this may not be in the kernel's caches yet: the process that it is
 * for was woken, but puts it there only when it runs.  If such an answer becomes stale the kernel is
 * told at once, and again after each of these times: the first is enough nearly always, the others
 * are for a machine that is very busy.
 */
#define SETTLED_MS 1000
static const unsigned round_after_ms[INODE_ROUNDS] = { 0, 25, 200, SETTLED_MS };

/*
 * What this mount changed the kernel knows by the reply, so telling it begins with the second round.
 * It is told all the same: servers merge events, so one that is taken for the event of our own write
 * may be the only one of what somebody else did a moment later.
 */
static const unsigned first_round[] = { [CHANGED_BY_OTHERS] = 0, [CHANGED_BY_US] = 1 };

uint64_t inode_now_ms(void)
{
	return clock_now_ms(CLOCK_MONOTONIC_COARSE);
}

/* Takes the reference that an inode has in the queue, and while the kernel is told. */
static void take_ref(struct inodes *t, struct inode *inode)
{
	inode->refs++;
	t->untold++;
}

/* Queues an inode, whose reference stays in the queue. */
static void queue_stale(struct inodes *t, struct inode *inode, unsigned round)
{
	inode->stale = STALE_QUEUED;
	inode->round = round;
	inode->due_ms = round ? inode_now_ms() + round_after_ms[round] : 0;
	TAILQ_INSERT_TAIL(&t->stale[round], inode, stale_link);
}

void inode_outdate(struct inodes *t, struct inode *inode, enum changed_by by, bool name)
{
	const bool held = by == CHANGED_BY_OTHERS && inode->holds > 0;
	const unsigned round = held ? first_round[CHANGED_BY_US] : first_round[by];

	if (!t->track_stale || !inode->believed || !inode->hashed)
		return;
	inode->stale_name |= name;
	if (inode_now_ms() - inode->answered_ms < SETTLED_MS)
		inode->unsettled = true;
	inode->held |= held;
	/* Who writes all the time does not put it off. */
	if (inode->stale == STALE_QUEUED && inode->round <= round)
		return;
	if (inode->stale == STALE_QUEUED)
		TAILQ_REMOVE(&t->stale[inode->round], inode, stale_link);
	else
		take_ref(t, inode);
	queue_stale(t, inode, round);
}

void inode_tell_held(struct inodes *t, struct inode *inode)
{
	if (!inode->held)
		return;
	inode->held = false;
	inode_outdate(t, inode, CHANGED_BY_OTHERS, false);
}

void inode_believed(struct inode *inode)
{
	inode->believed = true;
	inode->answered_ms = inode_now_ms();
}

void inode_set_stale(struct inodes *t, struct inode *inode)
{
	inode->believed = true;
	inode_outdate(t, inode, CHANGED_BY_OTHERS, true);
}

void inode_drop_content(struct inodes *t, struct inode *inode)
{
	inode->believed = true;
	inode_outdate(t, inode, CHANGED_BY_OTHERS, false);
}

void inode_grow(struct inodes *t, struct inode *inode)
{
	inode->growing = true;
	inode_drop_content(t, inode);
}

bool inode_is_untold(const struct inode *inode)
{
	return inode->stale == STALE_TELLING || (inode->stale == STALE_QUEUED && (inode->round == 0 || inode->held));
}

void inode_drop(struct inodes *t, struct inode *inode)
{
	inode->stale_name = true;
	if (inode->stale != STALE_QUEUED) {
		take_ref(t, inode);
		queue_stale(t, inode, 0);
	}
}

/* Takes a copy of what the kernel is to be given.  Without memory it is given nothing. */
static void take_content(struct inode *inode, struct stale *stale)
{
	stale->given = false;
	stale->content_size = inode->shown_size;
	stale->content = inode->growing && inode->shown && inode->shown_size ? malloc(inode->shown_size) : NULL;
	inode->growing = false;
	if (!stale->content)
		return;
	memcpy(stale->content, inode->shown, inode->shown_size);
	inode->giving = true;
	/* Before it is given, as it may not be the last that the kernel gets. */
	stale->least_size = inode->least_size;
	inode_size_stored(inode, stale->content_size);
}

/* The kernel was given that, or has refused it. */
static void content_given(struct inode *inode, struct stale *stale)
{
	if (!stale->content)
		return;
	if (!stale->given)
		inode_size_sent(inode, stale->least_size);
	inode->giving = false;
	free(stale->content);
	stale->content = NULL;
}

/* Returns the inode that is to be told of next, now or later, or NULL. */
static struct inode *next_stale(const struct inodes *t)
{
	struct inode *next = NULL, *inode;

	for (unsigned i = 0; i < INODE_ROUNDS; i++) {
		inode = TAILQ_FIRST(&t->stale[i]);
		if (inode && (!next || inode->due_ms < next->due_ms))
			next = inode;
	}
	return next;
}

uint64_t inode_stale_due(const struct inodes *t)
{
	const struct inode *next = next_stale(t);

	return next ? next->due_ms : INODE_NEVER;
}

bool inode_take_stale(struct inodes *t, struct stale *stale)
{
	struct inode *inode = next_stale(t);

	if (inode && inode->due_ms > inode_now_ms())
		inode = NULL;
	if (inode) {
		TAILQ_REMOVE(&t->stale[inode->round], inode, stale_link);
		inode->stale = STALE_TELLING;
		/* An answer that is still on its way is believed when it arrives. */
		if (inode_now_ms() - inode->answered_ms >= SETTLED_MS)
			inode->believed = false;
		stale->paged = inode->paged;
		inode->paged = false;
		take_content(inode, stale);
		inode->size_valid = false;
		inode->held = false;
		inode->holds = 0;
		inode->hold_round++;
		inode->tellings++;
		stale->parent = inode->stale_name && inode->parent ? inode->parent->nodeid : 0;
		snprintf(stale->name, sizeof(stale->name), "%s", inode->name);
	}
	stale->inode = inode;
	return inode != NULL;
}

bool inode_told(struct inodes *t, struct stale *stale)
{
	struct inode *inode = stale->inode;

	inode->tellings++;
	content_given(inode, stale);
	inode_told_shown(inode);
	/* Unless an event came meanwhile, for which the queue has a reference of its own. */
	if (inode->stale != STALE_QUEUED) {
		if (inode->unsettled && inode->round + 1 < INODE_ROUNDS) {
			queue_stale(t, inode, inode->round + 1);
			return false;
		}
		inode->stale = STALE_SETTLED;
		inode->unsettled = inode->stale_name = false;
	}
	t->untold--;
	return true;
}
