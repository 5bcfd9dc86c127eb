/* SPDX-License-Identifier: MIT */
/* See tool_domains.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#include "ring/wire.h"
#include "src/tools/tool_domains.h"
#include "src/tools/tool_read.h"

#define DOMAINS "/local/domain"

/* The largest number that is a state. */
#define STATE_MAX XenbusStateReconfigured

static const struct {
	const char *name;
	enum text_style style;
} states[] = {
	[XenbusStateUnknown] = { "Unknown", TEXT_BAD },
	[XenbusStateInitialising] = { "Initialising", TEXT_BUSY },
	[XenbusStateInitWait] = { "InitWait", TEXT_BUSY },
	[XenbusStateInitialised] = { "Initialised", TEXT_BUSY },
	[XenbusStateConnected] = { "Connected", TEXT_GOOD },
	[XenbusStateClosing] = { "Closing", TEXT_BAD },
	[XenbusStateClosed] = { "Closed", TEXT_BAD },
	[XenbusStateReconfiguring] = { "Reconfiguring", TEXT_BUSY },
	[XenbusStateReconfigured] = { "Reconfigured", TEXT_BUSY },
};

const char *device_state_name(int state)
{
	return state < 0 ? "-" : states[state].name;
}

enum text_style device_state_style(int state)
{
	return state < 0 ? TEXT_DIM : states[state].style;
}

/* Makes room for one more element in a list that is doubled at each power of two.  Returns the
 * list, or NULL with the old one unchanged. */
static void *grown(void *list, size_t n, size_t size)
{
	if ((n & (n - 1)) != 0)
		return list;
	return realloc(list, (n ? 2 * n : 1) * size);
}

/* Returns the value, to be freed, of the node that a printf() format names; NULL if it cannot be read. */
static char *text_at(const struct domains_source *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static char *text_at(const struct domains_source *s, const char *fmt, ...)
{
	char path[PATH_SIZE], *value;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(path) || !path_is_legal(path))
		return NULL;
	return s->value(s->arg, path, &value) < 0 ? NULL : value;
}

/* Returns the number that a node contains, or -1. */
static long long number_at(const struct domains_source *s, const char *path, const char *name, uint64_t max)
{
	char *text = text_at(s, "%s/%s", path, name);
	uint64_t number;
	int err = text ? wire_number_parse(text, strlen(text), max, &number) : -ENOENT;

	free(text);
	return err ? -1 : (long long)number;
}

/* Lists a node's children; a node that does not exist, or cannot be read, has none. */
static int children(const struct domains_source *s, const char *path, struct tool_names *names)
{
	int err = path_is_legal(path) ? s->children(s->arg, path, names) : -ENOENT;

	if (err == -ENOENT || err == -EACCES || err == -ESTALE) {
		*names = (struct tool_names){ 0 };
		err = 0;
	}
	return err;
}

/* Writes "PATH/NAME" to `out`; anything too long to be a path of the store becomes "". */
static void join(char out[PATH_SIZE], const char *path, const char *name)
{
	if (snprintf(out, PATH_SIZE, "%s/%s", path, name) >= PATH_SIZE)
		out[0] = '\0';
}

/* Calls `visit` for each child of `path` with the child's path and name; stops at an error. */
static int for_each_child(const struct domains_source *s, const char *path, void *arg,
			  int (*visit)(const struct domains_source *s, const char *child, const char *name, void *arg))
{
	struct tool_names names;
	char child[PATH_SIZE];
	int err = children(s, path, &names);

	for (size_t i = 0; i < names.n && !err; i++) {
		join(child, path, names.names[i]);
		err = visit(s, child, names.names[i], arg);
	}
	tool_names_release(&names);
	return err;
}

/* ---- devices -------------------------------------------------------------------------------- */

/* The current position in the tree, on the way to a device. */
struct position {
	struct devices *devices;
	const char *type;
	unsigned domid;
};

static int device_add(struct devices *devices, const struct device *device)
{
	struct device *list = grown(devices->list, devices->n, sizeof(*list));

	if (!list)
		return -ENOMEM;
	devices->list = list;
	list[devices->n++] = *device;
	return 0;
}

static int state_at(const struct domains_source *s, const char *path)
{
	return path ? number_at(s, path, "state", STATE_MAX) : -1;
}

/* /local/domain/B/backend/TYPE/DOMID/HANDLE */
static int visit_backend(const struct domains_source *s, const char *path, const char *name, void *arg)
{
	const struct position *p = arg;
	struct device device = {
		.domid = p->domid,
		.type = strdup(p->type),
		.handle = strdup(name),
		.backend = strdup(path),
		.backend_state = state_at(s, path),
		.frontend = text_at(s, "%s/frontend", path),
	};

	device.frontend_state = state_at(s, device.frontend);
	return device_add(p->devices, &device);
}

static int visit_backend_domain(const struct domains_source *s, const char *path, const char *name, void *arg)
{
	struct position p = *(struct position *)arg;

	return tool_domid(name, &p.domid) ? for_each_child(s, path, &p, visit_backend) : 0;
}

static int visit_backend_type(const struct domains_source *s, const char *path, const char *name, void *arg)
{
	struct position p = *(struct position *)arg;

	p.type = name;
	return for_each_child(s, path, &p, visit_backend_domain);
}

static bool has_frontend(const struct devices *devices, const char *path)
{
	for (size_t i = 0; i < devices->n; i++)
		if (devices->list[i].frontend && !strcmp(devices->list[i].frontend, path))
			return true;
	return false;
}

/* /local/domain/DOMID/device/TYPE/HANDLE: a frontend without a backend was left behind, or its
 * backend is where we cannot look. */
static int visit_frontend(const struct domains_source *s, const char *path, const char *name, void *arg)
{
	const struct position *p = arg;
	struct device device = { .domid = p->domid, .backend_state = -1 };
	char *backend;

	if (has_frontend(p->devices, path))
		return 0;
	backend = text_at(s, "%s/backend", path);
	if (!backend)
		return 0;
	device.type = strdup(p->type);
	device.handle = strdup(name);
	device.frontend = strdup(path);
	device.frontend_state = state_at(s, path);
	/* A guest can write anything there; a node at that path may be a backend of others. */
	free(backend);
	return device_add(p->devices, &device);
}

static int visit_frontend_type(const struct domains_source *s, const char *path, const char *name, void *arg)
{
	struct position p = *(struct position *)arg;

	p.type = name;
	return for_each_child(s, path, &p, visit_frontend);
}

static int visit_backends(const struct domains_source *s, const char *path, const char *name, void *arg)
{
	char below[PATH_SIZE];

	(void)name;
	join(below, path, "backend");
	return for_each_child(s, below, arg, visit_backend_type);
}

static int visit_frontends(const struct domains_source *s, const char *path, const char *name, void *arg)
{
	struct position p = *(struct position *)arg;
	char below[PATH_SIZE];

	join(below, path, "device");
	return tool_domid(name, &p.domid) ? for_each_child(s, below, &p, visit_frontend_type) : 0;
}

static int device_compare(const void *a, const void *b)
{
	const struct device *left = a, *right = b;
	int order;

	if (left->domid != right->domid)
		return left->domid < right->domid ? -1 : 1;
	order = strcmp(left->type, right->type);
	return order ? order : strverscmp(left->handle, right->handle);
}

int devices_gather(const struct domains_source *s, struct devices *devices)
{
	struct position p = { .devices = devices };
	int err;

	*devices = (struct devices){ 0 };
	err = for_each_child(s, DOMAINS, &p, visit_backends);
	if (!err)
		err = for_each_child(s, DOMAINS, &p, visit_frontends);
	if (!err && devices->n)
		qsort(devices->list, devices->n, sizeof(*devices->list), device_compare);
	return err;
}

void devices_release(struct devices *devices)
{
	for (size_t i = 0; i < devices->n; i++) {
		free(devices->list[i].type);
		free(devices->list[i].handle);
		free(devices->list[i].frontend);
		free(devices->list[i].backend);
	}
	free(devices->list);
	*devices = (struct devices){ 0 };
}

/* ---- domains -------------------------------------------------------------------------------- */

/* Returns the last part of "/vm/UUID". */
static char *uuid_at(const struct domains_source *s, const char *path)
{
	char *vm = text_at(s, "%s/vm", path);
	char *slash = vm ? strrchr(vm, '/') : NULL;
	char *uuid = slash ? strdup(slash + 1) : NULL;

	free(vm);
	return uuid;
}

/* Counts the VCPUs that are online; -1 if the store does not tell. */
static int count_vcpus(const struct domains_source *s, const char *path)
{
	char below[PATH_SIZE];
	struct tool_names names;
	int n = -1;

	join(below, path, "cpu");
	if (children(s, below, &names) == 0 && names.n) {
		n = 0;
		for (size_t i = 0; i < names.n; i++) {
			char *text = text_at(s, "%s/%s/availability", below,
					       names.names[i]);

			n += text && !strcmp(text, "online");
			free(text);
		}
	}
	tool_names_release(&names);
	return n;
}

static void count_devices(struct domain *domain, const struct devices *devices)
{
	for (size_t i = 0; i < devices->n; i++) {
		const struct device *device = &devices->list[i];

		if (device->domid != domain->domid || !device->backend)
			continue;
		domain->n_devices++;
		domain->n_connected += device->backend_state == XenbusStateConnected;
	}
}

struct collector {
	struct domains *domains;
	const struct devices *devices;
};

static int visit_domain(const struct domains_source *s, const char *path, const char *name, void *arg)
{
	const struct collector *c = arg;
	struct domains *domains = c->domains;
	struct domain *list, domain = { 0 };

	if (!tool_domid(name, &domain.domid))
		return 0;
	domain.name = text_at(s, "%s/name", path);
	domain.uuid = uuid_at(s, path);
	domain.type = text_at(s, "/libxl/%s/type", name);
	domain.memory_target_kib = number_at(s, path, "memory/target", INT64_MAX);
	domain.memory_max_kib = number_at(s, path, "memory/static-max", INT64_MAX);
	domain.vcpus = count_vcpus(s, path);
	count_devices(&domain, c->devices);
	list = grown(domains->list, domains->n, sizeof(*list));
	if (!list)
		return -ENOMEM;
	domains->list = list;
	list[domains->n++] = domain;
	return 0;
}

int domains_gather(const struct domains_source *s, struct domains *domains,
		   const struct devices *devices)
{
	struct collector c = { domains, devices };

	*domains = (struct domains){ 0 };
	return for_each_child(s, DOMAINS, &c, visit_domain);
}

void domains_release(struct domains *domains)
{
	for (size_t i = 0; i < domains->n; i++) {
		free(domains->list[i].name);
		free(domains->list[i].uuid);
		free(domains->list[i].type);
	}
	free(domains->list);
	*domains = (struct domains){ 0 };
}

const struct domain *domains_find(const struct domains *domains, const char *word)
{
	unsigned domid;
	bool number = tool_domid(word, &domid);

	for (size_t i = 0; i < domains->n; i++) {
		const struct domain *domain = &domains->list[i];

		if (number ? domain->domid == domid : domain->name && !strcmp(domain->name, word))
			return domain;
	}
	return NULL;
}

/* ---- of a mount ----------------------------------------------------------------------------- */

static ssize_t mount_value(void *arg, const char *path, char **value)
{
	return tool_value(arg, path, value);
}

static int mount_children(void *arg, const char *path, struct tool_names *names)
{
	return tool_children(arg, path, names);
}

static struct domains_source of_mount(struct tool *t)
{
	return (struct domains_source){ mount_value, mount_children, &t->mountpoint };
}

int devices_collect(struct tool *t, struct devices *devices)
{
	const struct domains_source s = of_mount(t);
	int err = devices_gather(&s, devices);

	return err ? tool_fail(t, err, "the devices") : 0;
}

int domains_self(const struct mountpoint *m, char path[PATH_SIZE])
{
	char file[PATH_MAX + 16], target[PATH_SIZE];
	const char *name;
	ssize_t len;

	snprintf(file, sizeof(file), "%s/.xsfs/self", m->dir);
	len = readlink(file, target, sizeof(target) - 1);
	target[len < 0 ? 0 : len] = '\0';
	name = strrchr(target, '/');
	if (!name)
		return -EACCES;
	join(path, DOMAINS, name + 1);
	return 0;
}

/* A guest may not list the domains, but it may read its own. */
static int collect_self(const struct domains_source *s, const struct mountpoint *m,
			struct collector *c)
{
	char path[PATH_SIZE];
	int err = domains_self(m, path);

	return err ? err : visit_domain(s, path, strrchr(path, '/') + 1, c);
}

int domains_collect(struct tool *t, struct domains *domains, const struct devices *devices)
{
	const struct domains_source s = of_mount(t);
	struct collector c = { domains, devices };
	struct tool_names names;
	char path[PATH_SIZE];
	int err;

	*domains = (struct domains){ 0 };
	/* Explains the error if only a part of the store is mounted. */
	err = tool_key(t, DOMAINS, path);
	if (err)
		return err;
	err = tool_children(&t->mountpoint, DOMAINS, &names);
	tool_names_release(&names);
	if (err == -EACCES)
		err = collect_self(&s, &t->mountpoint, &c);
	else if (!err)
		err = domains_gather(&s, domains, devices);
	return err ? tool_fail(t, err, DOMAINS) : 0;
}
