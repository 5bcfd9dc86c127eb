/* SPDX-License-Identifier: MIT */
/*
 * The bytes of the xenstore protocol: message types, error names, lists of strings, permissions.
 * For everything that builds a request or reads a reply.  Pure functions, no I/O, any thread.
 *
 * The rules are those of Xen's public headers and documents: xen/io/xs_wire.h and
 * docs/misc/xenstore.txt.
 */
#ifndef RING_WIRE_H
#define RING_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <xen/io/xs_wire.h>

/* Bytes of a message's header (struct xsd_sockmsg, little endian: Xen runs on nothing else). */
#define WIRE_HEADER_SIZE sizeof(struct xsd_sockmsg)

/* Largest payload that a client may send, in bytes (docs/misc/xenstore.txt, "COMMUNICATION"). */
#define WIRE_PAYLOAD_MAX XENSTORE_PAYLOAD_MAX

/*
 * Largest payload that is accepted in a reply, in bytes.  The protocol says WIRE_PAYLOAD_MAX, yet
 * oxenstored exceeds it over a socket for large directories; this limit only excludes nonsense.
 */
#define WIRE_REPLY_MAX (1u << 20)

/* Largest payload of a watch event: a path, a token, their NULs. */
#define WIRE_EVENT_MAX WIRE_PAYLOAD_MAX

/* Newer servers' messages that Debian 12's xs_wire.h does not define yet (from Xen
 * 4.21's xs_wire.h). */
enum {
	WIRE_GET_FEATURE = XS_DIRECTORY_PART + 1,
	WIRE_SET_FEATURE,
	WIRE_GET_QUOTA,
	WIRE_SET_QUOTA,
	WIRE_TYPE_COUNT
};

/* Returns the name of a message type ("READ", "WATCH_EVENT", …), or "UNKNOWN".  The
 * string is static. */
const char *wire_type_name(uint32_t type);

/*
 * Translates the payload of an XS_ERROR reply, `len` bytes at `body`, to a negative errno.
 *
 * The names of xs_wire.h's table map to their errno; "EQUOTA" (oxenstored) is -EDQUOT.  Any other
 * name, an empty one, or one without a terminating NUL is -EIO; *known then becomes false, so that
 * the caller can log it.  `known` may be NULL.
 */
int wire_error_parse(const char *body, size_t len, bool *known);

/* Returns the name that stands for errno `err` (positive or negative) in an XS_ERROR payload; "EIO"
 * for those that the table lacks.  The string is static. */
const char *wire_error_name(int err);

/* A cursor over consecutive NUL-terminated strings, as DIRECTORY, GET_PERMS and
 * WATCH_EVENT carry them. */
struct wire_strings {
	const char *pos;
	const char *end;
};

/* Starts a cursor over `len` bytes at `body`, borrowed for as long as the cursor is used.
 * `body` may be NULL if `len` is 0. */
static inline struct wire_strings wire_strings_init(const char *body, size_t len)
{
	return (struct wire_strings){ body, len ? body + len : body };
}

/*
 * Stores the next string and its length (without the NUL) and advances.
 *
 * Returns 1, or 0 at the end, or -EPROTO if the rest holds no NUL (nothing is stored then).
 * `len` may be NULL.  The string points into the body.
 */
int wire_strings_next(struct wire_strings *s, const char **str, size_t *len);

/*
 * Reads a DIRECTORY_PART reply: `gen NUL name NUL … [NUL]`, where the extra NUL, an empty last
 * name, marks the end of the directory.
 *
 * Stores the generation, a cursor over the names (without the end mark) and whether this part is
 * the last.  `next` gets the number of bytes by which the following request's offset grows.
 * Returns 0 or -EPROTO.
 */
int wire_directory_part_parse(const char *body, size_t len, uint64_t *gen,
			      struct wire_strings *names, size_t *next, bool *last);

/*
 * Reads a WATCH_EVENT payload: path NUL token NUL.  Both point into the body and are terminated.
 * Returns 0 or -EPROTO.
 */
int wire_event_parse(const char *body, size_t len, const char **path, const char **token);

/*
 * Translates a permission list between the wire (`n0 NUL r5 NUL`) and text (`n0,r5`).
 *
 * wire_perms_to_text() writes a terminated string of at most `size` bytes;
 * wire_perms_from_text() accepts one trailing newline and writes the NUL-separated list.  Each
 * entry is one of the letters n r w b and a decimal domid that fits 16 bits
 * (docs/misc/xenstore.txt, GET_PERMS).  Return the number of bytes written (without the
 * terminating NUL for text), or -EINVAL for something that is not a list, or -ERANGE if `size`
 * is too small.  An empty list is -EINVAL: a node always has an owner.
 */
int wire_perms_to_text(const char *body, size_t len, char *text, size_t size);
int wire_perms_from_text(const char *text, size_t len, char *body, size_t size);

/*
 * Parses a decimal number that fills `len` bytes exactly and is at most `max`.  No sign, no space.
 * Returns 0 or -EINVAL.
 */
int wire_number_parse(const char *s, size_t len, uint64_t max, uint64_t *value);

#endif
