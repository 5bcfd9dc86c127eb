/* SPDX-License-Identifier: MIT */
/*
 * memory.c - guest pages on the loopback world: libxenforeignmemory, libxengnttab and the
 * mapping calls of libxenctrl.
 *
 * For ring clients and for the servers; any thread.  A page is a file, a mapping is shared.
 */
#include "tests/loop/xsloop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define XC_WANT_COMPAT_MAP_FOREIGN_API
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>

struct xenforeignmemory_handle {
	bool restricted;
	uint32_t only_domid;
};

struct xengntdev_handle {
	int fd;			/* /dev/null: there is nothing to wait for */
};

static int fail(int err)
{
	errno = -err;
	return -1;
}

/* Puts a domain's page at *addr*, inside a mapping of the caller's.  0 or -errno. */
static int page_map_at(void *addr, uint32_t domid, uint64_t gfn, int prot)
{
	int fd = world_page_open(domid, gfn);
	void *p;
	int rc = 0;

	if (fd < 0)
		return fd;
	p = mmap(addr, XSLOOP_PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED, fd, 0);
	if (p == MAP_FAILED)
		rc = -errno;
	close(fd);
	return rc;
}

/* Address space for *pages* pages that nothing backs yet; NULL and errno on failure. */
static void *region_reserve(void *addr, size_t pages, int flags)
{
	void *p;

	if (pages == 0 || pages > SIZE_MAX / XSLOOP_PAGE_SIZE) {
		errno = EINVAL;
		return NULL;
	}
	p = mmap(addr, pages * XSLOOP_PAGE_SIZE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | (flags & MAP_FIXED), -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static int region_release(void *addr, size_t pages)
{
	return munmap(addr, pages * XSLOOP_PAGE_SIZE);
}

/* The domain that a caller means, or -EPERM if it may not have that one's memory. */
static int domid_check(uint32_t *domid)
{
	if (*domid == DOMID_SELF)
		*domid = world_domid();
	return world_domid() == 0 || *domid == world_domid() ? 0 : -EPERM;
}

/* ---- libxenforeignmemory ------------------------------------------------------------------- */

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger, unsigned int flags)
{
	int rc = world_attach(NULL);

	(void)logger;
	if (flags)
		rc = -EINVAL;
	if (rc < 0) {
		errno = -rc;
		return NULL;
	}
	return calloc(1, sizeof(xenforeignmemory_handle));
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
	free(fmem);
	return 0;
}

int xenforeignmemory_restrict(xenforeignmemory_handle *fmem, domid_t domid)
{
	if (fmem->restricted)
		return fail(-EINVAL);
	fmem->restricted = true;
	fmem->only_domid = domid;
	return 0;
}

void *xenforeignmemory_map2(xenforeignmemory_handle *fmem, uint32_t dom, void *addr, int prot,
			    int flags, size_t pages, const xen_pfn_t arr[], int err[])
{
	char *region;
	size_t i;
	int rc;

	rc = fmem->restricted && dom != fmem->only_domid ? -EACCES : domid_check(&dom);
	if (rc < 0) {
		errno = -rc;
		return NULL;
	}
	region = region_reserve(addr, pages, flags);
	if (!region)
		return NULL;
	for (i = 0; i < pages; i++) {
		rc = page_map_at(region + i * XSLOOP_PAGE_SIZE, dom, arr[i], prot);
		if (err) {
			err[i] = rc;
		} else if (rc < 0) {
			region_release(region, pages);
			errno = -rc;
			return NULL;
		}
	}
	return region;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom, int prot, size_t pages,
			   const xen_pfn_t arr[], int err[])
{
	return xenforeignmemory_map2(fmem, dom, NULL, prot, 0, pages, arr, err);
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr, size_t pages)
{
	(void)fmem;
	return region_release(addr, pages);
}

/* There are no grant table frames or ioreq servers here; the real one must not be called. */
xenforeignmemory_resource_handle *xenforeignmemory_map_resource(
	xenforeignmemory_handle *fmem, domid_t domid, unsigned int type, unsigned int id,
	unsigned long frame, unsigned long nr_frames, void **paddr, int prot, int flags)
{
	(void)fmem, (void)domid, (void)type, (void)id, (void)frame, (void)nr_frames;
	(void)paddr, (void)prot, (void)flags;
	errno = EOPNOTSUPP;
	return NULL;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem,
				    xenforeignmemory_resource_handle *fres)
{
	(void)fmem;
	return fres ? fail(-EINVAL) : 0;
}

int xenforeignmemory_resource_size(xenforeignmemory_handle *fmem, domid_t domid,
				   unsigned int type, unsigned int id, size_t *size)
{
	(void)fmem, (void)domid, (void)type, (void)id, (void)size;
	return fail(-EOPNOTSUPP);
}

/* ---- libxengnttab: the one reference that the store uses ------------------------------------ */

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
	xengnttab_handle *xgt;
	int rc = world_attach(NULL);

	(void)logger, (void)flags;
	if (rc < 0) {
		errno = -rc;
		return NULL;
	}
	xgt = malloc(sizeof(*xgt));
	if (!xgt)
		return NULL;
	xgt->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (xgt->fd < 0) {
		free(xgt);
		return NULL;
	}
	return xgt;
}

int xengnttab_close(xengnttab_handle *xgt)
{
	if (!xgt)
		return 0;
	close(xgt->fd);
	free(xgt);
	return 0;
}

int xengnttab_fd(xengnttab_handle *xgt)
{
	return xgt->fd;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
	(void)xgt, (void)nr_grants;
	return 0;
}

void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t *domids,
			       uint32_t *refs, int prot)
{
	char *region = region_reserve(NULL, count, 0);
	uint32_t i;
	int rc = 0;

	(void)xgt;
	if (!region)
		return NULL;
	for (i = 0; i < count && rc == 0; i++) {
		uint64_t gfn = 0;

		rc = refs[i] == GNTTAB_RESERVED_XENSTORE ? 0 : -EINVAL;
		if (rc == 0)
			rc = world_page_first(domids[i], &gfn);
		if (rc == 0)
			rc = page_map_at(region + i * XSLOOP_PAGE_SIZE, domids[i], gfn, prot);
	}
	if (rc == 0)
		return region;
	region_release(region, count);
	errno = -rc;
	return NULL;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid,
				      uint32_t *refs, int prot)
{
	if (count != 1) {
		errno = EINVAL;
		return NULL;
	}
	return xengnttab_map_grant_refs(xgt, 1, &domid, refs, prot);
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
	return xengnttab_map_grant_refs(xgt, 1, &domid, &ref, prot);
}

void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid, uint32_t ref,
				     int prot, uint32_t notify_offset, evtchn_port_t notify_port)
{
	if (notify_offset != UINT32_MAX || notify_port != (evtchn_port_t)-1) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	return xengnttab_map_grant_refs(xgt, 1, &domid, &ref, prot);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
	(void)xgt;
	return region_release(start_address, count);
}

/* ---- libxenctrl ---------------------------------------------------------------------------- */

void *xc_map_foreign_range(xc_interface *xch, uint32_t dom, int size, int prot, unsigned long mfn)
{
	size_t pages = ((size_t)size + XSLOOP_PAGE_SIZE - 1) / XSLOOP_PAGE_SIZE;
	char *region;
	size_t i;
	int rc = domid_check(&dom);

	(void)xch;
	if (size <= 0)
		rc = -EINVAL;
	if (rc < 0) {
		errno = -rc;
		return NULL;
	}
	region = region_reserve(NULL, pages, 0);
	if (!region)
		return NULL;
	for (i = 0; i < pages && rc == 0; i++)
		rc = page_map_at(region + i * XSLOOP_PAGE_SIZE, dom, mfn + i, prot);
	if (rc == 0)
		return region;
	region_release(region, pages);
	errno = -rc;
	return NULL;
}
