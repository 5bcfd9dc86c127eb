/* SPDX-License-Identifier: MIT */
/*
 * Domains and their devices, as described in the store of a mount.  For the tools' main thread.
 *
 * Trusted facts come from keys that belong to the toolstack or a backend; the other keys may belong
 * to a guest, and say anything.  Whatever vanishes while it is being read is left out.
 */
#ifndef SRC_TOOLS_TOOL_DOMAINS_H
#define SRC_TOOLS_TOOL_DOMAINS_H

#include "src/tools/tool.h"
#include "src/tools/tool_read.h"
#include "src/tools/tool_text.h"

/* A device: its frontend and its backend. */
struct device {
	unsigned domid;      /* domain of the frontend */
	char *type;          /* "vif" */
	char *handle;        /* "0" */
	char *frontend;      /* the path, or NULL */
	char *backend;       /* the path, or NULL */
	int frontend_state;  /* enum xenbus_state, -1: none can be read */
	int backend_state;
};

struct devices {
	struct device *list; /* by domain, type and handle */
	size_t n;
};

/* Unknown members are NULL or -1. */
struct domain {
	unsigned domid;
	char *name;
	char *uuid;
	char *type; /* of libxl: pv, pvh, hvm */
	long long memory_target_kib;
	long long memory_max_kib;
	int vcpus;
	unsigned n_devices, n_connected; /* with a backend, and with a connected one */
};

struct domains {
	struct domain *list; /* by number */
	size_t n;
};

/* A source of nodes: a mount, or a copy of its store.  The functions are like tool_value() and
 * tool_children(), and return the same. */
struct domains_source {
	ssize_t (*value)(void *arg, const char *path, char **value);
	int (*children)(void *arg, const char *path, struct tool_names *names);
	void *arg;
};

/* Collect everything that a source has, as the next two functions do from a mount.  Return 0, or
 * -errno without a reason. */
int devices_gather(const struct domains_source *s, struct devices *devices);
int domains_gather(const struct domains_source *s, struct domains *domains,
		   const struct devices *devices);

/* Collect everything.  `devices` are counted.  Return 0, or -errno with a reason;
 * release what was collected in either case. */
int devices_collect(struct tool *t, struct devices *devices);
void devices_release(struct devices *devices);
int domains_collect(struct tool *t, struct domains *domains, const struct devices *devices);
void domains_release(struct domains *domains);

/* Writes the path of the directory of the domain that the mount acts for.  Returns 0 or -errno. */
int domains_self(const struct mountpoint *m, char path[PATH_SIZE]);

/* Returns the domain with that number or name, or NULL. */
const struct domain *domains_find(const struct domains *domains, const char *word);

/* Returns the name of a state of xen/io/xenbus.h, "-" for none, and how to show it. */
const char *device_state_name(int state);
enum text_style device_state_style(int state);

#endif
