/* SPDX-License-Identifier: MIT */
/* Asks a server what it can do. */
#include <errno.h>

#include "fs/op/features.h"
#include "ring/wire.h"

void op_call_features(struct op *op)
{
	op_call_message(op, WIRE_GET_FEATURE, "", 0);
	/* oxenstored takes a message without a payload up from a socket only when another follows. */
	op_call_message(op, XS_GET_DOMAIN_PATH, "0", sizeof("0"));
}

int op_take_feature(struct op *op, unsigned feature)
{
	int err = op_call_error(op, 0);
	const struct request *req;
	uint64_t features = 0;
	size_t len;

	if (!err) {
		req = op->calls[0];
		len = req->reply_len;
		if (len && req->reply[len - 1] == '\0')
			len--;
		err = wire_number_parse(req->reply, len, UINT32_MAX, &features) ? -EIO : 0;
	}
	op_calls_clear(op);
	if (!err && !(features & feature))
		err = -EOPNOTSUPP;
	return err;
}
