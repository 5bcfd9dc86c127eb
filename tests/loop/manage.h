/* SPDX-License-Identifier: MIT */
/*
 * manage.h - the functions of libxenmanage, by which xenstored learns which domains exist from
 * Xen 4.21 on, for headers of Xen that are older.
 *
 * A state or a set of capabilities is made of the bits below.  Functions return 0, or -1 with
 * errno; a result is stored where its pointer is not NULL.
 */
#ifndef TESTS_LOOP_MANAGE_H
#define TESTS_LOOP_MANAGE_H

#if __has_include(<xenmanage.h>)
#include <xenmanage.h>
#else
#include <stdint.h>

struct xentoollog_logger;
typedef struct xenmanage_handle xenmanage_handle;

#define XENMANAGE_GETDOMSTATE_STATE_EXIST	0x1
#define XENMANAGE_GETDOMSTATE_CAP_CONTROL	0x1
#define XENMANAGE_GETDOMSTATE_CAP_HARDWARE	0x2
#define XENMANAGE_GETDOMSTATE_CAP_XENSTORE	0x4

/* No flags are known yet: others than 0 are EINVAL.  NULL on failure. */
xenmanage_handle *xenmanage_open(struct xentoollog_logger *logger, unsigned int flags);
int xenmanage_close(xenmanage_handle *xm);
/* ESRCH: there is no such domain.  EINVAL: it cannot be the number of one. */
int xenmanage_get_domain_info(xenmanage_handle *xm, unsigned int domid, unsigned int *state,
			      unsigned int *caps, uint64_t *unique_id);
/*
 * A domain that was made or is gone (state 0) since the last call, or since the caller's domain
 * bound VIRQ_DOM_EXC, when all that exist count as new.  ENOENT: no more.  EACCES: it is another
 * domain that has bound it, or none.
 */
int xenmanage_poll_changed_domain(xenmanage_handle *xm, unsigned int *domid, unsigned int *state,
				  unsigned int *caps, uint64_t *unique_id);
#endif

#endif
