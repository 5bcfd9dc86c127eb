/* SPDX-License-Identifier: MIT */
/*
 * `.xsfs/control`: requests about domains and the server, one line each, and their answers.
 *
 * A write returns when the store has answered.  Reading the same open file then returns the answer,
 * or the reason why the write failed, followed by the end of the file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/node/node.h"
#include "fs/special/special_files.h"

/* The kinds of words that may follow a command. */
enum word { WORD_END, WORD_DOMID, WORD_NUMBER, WORD_ANY };

#define WORDS_MAX 3

struct command {
	const char *name;
	const char *usage;
	uint32_t type;
	unsigned words_min;
	enum word words[WORDS_MAX];
	bool more;           /* any number of further words may follow */
	bool first_optional; /* the first word may be omitted */
	bool yes_no;         /* the store answers T or F */
};

/* docs/misc/xenstore.txt, "Domain management" and "Miscellaneous"; the last four commands are those
 * of Xen 4.21 and later. */
static const struct command commands[] = {
	{ "introduce", "DOMID GFN PORT", XS_INTRODUCE, 3,
	  .words = { WORD_DOMID, WORD_NUMBER, WORD_NUMBER } },
	{ "release", "DOMID", XS_RELEASE, 1, .words = { WORD_DOMID } },
	{ "resume", "DOMID", XS_RESUME, 1, .words = { WORD_DOMID } },
	{ "set-target", "DOMID TARGET", XS_SET_TARGET, 2, .words = { WORD_DOMID, WORD_DOMID } },
	{ "is-introduced", "DOMID", XS_IS_DOMAIN_INTRODUCED, 1, .words = { WORD_DOMID },
	  .yes_no = true },
	{ "domain-path", "DOMID", XS_GET_DOMAIN_PATH, 1, .words = { WORD_DOMID } },
	{ "control", "COMMAND [ARGUMENT...]", XS_CONTROL, 1, .words = { WORD_ANY }, .more = true },
	{ "get-feature", "[DOMID]", WIRE_GET_FEATURE, 0, .words = { WORD_DOMID } },
	{ "set-feature", "DOMID VALUE", WIRE_SET_FEATURE, 2, .words = { WORD_DOMID, WORD_NUMBER } },
	{ "get-quota", "[[DOMID] QUOTA]", WIRE_GET_QUOTA, 0, .words = { WORD_DOMID, WORD_ANY },
	  .first_optional = true },
	{ "set-quota", "[DOMID] QUOTA VALUE", WIRE_SET_QUOTA, 2,
	  .words = { WORD_DOMID, WORD_ANY, WORD_NUMBER }, .first_optional = true },
};

/* The state of an open file. */
struct control {
	const struct command *command; /* the command under way; NULL: none */
	char *answer;
	size_t len;
	size_t read;
};

/* ---- the answer ---- */

/* Keeps the text to be read, taking `text` (NULL: out of memory, so nothing is kept). */
static void keep_answer(struct control *control, char *text, size_t len)
{
	free(control->answer);
	control->answer = text;
	control->len = text ? len : 0;
	control->read = 0;
}

/* Ends the write with an error, and keeps an explanation to be read. */
static void fail(struct op *op, int error, const char *name, const char *why)
{
	char *text = NULL;
	int len = asprintf(&text, "%s%s%s\n", name, *name ? ": " : "", why);

	keep_answer(op->handle->own, len < 0 ? NULL : text, len);
	op_reply_error(op, error);
}

static const char *reason(int error)
{
	switch (error) {
	case -EOPNOTSUPP:
		return "the server does not know this request";
	case -ETIMEDOUT:
		return "the server does not answer; it may not know this request";
	case -EACCES:
	case -EPERM:
		return "the server does not let this domain do that";
	case -EINTR:
		return "interrupted; it may have been done";
	default:
		return strerror(-error);
	}
}

/* Copies the store's answer as text ending in a newline.  Returns NULL without memory. */
static char *answer_text(const struct command *command, const struct request *req, size_t *len)
{
	const char *from = req->reply;
	char *text;

	*len = req->reply_len;
	if (command->yes_no) {
		from = *len && *from == 'T' ? "yes" : "no";
		*len = strlen(from);
	}
	while (*len && (from[*len - 1] == '\0' || from[*len - 1] == '\n'))
		--*len;
	text = malloc(*len + 1);
	if (!text)
		return NULL;
	memcpy(text, from, *len);
	text[(*len)++] = '\n';
	return text;
}

/* Ends what control_begin() began.  Returns its command. */
static const struct command *control_end(struct control *control)
{
	const struct command *command = control->command;

	control->command = NULL;
	return command;
}

static void request_done(struct op *op)
{
	struct control *control = op->handle->own;
	const struct command *command = control_end(control);
	int err = op_call_error(op, 0);
	char *text;
	size_t len;

	if (err) {
		fail(op, err, command->name, reason(err));
		return;
	}
	text = answer_text(command, op->calls[0], &len);
	if (!text) {
		/* Success would make an empty answer of it. */
		fail(op, -ENOMEM, command->name, "it was done, but there is no memory for the answer");
		return;
	}
	keep_answer(control, text, len);
	op_reply_write(op, op->size);
}

/* ---- the request ---- */

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static bool word_is_valid(enum word word, const char *text)
{
	uint64_t number;

	if (word == WORD_ANY)
		return true;
	return wire_number_parse(text, strlen(text), word == WORD_DOMID ? UINT16_MAX : INT64_MAX,
				 &number) == 0;
}

/*
 * Turns the words of `line` after the command into the payload, in place, each followed by a NUL.
 * Returns its length, or -EINVAL.
 */
static int make_payload(const struct command *command, char *line)
{
	unsigned count = 0, max = 0, first = 0;
	char *word, *rest = line, *end = line, *pos = line;
	size_t len;

	while ((word = strsep(&rest, " \t"))) {
		if (!*word)
			continue;
		len = strlen(word) + 1;
		memmove(end, word, len);
		end += len;
		count++;
	}
	while (max < WORDS_MAX && command->words[max] != WORD_END)
		max++;
	if (count < command->words_min || (count > max && !command->more))
		return -EINVAL;
	if (command->first_optional && count < max)
		first = 1;
	for (unsigned i = first; i < max && pos < end; i++, pos += strlen(pos) + 1)
		if (!word_is_valid(command->words[i], pos))
			return -EINVAL;
	return end - line;
}

/* Cuts the command off the line.  Returns the rest. */
static char *cut_command(char **line)
{
	char *rest;

	*line += strspn(*line, " \t");
	rest = *line + strcspn(*line, " \t");
	if (*rest)
		*rest++ = '\0';
	return rest;
}

static bool control_begin(struct control *control, const struct command *command)
{
	if (control->command)
		return false;
	control->command = command;
	return true;
}

static void control_write(struct op *op)
{
	const struct command *command;
	char *line = op->data, *rest;
	size_t size = op->size;
	int len;

	if (size && line[size - 1] == '\n')
		size--;
	line[size] = '\0';
	if (size > WIRE_PAYLOAD_MAX || strlen(line) != size || strchr(line, '\n')) {
		fail(op, -EINVAL, "", "a request is one line");
		return;
	}
	rest = cut_command(&line);
	command = command_find(line);
	if (!command) {
		fail(op, -EINVAL, line, "there is no such request");
		return;
	}
	len = make_payload(command, rest);
	if (len < 0) {
		fail(op, -EINVAL, command->name, command->usage);
		return;
	}
	if (!control_begin(op->handle->own, command)) {
		op_reply_error(op, -EBUSY);
		return;
	}
	op_call_message(op, command->type, rest, len);
	/* oxenstored reads a message without a payload from a socket only when another
	 * message follows. */
	if (len == 0)
		op_call_message(op, XS_GET_DOMAIN_PATH, "0", sizeof("0"));
	op_submit(op, request_done);
}

/* ---- the open file ---- */

static void control_read(struct op *op)
{
	struct control *control = op->handle->own;
	char *buf = malloc(op->size ? op->size : 1);
	size_t left;

	if (!buf) {
		op_reply_error(op, -ENOMEM);
		return;
	}
	left = control->len - control->read;
	if (op->size > left)
		op->size = left;
	if (op->size)
		memcpy(buf, control->answer + control->read, op->size);
	control->read += op->size;
	op_reply_buf(op, buf, op->size);
	free(buf);
}

static void control_close(struct fs *fs, void *own)
{
	struct control *control = own;

	(void)fs;
	free(control->answer);
	free(control);
}

static void control_open(struct op *op)
{
	struct control *control = NULL;

	op->handle = handle_new(&op->fs->handles, op->inode, op->flags);
	if (op->handle)
		control = calloc(1, sizeof(*control));
	if (!control) {
		handle_free(op->handle);
		op_reply_error(op, -ENOMEM);
		return;
	}
	handle_set_own(op->handle, control, control_close);
	op_reply_open_stream(op, op->handle);
}

const struct special special_control = {
	.name = "control",
	.place = SPECIAL_IN_XSFS,
	.of_mount = true,
	.mode = S_IFREG | 0600,
	.owner_only = true,
	.open = control_open,
	.read = control_read,
	.write = control_write,
	.truncate = special_getattr,
};
