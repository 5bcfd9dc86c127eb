/* SPDX-License-Identifier: MIT */
/*
 * domains.c - the domains of the loopback world: the pages that make them exist, what tells two
 * of the same number apart, and which of them a store has not heard of yet.
 *
 * Shared by the library and by the xsloop command; any thread of any process of the world.
 */
#include "tests/loop/xsloop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <xen/xen.h>

/* Calls visit for each page file until it returns non-zero; that, or 0, or -errno. */
static int pages_visit(int (*visit)(uint32_t domid, uint64_t gfn, void *arg), void *arg)
{
	char path[PATH_MAX];
	struct dirent *ent;
	DIR *dir;
	int rc = world_path(path, ".");

	if (rc < 0)
		return rc;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (rc == 0 && (ent = readdir(dir))) {
		unsigned long long gfn;
		unsigned int domid;

		if (sscanf(ent->d_name, "page.%u.%llu", &domid, &gfn) == 2)
			rc = visit(domid, gfn, arg);
	}
	closedir(dir);
	return rc;
}

struct page_search {
	uint32_t domid;
	uint64_t gfn;
	bool found;
};

static int page_compare(uint32_t domid, uint64_t gfn, void *arg)
{
	struct page_search *search = arg;

	if (domid == search->domid && (!search->found || gfn < search->gfn)) {
		search->gfn = gfn;
		search->found = true;
	}
	return 0;
}

int world_page_first(uint32_t domid, uint64_t *gfn)
{
	struct page_search search = { .domid = domid };
	int rc = pages_visit(page_compare, &search);

	*gfn = search.gfn;
	return rc < 0 ? rc : search.found ? 0 : -ENOENT;
}

int world_page_open(uint32_t domid, uint64_t gfn)
{
	char name[XSLOOP_NAME_MAX], path[PATH_MAX];
	uint64_t first;
	int fd, rc;

	snprintf(name, sizeof(name), "page.%u.%llu", domid, (unsigned long long)gfn);
	rc = world_path(path, name);
	if (rc < 0)
		return rc;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return -errno;
	return world_page_first(domid, &first) == -ENOENT ? -ESRCH : -EINVAL;
}

struct domain_list {
	uint32_t first;
	uint32_t *domids;
	unsigned int max, n;
};

/* Insertion into the sorted list, dropping what is in it already or beyond its end. */
static int domain_insert(uint32_t domid, uint64_t gfn, void *arg)
{
	struct domain_list *list = arg;
	unsigned int i;

	(void)gfn;
	if (domid < list->first)
		return 0;
	for (i = 0; i < list->n && list->domids[i] < domid; i++)
		;
	if (i == list->max || (i < list->n && list->domids[i] == domid))
		return 0;
	if (list->n < list->max)
		list->n++;
	memmove(&list->domids[i + 1], &list->domids[i],
		(list->n - i - 1) * sizeof(list->domids[0]));
	list->domids[i] = domid;
	return 0;
}

int world_domains(uint32_t first, unsigned int max, uint32_t *domids)
{
	struct domain_list list = { .first = first, .domids = domids, .max = max };
	int rc;

	domain_insert(0, 0, &list);
	rc = pages_visit(domain_insert, &list);
	return rc < 0 ? rc : (int)list.n;
}

/* ---- states of domains --------------------------------------------------------------------- */

bool domain_exists(uint32_t domid)
{
	uint64_t gfn;

	return domid == 0 || (domid < XSLOOP_DOMAINS && world_page_first(domid, &gfn) == 0);
}

int domain_unique_id_locked(uint32_t domid, uint64_t *unique_id)
{
	struct xsloop_world *world = world_get();

	if (!domain_exists(domid))
		return -ESRCH;
	if (world->unique_ids[domid] == 0)
		world->unique_ids[domid] = ++world->last_unique_id;
	*unique_id = world->unique_ids[domid];
	return 0;
}

void domain_changed_locked(uint32_t domid)
{
	struct xsloop_world *world = world_get();

	if (!domain_exists(domid))
		world->unique_ids[domid] = 0;
	world->changed[domid] = 1;
	virq_raise_locked(VIRQ_DOM_EXC);
}

static int mark_changed(uint32_t domid, uint64_t gfn, void *changed)
{
	(void)gfn;
	if (domid < XSLOOP_DOMAINS)
		((uint8_t *)changed)[domid] = 1;
	return 0;
}

void domains_all_changed_locked(void)
{
	struct xsloop_world *world = world_get();

	memset(world->changed, 0, sizeof(world->changed));
	mark_changed(0, 0, world->changed);
	pages_visit(mark_changed, world->changed);
}

int domain_take_changed_locked(uint32_t *domid)
{
	uint8_t *changed = world_get()->changed;
	uint8_t *found = memchr(changed, 1, XSLOOP_DOMAINS);

	if (!found)
		return -ENOENT;
	*found = 0;
	*domid = found - changed;
	return 0;
}
