/* SPDX-License-Identifier: MIT */
/* See log_text.h. */
#include <stdbool.h>
#include <string.h>

#include "fs/special/print.h"
#include "src/log_text.h"

/* Returns whether a UTF-8 sequence of `n` bytes can be shown as it is. */
static bool is_visible(const unsigned char *at, size_t n)
{
	if (n == 1)
		return *at >= ' ' && *at != 0x7f && *at != '\\';
	/* U+0080 to U+009F are control characters too. */
	if (n == 2 && at[0] == 0xc2)
		return at[1] >= 0xa0;
	/* U+061C changes the direction. */
	if (n == 2)
		return !(at[0] == 0xd8 && at[1] == 0x9c);
	/* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069: ends of lines, and changes of direction. */
	if (n == 3 && at[0] == 0xe2 && at[1] == 0x80)
		return at[2] != 0x8e && at[2] != 0x8f && !(at[2] >= 0xa8 && at[2] <= 0xae);
	if (n == 3 && at[0] == 0xe2 && at[1] == 0x81)
		return !(at[2] >= 0xa6 && at[2] <= 0xa9);
	return n > 0;
}

void log_text_escape(char *out, size_t size, const char *text)
{
	size_t left = strlen(text), n, len;
	char escaped[PRINT_ESCAPE_SIZE];
	const char *from;

	for (; left > 0; text += n, left -= n) {
		n = print_utf8_sequence((const unsigned char *)text, left);
		if (is_visible((const unsigned char *)text, n)) {
			from = text;
			len = n;
		} else {
			from = escaped;
			len = print_escape(escaped, *text) - escaped;
			n = 1;
		}
		if (len >= size)
			break;
		memcpy(out, from, len);
		out += len;
		size -= len;
	}
	*out = '\0';
}
