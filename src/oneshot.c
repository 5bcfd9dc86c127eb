/* SPDX-License-Identifier: MIT */
/*
 * A connection for a single request.
 * For store_source.c and embedded.c, main thread.
 */
#include <errno.h>
#include <string.h>

#include "ring/chan.h"
#include "src/oneshot.h"

int oneshot_call(const char *path, uint32_t type, const void *data, size_t len,
		 unsigned timeout_ms, struct logger *log)
{
	struct chan_config config = { .log = log, .timeout_ms = timeout_ms };
	struct request *req;
	struct chan *chan;
	int err;

	err = transport_socket_new(&config.transport, path, log);
	if (err)
		return err;
	err = chan_new(&chan, &config);
	if (err)
		return err;
	req = request_new(type, 0, len);
	if (req) {
		memcpy(req->payload, data, len);
		chan_submit(chan, req);
		err = chan_wait(chan, req);
		request_put(req);
	} else {
		err = -ENOMEM;
	}
	chan_free(chan);
	return err;
}
