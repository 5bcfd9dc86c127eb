/* SPDX-License-Identifier: MIT */
/* See edit.h. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "src/tools/tool_apply.h"
#include "src/tools/tool_read.h"
#include "src/top/edit.h"

/* ---- the line ------------------------------------------------------------------------------- */

void edit_begin(struct edit_line *line, const char *text)
{
	mbstate_t state = { 0 };
	size_t n;

	line->len = 0;
	while (*text && line->len < EDIT_SIZE) {
		n = mbrtowc(&line->text[line->len], text, strlen(text), &state);
		if (n == 0 || n > strlen(text))
			break;
		text += n;
		line->len++;
	}
	line->cursor = line->len;
}

/* Removes the characters from `from` to the cursor. */
static void erase_from(struct edit_line *line, size_t from)
{
	memmove(line->text + from, line->text + line->cursor,
		(line->len - line->cursor) * sizeof(*line->text));
	line->len -= line->cursor - from;
	line->cursor = from;
}

static size_t word_start(const struct edit_line *line)
{
	size_t at = line->cursor;

	while (at > 0 && !iswalnum(line->text[at - 1]))
		at--;
	while (at > 0 && iswalnum(line->text[at - 1]))
		at--;
	return at;
}

void edit_move(struct edit_line *line, enum edit_move move)
{
	switch (move) {
	case EDIT_LEFT:
		line->cursor -= line->cursor > 0;
		break;
	case EDIT_RIGHT:
		line->cursor += line->cursor < line->len;
		break;
	case EDIT_HOME:
		line->cursor = 0;
		break;
	case EDIT_END:
		line->cursor = line->len;
		break;
	case EDIT_ERASE:
		erase_from(line, line->cursor - (line->cursor > 0));
		break;
	case EDIT_DELETE:
		if (line->cursor < line->len) {
			line->cursor++;
			erase_from(line, line->cursor - 1);
		}
		break;
	case EDIT_ERASE_WORD:
		erase_from(line, word_start(line));
		break;
	case EDIT_ERASE_ALL:
		erase_from(line, 0);
		break;
	}
}

void edit_insert(struct edit_line *line, wchar_t c)
{
	if (line->len == EDIT_SIZE || !iswprint(c))
		return;
	memmove(line->text + line->cursor + 1, line->text + line->cursor,
		(line->len - line->cursor) * sizeof(*line->text));
	line->text[line->cursor++] = c;
	line->len++;
}

char *edit_text(const struct edit_line *line)
{
	char *text = malloc(line->len * MB_LEN_MAX + 1), *to = text;
	mbstate_t state = { 0 };

	for (size_t i = 0; text && i < line->len; i++) {
		size_t n = wcrtomb(to, line->text[i], &state);

		to += n == (size_t)-1 ? 0 : n;
	}
	if (text)
		*to = '\0';
	return text;
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Reads what follows a backslash.  Returns how many characters it takes, or 0. */
static size_t unescape(const char *text, char *byte)
{
	switch (*text) {
	case '\\':
		*byte = '\\';
		return 1;
	case 'n':
		*byte = '\n';
		return 1;
	case 't':
		*byte = '\t';
		return 1;
	case 'x':
		if (!isxdigit((unsigned char)text[1]) || !isxdigit((unsigned char)text[2]))
			return 0;
		*byte = hex_digit(text[1]) << 4 | hex_digit(text[2]);
		return 3;
	default:
		return 0;
	}
}

int edit_value(char *text, size_t *len)
{
	char *start = text, *to = text;

	while (*text) {
		if (*text == '\\') {
			size_t n = unescape(text + 1, to);

			if (n == 0)
				return -EINVAL;
			text += n + 1;
			to++;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
	*len = to - start;
	return 0;
}

/* ---- the change ----------------------------------------------------------------------------- */

int edit_init(struct edit *e, const char *path, const char *was, size_t was_len, const char *value,
	      size_t len)
{
	*e = (struct edit){ .was = tool_value_copy(was, was_len), .value = tool_value_copy(value, len),
			    .was_len = was_len, .len = len };
	snprintf(e->path, sizeof(e->path), "%s", path);
	return e->was && e->value ? 0 : -ENOMEM;
}

void edit_release(struct edit *e)
{
	free(e->was);
	free(e->value);
	*e = (struct edit){ 0 };
}

void edit_reverse(struct edit *e)
{
	char *value = e->value;
	size_t len = e->len;

	e->value = e->was;
	e->len = e->was_len;
	e->was = value;
	e->was_len = len;
}

/* A value was read, `n` bytes or an error, and is freed.  Returns 0 if it is the old one, -ESTALE or
 * that error. */
static int check(const struct edit *e, ssize_t n, char *value)
{
	bool same = n >= 0 && (size_t)n == e->was_len && !memcmp(value, e->was, n);

	if (n >= 0)
		free(value);
	if (n < 0)
		return n == -ENOENT ? -ESTALE : n;
	return same ? 0 : -ESTALE;
}

static int write_once(struct raw *raw, const struct edit *e)
{
	char *value = NULL;
	uint32_t tx;
	int n = raw_start(raw, &tx);

	if (n)
		return n;
	n = raw_call(raw, XS_READ, tx, e->path, NULL, 0, &value);
	n = check(e, n, value);
	if (!n)
		n = raw_call(raw, XS_WRITE, tx, e->path, e->value, e->len, NULL);
	if (n >= 0)
		return raw_commit(raw, tx);
	raw_abort(raw, tx);
	return n;
}

static int write_raw(struct raw *raw, const struct edit *e)
{
	for (unsigned try = 0;; try++) {
		int err = write_once(raw, e);

		if (err != -EAGAIN || try == CHANGES_TRIES)
			return err;
		changes_pause(try);
	}
}

/* By the files: somebody can be faster between the two. */
static int write_files(struct tool *t, const struct edit *e)
{
	struct changes changes = { 0 };
	char *value;
	ssize_t n = tool_value(&t->mountpoint, e->path, &value);
	int err = check(e, n, value);

	if (!err)
		err = changes_add(&changes, e->path, e->value, e->len, NULL);
	if (!err)
		err = tool_apply(t, &changes, false, CHANGES_MERGE, NULL);
	changes_release(&changes);
	return err;
}

int edit_write(struct tool *t, const struct edit *e)
{
	struct raw raw = { .fd = -1 };
	char file[PATH_MAX + 16];
	int err;

	t->why[0] = '\0';
	snprintf(file, sizeof(file), "%s/.xsfs/xenbus", t->mountpoint.dir);
	err = raw_open(&raw, file);
	if (err == -EACCES) {
		err = write_files(t, e);
	} else if (!err) {
		err = write_raw(&raw, e);
		raw_close(&raw);
	}
	if (err == -ESTALE)
		return tool_complain(t, TOOL_NO, "%s: changed meanwhile; nothing was written", e->path);
	return err && !t->why[0] ? tool_fail(t, err, e->path) : err;
}
