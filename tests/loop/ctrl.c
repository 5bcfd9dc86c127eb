/* SPDX-License-Identifier: MIT */
/*
 * ctrl.c - the calls of libxenctrl by which a store learns which domains exist.
 *
 * For the servers (xenstored: xc_domain_getinfo, or _getinfo_single from Xen 4.18 on;
 * oxenstored: xc_domain_getinfolist); any thread.
 */
#include "tests/loop/xsloop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>

struct xc_interface_core {
	xc_error error;
};

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
				unsigned int flags)
{
	int rc = world_attach(NULL);

	(void)logger, (void)dombuild_logger, (void)flags;
	if (rc < 0) {
		errno = -rc;
		return NULL;
	}
	return calloc(1, sizeof(xc_interface));
}

int xc_interface_close(xc_interface *xch)
{
	free(xch);
	return 0;
}

const xc_error *xc_get_last_error(xc_interface *xch)
{
	return &xch->error;
}

void xc_clear_last_error(xc_interface *xch)
{
	memset(&xch->error, 0, sizeof(xch->error));
}

/* Remembers *err* (negative) as the last error; -1, as the interface wants it. */
static int error_set(xc_interface *xch, int err)
{
	xch->error.code = XC_INTERNAL_ERROR;
	snprintf(xch->error.message, sizeof(xch->error.message), "%s", strerror(-err));
	errno = -err;
	return -1;
}

/* The domains from *first* on; the caller frees *domids.  Their number or -errno. */
static int domains_get(uint32_t first, unsigned int max, uint32_t **domids)
{
	int n;

	*domids = calloc(max ? max : 1, sizeof(**domids));
	if (!*domids)
		return -ENOMEM;
	n = world_domains(first, max, *domids);
	if (n < 0)
		free(*domids);
	return n;
}

int xc_domain_getinfolist(xc_interface *xch, uint32_t first_domain, unsigned int max_domains,
			  xc_domaininfo_t *info)
{
	uint32_t *domids;
	int i, n = domains_get(first_domain, max_domains, &domids);

	if (n < 0)
		return error_set(xch, n);
	memset(info, 0, max_domains * sizeof(*info));
	for (i = 0; i < n; i++) {
		info[i].domain = domids[i];
		info[i].flags = XEN_DOMINF_running;
	}
	free(domids);
	return n;
}

#if XEN_DOMCTL_INTERFACE_VERSION < 0x16
int xc_domain_getinfo(xc_interface *xch, uint32_t first_domid, unsigned int max_doms,
		      xc_dominfo_t *info)
{
	uint32_t *domids;
	int i, n = domains_get(first_domid, max_doms, &domids);

	if (n < 0)
		return error_set(xch, n);
	memset(info, 0, max_doms * sizeof(*info));
	for (i = 0; i < n; i++) {
		info[i].domid = domids[i];
		info[i].running = 1;
	}
	free(domids);
	return n ? n : error_set(xch, -ESRCH);
}
#else
int xc_domain_getinfo_single(xc_interface *xch, uint32_t domid, xc_domaininfo_t *info)
{
	if (xc_domain_getinfolist(xch, domid, 1, info) < 0)
		return -1;
	return info->domain == domid && info->flags ? 0 : error_set(xch, -ESRCH);
}
#endif
