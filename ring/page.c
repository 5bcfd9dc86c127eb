/* SPDX-License-Identifier: MIT */
/*
 * Implementation of ring/page.h: bytes through the two rings of the shared page.
 * The peer's index is input: it is read once, checked, and only then used.
 * Each direction is used by one thread at a time.
 */
#include <errno.h>
#include <string.h>

#include "ring/page.h"

/*
 * The barriers are the memory orders of the index accesses themselves, not fences, because that is
 * what the thread sanitizer understands.  A sequentially consistent store followed by a
 * sequentially consistent load is the full barrier that is needed on both sides to decide whether
 * the peer sleeps.
 */

/* Copies to ring offset `idx`, in two parts where the array ends. */
static void ring_put(char *ring, XENSTORE_RING_IDX idx, const char *data, size_t len)
{
	size_t at = MASK_XENSTORE_IDX(idx);
	size_t head = XENSTORE_RING_SIZE - at;

	if (head > len)
		head = len;
	memcpy(ring + at, data, head);
	memcpy(ring, data + head, len - head);
}

/* Copies from ring offset `idx`, in two parts where the array ends. */
static void ring_get(const char *ring, XENSTORE_RING_IDX idx, char *data, size_t len)
{
	size_t at = MASK_XENSTORE_IDX(idx);
	size_t head = XENSTORE_RING_SIZE - at;

	if (head > len)
		head = len;
	memcpy(data, ring + at, head);
	memcpy(data + head, ring, len - head);
}

size_t page_room(const struct xenstore_domain_interface *page)
{
	/* No order needed: nobody else writes this index. */
	XENSTORE_RING_IDX prod = __atomic_load_n(&page->req_prod, __ATOMIC_RELAXED);
	/*
	 * Acquire: our bytes go into the ring only after the server's release of that room has
	 * been seen, or they would overwrite what it is still copying out.
	 */
	XENSTORE_RING_IDX cons = __atomic_load_n(&page->req_cons, __ATOMIC_ACQUIRE);

	return (XENSTORE_RING_IDX)(XENSTORE_RING_SIZE - (prod - cons));
}

ssize_t page_send(struct xenstore_domain_interface *page, const void *data, size_t len,
		  bool *notify)
{
	/* No order needed: nobody else writes this index. */
	XENSTORE_RING_IDX prod = __atomic_load_n(&page->req_prod, __ATOMIC_RELAXED);
	size_t room = page_room(page);

	if (room > XENSTORE_RING_SIZE)
		return -EPROTO;
	if (len > room)
		len = room;
	if (!len)
		return 0;
	ring_put(page->req, prod, data, len);
	/*
	 * Release (part of seq_cst): the bytes are in the ring before the index that announces
	 * them.  Full barrier with the load below: either the server, which publishes req_cons
	 * and then looks at req_prod once more before it sleeps, sees these bytes, or we see
	 * that it had consumed all the earlier ones.  Without it both could miss each other.
	 */
	__atomic_store_n(&page->req_prod, prod + (XENSTORE_RING_IDX)len, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&page->req_cons, __ATOMIC_SEQ_CST) == prod)
		*notify = true;
	return len;
}

ssize_t page_recv(struct xenstore_domain_interface *page, void *data, size_t len, bool *notify)
{
	/* No order needed: nobody else writes this index. */
	XENSTORE_RING_IDX cons = __atomic_load_n(&page->rsp_cons, __ATOMIC_RELAXED);
	/* Acquire: the bytes are read after the index that announces them, or they are old. */
	XENSTORE_RING_IDX prod = __atomic_load_n(&page->rsp_prod, __ATOMIC_ACQUIRE);

	if (prod - cons > XENSTORE_RING_SIZE)
		return -EPROTO;
	if (len > prod - cons)
		len = prod - cons;
	if (!len)
		return 0;
	ring_get(page->rsp, cons, data, len);
	/*
	 * Release (part of seq_cst): the bytes are out of the ring before the server may
	 * overwrite them.  Full barrier with the load below: either the server, which publishes
	 * rsp_prod and then looks at rsp_cons once more before it waits for room, sees this
	 * room, or we see that it had filled the ring.  Judging by the rsp_prod from above
	 * misses what it wrote while we were copying, and hangs.
	 */
	__atomic_store_n(&page->rsp_cons, cons + (XENSTORE_RING_IDX)len, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&page->rsp_prod, __ATOMIC_SEQ_CST) - cons >= XENSTORE_RING_SIZE)
		*notify = true;
	return len;
}

/*
 * Both are the last look before a sleep.  Seq_cst: they come after the seq_cst publication in
 * page_recv() or page_send(), so that the peer, which publishes its own index and then looks at
 * ours to decide whether to signal, cannot miss us while we miss it.
 */
bool page_readable(const struct xenstore_domain_interface *page)
{
	return __atomic_load_n(&page->rsp_prod, __ATOMIC_SEQ_CST) !=
	       __atomic_load_n(&page->rsp_cons, __ATOMIC_RELAXED);
}

bool page_writable(const struct xenstore_domain_interface *page)
{
	return __atomic_load_n(&page->req_prod, __ATOMIC_RELAXED) -
		       __atomic_load_n(&page->req_cons, __ATOMIC_SEQ_CST) !=
	       XENSTORE_RING_SIZE;
}

uint32_t page_error(const struct xenstore_domain_interface *page)
{
	/* Acquire: whatever the server wrote before it gave up is visible to a thread that
	 * sees the error. */
	return __atomic_load_n(&page->error, __ATOMIC_ACQUIRE);
}

void page_replace_port(struct xenstore_domain_interface *page, uint32_t port)
{
	/* evtchn_port, the field after the last one that headers before Xen 4.21 name. */
	uint32_t *field = (uint32_t *)((char *)page + offsetof(struct xenstore_domain_interface, error)) + 1;

	/* No order needed: the server looks at it when a request tells it of the domain. */
	if (__atomic_load_n(field, __ATOMIC_RELAXED))
		__atomic_store_n(field, port, __ATOMIC_RELAXED);
}
