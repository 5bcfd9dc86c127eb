/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target for the ring's arithmetic, ring/page.[ch]: a server that sets its indices, and anything else in
 * the page, at will.  The page lies between two that must not be touched; what belongs to one direction does
 * not change by the other.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ring/page.h"
#include "tests/fuzz.h"

/* The beginning of the page lies at a guard, or its end, with the one member that older headers lack. */
static struct xenstore_domain_interface *place(bool at_end)
{
	static char *pages;
	size_t size = sysconf(_SC_PAGESIZE);

	if (!pages) {
		pages = mmap(NULL, 3 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert(pages != MAP_FAILED);
		assert(mprotect(pages + size, size, PROT_READ | PROT_WRITE) == 0);
	}
	memset(pages + size, 0, size);
	return (void *)(pages + size +
			(at_end ? size - sizeof(struct xenstore_domain_interface) - sizeof(uint32_t) : 0));
}

static void send(struct xenstore_domain_interface *page, struct fuzz *in)
{
	struct xenstore_domain_interface before = *page;
	uint32_t outstanding = page->req_prod - page->req_cons;
	static const char data[3 * XENSTORE_RING_SIZE];
	size_t len = fuzz_uint(in, 2) % sizeof(data);
	bool notify = false;
	ssize_t n = page_send(page, data, len, &notify);

	if (outstanding > XENSTORE_RING_SIZE) {
		assert(n == -EPROTO);
		assert(!memcmp(page, &before, sizeof(before)));
		return;
	}
	assert(n >= 0 && (size_t)n <= len);
	assert((size_t)n == len || (size_t)n == XENSTORE_RING_SIZE - outstanding);
	assert(page->req_prod == before.req_prod + (XENSTORE_RING_IDX)n);
	assert(!memcmp(page->rsp, before.rsp, sizeof(before.rsp)));
	assert(page->rsp_cons == before.rsp_cons && page->rsp_prod == before.rsp_prod);
}

static void receive(struct xenstore_domain_interface *page, struct fuzz *in)
{
	struct xenstore_domain_interface before = *page;
	uint32_t there = page->rsp_prod - page->rsp_cons;
	char data[3 * XENSTORE_RING_SIZE];
	size_t len = fuzz_uint(in, 2) % sizeof(data);
	bool notify = false;
	ssize_t n;

	assert(page_readable(page) == (there > 0));
	n = page_recv(page, data, len, &notify);
	if (there > XENSTORE_RING_SIZE) {
		assert(n == -EPROTO);
		return;
	}
	assert(n >= 0 && (size_t)n == (len < there ? len : there));
	for (ssize_t i = 0; i < n; i++)
		assert(data[i] == before.rsp[(before.rsp_cons + i) % XENSTORE_RING_SIZE]);
	assert(page->rsp_cons == before.rsp_cons + (XENSTORE_RING_IDX)n);
	assert(!memcmp(page->req, before.req, sizeof(before.req)));
	assert(page->req_prod == before.req_prod);
}

/* The server changes what it likes. */
static void server(struct xenstore_domain_interface *page, struct fuzz *in)
{
	switch (fuzz_below(in, 6)) {
	case 0:
		page->rsp_prod += fuzz_uint(in, 2);
		break;
	case 1:
		page->req_cons += fuzz_uint(in, 2);
		break;
	case 2:
		page->rsp_prod = fuzz_uint(in, 4);
		break;
	case 3:
		page->req_cons = fuzz_uint(in, 4);
		break;
	case 4:
		/* It need not keep its hands off our indices. */
		page->req_prod = fuzz_uint(in, 4);
		page->rsp_cons = fuzz_uint(in, 4);
		break;
	default:
		fuzz_bytes(in, page->rsp + fuzz_uint(in, 2) % (XENSTORE_RING_SIZE - 255), 255);
		page->error = fuzz_uint(in, 4);
		page->server_features = fuzz_uint(in, 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz in = { data, data + size };
	struct xenstore_domain_interface *page = place(fuzz_byte(&in) & 1);

	while (!fuzz_is_over(&in)) {
		switch (fuzz_below(&in, 4)) {
		case 0:
			send(page, &in);
			break;
		case 1:
			receive(page, &in);
			break;
		case 2:
			server(page, &in);
			break;
		default:
			page_writable(page);
			page_replace_port(page, fuzz_uint(&in, 4));
			assert(page_error(page) == page->error);
		}
	}
	return 0;
}
