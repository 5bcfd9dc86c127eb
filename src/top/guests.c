/* SPDX-License-Identifier: MIT */
/* See guests.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "src/top/guests.h"

/* ---- what is seen of a domain --------------------------------------------------------------- */

const char *guest_state(const struct guest *guest)
{
	return guest->gone ? "gone" : guest->state ? guest->state : guest->shutdown;
}

static bool is_starting(int state)
{
	return state >= XenbusStateInitialising && state <= XenbusStateInitialised;
}

/* Says in short what the backends are doing: those that are not connected, or that all are. */
static void describe_backends(struct guest *guest, const struct devices *devices, bool *starting)
{
	size_t len = 0;

	*starting = false;
	guest->backends_style = TEXT_GOOD;
	for (size_t i = 0; i < devices->n; i++) {
		const struct device *device = &devices->list[i];

		if (device->domid != guest->domain.domid || !device->backend)
			continue;
		*starting = *starting || is_starting(device->backend_state);
		if (device->backend_state == XenbusStateConnected)
			continue;
		guest->backends_style = device_state_style(device->backend_state);
		if (len < sizeof(guest->backends))
			len += snprintf(guest->backends + len, sizeof(guest->backends) - len,
					"%s%s/%s %s", len ? ", " : "", device->type, device->handle,
					device_state_name(device->backend_state));
	}
	if (guest->domain.n_devices && len == 0)
		strcpy(guest->backends, "connected");
}

/* The store does not tell whether a domain runs: this is what its keys let one conclude. */
static void describe(struct guest *guest, const struct mirror *m, const struct devices *devices)
{
	char path[PATH_SIZE];
	const struct mirror_node *shutdown;
	bool starting;

	describe_backends(guest, devices, &starting);
	snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", guest->domain.domid);
	shutdown = mirror_find(m, path);
	guest->style = TEXT_BUSY;
	if (shutdown && shutdown->len)
		guest->shutdown = strdup(shutdown->value);
	if (guest->shutdown)
		guest->style = TEXT_BAD;
	else if (!guest->domain.name)
		guest->state = "building";
	else if (starting && !guest->domain.n_connected)
		guest->state = "starting";
	else
		guest->state = "up";
	if (guest->state && !strcmp(guest->state, "up"))
		guest->style = TEXT_GOOD;
}

static void guest_release(struct guest *guest)
{
	free(guest->domain.name);
	free(guest->domain.uuid);
	free(guest->domain.type);
	free(guest->shutdown);
}

static void device_release(struct guest_device *d)
{
	free(d->device.type);
	free(d->device.handle);
	free(d->device.frontend);
	free(d->device.backend);
}

/* ---- what changed --------------------------------------------------------------------------- */

static bool differs(const char *left, const char *right)
{
	return left && right ? strcmp(left, right) != 0 : left != right;
}

/* Takes over the times of what a domain was, and adds those of what is different now. */
static void compare(struct guest *now, const struct guest *was, int64_t time)
{
	const bool changed[GUEST_FIELDS] = {
		[GUEST_NAME] = differs(now->domain.name, was->domain.name),
		[GUEST_STATE] = differs(guest_state(now), guest_state(was)),
		[GUEST_MEMORY] = now->domain.memory_target_kib != was->domain.memory_target_kib,
		[GUEST_VCPUS] = now->domain.vcpus != was->domain.vcpus,
		[GUEST_DEVICES] = now->domain.n_devices != was->domain.n_devices ||
				  strcmp(now->backends, was->backends) != 0,
	};

	now->made = was->gone ? time : was->made;
	for (size_t i = 0; i < GUEST_FIELDS; i++)
		now->changed[i] = changed[i] ? time : was->changed[i];
}

static int device_order(const struct device *left, const struct device *right)
{
	int order;

	if (left->domid != right->domid)
		return left->domid < right->domid ? -1 : 1;
	order = strcmp(left->type, right->type);
	return order ? order : strverscmp(left->handle, right->handle);
}

/* Merges the new list with the old one, both in order; takes what is in both.  `list` has room. */
static size_t merge_guests(struct guests *g, struct guest *list, struct domains *domains,
			   const struct mirror *m, const struct devices *devices, int64_t now)
{
	size_t n = 0, old = 0;

	for (size_t i = 0; i <= domains->n; i++) {
		const struct domain *domain = i < domains->n ? &domains->list[i] : NULL;
		struct guest *was;

		while (old < g->n && (!domain || g->list[old].domain.domid < domain->domid)) {
			list[n] = g->list[old++];
			if (!list[n].gone)
				list[n].gone = now;
			n++;
		}
		if (!domain)
			break;
		was = old < g->n && g->list[old].domain.domid == domain->domid ? &g->list[old++] : NULL;
		list[n] = (struct guest){ .domain = *domain, .made = g->known ? now : 0 };
		describe(&list[n], m, devices);
		if (was) {
			compare(&list[n], was, now);
			guest_release(was);
		}
		n++;
	}
	return n;
}

static size_t merge_devices(struct guests *g, struct guest_device *list, const struct devices *devices,
			    int64_t now)
{
	size_t n = 0, old = 0;

	for (size_t i = 0; i <= devices->n; i++) {
		const struct device *device = i < devices->n ? &devices->list[i] : NULL;
		int order = -1;

		while (old < g->n_devices &&
		       (!device || (order = device_order(&g->devices[old].device, device)) < 0)) {
			list[n] = g->devices[old++];
			if (!list[n].gone)
				list[n].gone = now;
			n++;
		}
		if (!device)
			break;
		list[n] = (struct guest_device){ .device = *device, .made = g->known ? now : 0 };
		if (old < g->n_devices && order == 0) {
			struct guest_device *was = &g->devices[old++];

			if (!was->gone)
				list[n].made = was->made;
			list[n].frontend_changed = device->frontend_state != was->device.frontend_state ?
							   now : was->frontend_changed;
			list[n].backend_changed = device->backend_state != was->device.backend_state ?
							  now : was->backend_changed;
			device_release(was);
		}
		n++;
	}
	return n;
}

static void count(struct guests *g)
{
	g->n_up = g->n_backends = g->n_connected = 0;
	g->memory_kib = 0;
	for (size_t i = 0; i < g->n; i++) {
		const struct guest *guest = &g->list[i];

		if (guest->gone)
			continue;
		g->n_up++;
		g->n_backends += guest->domain.n_devices;
		g->n_connected += guest->domain.n_connected;
		if (guest->domain.memory_target_kib > 0)
			g->memory_kib += guest->domain.memory_target_kib;
	}
}

int guests_update(struct guests *g, const struct mirror *m, int64_t now)
{
	const struct domains_source source = mirror_source(m);
	struct devices devices = { 0 };
	struct domains domains = { 0 };
	struct guest_device *device_list = NULL;
	struct guest *list = NULL;
	int err = devices_gather(&source, &devices);

	if (!err)
		err = domains_gather(&source, &domains, &devices);
	/* Without a /local/domain there are none. */
	if (!err) {
		list = calloc(g->n + domains.n + 1, sizeof(*list));
		device_list = calloc(g->n_devices + devices.n + 1, sizeof(*device_list));
		err = list && device_list ? 0 : -ENOMEM;
	}
	if (err) {
		free(list);
		free(device_list);
		domains_release(&domains);
		devices_release(&devices);
		return err;
	}
	g->n = merge_guests(g, list, &domains, m, &devices, now);
	g->n_devices = merge_devices(g, device_list, &devices, now);
	free(g->list);
	free(g->devices);
	g->list = list;
	g->devices = device_list;
	/* Our lists have taken over all that these pointed to. */
	free(domains.list);
	free(devices.list);
	g->known = true;
	count(g);
	return 0;
}

void guests_forget(struct guests *g, int64_t time)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->n; i++) {
		if (g->list[i].gone && g->list[i].gone < time)
			guest_release(&g->list[i]);
		else
			g->list[kept++] = g->list[i];
	}
	g->n = kept;
	kept = 0;
	for (size_t i = 0; i < g->n_devices; i++) {
		if (g->devices[i].gone && g->devices[i].gone < time)
			device_release(&g->devices[i]);
		else
			g->devices[kept++] = g->devices[i];
	}
	g->n_devices = kept;
}

void guests_release(struct guests *g)
{
	for (size_t i = 0; i < g->n; i++)
		guest_release(&g->list[i]);
	for (size_t i = 0; i < g->n_devices; i++)
		device_release(&g->devices[i]);
	free(g->list);
	free(g->devices);
	*g = (struct guests){ 0 };
}

/* ---- views ---------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
	const struct guest *left = *(const struct guest *const *)a;
	const struct guest *right = *(const struct guest *const *)b;

	return (left->domain.domid > right->domain.domid) - (left->domain.domid < right->domain.domid);
}

static int by_name(const void *a, const void *b)
{
	const struct guest *left = *(const struct guest *const *)a;
	const struct guest *right = *(const struct guest *const *)b;
	int order = strcmp(left->domain.name ? left->domain.name : "",
			   right->domain.name ? right->domain.name : "");

	return order ? order : by_id(a, b);
}

/* The largest first. */
static int by_memory(const void *a, const void *b)
{
	long long left = (*(const struct guest *const *)a)->domain.memory_target_kib;
	long long right = (*(const struct guest *const *)b)->domain.memory_target_kib;

	return left == right ? by_id(a, b) : left < right ? 1 : -1;
}

/* Those with devices that are not connected first. */
static int by_devices(const void *a, const void *b)
{
	const struct domain *left = &(*(const struct guest *const *)a)->domain;
	const struct domain *right = &(*(const struct guest *const *)b)->domain;
	unsigned l = left->n_devices - left->n_connected, r = right->n_devices - right->n_connected;

	if (l == r) {
		l = left->n_devices;
		r = right->n_devices;
	}
	return l == r ? by_id(a, b) : l < r ? 1 : -1;
}

static bool is_wanted(const struct guest *guest, const char *filter)
{
	unsigned domid;

	if (tool_domid(filter, &domid) && guest->domain.domid == domid)
		return true;
	return !*filter || (guest->domain.name && strcasestr(guest->domain.name, filter));
}

size_t guests_view(const struct guests *g, enum guests_order order, const char *filter,
		   const struct guest **list)
{
	static int (*const orders[GUESTS_ORDERS])(const void *, const void *) = {
		[GUESTS_BY_ID] = by_id,
		[GUESTS_BY_NAME] = by_name,
		[GUESTS_BY_MEMORY] = by_memory,
		[GUESTS_BY_DEVICES] = by_devices,
	};
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		if (is_wanted(&g->list[i], filter))
			list[n++] = &g->list[i];
	qsort(list, n, sizeof(*list), orders[order]);
	return n;
}
