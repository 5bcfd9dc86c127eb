/* SPDX-License-Identifier: MIT */
/*
 * The two hypercalls that a ring may need, through libxencall.
 * For xen_find.c and xen_port.c.  The handle must not cross a fork().
 */
#ifndef RING_XEN_CALL_H
#define RING_XEN_CALL_H

#include <stdint.h>

struct xen_call;

/* Opens the way to the hypervisor.  Returns 0, -ENOSYS when built without libxencall, or the errno
 * of opening its device. */
int xen_call_open(struct xen_call **out);

/* NULL is allowed. */
void xen_call_close(struct xen_call *call);

/*
 * EVTCHNOP_send: signals the other end of this domain's event channel `port`.  Returns 0, or -errno
 * (-EINVAL: there is no such port).  Any thread, several at a time.
 */
int xen_call_send(struct xen_call *call, uint32_t port);

/*
 * HVMOP_get_param of this domain, `index` being one of HVM_PARAM_*.  Returns 0, -EINVAL in a PV
 * domain, which has no such parameters, or another errno.
 */
int xen_call_hvm_param(struct xen_call *call, uint32_t index, uint64_t *value);

#endif
