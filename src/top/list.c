/* SPDX-License-Identifier: MIT */
/* The place in a list; see ui.h. */
#include <curses.h>

#include "src/top/ui.h"

void list_fit(struct list_view *v, size_t n, int rows)
{
	size_t shown = rows > 0 ? rows : 1;

	if (v->at >= n)
		v->at = n ? n - 1 : 0;
	if (v->first > v->at)
		v->first = v->at;
	if (v->first + shown <= v->at)
		v->first = v->at - shown + 1;
	if (v->first + shown > n)
		v->first = n > shown ? n - shown : 0;
}

bool list_key(struct list_view *v, int key, size_t n, int rows)
{
	size_t step = rows > 1 ? rows - 1 : 1;

	switch (key) {
	case KEY_UP:
	case 'k':
		v->at -= v->at > 0;
		return true;
	case KEY_DOWN:
	case 'j':
		v->at++;
		break;
	case KEY_PPAGE:
		v->at -= v->at < step ? v->at : step;
		return true;
	case KEY_NPAGE:
	case ' ':
		v->at += step;
		break;
	case KEY_HOME:
	case 'g':
		v->at = 0;
		return true;
	case KEY_END:
	case 'G':
		v->at = n;
		break;
	default:
		return false;
	}
	if (v->at >= n)
		v->at = n ? n - 1 : 0;
	return true;
}
