/* SPDX-License-Identifier: MIT */
/* See unfinished.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ring/unfinished.h"
#include "ring/wire.h"
#include "ring/xen_page.h"

/* The file's content. */
struct unfinished {
	uint32_t len; /* 0: nothing is noted */
	XENSTORE_RING_IDX begin;
	char message[sizeof(struct xsd_sockmsg) + WIRE_PAYLOAD_MAX];
};

/* Maps the file, with room for all of it: without, writing to it could be deadly.  Returns it, or NULL with errno. */
static struct unfinished *file_map(int fd)
{
	struct unfinished *u;

	errno = posix_fallocate(fd, 0, sizeof(*u));
	if (errno)
		return NULL;
	u = mmap(NULL, sizeof(*u), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return u == MAP_FAILED ? NULL : u;
}

struct unfinished *unfinished_open(uint32_t domid, struct logger *log)
{
	char path[XEN_RUN_PATH_MAX];
	struct unfinished *u = NULL;
	int fd = xen_run_file(domid, "unfinished", path);

	if (fd >= 0)
		u = file_map(fd);
	if (!u)
		log_warning(log, "ring: %s: %s: if this process is killed while it sends a request, the ring may be of "
				 "no use until RELEASE and INTRODUCE", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return u;
}

void unfinished_close(struct unfinished *u)
{
	if (u)
		munmap(u, sizeof(*u));
}

void unfinished_note(struct unfinished *u, XENSTORE_RING_IDX begin, const void *message, size_t len)
{
	if (!u || len > sizeof(u->message))
		return;
	unfinished_forget(u);
	u->begin = begin;
	memcpy(u->message, message, len);
	/* Release: whoever finds a length finds the message as well, wherever this process was killed. */
	__atomic_store_n(&u->len, (uint32_t)len, __ATOMIC_RELEASE);
}

void unfinished_forget(struct unfinished *u)
{
	/* Seq_cst: before whatever is written over the message afterwards. */
	if (u)
		__atomic_store_n(&u->len, 0, __ATOMIC_SEQ_CST);
}

/* Whether the ring ends with the first `sent` bytes, as far as it still has them. */
static bool is_at_the_end(const struct xenstore_domain_interface *page, const char *message, size_t sent)
{
	size_t len = sent < XENSTORE_RING_SIZE ? sent : XENSTORE_RING_SIZE;
	XENSTORE_RING_IDX from = page->req_prod - (XENSTORE_RING_IDX)len;

	for (size_t i = 0; i < len; i++)
		if (page->req[MASK_XENSTORE_IDX(from + i)] != message[sent - len + i])
			return false;
	return true;
}

size_t unfinished_rest(const struct unfinished *u, const struct xenstore_domain_interface *page,
		       const char **rest)
{
	uint32_t len = u ? __atomic_load_n(&u->len, __ATOMIC_ACQUIRE) : 0;
	XENSTORE_RING_IDX sent;

	if (!len || len > sizeof(u->message))
		return 0;
	sent = __atomic_load_n(&page->req_prod, __ATOMIC_ACQUIRE) - u->begin;
	if (!sent || sent >= len || !is_at_the_end(page, u->message, sent))
		return 0;
	*rest = u->message + sent;
	return len - sent;
}
