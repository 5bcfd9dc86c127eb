/* SPDX-License-Identifier: MIT */
/* Allocation, references and completion of requests.  Any thread. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ring/request.h"

struct request *request_new(uint32_t type, uint32_t tx_id, size_t len)
{
	struct request *req = malloc(sizeof(*req) + len);

	if (!req)
		return NULL;
	memset(req, 0, sizeof(*req));
	atomic_init(&req->refs, 1);
	req->msg.type = type;
	req->msg.tx_id = tx_id;
	req->msg.len = len;
	return req;
}

struct request *request_new_path(uint32_t type, uint32_t tx_id, const char *path,
				 const void *data, size_t len)
{
	size_t path_size = strlen(path) + 1;
	struct request *req = request_new(type, tx_id, path_size + len);

	if (!req)
		return NULL;
	memcpy(req->payload, path, path_size);
	if (len)
		memcpy(req->payload + path_size, data, len);
	return req;
}

struct request *request_get(struct request *req)
{
	atomic_fetch_add_explicit(&req->refs, 1, memory_order_relaxed);
	return req;
}

void request_put(struct request *req)
{
	if (!req)
		return;
	/* Release: what this holder did to the request comes before its end; acquire: the one
	 * that frees sees what all the others did. */
	if (atomic_fetch_sub_explicit(&req->refs, 1, memory_order_acq_rel) != 1)
		return;
	request_discard_room(req, req->reply);
	free(req);
}

char *request_reply_room(struct request *req, size_t len)
{
	return len <= REQUEST_INLINE_REPLY ? req->inline_reply : malloc(len + 1);
}

void request_discard_room(struct request *req, char *room)
{
	if (room != req->inline_reply)
		free(room);
}

void request_finish(struct request *req)
{
	/* `complete` may drop the issuer's reference and reuse what it hangs on; the gather is
	 * taken out first. */
	struct gather *gather = req->gather;
	uint64_t answered_ns = req->answered_ns;

	assert(req->state == REQUEST_DONE);
	if (req->complete)
		req->complete(req);
	if (gather && atomic_fetch_sub_explicit(&gather->pending, 1, memory_order_acq_rel) == 1) {
		gather->answered_ns = answered_ns;
		gather->complete(gather);
	}
}
