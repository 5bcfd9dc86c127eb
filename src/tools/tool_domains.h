/* SPDX-License-Identifier: MIT */
/*
 * Domains and their devices, as the store of a mount has them.  For the tools' main thread.
 *
 * What can be trusted is asked of keys that are the toolstack's or a backend's; the rest may be a
 * guest's, and say anything.  What vanishes while it is looked at is left out.
 */
#ifndef SRC_TOOLS_TOOL_DOMAINS_H
#define SRC_TOOLS_TOOL_DOMAINS_H

#include "src/tools/tool.h"
#include "src/tools/tool_read.h"
#include "src/tools/tool_text.h"

/* One half of a device with the other. */
struct device {
	unsigned domid;      /* of the frontend */
	char *type;          /* "vif" */
	char *handle;        /* "0" */
	char *frontend;      /* the path, or NULL */
	char *backend;       /* the path, or NULL */
	int frontend_state;  /* enum xenbus_state, -1: none that can be read */
	int backend_state;
};

struct devices {
	struct device *list; /* by domain, type and handle */
	size_t n;
};

/* What is not known is NULL or -1. */
struct domain {
	unsigned domid;
	char *name;
	char *uuid;
	char *type; /* of libxl: pv, pvh, hvm */
	long long memory_target_kib;
	long long memory_max_kib;
	int vcpus;
	unsigned n_devices, n_connected; /* those with a backend, and those where that is connected */
};

struct domains {
	struct domain *list; /* by number */
	size_t n;
};

/* Where nodes are read: a mount, or a copy of its store.  The functions are tool_value() and
 * tool_children(), which say what they return. */
struct domains_source {
	ssize_t (*value)(void *arg, const char *path, char **value);
	int (*children)(void *arg, const char *path, struct tool_names *names);
	void *arg;
};

/* Collect all that a source has, as the next two do of a mount.  Return 0, or -errno without a reason. */
int devices_gather(const struct domains_source *s, struct devices *devices);
int domains_gather(const struct domains_source *s, struct domains *domains,
		   const struct devices *devices);

/* Collect all.  `devices` are counted.  Return 0, or -errno with a reason;
 * release what was collected in either case. */
int devices_collect(struct tool *t, struct devices *devices);
void devices_release(struct devices *devices);
int domains_collect(struct tool *t, struct domains *domains, const struct devices *devices);
void domains_release(struct domains *domains);

/* Writes the path of the directory of the domain that the mount acts for.  Returns 0 or -errno. */
int domains_self(const struct mountpoint *m, char path[PATH_SIZE]);

/* Returns the domain with that number or name, or NULL. */
const struct domain *domains_find(const struct domains *domains, const char *word);

/* Returns the name of a state of xen/io/xenbus.h, "-" for none, and how it is to be shown. */
const char *device_state_name(int state);
enum text_style device_state_style(int state);

#endif
