/* SPDX-License-Identifier: MIT */
/* Maps the ring's page, and keeps other processes of our kind away from it.  For
 * transport_ring.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ring/xen_page.h"

/* Size of the shared page on every architecture that Xen runs on. */
#define XEN_PAGE_SIZE 4096

#define PHYSICAL_MEMORY "/dev/mem"

/*
 * Whether a domain's page can be mapped there as the server has it, which is cached.  x86 gives
 * what memory has.  Linux on Arm and others maps all that is not the kernel's own memory uncached,
 * such as the address outside of it that the toolstack gives the ring there, and of the kernel's own it
 * allows no mapping (phys_mem_access_prot() and devmem_is_allowed()).  Of a page that one side has in its cache
 * and the other has not, both see old contents.
 */
#if defined(__x86_64__) || defined(__i386__)
static const bool physical_is_shared = true;
#else
static const bool physical_is_shared = false;
#endif

/* Maps a page of a file.  Pages of Linux may be larger: what is mapped is at the start of one.  Returns 0 or -errno. */
static int file_map(struct xen_page *page, int fd, uint64_t offset)
{
	void *addr = mmap(NULL, XEN_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (addr == MAP_FAILED)
		return -errno;
	page->ring = addr;
	return 0;
}

/* Maps domain 0's page from the file that stands for it. */
static int dom0_map(struct xen_page *page, struct logger *log)
{
	struct statfs fs;
	int fd, err = 0;

	fd = open(XEN_DOM0_PAGE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* The kernel's own file means the ring that the kernel's own driver uses. */
	if (fstatfs(fd, &fs) < 0)
		err = -errno;
	else if ((unsigned long)fs.f_type == XENFS_SUPER_MAGIC)
		err = -EBUSY;
	if (err == -EBUSY)
		log_error(log, "ring: domain 0's ring is its kernel's, whose xenbus driver uses it; "
			       "use the store \"auto\"");
	if (!err)
		err = file_map(page, fd, 0);
	close(fd);
	return err;
}

/* Maps a page of our own from where a PVH or HVM guest has it in its physical memory. */
static int physical_map(struct xen_page *page, uint64_t gfn)
{
	int fd, err;

	if (!physical_is_shared)
		return -EOPNOTSUPP;
	if (gfn > INT64_MAX / XEN_PAGE_SIZE)
		return -EINVAL;
	/* Without O_SYNC: cached, as the server's own mapping is. */
	fd = open(PHYSICAL_MEMORY, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = file_map(page, fd, gfn * XEN_PAGE_SIZE);
	close(fd);
	return err;
}

/* Maps a page through the hypervisor.  Returns 0 or -errno. */
static int frame_map(struct xen_page *page, uint32_t domid, xen_pfn_t gfn)
{
	int err;

	page->fmem = xenforeignmemory_open(NULL, 0);
	if (!page->fmem)
		return -errno;
	/* No array for errors: a single page is mapped, or nothing. */
	page->ring = xenforeignmemory_map(page->fmem, domid, PROT_READ | PROT_WRITE, 1, &gfn, NULL);
	if (page->ring)
		return 0;
	err = -errno;
	xenforeignmemory_close(page->fmem);
	page->fmem = NULL;
	return err;
}

int xen_page_map(struct xen_page *page, uint32_t domid, uint64_t gfn, struct logger *log)
{
	int err, physical;

	if (!domid && !gfn)
		return dom0_map(page, log);
	err = frame_map(page, domid, gfn);
	if (!err || domid != DOMID_SELF)
		return err;
	physical = physical_map(page, gfn);
	if (physical == -EOPNOTSUPP)
		log_error(log, "ring: on this architecture only a domain's kernel can map its ring; "
			       "use the store \"auto\", which is the kernel's");
	else if (physical)
		log_error(log, "ring: frame %#llx: libxenforeignmemory: %s; " PHYSICAL_MEMORY ": %s",
			  (unsigned long long)gfn, strerror(-err), strerror(-physical));
	return physical;
}

void xen_page_unmap(struct xen_page *page)
{
	if (page->fmem) {
		xenforeignmemory_unmap(page->fmem, page->ring, 1);
		xenforeignmemory_close(page->fmem);
	} else if (page->ring) {
		munmap(page->ring, XEN_PAGE_SIZE);
	}
	*page = (struct xen_page){ 0 };
}

/* The holder of the lock has written its process id, or not yet: 0. */
static long holder_read(int fd)
{
	char text[16] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

int xen_run_file(uint32_t domid, const char *suffix, char path[XEN_RUN_PATH_MAX])
{
	if (domid == DOMID_SELF)
		snprintf(path, XEN_RUN_PATH_MAX, "/run/xsfs-ring-self.%s", suffix);
	else
		snprintf(path, XEN_RUN_PATH_MAX, "/run/xsfs-ring-%u.%s", (unsigned)domid, suffix);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int xen_page_lock(uint32_t domid, struct logger *log)
{
	char path[XEN_RUN_PATH_MAX];
	int fd = xen_run_file(domid, "lock", path);

	if (fd < 0) {
		log_warning(log, "ring: %s: %s: nothing prevents a second xsfs on this ring", path,
			    strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		log_error(log, "ring: process %ld has it already, another xsfs (%s)",
			  holder_read(fd), path);
		close(fd);
		return -EBUSY;
	}
	/* Only for the message above; the file stays, because if it were removed two
	 * processes could lock it. */
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		log_debug(log, "ring: %s: %s", path, strerror(errno));
	return fd;
}
