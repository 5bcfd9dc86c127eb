/* SPDX-License-Identifier: MIT */
/* Finds this domain's ring.  For transport_ring.c, on the I/O thread. */
/* Before all headers of Xen, which otherwise do not declare start_info. */
#define __XEN_TOOLS__ 1

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/hvm/params.h>
#include <xen/xen.h>

#include "ring/xen_call.h"
#include "ring/xen_find.h"

/* The kernel's pointer to the page with which a PV guest is started. */
#define POINTER "xen_start_info"

/* A parameter that the toolstack has not set yet. */
#define UNSET UINT64_MAX

/* Accepts what was found, if it can be a ring. */
static int place_set(struct xen_place *place, uint64_t gfn, uint64_t port)
{
	if (gfn == 0 || gfn == UNSET || port == 0 || port > UINT32_MAX)
		return -ENXIO;
	*place = (struct xen_place){ .gfn = gfn, .port = port };
	return 0;
}

static int find_hvm_params(struct xen_place *place)
{
	struct xen_call *call;
	uint64_t gfn, port;
	int err;

	err = xen_call_open(&call);
	if (err)
		return err;
	err = xen_call_hvm_param(call, HVM_PARAM_STORE_PFN, &gfn);
	if (!err)
		err = xen_call_hvm_param(call, HVM_PARAM_STORE_EVTCHN, &port);
	xen_call_close(call);
	return err ? err : place_set(place, gfn, port);
}

#ifdef __x86_64__

/* Sets *address to that of a symbol.  Lines are "ADDRESS TYPE NAME" or end in " [MODULE]". */
static int symbol_find(const char *kallsyms, const char *name, uint64_t *address)
{
	FILE *file = fopen(kallsyms, "re");
	unsigned long long n;
	char *line = NULL, word[64];
	size_t size = 0;
	int err = -ENOENT;

	if (!file)
		return -errno;
	while (err == -ENOENT && getline(&line, &size, file) > 0) {
		if (!strstr(line, name) || sscanf(line, "%llx %*c %63s", &n, word) != 2 ||
		    strcmp(word, name) != 0)
			continue;
		/* All addresses are zero for a process that may not know them
		 * (kernel.kptr_restrict). */
		err = n ? 0 : -EPERM;
		*address = n;
	}
	free(line);
	fclose(file);
	return err;
}

static int read_at(int fd, void *data, size_t len, uint64_t offset)
{
	ssize_t n = pread(fd, data, len, offset);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EPROTO;
}

/* Reads the bytes at a virtual address from an ELF core. */
static int core_read(int fd, uint64_t address, void *data, size_t len)
{
	Elf64_Ehdr header;
	Elf64_Phdr part;
	int err;

	err = read_at(fd, &header, sizeof(header), 0);
	if (err)
		return err;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(part))
		return -EPROTO;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		err = read_at(fd, &part, sizeof(part), header.e_phoff + i * sizeof(part));
		if (err)
			return err;
		if (part.p_type == PT_LOAD && address >= part.p_vaddr &&
		    address - part.p_vaddr < part.p_memsz &&
		    len <= part.p_memsz - (address - part.p_vaddr))
			return read_at(fd, data, len, part.p_offset + (address - part.p_vaddr));
	}
	return -EPROTO;
}

int xen_find_start_info(struct xen_finder *finder, const char *kallsyms, const char *kcore,
			struct xen_place *place)
{
	struct start_info info;
	uint64_t address;
	int fd, err;

	err = finder->pointer ? 0 : symbol_find(kallsyms, POINTER, &finder->pointer);
	if (err)
		return err;
	fd = open(kcore, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = core_read(fd, finder->pointer, &address, sizeof(address));
	if (!err)
		err = core_read(fd, address, &info, sizeof(info));
	close(fd);
	if (err)
		return err;
	if (memcmp(info.magic, "xen-", 4) != 0)
		return -EPROTO;
	return place_set(place, info.store_mfn, info.store_evtchn);
}

#else

int xen_find_start_info(struct xen_finder *finder, const char *kallsyms, const char *kcore,
			struct xen_place *place)
{
	(void)finder;
	(void)kallsyms;
	(void)kcore;
	(void)place;
	return -ENOSYS;
}

#endif

int xen_find_ring(struct xen_finder *finder, struct xen_place *place, struct logger *log)
{
	int hvm, pv;

	hvm = find_hvm_params(place);
	if (!hvm)
		return 0;
	pv = xen_find_start_info(finder, "/proc/kallsyms", "/proc/kcore", place);
	if (!pv)
		return 0;
	log_error(log, "ring: page and port cannot be found from here (HVM parameters: %s; "
		       "start_info: %s); say them: ring:gfn=G,port=P, which domain 0 has in "
		       "/local/domain/DOMID/store/ring-ref and .../port",
		  strerror(-hvm), strerror(-pv));
	/* EINVAL is only the hypervisor's answer to a PV guest. */
	return hvm == -EINVAL ? pv : hvm;
}

const char *xen_find_driver(void)
{
	/* The last one also works where /dev is not the kernel's. */
	static const char *const files[] = { "/dev/xen/xenbus", "/proc/xen/xenbus",
					     "/sys/class/misc/xen!xenbus" };

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (access(files[i], F_OK) == 0)
			return files[i];
	return NULL;
}
