/* SPDX-License-Identifier: MIT */
/* The faults of inject.h.  The server's clock is the machine's, so "late" takes no time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fs.h"
#include "tests/faults/inject.h"
#include "tests/faults/kernel.h"

/* ---- the reply comes, somehow ---- */

static void delayed(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	machine_message(m, hdr, body, len, MACHINE_TIMEOUT_MS / 2);
}

static void too_late(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	machine_message(m, hdr, body, len, MACHINE_TIMEOUT_MS * 3 / 2);
}

/* A moment is enough for those that were sent together with it. */
static void overtaken(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	machine_message(m, hdr, body, len, 1);
}

static void in_pieces(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	char data[sizeof(*hdr) + WIRE_PAYLOAD_MAX];
	size_t size = sizeof(*hdr) + len;

	memcpy(data, hdr, sizeof(*hdr));
	memcpy(data + sizeof(*hdr), body, len);
	for (size_t i = 0; i < size; i += 2)
		machine_pieces(m, data + i, size - i < 2 ? size - i : 2, 1, 1);
}

static void twice(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	machine_message(m, hdr, body, len, 0);
	machine_message(m, hdr, body, len, 0);
}

static void never(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	m->unanswered++;
	(void)hdr;
	(void)body;
	(void)len;
}

static void ignored(struct machine *m, const struct wire_msg *msg)
{
	m->unanswered++;
	(void)msg;
}

/* ---- the reply is none ---- */

static void unknown_id(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	hdr->req_id ^= UINT32_C(0x55555400);
	m->unanswered++;
	machine_message(m, hdr, body, len, 0);
}

/* That of an event, which no request has. */
static void id_zero(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	hdr->req_id = 0;
	m->unanswered++;
	machine_message(m, hdr, body, len, 0);
}

static void wrong_type(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	hdr->type = hdr->type == XS_CONTROL ? XS_READ : XS_CONTROL;
	machine_message(m, hdr, body, len, 0);
}

static void oversize(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	hdr->len = WIRE_REPLY_MAX + 1;
	machine_message(m, hdr, body, len, 0);
}

static void huge(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	hdr->len = UINT32_MAX;
	machine_message(m, hdr, body, len, 0);
}

static void garbage(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	(void)body;
	(void)len;
	memset(hdr, 0xa5, sizeof(*hdr));
	machine_message(m, hdr, NULL, 0, 0);
}

/* It goes on when the server is sound again, long after the deadline. */
#define HALF_MS (2 * MACHINE_PATIENCE_MS)

static void half_header(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	char data[sizeof(*hdr) + WIRE_PAYLOAD_MAX];

	memcpy(data, hdr, sizeof(*hdr));
	memcpy(data + sizeof(*hdr), body, len);
	machine_pieces(m, data, sizeof(*hdr) + len, sizeof(*hdr) / 2, HALF_MS);
}

static void half_body(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	char data[sizeof(*hdr) + WIRE_PAYLOAD_MAX];

	memcpy(data, hdr, sizeof(*hdr));
	memcpy(data + sizeof(*hdr), body, len);
	machine_pieces(m, data, sizeof(*hdr) + len, sizeof(*hdr) + len / 2, HALF_MS);
}

/* ---- the connection ends ---- */

static void eof_before(struct machine *m, const struct wire_msg *msg)
{
	(void)msg;
	machine_hang_up(m);
}

static void eof_after(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	(void)hdr;
	(void)body;
	(void)len;
	machine_hang_up(m);
}

static void eof_inside(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	machine_message(m, hdr, body, len / 2, 0);
	machine_hang_up(m);
}

static void death(struct machine *m, const struct wire_msg *msg)
{
	(void)msg;
	machine_hang_up(m);
	m->wire.refuses = true;
}

static void closed_for_sending(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	machine_message(m, hdr, body, len, 0);
	m->wire.send_fails = true;
}

static void reads_no_more(struct machine *m, const struct wire_msg *msg)
{
	(void)msg;
	m->unanswered++;
	m->wire.deaf = true;
}

static void dies_for_good(struct machine *m)
{
	m->died = true;
	chan_set_dead(m->chan);
	fs_store_died(m->fs);
}

/* ---- the ring's page ---- */

static void bad_response_index(struct machine *m, const struct wire_msg *msg)
{
	(void)msg;
	m->wire.page.rsp_prod += 2 * XENSTORE_RING_SIZE;
}

static void response_index_backwards(struct machine *m, const struct wire_msg *msg)
{
	(void)msg;
	m->wire.page.rsp_prod -= 100;
}

/* The next request finds it; the server itself is confused until the indices are reset. */
static void bad_request_index(struct machine *m, const struct wire_msg *msg)
{
	(void)msg;
	m->wire.confused = true;
	m->wire.page.req_cons += 3 * XENSTORE_RING_SIZE;
}

/* ---- events ---- */

static void event(struct machine *m, const char *path, const char *token)
{
	struct xsd_sockmsg hdr = { .type = XS_WATCH_EVENT, .req_id = 77, .tx_id = 88 };
	char body[128];
	int len = snprintf(body, sizeof(body), "%s%c%s", path, '\0', token) + 1;

	hdr.len = len;
	machine_message(m, &hdr, body, len, 0);
}

static void unknown_tokens(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	event(m, "/a", "no-such-token");
	event(m, "/a", "");
	event(m, "/a", "18446744073709551617");
	event(m, "", "4294967295");
	machine_message(m, hdr, body, len, 0);
}

static void event_storm(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	static const char *const paths[] = { "/", "/a", "/d", "/d/x", "/missing/below", "@introduceDomain" };

	for (unsigned i = 0; i < 500; i++) {
		fake_server_event(m->server, "/");
		event(m, paths[i % 6], "1");
	}
	machine_message(m, hdr, body, len, 0);
}

static void event_without_token(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	const struct xsd_sockmsg event = { .type = XS_WATCH_EVENT, .len = 2 };

	machine_message(m, &event, "/a", 2, 0);
	machine_message(m, hdr, body, len, 0);
}

/* ---- refusals ---- */

static void refuse(struct machine *m, const struct wire_msg *msg, const char *name, size_t len)
{
	struct xsd_sockmsg hdr = msg->hdr;

	hdr.type = XS_ERROR;
	hdr.len = len;
	machine_refuse(m, msg);
	machine_message(m, &hdr, name, len, 0);
}

#define REFUSAL(function, name)                                                                      \
	static void function(struct machine *m, const struct wire_msg *msg)                          \
	{                                                                                            \
		refuse(m, msg, name, sizeof(name));                                                  \
	}

REFUSAL(refuse_eio, "EIO")
REFUSAL(refuse_enomem, "ENOMEM")
REFUSAL(refuse_enospc, "ENOSPC")
REFUSAL(refuse_eacces, "EACCES")
REFUSAL(refuse_enoent, "ENOENT")
REFUSAL(refuse_einval, "EINVAL")
REFUSAL(refuse_eagain, "EAGAIN")
REFUSAL(refuse_unknown, "EWHATEVER")

static void error_without_nul(struct machine *m, const struct wire_msg *msg)
{
	refuse(m, msg, "EIO", 3);
}

static void refuse_watches(struct machine *m, const struct wire_msg *msg)
{
	if (msg->hdr.type == XS_WATCH)
		refuse(m, msg, "E2BIG", sizeof("E2BIG"));
	else
		machine_carry_out(m, msg);
}

/* ---- lies ---- */

static void empty_body(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	(void)body;
	(void)len;
	/* Nobody learns its number. */
	m->unanswered += hdr->type == XS_TRANSACTION_START;
	hdr->len = 0;
	machine_message(m, hdr, NULL, 0, 0);
}

static void senseless_body(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	static const char text[] = "\xff/..\0.\0\0a/b\0\x01";

	(void)body;
	(void)len;
	m->unanswered += hdr->type == XS_TRANSACTION_START;
	hdr->len = sizeof(text) - 1;
	machine_message(m, hdr, text, hdr->len, 0);
}

/* ---- the caller ---- */

static void give_up(struct machine *m)
{
	kernel_interrupt(m, m->waiting);
}

const struct fault faults[] = {
	{ "delayed", .spoil = delayed, .harmless = true },
	{ "overtaken by others", .spoil = overtaken, .harmless = true },
	{ "byte by byte", .spoil = in_pieces, .harmless = true },
	{ "sent twice", .spoil = twice, .harmless = true },
	{ "after the deadline", .spoil = too_late },
	{ "never sent", .spoil = never },
	{ "request ignored", .instead = ignored },
	{ "unknown id", .spoil = unknown_id },
	{ "id of an event", .spoil = id_zero },
	{ "wrong type", .spoil = wrong_type, .drops = true },
	{ "oversize", .spoil = oversize, .drops = true },
	{ "length 2^32-1", .spoil = huge, .drops = true },
	{ "garbage header", .spoil = garbage, .drops = true },
	{ "half a header, silence", .spoil = half_header },
	{ "half a body, silence", .spoil = half_body },
	{ "half a body, the end", .spoil = eof_inside },
	{ "EOF before it is done", .instead = eof_before },
	{ "EOF after it is done", .spoil = eof_after },
	{ "reply, then EPIPE", .spoil = closed_for_sending },
	{ "server reads no more", .instead = reads_no_more },
	{ "server dies", .instead = death },
	{ "server dies for good", .instead = ignored, .later = dies_for_good },
	{ "bad rsp_prod", .instead = bad_response_index, .paged = true, .drops = true },
	{ "rsp_prod goes back", .instead = response_index_backwards, .paged = true, .drops = true },
	{ "bad req_cons", .instead = bad_request_index, .paged = true },
	{ "unknown tokens", .spoil = unknown_tokens, .harmless = true },
	{ "event storm", .spoil = event_storm, .harmless = true },
	{ "event without token", .spoil = event_without_token, .drops = true },
	{ "watches refused", .instead = refuse_watches, .every = true, .from_start = true, .answers = true },
	{ "EIO", .instead = refuse_eio, .answers = true },
	{ "ENOMEM", .instead = refuse_enomem, .answers = true },
	{ "ENOSPC", .instead = refuse_enospc, .answers = true },
	{ "EACCES", .instead = refuse_eacces, .answers = true, .lies = true },
	{ "ENOENT", .instead = refuse_enoent, .answers = true, .lies = true },
	{ "EINVAL", .instead = refuse_einval, .answers = true },
	{ "EAGAIN", .instead = refuse_eagain, .answers = true },
	{ "unknown error name", .instead = refuse_unknown, .answers = true },
	{ "error without a NUL", .instead = error_without_nul, .answers = true },
	{ "empty body", .spoil = empty_body, .lies = true },
	{ "senseless body", .spoil = senseless_body, .lies = true },
	{ "an allocation fails", .memory = true },
	{ "caller interrupted", .spoil = never, .later = give_up, .interrupts = true },
};
const unsigned faults_count = sizeof(faults) / sizeof(faults[0]);
