/* SPDX-License-Identifier: MIT */
/*
 * Implementation of ring/wire.h: the bytes of the xenstore protocol.
 * Everything here gets bytes from a store or a user and trusts none of them.
 * Pure functions, any thread.
 */
#include <string.h>

#include "ring/wire.h"

/* Largest domid that a permission can name: the field is 16 bits wide in Xen's interfaces. */
#define DOMID_MAX UINT16_MAX

static const char *const type_names[WIRE_TYPE_COUNT] = {
	[XS_CONTROL] = "CONTROL",
	[XS_DIRECTORY] = "DIRECTORY",
	[XS_READ] = "READ",
	[XS_GET_PERMS] = "GET_PERMS",
	[XS_WATCH] = "WATCH",
	[XS_UNWATCH] = "UNWATCH",
	[XS_TRANSACTION_START] = "TRANSACTION_START",
	[XS_TRANSACTION_END] = "TRANSACTION_END",
	[XS_INTRODUCE] = "INTRODUCE",
	[XS_RELEASE] = "RELEASE",
	[XS_GET_DOMAIN_PATH] = "GET_DOMAIN_PATH",
	[XS_WRITE] = "WRITE",
	[XS_MKDIR] = "MKDIR",
	[XS_RM] = "RM",
	[XS_SET_PERMS] = "SET_PERMS",
	[XS_WATCH_EVENT] = "WATCH_EVENT",
	[XS_ERROR] = "ERROR",
	[XS_IS_DOMAIN_INTRODUCED] = "IS_DOMAIN_INTRODUCED",
	[XS_RESUME] = "RESUME",
	[XS_SET_TARGET] = "SET_TARGET",
	[XS_RESET_WATCHES] = "RESET_WATCHES",
	[XS_DIRECTORY_PART] = "DIRECTORY_PART",
	[WIRE_GET_FEATURE] = "GET_FEATURE",
	[WIRE_SET_FEATURE] = "SET_FEATURE",
	[WIRE_GET_QUOTA] = "GET_QUOTA",
	[WIRE_SET_QUOTA] = "SET_QUOTA",
};

const char *wire_type_name(uint32_t type)
{
	if (type >= WIRE_TYPE_COUNT || !type_names[type])
		return "UNKNOWN";
	return type_names[type];
}

int wire_error_parse(const char *body, size_t len, bool *known)
{
	struct wire_strings s = wire_strings_init(body, len);
	const char *name;
	size_t i;

	if (known)
		*known = true;
	if (wire_strings_next(&s, &name, NULL) == 1) {
		for (i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
			if (!strcmp(name, xsd_errors[i].errstring))
				return -xsd_errors[i].errnum;
		/* oxenstored's name for its node, watch and transaction quotas; in no table. */
		if (!strcmp(name, "EQUOTA"))
			return -EDQUOT;
	}
	if (known)
		*known = false;
	return -EIO;
}

const char *wire_error_name(int err)
{
	size_t i;

	for (i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (err == xsd_errors[i].errnum || err == -xsd_errors[i].errnum)
			return xsd_errors[i].errstring;
	return "EIO";
}

int wire_strings_next(struct wire_strings *s, const char **str, size_t *len)
{
	const char *nul;

	if (s->pos == s->end)
		return 0;
	nul = memchr(s->pos, '\0', s->end - s->pos);
	if (!nul)
		return -EPROTO;
	*str = s->pos;
	if (len)
		*len = nul - s->pos;
	s->pos = nul + 1;
	return 1;
}

int wire_directory_part_parse(const char *body, size_t len, uint64_t *gen,
			      struct wire_strings *names, size_t *next, bool *last)
{
	struct wire_strings rest = wire_strings_init(body, len);
	struct wire_strings s;
	const char *name, *first, *end;
	uint64_t value;
	size_t n;

	if (wire_strings_next(&rest, &name, &n) != 1 ||
	    wire_number_parse(name, n, UINT64_MAX, &value))
		return -EPROTO;
	/* Neither names nor the end mark: asking again would give the same answer for ever. */
	if (rest.pos == rest.end)
		return -EPROTO;

	first = rest.pos;
	end = rest.end;
	for (s = rest; s.pos != s.end;) {
		if (wire_strings_next(&s, &name, &n) != 1)
			return -EPROTO;
		if (n)
			continue;
		/* Only the end mark is empty, and nothing follows it. */
		if (s.pos != s.end)
			return -EPROTO;
		end = name;
	}
	*gen = value;
	*names = wire_strings_init(first, end - first);
	*next = end - first;
	*last = end != rest.end;
	return 0;
}

int wire_event_parse(const char *body, size_t len, const char **path, const char **token)
{
	struct wire_strings s = wire_strings_init(body, len);
	const char *p, *t;

	if (wire_strings_next(&s, &p, NULL) != 1 || wire_strings_next(&s, &t, NULL) != 1 ||
	    s.pos != s.end)
		return -EPROTO;
	*path = p;
	*token = t;
	return 0;
}

/* Returns whether the `len` bytes at `s` are one permission, like "n0" or "b32752". */
static bool perm_is_valid(const char *s, size_t len)
{
	uint64_t domid;

	/* memchr and not strchr: a NUL is none of the letters. */
	return len > 1 && memchr("nrwb", s[0], 4) &&
	       !wire_number_parse(s + 1, len - 1, DOMID_MAX, &domid);
}

int wire_perms_to_text(const char *body, size_t len, char *text, size_t size)
{
	struct wire_strings s = wire_strings_init(body, len);
	const char *perm;
	size_t n, used = 0;

	if (!len)
		return -EINVAL;
	while (s.pos != s.end) {
		if (wire_strings_next(&s, &perm, &n) != 1 || !perm_is_valid(perm, n))
			return -EINVAL;
		/* The entry, and the comma or the NUL behind it. */
		if (n + 1 > size - used)
			return -ERANGE;
		memcpy(text + used, perm, n);
		used += n;
		text[used++] = ',';
	}
	text[--used] = '\0';
	return used;
}

int wire_perms_from_text(const char *text, size_t len, char *body, size_t size)
{
	const char *comma, *pos = text, *end;
	size_t n, used = 0;

	if (len && text[len - 1] == '\n')
		len--;
	if (!len)
		return -EINVAL;
	for (end = text + len;; pos = comma + 1) {
		comma = memchr(pos, ',', end - pos);
		n = (comma ? comma : end) - pos;
		if (!perm_is_valid(pos, n))
			return -EINVAL;
		if (n + 1 > size - used)
			return -ERANGE;
		memcpy(body + used, pos, n);
		used += n;
		body[used++] = '\0';
		if (!comma)
			return used;
	}
}

int wire_number_parse(const char *s, size_t len, uint64_t max, uint64_t *value)
{
	uint64_t v = 0;
	unsigned digit;
	size_t i;

	if (!len)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		digit = s[i] - '0';
		if (digit > max || v > (max - digit) / 10)
			return -EINVAL;
		v = v * 10 + digit;
	}
	*value = v;
	return 0;
}
