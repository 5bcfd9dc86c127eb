/* SPDX-License-Identifier: MIT */
/*
 * What the kernel believes of inodes, and what it is to be told; see notifier.c.  No I/O.
 */
#include <stdio.h>

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

uint64_t inode_now_ms(void)
{
	return clock_now_ms(CLOCK_MONOTONIC_COARSE);
}

/* Queues an inode, whose reference stays in the queue. */
static void queue_stale(struct inodes *t, struct inode *inode, unsigned round)
{
	inode->stale = STALE_QUEUED;
	inode->round = round;
	inode->due_ms = round ? inode_now_ms() + round_after_ms[round] : 0;
	TAILQ_INSERT_TAIL(&t->stale[round], inode, stale_link);
}

void inode_outdate(struct inodes *t, struct inode *inode, bool name)
{
	if (!t->track_stale || !inode->believed || !inode->hashed)
		return;
	inode->stale_name |= name;
	if (inode_now_ms() - inode->answered_ms < SETTLED_MS)
		inode->unsettled = true;
	if (inode->stale == STALE_QUEUED && inode->round == 0)
		return;
	if (inode->stale == STALE_QUEUED)
		TAILQ_REMOVE(&t->stale[inode->round], inode, stale_link);
	else
		inode->refs++;
	queue_stale(t, inode, 0);
}

void inode_believed(struct inode *inode)
{
	inode->believed = true;
	inode->answered_ms = inode_now_ms();
}

void inode_set_stale(struct inodes *t, struct inode *inode)
{
	inode->believed = true;
	inode_outdate(t, inode, true);
}

void inode_drop(struct inodes *t, struct inode *inode)
{
	inode->stale_name = true;
	if (inode->stale != STALE_QUEUED) {
		inode->refs++;
		queue_stale(t, inode, 0);
	}
}

/* Returns the inode that is due to be told of, or NULL. */
static struct inode *next_stale(struct inodes *t, int *wait_ms)
{
	uint64_t now = inode_now_ms();
	struct inode *inode;

	*wait_ms = -1;
	for (unsigned i = 0; i < INODE_ROUNDS; i++) {
		inode = TAILQ_FIRST(&t->stale[i]);
		if (inode && inode->due_ms <= now)
			return inode;
		if (inode && (*wait_ms < 0 || inode->due_ms - now < (uint64_t)*wait_ms))
			*wait_ms = inode->due_ms - now;
	}
	return NULL;
}

bool inode_take_stale(struct inodes *t, struct stale *stale, int *wait_ms)
{
	struct inode *inode;

	inode = next_stale(t, wait_ms);
	if (inode) {
		TAILQ_REMOVE(&t->stale[inode->round], inode, stale_link);
		inode->stale = STALE_TELLING;
		/* An answer that is still on its way is believed when it arrives. */
		if (inode_now_ms() - inode->answered_ms >= SETTLED_MS)
			inode->believed = false;
		stale->parent = inode->stale_name && inode->parent ? inode->parent->nodeid : 0;
		snprintf(stale->name, sizeof(stale->name), "%s", inode->name);
	}
	stale->inode = inode;
	return inode != NULL;
}

bool inode_told(struct inodes *t, struct inode *inode)
{
	/* An event came meanwhile: the queue has a reference of its own. */
	if (inode->stale == STALE_QUEUED)
		return true;
	if (inode->unsettled && inode->round + 1 < INODE_ROUNDS) {
		queue_stale(t, inode, inode->round + 1);
		return false;
	}
	inode->stale = STALE_SETTLED;
	inode->unsettled = inode->stale_name = false;
	return true;
}
