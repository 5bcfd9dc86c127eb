/* SPDX-License-Identifier: MIT */
/* Bounded, yielding, adaptive spinning.  Each struct belongs to one thread. */
#include <sched.h>

#include "ring/chan_impl.h"
#include "ring/spin.h"

/* A spin that found nothing costs as much trust as this many rewarded ones earn. */
#define SPIN_PENALTY 2

/* With no trust left, one in this many opportunities is tried all the same. */
#define SPIN_RETRY_EVERY 16

/* How long a glance lasts, in nanoseconds. */
#define GLANCE_NS 4000

/* Returns whether to try although `score` may say that it does not pay. */
static bool worth_trying(unsigned score, unsigned *skipped)
{
	if (score == 0 && ++*skipped < SPIN_RETRY_EVERY)
		return false;
	*skipped = 0;
	return true;
}

static void trust(unsigned *score, bool found)
{
	if (found)
		*score += *score < SPIN_SCORE_MAX;
	else
		*score -= *score < SPIN_PENALTY ? *score : SPIN_PENALTY;
}

void spin_init(struct spin *spin)
{
	*spin = (struct spin){ .score = SPIN_SCORE_MAX };
}

void spin_hit(struct spin *spin)
{
	if (spin->until_ns && !spin->sure)
		trust(&spin->score, true);
	spin_restart(spin);
}

void spin_expect(struct spin *spin)
{
	spin->sure = true;
}

void spin_restart(struct spin *spin)
{
	spin->until_ns = 0;
	spin->sure = false;
}

bool spin_again(struct spin *spin)
{
	uint64_t now = chan_now();

	if (spin->until_ns == 0) {
		if (!spin->sure && !worth_trying(spin->score, &spin->skipped))
			return false;
		spin->until_ns = now + SPIN_BUDGET_NS;
	} else if (now >= spin->until_ns) {
		if (!spin->sure)
			trust(&spin->score, false);
		spin_restart(spin);
		return false;
	}
	sched_yield();
	return true;
}

/* Tells the processor that this is a loop that waits. */
static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

void glance_init(struct glance *glance)
{
	*glance = (struct glance){ .score = SPIN_SCORE_MAX };
}

bool glance_until(struct glance *glance, bool (*ready)(const void *arg), const void *arg)
{
	uint64_t until;
	bool found;

	if (ready(arg))
		return true;
	if (!worth_trying(glance->score, &glance->skipped))
		return false;
	until = chan_now() + GLANCE_NS;
	do {
		relax();
		found = ready(arg);
	} while (!found && chan_now() < until);
	trust(&glance->score, found);
	return found;
}
