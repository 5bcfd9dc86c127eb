/* SPDX-License-Identifier: MIT */
/* What flood.h says. */
#include "fs/model/flood.h"

bool flood_event(struct flood *flood)
{
	flood->events++;
	return !flood->asking && flood->events - flood->asked >= FLOOD_ASK;
}

void flood_asked(struct flood *flood)
{
	flood->asked_before = flood->asked;
	flood->asked = flood->events;
	flood->asking = true;
}

enum flood_next flood_answered(struct flood *flood)
{
	bool was_high = flood->high;

	flood->asking = false;
	flood->high = flood->events - flood->asked_before >= FLOOD_EVENTS;
	if (flood->high)
		return FLOOD_ASK_AGAIN;
	return was_high ? FLOOD_OVER : FLOOD_NOTHING;
}

void flood_unanswered(struct flood *flood)
{
	/* As if it had not been asked: the next event asks again. */
	flood->asking = false;
	flood->asked = flood->asked_before;
}
