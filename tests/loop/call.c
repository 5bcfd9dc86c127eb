/* SPDX-License-Identifier: MIT */
/*
 * call.c - libxencall on the loopback world, as far as a ring client needs it: EVTCHNOP_send, and
 * HVMOP_get_param for a guest that `xsloop guest` has made.
 *
 * For ring clients; any thread.
 */
/* Before all headers of Xen: without it they mean the hypercalls of its first versions. */
#define __XEN_TOOLS__ 1

#include "tests/loop/xsloop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/xen.h>
#include <xencall.h>

struct xencall_handle {
	unsigned int flags;
};

static int fail(int err)
{
	errno = -err;
	return -1;
}

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned int flags)
{
	xencall_handle *xcall;
	int rc = world_attach(NULL);

	(void)logger;
	if (rc == 0 && world_lacks("call"))
		rc = -ENOENT;
	if (rc < 0) {
		errno = -rc;
		return NULL;
	}
	xcall = calloc(1, sizeof(*xcall));
	if (xcall)
		xcall->flags = flags;
	return xcall;
}

int xencall_close(xencall_handle *xcall)
{
	free(xcall);
	return 0;
}

void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
	(void)xcall;
	return calloc(1, size);
}

void xencall_free_buffer(xencall_handle *xcall, void *p)
{
	(void)xcall;
	free(p);
}

/* What the toolstack told this domain; a PV guest has no such parameters. */
static int hvm_param_get(struct xen_hvm_param *param)
{
	char name[XSLOOP_NAME_MAX], path[PATH_MAX];
	unsigned long long gfn = 0;
	unsigned int port = 0;
	FILE *file;
	int n;

	if (param->domid != DOMID_SELF)
		return -EPERM;
	snprintf(name, sizeof(name), "guest.%u", world_domid());
	file = world_path(path, name) < 0 ? NULL : fopen(path, "re");
	if (!file)
		return -EINVAL;
	n = fscanf(file, "%llu %u", &gfn, &port);
	fclose(file);
	if (n != 2 || (param->index != HVM_PARAM_STORE_PFN &&
		       param->index != HVM_PARAM_STORE_EVTCHN))
		return -EINVAL;
	param->value = param->index == HVM_PARAM_STORE_PFN ? gfn : port;
	return 0;
}

int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
	void *arg = (void *)(uintptr_t)arg2;
	int rc = -ENOSYS;

	(void)xcall;
	if (op == __HYPERVISOR_event_channel_op && arg1 == EVTCHNOP_send)
		rc = port_send(((const struct evtchn_send *)arg)->port);
	else if (op == __HYPERVISOR_hvm_op && arg1 == HVMOP_get_param)
		rc = hvm_param_get(arg);
	return rc < 0 ? fail(rc) : 0;
}
