/* SPDX-License-Identifier: MIT */
/*
 * xsloop.h - the loopback world: what its directory holds and the shared memory in it.
 *
 * For libxsloop.so, which plays the hypervisor for the process it is preloaded into, and for the
 * xsloop command, which makes worlds and starts servers in them.  Every function may be called
 * from any thread; those that end in _locked want world_lock() held.
 *
 * The directory ($XSLOOP_DIR):
 *	state			struct xsloop_world: the event channel ports and who owns them
 *	evtchn.<id>		FIFO of an open event channel handle; its reader gets port numbers
 *	page.<domid>.<gfn>	a page of a domain; a domain exists while it has one (0 always does)
 *	guest.<domid>		what the toolstack told a PVH guest: frame and port of its ring
 *	xenbus			if there: domains seem to have a kernel whose driver uses the ring
 *	xsd_port		the port that /proc/xen/xsd_port names to domain 0's store
 *	socket, tdb, ...	what the server puts there, as its run directory
 *
 * A handle lives as long as the open file description of its FIFO: whoever opens it takes a
 * flock(2), which the kernel drops with the last descriptor, however the process ends.  So a
 * handle survives exec and fork just as one of /dev/xen/evtchn does, and a dead one is known by
 * its free lock, with no process ids that might be used again.
 *
 * Lock order: world_lock(), then the table of FIFO descriptors (world.c).  The fast path
 * (notify, pending, unmask) takes no world lock; it only moves a port's event word.
 */
#ifndef TESTS_LOOP_XSLOOP_H
#define TESTS_LOOP_XSLOOP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define XSLOOP_MAGIC		0x704f4c53u
#define XSLOOP_VERSION		3u
#define XSLOOP_PORTS		4096u	/* a FIFO's 64 KiB hold every port four times */
#define XSLOOP_HANDLES		1024u
#define XSLOOP_DOMAINS		0x7ff0u	/* DOMID_FIRST_RESERVED: the numbers that a domain can have */
#define XSLOOP_PAGE_SIZE	4096u
#define XSLOOP_NAME_MAX		64	/* longest file name in the directory */

/* The event word of a port.  Masked means: handed out by pending(), not unmasked yet. */
enum xsloop_event {
	XSLOOP_IDLE,		/* unmasked, nothing pending */
	XSLOOP_QUEUED,		/* unmasked, its number lies in the FIFO */
	XSLOOP_TAKEN,		/* masked */
	XSLOOP_RAISED,		/* masked, and raised again since */
};

/* The same states that a hypervisor's event channel has (xen/event_channel.h, EVTCHNSTAT_*). */
enum xsloop_port_state {
	XSLOOP_FREE,
	XSLOOP_UNBOUND,		/* waits for remote_domid; also what is left when the peer closes */
	XSLOOP_INTERDOMAIN,
	XSLOOP_VIRQ,
};

struct xsloop_port {
	uint32_t event;		/* enum xsloop_event; atomic, changed without the lock */
	uint32_t state;		/* enum xsloop_port_state; written last, under the lock */
	uint32_t domid;		/* owner */
	uint32_t handle;	/* its handle; 0: nobody's, as a port of domain 0's kernel is */
	uint32_t remote_domid;
	uint32_t remote_port;
	uint32_t virq;
	uint32_t is_static;	/* the toolstack's: outlives the handles that it is bound to */
	uint32_t pad[8];	/* a cache line each: the two ends are busy on two processors */
};

struct xsloop_handle {
	uint32_t id;		/* 0: free slot.  Never reused; the slot is id % XSLOOP_HANDLES */
	uint32_t domid;
	uint64_t dev;		/* of the FIFO, to recognise an inherited descriptor */
	uint64_t ino;
	uint32_t last_port;	/* that it closed; its next bind gets it, see port_alloc_locked() */
	uint32_t pad;
};

struct xsloop_world {
	uint32_t magic;
	uint32_t version;
	uint32_t next_port;	/* where the search for a free one starts: reuse comes late */
	uint32_t next_handle;
	uint32_t kernel_port;	/* domain 0's store port while no process owns its ring */
	uint32_t pad[11];
	uint64_t last_unique_id;
	uint64_t unique_ids[XSLOOP_DOMAINS];	/* of the domain that has the number now; 0: not asked for yet */
	uint8_t changed[XSLOOP_DOMAINS];	/* 1: made or gone since the store last asked which are */
	struct xsloop_handle handles[XSLOOP_HANDLES];
	struct xsloop_port ports[XSLOOP_PORTS];
};

#pragma GCC visibility push(hidden)

/*
 * Creates what a world in the existing directory *dir* lacks: state, page 0 of domain 0, its
 * port and xsd_port.  Harmless on a world in use.  0 or -errno.
 */
int world_create(const char *dir);

/*
 * Maps the world in *dir*, or in $XSLOOP_DIR for NULL; the first success is kept for the life
 * of the process.  0, -ENOENT without a directory or world in it, -EPROTO for another version.
 */
int world_attach(const char *dir);

/* After a successful world_attach(): its memory, and the domain that this process plays. */
struct xsloop_world *world_get(void);
uint32_t world_domid(void);

/*
 * Writes the path of the file *name* in the world's directory; -ENAMETOOLONG if it does not fit.
 */
int world_path(char path[PATH_MAX], const char *name);

/* Opens page *gfn* of a domain.  A descriptor, or -ESRCH (no such domain), -EINVAL (page). */
int world_page_open(uint32_t domid, uint64_t gfn);

/*
 * The lowest page number of a domain, which stands for the one that grant reference 1 gives
 * to the store.  0, or -ENOENT.
 */
int world_page_first(uint32_t domid, uint64_t *gfn);

/*
 * Lists the domains from *first* on, ascending, at most *max*.  Their number, or -errno.
 */
int world_domains(uint32_t first, unsigned int max, uint32_t *domids);

/* Whether there is such a domain: domain 0, and whichever has a page.  No lock needed. */
bool domain_exists(uint32_t domid);
/*
 * What tells this domain from earlier and later ones of its number; never 0.  0, or -ESRCH.
 */
int domain_unique_id_locked(uint32_t domid, uint64_t *unique_id);
/*
 * To be called after a domain was made or is gone: the store is told by VIRQ_DOM_EXC, and finds
 * the domain by domain_take_changed_locked().  *domid* is less than XSLOOP_DOMAINS.
 */
void domain_changed_locked(uint32_t domid);
/* Makes all domains that exist, and no others, changed ones: a new store knows none of them. */
void domains_all_changed_locked(void);
/* Takes the lowest number of the domains that have changed off their list.  0, or -ENOENT. */
int domain_take_changed_locked(uint32_t *domid);

/*
 * Excludes every other process and thread from changing the tables.  The returned descriptor
 * goes to world_unlock(); negative is -errno.  Freed by the kernel when the process dies.
 */
int world_lock(void);
void world_unlock(int lock);

/* Closes the ports of all handles that nobody holds any more. */
void world_reap_locked(void);

/*
 * Makes xsd_port name a port that a starting server can bind: the one in it, if its owner
 * lives, or else the kernel's, with an empty ring, as after a boot.
 */
void world_xsd_port_refresh(void);

/* Opens handle: a FIFO of its own and a slot.  A descriptor (blocking, O_RDWR) or -errno. */
int handle_open_locked(int cloexec, uint32_t *id);
/* The handle behind an inherited descriptor, or 0. */
uint32_t handle_find_locked(int fd);
/* Closes the ports of a handle and its slot, if nobody holds its descriptor any more. */
void handle_reap_locked(uint32_t id);

/*
 * Takes a free port, state not set yet.  Its number (never 0), or -ENOSPC.  The port that the
 * handle closed last comes first, as in Xen, where the lowest free one is taken: when a domain
 * is introduced again, oxenstored 4.17 unbinds its port, binds anew and takes it for granted
 * that the number is the same.
 */
int port_alloc_locked(uint32_t domid, uint32_t handle);
/* Sets a port's state, after everything else about it. */
void port_publish_locked(uint32_t port, enum xsloop_port_state state);
/* Frees a port; the peer of a connected one becomes unbound, as in Xen. */
void port_close_locked(uint32_t port);
/* Takes a handle's port away from it: a static one stays, others are closed. */
void port_unbind_locked(uint32_t port);
/* Makes a port pending.  No system call if it is pending or masked already.  No lock needed. */
void port_raise(uint32_t port);
/* Puts a port's number into its owner's FIFO. */
void port_post(uint32_t port);
/*
 * IOCTL_EVTCHN_BIND_STATIC: binds a port that exists to the handle with this descriptor.  0,
 * -EBUSY (bound already), -EINVAL (no port of this domain), -ENOTTY (no handle), or -ENOSYS.
 */
int port_bind_static(int fd, uint32_t port);
/* EVTCHNOP_send.  0, or -EINVAL: no port of this domain. */
int port_send(uint32_t port);
/* Whether $XSLOOP_WITHOUT has the word: a kernel that lacks something is played. */
int world_lacks(const char *word);
/* Whether a handle of this process's domain has bound the virtual interrupt. */
bool virq_is_bound_locked(uint32_t virq);
/* Raises a virtual interrupt of domain 0. */
void virq_raise_locked(uint32_t virq);

#pragma GCC visibility pop
#endif
