/* SPDX-License-Identifier: MIT */
/*
 * Two guests with a disk, a network and a console each, in the shape of xl's
 * (docs/misc/xenstore-paths.pandoc, xen/io/xenbus.h), with a toolstack's permissions.
 * For embedded.c, main thread.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "ring/wire.h"
#include "src/sample.h"

struct guest {
	uint32_t domid;
	const char *name;
	const char *uuid;
	const char *type;
	unsigned memory_kib;
	const char *mac;
	const char *disk;
};

static const struct guest guests[SAMPLE_GUESTS] = {
	{ 1, "web", "3f1c8a52-7d0e-4b6a-9e35-c2a4d81f0b67", "pvh", 1048576, "00:16:3e:4d:21:a7",
	  "/dev/vg0/web" },
	{ 2, "db", "b80d5e19-26f4-4c83-a1b7-5e9037dc4f2a", "pv", 4194304, "00:16:3e:4d:21:b3",
	  "/dev/vg0/db" },
};

const uint32_t sample_domids[SAMPLE_GUESTS] = { 1, 2 };

/* Who may do what with a node; docs/misc/xenstore.txt, SET_PERMS.  The first is the owner. */
enum access {
	ACCESS_OURS,     /* n0: domain 0's alone */
	ACCESS_READ,     /* n0,rN: the guest may read it */
	ACCESS_GUEST,    /* nN: the guest's own */
	ACCESS_FRONTEND, /* nN,r0: the guest's, read by the backend */
};

/* What is being written, and the first error: the calls below do nothing once there is one. */
struct writer {
	struct chan *chan;
	const struct guest *guest;
	char base[XENSTORE_ABS_PATH_MAX + 1]; /* in front of every path */
	enum access access;
	int error;
};

static void writer_call(struct writer *w, uint32_t type, const char *path, const void *data,
			size_t len)
{
	struct request *req;

	if (w->error)
		return;
	req = request_new_path(type, 0, path, data, len);
	if (!req) {
		w->error = -ENOMEM;
		return;
	}
	chan_submit(w->chan, req);
	w->error = chan_wait(w->chan, req);
	request_put(req);
}

static void writer_perms(struct writer *w, const char *path)
{
	unsigned domid = w->guest ? w->guest->domid : 0;
	char text[32], body[64];
	int len;

	switch (w->access) {
	case ACCESS_OURS:
		snprintf(text, sizeof(text), "n0");
		break;
	case ACCESS_READ:
		snprintf(text, sizeof(text), "n0,r%u", domid);
		break;
	case ACCESS_GUEST:
		snprintf(text, sizeof(text), "n%u", domid);
		break;
	case ACCESS_FRONTEND:
		snprintf(text, sizeof(text), "n%u,r0", domid);
		break;
	}
	len = wire_perms_from_text(text, strlen(text), body, sizeof(body));
	if (len < 0)
		w->error = w->error ? w->error : len;
	else
		writer_call(w, XS_SET_PERMS, path, body, len);
}

/* Sets where the next nodes are and who may do what there, and makes that place. */
static void enter(struct writer *w, enum access access, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void enter(struct writer *w, enum access access, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->base, sizeof(w->base), fmt, ap);
	va_end(ap);
	w->access = access;
	writer_call(w, XS_MKDIR, w->base, NULL, 0);
	writer_perms(w, w->base);
}

/* Writes a node below the present place. */
static void put(struct writer *w, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void put(struct writer *w, const char *name, const char *fmt, ...)
{
	char path[sizeof(w->base) + 64], value[256];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/%s", w->base, name);
	writer_call(w, XS_WRITE, path, value, len);
	writer_perms(w, path);
}

/* Makes an empty node below the present place. */
static void put_empty(struct writer *w, const char *name)
{
	char path[sizeof(w->base) + 64];

	snprintf(path, sizeof(path), "%s/%s", w->base, name);
	writer_call(w, XS_MKDIR, path, NULL, 0);
	writer_perms(w, path);
}

static void write_domain0(struct writer *w)
{
	w->guest = NULL;
	enter(w, ACCESS_OURS, "/local/domain/0");
	put(w, "name", "Domain-0");
	put(w, "domid", "0");
	put(w, "cpu/0/availability", "online");
	put(w, "cpu/1/availability", "online");
	put(w, "memory/target", "2097152");
	put(w, "memory/static-max", "2097152");
	put(w, "memory/freemem-slack", "65536");
	put(w, "control/feature-poweroff", "1");
	put(w, "control/feature-reboot", "1");
	put(w, "device-model/0/state", "running");
}

static void write_basics(struct writer *w, unsigned d)
{
	const struct guest *g = w->guest;

	enter(w, ACCESS_OURS, "/vm/%s", g->uuid);
	put(w, "name", "%s", g->name);
	put(w, "uuid", "%s", g->uuid);
	put(w, "image/ostype", "%s", strcmp(g->type, "pv") == 0 ? "linux" : "hvm");
	put(w, "image/kernel", "/boot/vmlinuz");
	put(w, "rtc/timeoffset", "0");
	put(w, "start_time", "1718007%u00", d);

	enter(w, ACCESS_OURS, "/libxl/%u", d);
	put(w, "type", "%s", g->type);
	put(w, "dm-version", "qemu_xen");

	enter(w, ACCESS_READ, "/local/domain/%u", d);
	put(w, "vm", "/vm/%s", g->uuid);
	put(w, "name", "%s", g->name);
	put(w, "domid", "%u", d);
	put(w, "cpu/0/availability", "online");
	put(w, "memory/static-max", "%u", g->memory_kib);
	put(w, "memory/target", "%u", g->memory_kib);
	put(w, "store/port", "1");
	put(w, "store/ring-ref", "%u", 1044476 + d);
	put(w, "control/platform-feature-multiprocessor-suspend", "1");
	put(w, "control/platform-feature-xs_reset_watches", "1");
	put_empty(w, "device/suspend");

	/* What the guest's own drivers write. */
	enter(w, ACCESS_GUEST, "/local/domain/%u", d);
	put_empty(w, "control/shutdown");
	put(w, "control/feature-poweroff", "1");
	put(w, "control/feature-reboot", "1");
	put(w, "control/feature-suspend", "1");
	put_empty(w, "data");
	put_empty(w, "drivers");
	put_empty(w, "feature");
	put_empty(w, "attr");
	put_empty(w, "error");
	put_empty(w, "device/suspend/event-channel");

	/* Entered last as what it is: enter() above left it to the guest. */
	enter(w, ACCESS_READ, "/local/domain/%u", d);
}

/* The nodes by which the two halves of a device find each other. */
static void enter_frontend(struct writer *w, const char *kind, unsigned id)
{
	unsigned d = w->guest->domid;

	enter(w, ACCESS_FRONTEND, "/local/domain/%u/device/%s/%u", d, kind, id);
	put(w, "backend", "/local/domain/0/backend/%s/%u/%u", kind, d, id);
	put(w, "backend-id", "0");
	put(w, "state", "%d", XenbusStateConnected);
}

static void enter_backend(struct writer *w, const char *kind, unsigned id)
{
	unsigned d = w->guest->domid;

	enter(w, ACCESS_READ, "/local/domain/0/backend/%s/%u/%u", kind, d, id);
	put(w, "frontend", "/local/domain/%u/device/%s/%u", d, kind, id);
	put(w, "frontend-id", "%u", d);
	put(w, "online", "1");
	put(w, "state", "%d", XenbusStateConnected);
}

static void write_devices(struct writer *w, unsigned d)
{
	const struct guest *g = w->guest;
	const unsigned disk = 202 << 8; /* xvda, as a number of its device */

	enter_frontend(w, "vif", 0);
	put(w, "handle", "0");
	put(w, "mac", "%s", g->mac);
	put(w, "mtu", "1500");
	put(w, "tx-ring-ref", "%u", 768 + d);
	put(w, "rx-ring-ref", "%u", 769 + d);
	put(w, "event-channel", "%u", 8 + d);
	put(w, "request-rx-copy", "1");
	put(w, "feature-rx-notify", "1");
	put(w, "feature-sg", "1");

	enter_backend(w, "vif", 0);
	put(w, "script", "/etc/xen/scripts/vif-bridge");
	put(w, "mac", "%s", g->mac);
	put(w, "bridge", "xenbr0");
	put(w, "handle", "0");
	put(w, "type", "vif");
	put(w, "feature-sg", "1");
	put(w, "feature-gso-tcpv4", "1");
	put(w, "feature-rx-copy", "1");
	put(w, "hotplug-status", "connected");

	enter_frontend(w, "vbd", disk);
	put(w, "virtual-device", "%u", disk);
	put(w, "device-type", "disk");
	put(w, "ring-ref", "%u", 8 + d);
	put(w, "event-channel", "%u", 10 + d);
	put(w, "protocol", "x86_64-abi");

	enter_backend(w, "vbd", disk);
	put(w, "params", "%s", g->disk);
	put(w, "dev", "xvda");
	put(w, "type", "phy");
	put(w, "mode", "w");
	put(w, "sectors", "20971520");
	put(w, "sector-size", "512");
	put(w, "feature-flush-cache", "1");
	put(w, "hotplug-status", "connected");

	enter(w, ACCESS_READ, "/local/domain/%u/console", d);
	put(w, "backend", "/local/domain/0/backend/console/%u/0", d);
	put(w, "backend-id", "0");
	put(w, "type", "xenconsoled");
	put(w, "output", "pty");
	put(w, "limit", "1048576");
	put(w, "port", "2");
	put(w, "ring-ref", "%u", 1044478 + d);
	put(w, "tty", "/dev/pts/%u", d);
	put(w, "vnc-port", "%u", 5900 + d);

	enter_backend(w, "console", 0);
	put(w, "frontend", "/local/domain/%u/console", d);
	put(w, "protocol", "vt100");
}

int sample_write(struct chan *chan)
{
	struct writer w = { .chan = chan };

	write_domain0(&w);
	for (unsigned i = 0; i < SAMPLE_GUESTS; i++) {
		w.guest = &guests[i];
		write_basics(&w, guests[i].domid);
		write_devices(&w, guests[i].domid);
	}
	return w.error;
}
