/* SPDX-License-Identifier: MIT */
/*
 * xsfs-demo: fills the store of a loopback world with sample domains, and keeps them changing.
 *
 *	xsfs-demo write WORLD XSLOOP FILE    writes the document FILE, and ends
 *	xsfs-demo live WORLD XSLOOP          for ever: domains come, plug devices and go
 *
 * Run by `xsfs embedded`, which ends it.  It talks to the server's socket in the directory WORLD as
 * a toolstack does, so the mount shows changes made by others.  XSLOOP is the command that makes
 * domains in that world.  One thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#include "fs/model/name.h"
#include "ring/wire.h"
#include "src/tools/document.h"

/* The pause between two changes; XSFS_DEMO_STEP_MS is for tests. */
#define STEP_MS 1000

/* New domains get numbers from the first to the last of these, then from the first again. */
#define DOMID_FIRST 3
#define DOMID_LAST 999

/* The store's page of a domain has this number plus the domain's. */
#define FRAME 4711

#define DISK (202 << 8 | 1 << 4) /* xvdb, as a device number */

struct demo {
	const char *world;
	char *xsloop;
	struct raw raw;
	unsigned ports[DOMID_LAST + 1]; /* event channels of the document's domains */
	char why[PATH_MAX + 512];
};

/* The guest that is there now. */
struct guest {
	unsigned domid;
	const char *name;
};

static const char *const names[] = { "build", "mail", "proxy", "test" };

static int complain(struct demo *d, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int complain(struct demo *d, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->why, sizeof(d->why), fmt, ap);
	va_end(ap);
	return err;
}

/* ---- the world ------------------------------------------------------------------------------ */

/* Runs the xsloop command with one or two words of numbers after the world's directory, and reads
 * the number that it prints.  Returns that number, 0 if there is none, or -errno with a reason. */
static int xsloop(struct demo *d, const char *verb, unsigned domid, unsigned frame, unsigned port)
{
	char numbers[3][16], text[64] = "";
	char *argv[] = { d->xsloop, (char *)verb, (char *)d->world, numbers[0],
			 frame ? numbers[1] : NULL, port ? numbers[2] : NULL, NULL };
	int fds[2], status = 0;
	pid_t pid;

	snprintf(numbers[0], sizeof(numbers[0]), "%u", domid);
	snprintf(numbers[1], sizeof(numbers[1]), "%u", frame);
	snprintf(numbers[2], sizeof(numbers[2]), "%u", port);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return complain(d, -errno, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		execv(d->xsloop, argv);
		_exit(127);
	}
	close(fds[1]);
	if (pid > 0 && read(fds[0], text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		return complain(d, -EIO, "%s %s failed", d->xsloop, verb);
	return atoi(text);
}

/* ---- changes -------------------------------------------------------------------------------- */

/* Adds a node; if memory is short it is left out. */
static void put(struct changes *changes, const char *perms, const char *value, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void put(struct changes *changes, const char *perms, const char *value, const char *fmt, ...)
{
	char path[PATH_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	changes_add(changes, path, value, value ? strlen(value) : 0, perms);
}

/* Makes the changes in one transaction, and frees them. */
static int commit(struct demo *d, struct changes *changes)
{
	const char *failed;
	int err = changes_apply(changes, &d->raw, true, CHANGES_MERGE, NULL, &failed);

	if (err)
		complain(d, err, "%s: %s", failed ? failed : "commit", strerror(-err));
	changes_release(changes);
	return err;
}

static int remove_path(struct demo *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int remove_path(struct demo *d, const char *fmt, ...)
{
	char path[PATH_SIZE];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	n = raw_call(&d->raw, XS_RM, 0, path, NULL, 0, NULL);
	return n < 0 && n != -ENOENT ? complain(d, n, "%s: %s", path, strerror(-n)) : 0;
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* Sets the states of both halves; a half whose state is 0 stays unchanged. */
static int set_states(struct demo *d, const struct guest *g, const char *type, unsigned handle,
		      int frontend, int backend)
{
	struct changes c = { 0 };
	char text[2][8];

	snprintf(text[0], sizeof(text[0]), "%d", frontend);
	snprintf(text[1], sizeof(text[1]), "%d", backend);
	if (frontend)
		put(&c, NULL, text[0], "/local/domain/%u/device/%s/%u/state", g->domid, type, handle);
	if (backend)
		put(&c, NULL, text[1], "/local/domain/0/backend/%s/%u/%u/state", type, g->domid, handle);
	return commit(d, &c);
}

/* Adds both halves of a device. */
static void put_device(struct changes *c, const struct guest *g, const char *type, unsigned handle)
{
	char front[PATH_SIZE], back[PATH_SIZE], domid[16], own[32], readable[32];

	snprintf(front, sizeof(front), "/local/domain/%u/device/%s/%u", g->domid, type, handle);
	snprintf(back, sizeof(back), "/local/domain/0/backend/%s/%u/%u", type, g->domid, handle);
	snprintf(domid, sizeof(domid), "%u", g->domid);
	snprintf(own, sizeof(own), "n%u,r0", g->domid);
	snprintf(readable, sizeof(readable), "n0,r%u", g->domid);
	put(c, own, NULL, "%s", front);
	put(c, NULL, back, "%s/backend", front);
	put(c, NULL, "0", "%s/backend-id", front);
	put(c, NULL, "1", "%s/state", front);
	put(c, readable, NULL, "%s", back);
	put(c, NULL, front, "%s/frontend", back);
	put(c, NULL, domid, "%s/frontend-id", back);
	put(c, NULL, "1", "%s/online", back);
	put(c, NULL, "1", "%s/state", back);
}

static int create(struct demo *d, const struct guest *g)
{
	char base[64], vm[64], domid[16], readable[32];
	struct changes c = { 0 };
	int port;

	snprintf(base, sizeof(base), "/local/domain/%u", g->domid);
	snprintf(vm, sizeof(vm), "/vm/d3305a3e-0000-4000-8000-%012u", g->domid);
	snprintf(domid, sizeof(domid), "%u", g->domid);
	snprintf(readable, sizeof(readable), "n0,r%u", g->domid);
	/* The server lets a domain own nodes only if the domain exists. */
	port = xsloop(d, "guest", g->domid, FRAME + g->domid, 0);
	if (port < 0)
		return port;
	put(&c, NULL, g->name, "%s/name", vm);
	put(&c, NULL, vm + 4, "%s/uuid", vm);
	put(&c, NULL, "pvh", "/libxl/%u/type", g->domid);
	put(&c, readable, NULL, "%s", base);
	put(&c, NULL, vm, "%s/vm", base);
	put(&c, NULL, g->name, "%s/name", base);
	put(&c, NULL, domid, "%s/domid", base);
	put(&c, NULL, "online", "%s/cpu/0/availability", base);
	put(&c, NULL, "online", "%s/cpu/1/availability", base);
	put(&c, NULL, "524288", "%s/memory/static-max", base);
	put(&c, NULL, "524288", "%s/memory/target", base);
	put(&c, NULL, "", "%s/control/shutdown", base);
	put_device(&c, g, "vif", 0);
	port = commit(d, &c) ? -EIO : port;
	return port < 0 ? port : xsloop(d, "introduce", g->domid, FRAME + g->domid, port);
}

static int destroy(struct demo *d, const struct guest *g)
{
	int err = remove_path(d, "/local/domain/0/backend/vif/%u", g->domid);

	if (!err)
		err = remove_path(d, "/local/domain/0/backend/vbd/%u", g->domid);
	if (!err)
		err = remove_path(d, "/vm/d3305a3e-0000-4000-8000-%012u", g->domid);
	if (!err)
		err = remove_path(d, "/libxl/%u", g->domid);
	if (!err)
		err = remove_path(d, "/local/domain/%u", g->domid);
	return err ? err : xsloop(d, "kill-domain", g->domid, 0, 0);
}

static int plug(struct demo *d, const struct guest *g)
{
	struct changes c = { 0 };

	put_device(&c, g, "vbd", DISK);
	put(&c, NULL, "xvdb", "/local/domain/0/backend/vbd/%u/%u/dev", g->domid, DISK);
	return commit(d, &c);
}

static int unplug(struct demo *d, const struct guest *g)
{
	int err = remove_path(d, "/local/domain/%u/device/vbd/%u", g->domid, DISK);

	return err ? err : remove_path(d, "/local/domain/0/backend/vbd/%u", g->domid);
}

static int set_memory(struct demo *d, unsigned domid, const char *kib)
{
	struct changes c = { 0 };

	put(&c, NULL, kib, "/local/domain/%u/memory/target", domid);
	return commit(d, &c);
}

static int shut_down(struct demo *d, const struct guest *g)
{
	struct changes c = { 0 };

	put(&c, NULL, "poweroff", "/local/domain/%u/control/shutdown", g->domid);
	return commit(d, &c);
}

/* Makes one step in the life of a guest.  Returns 1 after the last, 0 before, or
 * -errno with a reason. */
static int step(struct demo *d, const struct guest *g, unsigned age)
{
	enum { WAIT = XenbusStateInitWait, READY, CONNECTED, CLOSING, CLOSED };

	switch (age) {
	case 0:
		return create(d, g);
	case 1:
		return set_states(d, g, "vif", 0, 0, WAIT);
	case 2:
		return set_states(d, g, "vif", 0, READY, 0);
	case 3:
		return set_states(d, g, "vif", 0, CONNECTED, CONNECTED);
	case 4:
		return set_memory(d, 1, g->domid % 2 ? "786432" : "1048576");
	case 5:
		return plug(d, g);
	case 6:
		return set_states(d, g, "vbd", DISK, READY, WAIT);
	case 7:
		return set_states(d, g, "vbd", DISK, CONNECTED, CONNECTED);
	case 8:
		return set_memory(d, g->domid, "393216");
	case 9:
		return set_states(d, g, "vbd", DISK, CLOSING, CLOSING);
	case 10:
		return set_states(d, g, "vbd", DISK, CLOSED, CLOSED);
	case 11:
		return unplug(d, g);
	case 12:
		return set_memory(d, 2, g->domid % 2 ? "3145728" : "4194304");
	case 13:
		return shut_down(d, g);
	case 14:
		return set_states(d, g, "vif", 0, CLOSING, CLOSING);
	case 15:
		return set_states(d, g, "vif", 0, CLOSED, CLOSED);
	default:
		return destroy(d, g) ? -EIO : 1;
	}
}

/* ---- the two commands ----------------------------------------------------------------------- */

static int live(struct demo *d)
{
	const char *text = getenv("XSFS_DEMO_STEP_MS");
	long ms = text && *text ? atol(text) : STEP_MS;
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	struct guest g = { .domid = DOMID_FIRST, .name = names[0] };
	unsigned age = 0, round = 0;
	int n;

	for (;;) {
		n = step(d, &g, age++);
		if (n < 0)
			return n;
		if (n > 0) {
			age = 0;
			g.domid = g.domid < DOMID_LAST ? g.domid + 1 : DOMID_FIRST;
			g.name = names[++round % (sizeof(names) / sizeof(names[0]))];
		}
		nanosleep(&pause, NULL);
	}
}

/* If `path` is a domain's directory, returns its number; or 0, also for domain 0, which is always there. */
static unsigned domain_of(const char *path)
{
	static const char base[] = "/local/domain/";
	const char *name = path + strlen(base);
	uint64_t domid;

	if (strncmp(path, base, strlen(base)) || wire_number_parse(name, strlen(name), DOMID_LAST, &domid))
		return 0;
	return domid;
}

/* Makes the domains that have a directory, because only existing domains can own nodes. */
static int make_domains(struct demo *d, const struct changes *changes)
{
	unsigned domid;
	int port;

	for (size_t i = 0; i < changes->n; i++) {
		domid = domain_of(changes->list[i].path);
		if (!domid)
			continue;
		port = xsloop(d, "guest", domid, FRAME + domid, 0);
		if (port < 0)
			return port;
		d->ports[domid] = port;
	}
	return 0;
}

/* Introduces them, as the toolstack does when a domain's directory is complete.  Without it xenstored would not
 * survive a live update: the new one refuses nodes of a domain that has not been introduced. */
static int introduce_domains(struct demo *d)
{
	int err = 0;

	for (unsigned domid = 1; !err && domid <= DOMID_LAST; domid++)
		if (d->ports[domid])
			err = xsloop(d, "introduce", domid, FRAME + domid, d->ports[domid]);
	return err < 0 ? err : 0;
}

static int write_document(struct demo *d, const char *file)
{
	struct changes changes = { 0 };
	const char *failed;
	int err = document_read(file, "/", &changes, d->why, sizeof(d->why));

	if (!err)
		err = make_domains(d, &changes);
	if (!err) {
		err = changes_apply(&changes, &d->raw, false, CHANGES_MERGE, "/", &failed);
		if (err)
			complain(d, err, "%s: %s", failed ? failed : file, strerror(-err));
	}
	if (!err)
		err = introduce_domains(d);
	changes_release(&changes);
	return err;
}

int main(int argc, char **argv)
{
	static struct demo d = { .raw = { .fd = -1 } };
	bool is_live = argc == 4 && !strcmp(argv[1], "live");
	char socket[PATH_MAX + 8];
	int err;

	if (!is_live && !(argc == 5 && !strcmp(argv[1], "write"))) {
		fputs("usage: xsfs-demo write WORLD XSLOOP FILE | live WORLD XSLOOP\n", stderr);
		return 2;
	}
	d.world = argv[2];
	d.xsloop = argv[3];
	snprintf(socket, sizeof(socket), "%s/socket", d.world);
	err = raw_open(&d.raw, socket);
	if (err)
		complain(&d, err, "%s: %s", socket, strerror(-err));
	else
		err = is_live ? live(&d) : write_document(&d, argv[4]);
	if (err)
		fprintf(stderr, "xsfs-demo: %s\n", d.why);
	raw_close(&d.raw);
	return err ? 2 : 0;
}
