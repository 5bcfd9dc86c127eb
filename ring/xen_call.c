/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls, or -ENOSYS if libxencall was missing when this was built.
 * For xen_find.c and xen_port.c.
 */
/* Before all headers of Xen, which without it declare the hypercalls of its first versions. */
#define __XEN_TOOLS__ 1

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "ring/xen_call.h"

#ifdef HAVE_XENCALL

#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/xen.h>
#include <xencall.h>
#include <xentoollog.h>

/* Logs nothing: failing to open it is ordinary, and reported by the caller. */
static void message_drop(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
			 const char *context, const char *format, va_list al)
{
	(void)logger;
	(void)level;
	(void)errnoval;
	(void)context;
	(void)format;
	(void)al;
}

static struct xentoollog_logger silent = { .vmessage = message_drop };

struct xen_call {
	xencall_handle *handle;
	/* In memory that the hypervisor may read.  Every caller writes the same contents. */
	struct evtchn_send *send;
};

int xen_call_open(struct xen_call **out)
{
	struct xen_call *call = calloc(1, sizeof(*call));
	int err;

	if (!call)
		return -ENOMEM;
	call->handle = xencall_open(&silent, 0);
	if (call->handle)
		call->send = xencall_alloc_buffer(call->handle, sizeof(*call->send));
	if (!call->send) {
		err = errno ? -errno : -ENOMEM;
		xen_call_close(call);
		return err;
	}
	*out = call;
	return 0;
}

void xen_call_close(struct xen_call *call)
{
	if (!call)
		return;
	if (call->send)
		xencall_free_buffer(call->handle, call->send);
	if (call->handle)
		xencall_close(call->handle);
	free(call);
}

int xen_call_send(struct xen_call *call, uint32_t port)
{
	/* No order needed: a handle signals only one port in its life. */
	__atomic_store_n(&call->send->port, port, __ATOMIC_RELAXED);
	return xencall2(call->handle, __HYPERVISOR_event_channel_op, EVTCHNOP_send,
			(uintptr_t)call->send) < 0 ? -errno : 0;
}

int xen_call_hvm_param(struct xen_call *call, uint32_t index, uint64_t *value)
{
	struct xen_hvm_param *param = xencall_alloc_buffer(call->handle, sizeof(*param));
	int err = 0;

	if (!param)
		return -ENOMEM;
	*param = (struct xen_hvm_param){ .domid = DOMID_SELF, .index = index };
	if (xencall2(call->handle, __HYPERVISOR_hvm_op, HVMOP_get_param, (uintptr_t)param) < 0)
		err = -errno;
	*value = param->value;
	xencall_free_buffer(call->handle, param);
	return err;
}

#else

int xen_call_open(struct xen_call **out)
{
	(void)out;
	return -ENOSYS;
}

void xen_call_close(struct xen_call *call)
{
	(void)call;
}

int xen_call_send(struct xen_call *call, uint32_t port)
{
	(void)call;
	(void)port;
	return -ENOSYS;
}

int xen_call_hvm_param(struct xen_call *call, uint32_t index, uint64_t *value)
{
	(void)call;
	(void)index;
	(void)value;
	return -ENOSYS;
}

#endif
