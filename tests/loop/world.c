/* SPDX-License-Identifier: MIT */
/*
 * world.c - the tables of the loopback world and the files they live in.
 *
 * Shared by the library and by the xsloop command; any thread of any process of the world.
 */
#include "tests/loop/xsloop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	pthread_mutex_t mutex;		/* attaching */
	struct xsloop_world *world;
	char dir[PATH_MAX];		/* absolute: servers change their directory */
	uint32_t domid;
} self = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* Descriptors of other handles' FIFOs, by slot; a slot's id tells whose descriptor it is. */
static struct {
	pthread_mutex_t mutex;
	struct { uint32_t id; int fd; } slot[XSLOOP_HANDLES];
} fifos = { .mutex = PTHREAD_MUTEX_INITIALIZER };

int world_lacks(const char *word)
{
	const char *list = getenv("XSLOOP_WITHOUT");

	return list && strstr(list, word);
}

struct xsloop_world *world_get(void)
{
	return self.world;
}

uint32_t world_domid(void)
{
	return self.domid;
}

static int path_join(char path[PATH_MAX], const char *dir, const char *name)
{
	int n = snprintf(path, PATH_MAX, "%s/%s", dir, name);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int world_path(char path[PATH_MAX], const char *name)
{
	return path_join(path, self.dir, name);
}

/* ---- making and finding a world ---------------------------------------------------------- */

static int file_write(const char *dir, const char *name, const void *data, size_t len)
{
	char path[PATH_MAX];
	int rc = path_join(path, dir, name);
	ssize_t n;
	int fd;

	if (rc < 0)
		return rc;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = write(fd, data, len);
	rc = n == (ssize_t)len ? 0 : n < 0 ? -errno : -ENOSPC;
	close(fd);
	return rc;
}

static int xsd_port_write(const char *dir, uint32_t port)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", port);

	return file_write(dir, "xsd_port", text, n);
}

static int page_zero_create(const char *dir)
{
	static const char zeroes[XSLOOP_PAGE_SIZE];

	return file_write(dir, "page.0.0", zeroes, sizeof(zeroes));
}

/* Makes the file that large, with all of its space taken: a page without space would be a signal for who touches
 * it first.  A file that could not get all is left empty, which says "nothing here yet" to the next try. */
static int room_make(int fd, off_t size)
{
	int err = posix_fallocate(fd, 0, size);

	if (err && ftruncate(fd, 0) < 0)
		return -errno;
	return -err;
}

int world_create(const char *dir)
{
	struct xsloop_world *world = NULL;
	char path[PATH_MAX];
	struct stat st;
	int fd, rc;

	rc = path_join(path, dir, "state");
	if (rc < 0)
		return rc;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
		goto fail;
	if (st.st_size >= (off_t)sizeof(*world)) {
		rc = 0;
		goto out;
	}
	rc = room_make(fd, sizeof(*world));
	if (rc < 0)
		goto out;
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (world == MAP_FAILED) {
		world = NULL;
		goto fail;
	}
	world->next_port = 2;
	world->next_handle = 1;
	world->kernel_port = 1;
	world->ports[1].state = XSLOOP_UNBOUND;
	rc = page_zero_create(dir);
	if (rc == 0)
		rc = xsd_port_write(dir, world->kernel_port);
	if (rc == 0) {
		world->version = XSLOOP_VERSION;
		__atomic_store_n(&world->magic, XSLOOP_MAGIC, __ATOMIC_RELEASE);
	} else if (ftruncate(fd, 0) < 0) {
		rc = -errno;	/* a size of 0 would have said "nothing here yet" to the next try */
	}
	goto out;
fail:
	rc = -errno;
out:
	if (world)
		munmap(world, sizeof(*world));
	flock(fd, LOCK_UN);
	close(fd);
	return rc;
}

static int world_map(const char *dir)
{
	struct xsloop_world *world;
	const char *domid = getenv("XSLOOP_DOMID");
	char path[PATH_MAX];
	struct stat st;
	int fd, rc;

	if (!realpath(dir, self.dir))
		return -errno;
	rc = world_path(path, "state");
	if (rc < 0)
		return rc;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_size != (off_t)sizeof(*world)) {
		close(fd);
		return -EPROTO;
	}
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	rc = world == MAP_FAILED ? -errno : 0;
	close(fd);
	if (rc < 0)
		return rc;
	if (__atomic_load_n(&world->magic, __ATOMIC_ACQUIRE) != XSLOOP_MAGIC ||
	    world->version != XSLOOP_VERSION) {
		munmap(world, sizeof(*world));
		return -EPROTO;
	}
	self.domid = domid ? strtoul(domid, NULL, 10) : 0;
	self.world = world;
	return 0;
}

int world_attach(const char *dir)
{
	int rc = 0;

	pthread_mutex_lock(&self.mutex);
	if (!self.world) {
		if (!dir)
			dir = getenv("XSLOOP_DIR");
		rc = dir ? world_map(dir) : -ENOENT;
	}
	pthread_mutex_unlock(&self.mutex);
	return rc;
}

/*
 * A descriptor of its own each time: a flock belongs to the open file description, so a kept
 * one would not exclude the other threads, nor a forked child.
 */
int world_lock(void)
{
	char path[PATH_MAX];
	int rc = world_path(path, "state");
	int fd;

	if (rc < 0)
		return rc;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

void world_unlock(int lock)
{
	/* Not by close() alone: another thread may just have forked with the descriptor. */
	flock(lock, LOCK_UN);
	close(lock);
}

/* ---- the port of domain 0's store ---------------------------------------------------------- */

void world_xsd_port_refresh(void)
{
	const struct xsloop_port *p;
	char path[PATH_MAX], text[16] = "";
	uint32_t port;
	int fd, lock = world_lock();

	if (lock < 0)
		return;
	world_reap_locked();
	if (world_path(path, "xsd_port") == 0 && (fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
		if (read(fd, text, sizeof(text) - 1) < 0)
			text[0] = '\0';
		close(fd);
	}
	port = strtoul(text, NULL, 10);
	p = &self.world->ports[port < XSLOOP_PORTS ? port : 0];
	if (p->domid != 0 || p->remote_domid != 0 ||
	    (p->state != XSLOOP_UNBOUND && p->state != XSLOOP_INTERDOMAIN)) {
		page_zero_create(self.dir);
		xsd_port_write(self.dir, self.world->kernel_port);
	}
	world_unlock(lock);
}

/* ---- handles ------------------------------------------------------------------------------- */

static int handle_path(char path[PATH_MAX], uint32_t id)
{
	char name[XSLOOP_NAME_MAX];

	snprintf(name, sizeof(name), "evtchn.%u", id);
	return world_path(path, name);
}

int handle_open_locked(int cloexec, uint32_t *id)
{
	struct xsloop_world *world = self.world;
	struct xsloop_handle *h;
	char path[PATH_MAX];
	struct stat st;
	unsigned int i;
	int fd, rc;

	for (i = 0; i < XSLOOP_HANDLES; i++) {
		*id = world->next_handle++;
		if (*id != 0 && world->handles[*id % XSLOOP_HANDLES].id == 0)
			break;
	}
	if (i == XSLOOP_HANDLES)
		return -EMFILE;
	rc = handle_path(path, *id);
	if (rc < 0)
		return rc;
	if (mkfifo(path, 0600) < 0)
		return -errno;
	/* O_RDWR: opening does not wait for a peer, and reading never meets an end of file. */
	fd = open(path, O_RDWR | (cloexec ? O_CLOEXEC : 0));
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		unlink(path);
		return rc;
	}
	h = &world->handles[*id % XSLOOP_HANDLES];
	h->domid = self.domid;
	h->dev = st.st_dev;
	h->ino = st.st_ino;
	h->last_port = 0;
	__atomic_store_n(&h->id, *id, __ATOMIC_RELEASE);
	return fd;
}

uint32_t handle_find_locked(int fd)
{
	struct stat st;
	unsigned int i;

	if (fstat(fd, &st) < 0)
		return 0;
	for (i = 0; i < XSLOOP_HANDLES; i++) {
		const struct xsloop_handle *h = &self.world->handles[i];

		if (h->id != 0 && h->dev == st.st_dev && h->ino == st.st_ino)
			return h->id;
	}
	return 0;
}

/* True if somebody still holds the lock on the FIFO of the handle. */
static bool handle_is_held(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	bool held;

	if (fd < 0)
		return errno != ENOENT;
	held = flock(fd, LOCK_EX | LOCK_NB) < 0;
	flock(fd, LOCK_UN);
	close(fd);
	return held;
}

void handle_reap_locked(uint32_t id)
{
	struct xsloop_world *world = self.world;
	char path[PATH_MAX];
	uint32_t port;

	if (handle_path(path, id) < 0 || handle_is_held(path))
		return;
	for (port = 1; port < XSLOOP_PORTS; port++)
		if (world->ports[port].state != XSLOOP_FREE && world->ports[port].handle == id)
			port_unbind_locked(port);
	unlink(path);
	__atomic_store_n(&world->handles[id % XSLOOP_HANDLES].id, 0, __ATOMIC_RELEASE);
}

void world_reap_locked(void)
{
	unsigned int i;

	for (i = 0; i < XSLOOP_HANDLES; i++)
		if (self.world->handles[i].id != 0)
			handle_reap_locked(self.world->handles[i].id);
}

/* ---- ports --------------------------------------------------------------------------------- */

int port_alloc_locked(uint32_t domid, uint32_t handle)
{
	struct xsloop_world *world = self.world;
	uint32_t port = world->handles[handle % XSLOOP_HANDLES].last_port;
	struct xsloop_port *p;
	unsigned int i;

	for (i = 0; port == 0 || world->ports[port].state != XSLOOP_FREE; i++) {
		if (i == XSLOOP_PORTS)
			return -ENOSPC;
		port = world->next_port++ % XSLOOP_PORTS;
	}
	p = &world->ports[port];
	p->domid = domid;
	p->handle = handle;
	p->remote_domid = p->remote_port = p->virq = p->is_static = 0;
	__atomic_store_n(&p->event, XSLOOP_IDLE, __ATOMIC_RELAXED);
	return port;
}

void port_publish_locked(uint32_t port, enum xsloop_port_state state)
{
	/* A notifier that sees the new state must see the peer and the handle that go with it. */
	__atomic_store_n(&self.world->ports[port].state, state, __ATOMIC_RELEASE);
}

void port_close_locked(uint32_t port)
{
	struct xsloop_port *p = &self.world->ports[port];

	if (p->state == XSLOOP_INTERDOMAIN) {
		struct xsloop_port *peer = &self.world->ports[p->remote_port];

		/* The peer may point elsewhere if a process died between these two stores. */
		if (peer->state == XSLOOP_INTERDOMAIN && peer->remote_port == port)
			port_publish_locked(p->remote_port, XSLOOP_UNBOUND);
	}
	port_publish_locked(port, XSLOOP_FREE);
	self.world->handles[p->handle % XSLOOP_HANDLES].last_port = port;
}

void port_unbind_locked(uint32_t port)
{
	struct xsloop_port *p = &self.world->ports[port];

	if (p->is_static)
		p->handle = 0;
	else
		port_close_locked(port);
}

/*
 * A FIFO is full only if its owner left thousands of stale numbers unread (binding and
 * unbinding without a look at pending()).  Each process that meets it drops the doubles among
 * what it gets hold of and puts the rest back, so no port's last number is lost.
 */
static void fifo_compact(int fd)
{
	uint8_t seen[XSLOOP_PORTS] = { 0 };
	uint32_t port;

	while (read(fd, &port, sizeof(port)) == sizeof(port))
		seen[port % XSLOOP_PORTS] = 1;
	for (port = 1; port < XSLOOP_PORTS; port++)
		if (seen[port] && write(fd, &port, sizeof(port)) < 0)
			return;
}

/*
 * The descriptor of a handle's FIFO, or negative.  Those of handles that are gone are closed
 * whenever one is opened: a server must not run out of them as its clients come and go.
 */
static int fifo_get_locked(uint32_t id)
{
	unsigned int i, slot = id % XSLOOP_HANDLES;
	char path[PATH_MAX];
	int fd;

	if (fifos.slot[slot].id == id)
		return fifos.slot[slot].fd;
	for (i = 0; i < XSLOOP_HANDLES; i++) {
		uint32_t now = __atomic_load_n(&self.world->handles[i].id, __ATOMIC_ACQUIRE);

		if (fifos.slot[i].id == 0 || fifos.slot[i].id == now)
			continue;
		close(fifos.slot[i].fd);
		fifos.slot[i].id = 0;
	}
	/* O_RDWR: when the owner dies, writing must be no SIGPIPE. */
	fd = handle_path(path, id) < 0 ? -1 : open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		fifos.slot[slot].id = id;
		fifos.slot[slot].fd = fd;
	}
	return fd;
}

void port_post(uint32_t port)
{
	uint32_t id = self.world->ports[port].handle;
	int fd;

	if (id == 0)
		return;
	pthread_mutex_lock(&fifos.mutex);
	fd = fifo_get_locked(id);
	while (fd >= 0 && write(fd, &port, sizeof(port)) < 0) {
		if (errno == EAGAIN)
			fifo_compact(fd);
		else if (errno != EINTR)
			break;
	}
	pthread_mutex_unlock(&fifos.mutex);
}

void port_raise(uint32_t port)
{
	uint32_t *event = &self.world->ports[port].event;
	uint32_t old, new;

	/*
	 * Orders the caller's stores to the shared page before the look at the event word: who
	 * sees "pending already" and goes must be sure that the owner, who takes the event after
	 * that, sees those stores (pending() has the other half of this).
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	old = __atomic_load_n(event, __ATOMIC_RELAXED);
	do {
		if (old == XSLOOP_QUEUED || old == XSLOOP_RAISED)
			return;
		new = old == XSLOOP_IDLE ? XSLOOP_QUEUED : XSLOOP_RAISED;
	} while (!__atomic_compare_exchange_n(event, &old, new, 0, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	if (new == XSLOOP_QUEUED)
		port_post(port);
}

bool virq_is_bound_locked(uint32_t virq)
{
	uint32_t port;

	for (port = 1; port < XSLOOP_PORTS; port++) {
		const struct xsloop_port *p = &world_get()->ports[port];

		if (p->state == XSLOOP_VIRQ && p->domid == world_domid() && p->virq == virq)
			return true;
	}
	return false;
}

void virq_raise_locked(uint32_t virq)
{
	uint32_t port;

	for (port = 1; port < XSLOOP_PORTS; port++) {
		const struct xsloop_port *p = &self.world->ports[port];

		if (p->state == XSLOOP_VIRQ && p->domid == 0 && p->virq == virq)
			port_raise(port);
	}
}
