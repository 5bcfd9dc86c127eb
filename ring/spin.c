/* SPDX-License-Identifier: MIT */
/* Bounded, yielding, adaptive spinning.  Each struct belongs to one thread. */
#include <sched.h>

#include "ring/chan_impl.h"
#include "ring/spin.h"

/* A spin that found nothing costs as much trust as this many rewarded ones earn. */
#define SPIN_PENALTY 2

/* With no trust left, one in this many opportunities is tried all the same. */
#define SPIN_RETRY_EVERY 16

void spin_init(struct spin *spin)
{
	*spin = (struct spin){ .score = SPIN_SCORE_MAX };
}

void spin_hit(struct spin *spin)
{
	if (spin->until_ns && spin->score < SPIN_SCORE_MAX)
		spin->score++;
	spin->until_ns = 0;
}

void spin_restart(struct spin *spin)
{
	spin->until_ns = 0;
}

bool spin_again(struct spin *spin)
{
	uint64_t now = chan_now();

	if (spin->until_ns == 0) {
		if (spin->score == 0 && ++spin->skipped < SPIN_RETRY_EVERY)
			return false;
		spin->skipped = 0;
		spin->until_ns = now + SPIN_BUDGET_NS;
	} else if (now >= spin->until_ns) {
		spin->score -= spin->score < SPIN_PENALTY ? spin->score : SPIN_PENALTY;
		spin->until_ns = 0;
		return false;
	}
	sched_yield();
	return true;
}
