/* SPDX-License-Identifier: MIT */
/* See tool_text.h. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "fs/special/print.h"
#include "src/tools/tool_text.h"

void text_init(void)
{
	setlocale(LC_CTYPE, "");
}

bool text_has_colour(FILE *out)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fileno(out)) && !(no_color && *no_color) && term && *term &&
	       strcmp(term, "dumb") != 0;
}

/* Returns whether a character can be shown.  The C library calls characters that change the
 * direction of a text printable, but they make a line appear to say something else. */
static bool is_visible(wchar_t c)
{
	return iswprint(c) && c != 0x061c && c != 0x200e && c != 0x200f && !(c >= 0x202a && c <= 0x202e) &&
	       !(c >= 0x2066 && c <= 0x2069);
}

char *text_printable(const char *data, size_t len)
{
	char *text = malloc(4 * len + 1), *to = text;
	mbstate_t state = { 0 };

	while (text && len > 0) {
		wchar_t c;
		size_t n = mbrtowc(&c, data, len, &state);

		if (n > 0 && n <= len && *data != '\\' && is_visible(c)) {
			to = mempcpy(to, data, n);
		} else {
			/* Escapes a single byte: the next one may start a valid character. */
			state = (mbstate_t){ 0 };
			to = print_escape(to, *data);
			n = 1;
		}
		data += n;
		len -= n;
	}
	if (text)
		*to = '\0';
	return text;
}

size_t text_width(const char *text)
{
	mbstate_t state = { 0 };
	size_t width = 0, n;
	wchar_t c;

	while ((n = mbrtowc(&c, text, strlen(text), &state)) > 0 && n <= strlen(text)) {
		int columns = wcwidth(c);

		width += columns > 0 ? columns : 0;
		text += n;
	}
	return width;
}

void text_put(FILE *out, const char *text, enum text_style style, bool colour)
{
	static const char *const codes[] = {
		[TEXT_TITLE] = "1", [TEXT_GOOD] = "32", [TEXT_BUSY] = "33",
		[TEXT_BAD] = "31",  [TEXT_DIM] = "2",
	};

	if (colour && style != TEXT_PLAIN)
		fprintf(out, "\033[%sm%s\033[0m", codes[style], text);
	else
		fputs(text, out);
}

void text_put_value(FILE *out, const char *data, size_t len)
{
	char *text = text_printable(data, len);

	fprintf(out, "\"%s\"", text ? text : "");
	free(text);
}

/* Some terminals obey the control characters U+0080 to U+009F, which JSON may
 * contain as they are. */
static void put_without_controls(FILE *out, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char next = i + 1 < len ? data[i + 1] : 0;

		if ((unsigned char)data[i] == 0xc2 && next >= 0x80 && next < 0xa0) {
			fprintf(out, "\\u%04x", next);
			i++;
		} else {
			fputc(data[i], out);
		}
	}
}

void text_put_json(FILE *out, const char *data, size_t len)
{
	struct print json = { 0 };

	print_json_value(&json, data, len);
	put_without_controls(out, json.data, json.len);
	free(json.data);
}
