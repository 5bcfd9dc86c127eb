/* SPDX-License-Identifier: MIT */
/* The table of inodes.  Any thread; no I/O. */
#define FUSE_USE_VERSION 312

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/event.h"
#include "fs/handle.h"
#include "fs/inode.h"
#include "fs/listing.h"
#include "fs/transaction.h"

/* What stands in front of the name in a key. */
struct key_head {
	uint64_t parent;
	uint64_t kind;
};

static char *key_new(const struct inode *parent, const char *name, enum inode_kind kind,
		     size_t *len)
{
	struct key_head head = { .parent = parent ? parent->nodeid : 0, .kind = kind };
	size_t name_len = strlen(name);
	char *key = malloc(sizeof(head) + name_len + 1);

	if (!key)
		return NULL;
	memcpy(key, &head, sizeof(head));
	memcpy(key + sizeof(head), name, name_len + 1);
	*len = sizeof(head) + name_len;
	return key;
}

/*
 * An answer that is younger than this may not be in the kernel's caches yet: the process that it is
 * for was woken, but puts it there only when it runs.  If such an answer becomes stale the kernel is
 * told at once, and again after each of these times: the first is enough nearly always, the others
 * are for a machine that is very busy.
 */
#define SETTLED_MS 1000
static const unsigned round_after_ms[INODE_ROUNDS] = { 0, 25, 200, SETTLED_MS };

/* The event of a write of our own comes with its reply, or shortly after. */
#define OWN_EVENT_MS 1000

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec * UINT64_C(1000) + ts.tv_nsec / 1000000;
}

static void drop_listing_locked(struct inodes *t, struct inode *inode)
{
	if (!inode->listing)
		return;
	TAILQ_REMOVE(&t->listings, inode, listing_link);
	t->listing_bytes -= inode->listing->bytes;
	listing_put(inode->listing);
	inode->listing = NULL;
}

static void set_key(struct inode *inode, char *key, size_t len)
{
	free(inode->key);
	inode->key = key;
	inode->key_len = len;
	inode->name = key + sizeof(struct key_head);
}

/* Makes the inode found by its name.  Without memory it is not: as if its name led to another now. */
static void hash_locked(struct inodes *t, struct inode *inode)
{
	HASH_ADD_KEYPTR(by_name, t->by_name, inode->key, inode->key_len, inode);
	inode->hashed = inode->by_name.tbl != NULL;
	if (!inode->hashed && inode->parent)
		LIST_INSERT_HEAD(&t->replaced, inode, replaced_link);
}

static void unhash_locked(struct inodes *t, struct inode *inode)
{
	if (inode->hashed)
		HASH_DELETE(by_name, t->by_name, inode);
	inode->hashed = false;
}

/* A transaction stays for those that show it. */
static const struct view *view_get(const struct view *view)
{
	if (view->tx)
		transaction_get(view->tx);
	return view;
}

static void view_put(const struct view *view)
{
	if (view->tx)
		transaction_put(view->tx);
}

/* Frees the inode if nothing needs it, and then perhaps its parent. */
static void release_locked(struct inodes *t, struct inode *inode)
{
	struct inode *parent;

	while (inode && inode->refs == 0 && inode->nlookup == 0) {
		parent = inode->parent;
		if (!inode->hashed && inode->parent)
			LIST_REMOVE(inode, replaced_link);
		unhash_locked(t, inode);
		drop_listing_locked(t, inode);
		HASH_DELETE(by_id, t->by_id, inode);
		if (parent)
			LIST_REMOVE(inode, sibling);
		if (inode == t->nodes_root)
			t->nodes_root = NULL;
		view_put(inode->view);
		free(inode->key);
		free(inode);
		if (parent)
			parent->refs--;
		inode = parent;
	}
}

/* Returns a new inode with a reference.  Takes `key`, also on failure. */
static struct inode *inode_new_locked(struct inodes *t, struct inode *parent, char *key,
				      size_t key_len)
{
	struct inode *inode = calloc(1, sizeof(*inode));

	if (inode) {
		inode->nodeid = ++t->last_id;
		HASH_ADD(by_id, t->by_id, nodeid, sizeof(inode->nodeid), inode);
	}
	if (!inode || !inode->by_id.tbl) {
		free(inode);
		free(key);
		return NULL;
	}
	inode->refs = 1;
	inode->parent = parent;
	inode->events = 1;
	LIST_INIT(&inode->children);
	LIST_INIT(&inode->pollers);
	if (parent) {
		parent->refs++;
		LIST_INSERT_HEAD(&parent->children, inode, sibling);
	}
	set_key(inode, key, key_len);
	hash_locked(t, inode);
	return inode;
}

int inodes_init(struct inodes *t, const char *root_path, const struct view *view)
{
	size_t key_len = 0;
	char *key;

	*t = (struct inodes){ .root_path = strdup(root_path) };
	TAILQ_INIT(&t->listings);
	LIST_INIT(&t->replaced);
	for (unsigned i = 0; i < INODE_ROUNDS; i++)
		TAILQ_INIT(&t->stale[i]);
	key = key_new(NULL, "", INODE_DIR, &key_len);
	if (!t->root_path || !key) {
		free(key);
		free(t->root_path);
		return -ENOMEM;
	}
	t->root = inode_new_locked(t, NULL, key, key_len);
	if (!t->root) {
		free(t->root_path);
		return -ENOMEM;
	}
	t->root->kind = INODE_DIR;
	t->root->view = view;
	t->root->view_root = true;
	pthread_mutex_init(&t->lock, NULL);
	return 0;
}

void inodes_deinit(struct inodes *t)
{
	struct inode *inode, *next;

	HASH_CLEAR(by_name, t->by_name);
	HASH_ITER(by_id, t->by_id, inode, next) {
		HASH_DELETE(by_id, t->by_id, inode);
		listing_put(inode->listing);
		view_put(inode->view);
		free(inode->key);
		free(inode);
	}
	free(t->root_path);
	pthread_mutex_destroy(&t->lock);
}

unsigned inodes_count(struct inodes *t)
{
	unsigned count;

	pthread_mutex_lock(&t->lock);
	count = HASH_CNT(by_id, t->by_id);
	pthread_mutex_unlock(&t->lock);
	return count;
}

struct inode *inode_get(struct inodes *t, uint64_t nodeid)
{
	struct inode *inode;

	pthread_mutex_lock(&t->lock);
	HASH_FIND(by_id, t->by_id, &nodeid, sizeof(nodeid), inode);
	if (inode)
		inode->refs++;
	pthread_mutex_unlock(&t->lock);
	return inode;
}

struct inode *inode_ref(struct inodes *t, struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	inode->refs++;
	pthread_mutex_unlock(&t->lock);
	return inode;
}

void inode_put(struct inodes *t, struct inode *inode)
{
	if (!inode)
		return;
	pthread_mutex_lock(&t->lock);
	inode->refs--;
	release_locked(t, inode);
	pthread_mutex_unlock(&t->lock);
}

struct inode *inode_ref_open(struct inodes *t, struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	inode->refs++;
	inode->opens++;
	pthread_mutex_unlock(&t->lock);
	return inode;
}

void inode_put_open(struct inodes *t, struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	inode->opens--;
	inode->refs--;
	release_locked(t, inode);
	pthread_mutex_unlock(&t->lock);
}

bool inode_is_open(struct inodes *t, const struct inode *inode)
{
	bool open;

	pthread_mutex_lock(&t->lock);
	open = inode->opens > 0;
	pthread_mutex_unlock(&t->lock);
	return open;
}

static struct inode *find_locked(struct inodes *t, const char *key, size_t key_len)
{
	struct inode *inode;

	HASH_FIND(by_name, t->by_name, key, key_len, inode);
	return inode;
}

struct inode *inode_intern(struct inodes *t, struct inode *parent, const char *name,
			   enum inode_kind kind, const struct view *view,
			   const struct special *special)
{
	struct inode *inode;
	size_t key_len = 0;
	char *key = key_new(parent, name, kind, &key_len);

	if (!key)
		return NULL;
	pthread_mutex_lock(&t->lock);
	inode = find_locked(t, key, key_len);
	if (inode) {
		inode->refs++;
		free(key);
	} else {
		inode = inode_new_locked(t, parent, key, key_len);
		if (inode) {
			inode->kind = kind;
			inode->view = view_get(view);
			inode->special = special;
			inode->view_root = view != parent->view;
			/* No event is about a transaction. */
			if (inode->view_root && !view->tx)
				t->nodes_root = inode;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return inode;
}

struct inode *inode_new_single(struct inodes *t, struct inode *parent, const char *name,
			       const struct special *special)
{
	struct key_head head = { .parent = parent->nodeid };
	struct inode *inode;
	size_t key_len = 0;
	char *key = key_new(parent, name, INODE_SPECIAL, &key_len);

	if (!key)
		return NULL;
	pthread_mutex_lock(&t->lock);
	/* A kind that nobody looks for, and another each time. */
	head.kind = ~t->last_id;
	memcpy(key, &head, sizeof(head));
	inode = inode_new_locked(t, parent, key, key_len);
	if (inode) {
		inode->kind = INODE_SPECIAL;
		inode->view = view_get(parent->view);
		inode->special = special;
	}
	pthread_mutex_unlock(&t->lock);
	return inode;
}

/* Returns the inode with this name and kind, without a reference; *key is freed by the caller. */
static struct inode *find_name_locked(struct inodes *t, const struct inode *parent,
				      const char *name, enum inode_kind kind)
{
	struct inode *inode;
	size_t key_len = 0;
	char *key = key_new(parent, name, kind, &key_len);

	if (!key)
		return NULL;
	inode = find_locked(t, key, key_len);
	free(key);
	return inode;
}

struct inode *inode_find(struct inodes *t, struct inode *parent, const char *name,
			 enum inode_kind kind)
{
	struct inode *inode;

	pthread_mutex_lock(&t->lock);
	inode = find_name_locked(t, parent, name, kind);
	if (inode)
		inode->refs++;
	pthread_mutex_unlock(&t->lock);
	return inode;
}

void inode_remember(struct inodes *t, struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	inode->nlookup++;
	pthread_mutex_unlock(&t->lock);
}

void inode_forget(struct inodes *t, uint64_t nodeid, uint64_t nlookup)
{
	struct inode *inode;

	pthread_mutex_lock(&t->lock);
	HASH_FIND(by_id, t->by_id, &nodeid, sizeof(nodeid), inode);
	/* The root is looked up by nobody and may be forgotten at the end all the same. */
	if (inode && inode != t->root) {
		inode->nlookup -= nlookup < inode->nlookup ? nlookup : inode->nlookup;
		release_locked(t, inode);
	}
	pthread_mutex_unlock(&t->lock);
}

/* Appends the path of an inode's node to `path`, from the root of its view on. */
static int path_locked(struct inodes *t, const struct inode *inode, char *path)
{
	const struct inode *chain[XENSTORE_ABS_PATH_MAX / 2 + 1];
	unsigned depth = 0;
	int err;

	for (; !inode->view_root; inode = inode->parent) {
		/* A special file has the path of its node. */
		if (inode->kind == INODE_SPECIAL)
			continue;
		if (depth == sizeof(chain) / sizeof(chain[0]))
			return -ENAMETOOLONG;
		chain[depth++] = inode;
	}
	strcpy(path, t->root_path);
	while (depth > 0) {
		err = path_append(path, chain[--depth]->name);
		if (err)
			return err;
	}
	return 0;
}

int inode_path(struct inodes *t, const struct inode *inode, const char *name, char *path)
{
	int err;

	pthread_mutex_lock(&t->lock);
	err = path_locked(t, inode, path);
	pthread_mutex_unlock(&t->lock);
	return err || !name ? err : path_append(path, name);
}

void inode_set_sticky(struct inodes *t, struct inode *inode, bool sticky)
{
	pthread_mutex_lock(&t->lock);
	inode->sticky = sticky;
	pthread_mutex_unlock(&t->lock);
}

bool inode_is_sticky(struct inodes *t, const struct inode *inode)
{
	bool sticky;

	pthread_mutex_lock(&t->lock);
	sticky = inode->sticky;
	pthread_mutex_unlock(&t->lock);
	return sticky;
}

void inode_set_hidden(struct inodes *t, struct inode *inode, bool hidden)
{
	pthread_mutex_lock(&t->lock);
	inode->hidden = hidden;
	pthread_mutex_unlock(&t->lock);
}

bool inode_hidden_above(struct inodes *t, const struct inode *inode, char *path)
{
	bool found;

	pthread_mutex_lock(&t->lock);
	while (inode && !inode->hidden)
		inode = inode->parent;
	found = inode && !path_locked(t, inode, path);
	pthread_mutex_unlock(&t->lock);
	return found;
}

static void set_pending_locked(struct inodes *t, struct inode *inode, bool pending)
{
	if (inode->pending != pending)
		t->pending += pending ? 1 : -1;
	inode->pending = pending;
}

void inode_set_pending(struct inodes *t, struct inode *inode, bool pending)
{
	pthread_mutex_lock(&t->lock);
	set_pending_locked(t, inode, pending);
	pthread_mutex_unlock(&t->lock);
}

bool inode_is_pending(struct inodes *t, const struct inode *inode)
{
	bool pending;

	pthread_mutex_lock(&t->lock);
	pending = inode->pending;
	pthread_mutex_unlock(&t->lock);
	return pending;
}

static void changed_locked(struct inodes *t, struct inode *inode)
{
	set_pending_locked(t, inode, false);
	inode->changes++;
}

void inode_changed(struct inodes *t, struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	changed_locked(t, inode);
	pthread_mutex_unlock(&t->lock);
}

unsigned inode_changes(struct inodes *t, const struct inode *inode)
{
	unsigned changes;

	pthread_mutex_lock(&t->lock);
	changes = inode->changes;
	pthread_mutex_unlock(&t->lock);
	return changes;
}

bool inodes_any_pending(struct inodes *t)
{
	bool pending;

	pthread_mutex_lock(&t->lock);
	pending = t->pending > 0;
	pthread_mutex_unlock(&t->lock);
	return pending;
}

void inode_for_each_pending(struct inodes *t, const struct inode *parent,
			    void (*fn)(void *arg, const char *name), void *arg)
{
	struct inode *inode, *next;

	pthread_mutex_lock(&t->lock);
	/* Rarely is there any, and not for long. */
	for (inode = t->pending ? t->by_id : NULL; inode; inode = next) {
		next = inode->by_id.next;
		if (inode->pending && inode->parent == parent && inode->hashed)
			fn(arg, inode->name);
	}
	pthread_mutex_unlock(&t->lock);
}

void inode_gone(struct inodes *t, struct inode *parent, const char *name)
{
	struct inode *inode;

	pthread_mutex_lock(&t->lock);
	inode = find_name_locked(t, parent, name, INODE_DIR);
	if (inode)
		inode->sticky = false;
	inode = find_name_locked(t, parent, name, INODE_LEAF);
	if (inode)
		changed_locked(t, inode);
	pthread_mutex_unlock(&t->lock);
}

/* Moves one inode, if there is one, or takes what is at the new place out of the way. */
static int rename_kind_locked(struct inodes *t, struct inode *parent, const char *name,
			      struct inode *new_parent, const char *new_name, enum inode_kind kind)
{
	struct inode *inode = find_name_locked(t, parent, name, kind);
	struct inode *target = find_name_locked(t, new_parent, new_name, kind);
	struct inode *old_parent;
	size_t key_len = 0;
	char *key;

	if (inode == target)
		return 0;
	key = key_new(new_parent, new_name, kind, &key_len);
	if (!key)
		return -ENOMEM;
	if (target) {
		/* Whoever has it open goes on with what its path leads to now. */
		changed_locked(t, target);
		unhash_locked(t, target);
		LIST_INSERT_HEAD(&t->replaced, target, replaced_link);
	}
	if (!inode) {
		free(key);
		return 0;
	}
	unhash_locked(t, inode);
	set_key(inode, key, key_len);
	hash_locked(t, inode);
	old_parent = inode->parent;
	LIST_REMOVE(inode, sibling);
	LIST_INSERT_HEAD(&new_parent->children, inode, sibling);
	inode->parent = new_parent;
	new_parent->refs++;
	old_parent->refs--;
	release_locked(t, old_parent);
	return 0;
}

int inode_rename(struct inodes *t, struct inode *parent, const char *name,
		 struct inode *new_parent, const char *new_name)
{
	int err;

	pthread_mutex_lock(&t->lock);
	err = rename_kind_locked(t, parent, name, new_parent, new_name, INODE_LEAF);
	if (!err)
		err = rename_kind_locked(t, parent, name, new_parent, new_name, INODE_DIR);
	pthread_mutex_unlock(&t->lock);
	return err;
}

/* ---- changes ---- */

/* Queues an inode, whose reference stays in the queue. */
static void queue_stale_locked(struct inodes *t, struct inode *inode, unsigned round)
{
	inode->stale = &t->stale[round];
	inode->due_ms = round ? now_ms() + round_after_ms[round] : 0;
	TAILQ_INSERT_TAIL(inode->stale, inode, stale_link);
}

/* What the kernel does not believe it need not be told: of changes that nobody looks at, only the
 * first costs anything. */
static void set_stale_locked(struct inodes *t, struct inode *inode, bool name)
{
	if (!t->track_stale || !inode->believed || !inode->hashed)
		return;
	inode->stale_name |= name;
	if (now_ms() - inode->answered_ms < SETTLED_MS)
		inode->unsettled = true;
	if (inode->stale == &t->stale[0])
		return;
	if (inode->stale)
		TAILQ_REMOVE(inode->stale, inode, stale_link);
	else
		inode->refs++;
	queue_stale_locked(t, inode, 0);
}

void inode_believed(struct inodes *t, struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	inode->believed = true;
	inode->answered_ms = now_ms();
	pthread_mutex_unlock(&t->lock);
}

void inode_set_stale(struct inodes *t, struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	inode->believed = true;
	set_stale_locked(t, inode, true);
	pthread_mutex_unlock(&t->lock);
}

void inode_drop(struct inodes *t, struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	inode->stale_name = true;
	if (!inode->stale) {
		inode->refs++;
		queue_stale_locked(t, inode, 0);
	}
	pthread_mutex_unlock(&t->lock);
}

/* A node of which an event told; `inode` stands for it. */
static void touch_locked(struct inodes *t, struct inode *inode, const struct timespec *now,
			 struct wakeups *wakeups)
{
	struct handle *handle;

	inode->events++;
	inode->changed_at = *now;
	drop_listing_locked(t, inode);
	LIST_FOREACH(handle, &inode->pollers, poll_link)
		handle_take_poll(handle, wakeups);
	set_stale_locked(t, inode, true);
}

/* The next inode of a subtree in preorder, or NULL behind the last. */
static struct inode *subtree_next(const struct inode *top, struct inode *inode)
{
	if (!LIST_EMPTY(&inode->children))
		return LIST_FIRST(&inode->children);
	while (inode != top && !LIST_NEXT(inode, sibling))
		inode = inode->parent;
	return inode == top ? NULL : LIST_NEXT(inode, sibling);
}

/* An inode and all below it. */
static void touch_subtree_locked(struct inodes *t, struct inode *top, const struct timespec *now,
				 struct wakeups *wakeups)
{
	struct inode *inode;

	for (inode = top; inode; inode = subtree_next(top, inode))
		touch_locked(t, inode, now, wakeups);
}

/* A directory's node itself has changed.  Unless that was our own doing it may have been removed
 * and made again, perhaps as something without children: it no longer has to be a directory. */
static void unstick_locked(struct inode *inode)
{
	/* Events are merged, or never sent: what did not come soon will not. */
	if (now_ms() - inode->own_write_ms > OWN_EVENT_MS)
		inode->own_writes = 0;
	if (inode->own_writes > 0)
		inode->own_writes--;
	else
		inode->sticky = false;
}

/* What an event below a directory means for it: it may have come into being on the way. */
static void pass_locked(struct inodes *t, struct inode *dir, const struct timespec *now,
			struct wakeups *wakeups)
{
	struct inode *value = find_name_locked(t, dir, ".value", INODE_SPECIAL);

	if (dir->gone)
		touch_locked(t, dir, now, wakeups);
	if (value && value->gone)
		touch_locked(t, value, now, wakeups);
}

/* Walks from the root of a view along `path`, relative to it and without a leading slash. */
static void walk_locked(struct inodes *t, struct inode *dir, const char *path,
			const struct timespec *now, struct wakeups *wakeups)
{
	struct inode *leaf, *sub;
	char name[PATH_SIZE];
	size_t len;

	while (*path) {
		len = strcspn(path, "/");
		if (len >= sizeof(name))
			return;
		memcpy(name, path, len);
		name[len] = '\0';
		path += len + (path[len] == '/');
		leaf = find_name_locked(t, dir, name, INODE_LEAF);
		sub = find_name_locked(t, dir, name, INODE_DIR);
		pass_locked(t, dir, now, wakeups);
		if (!*path || (dir->listing && !listing_has(dir->listing, name)))
			drop_listing_locked(t, dir);
		if (leaf)
			touch_locked(t, leaf, now, wakeups);
		if (!sub) {
			/* Made, or removed, where the kernel has not looked. */
			if (!leaf) {
				dir->changed_at = *now;
				set_stale_locked(t, dir, false);
			}
			return;
		}
		dir = sub;
	}
	unstick_locked(dir);
	touch_subtree_locked(t, dir, now, wakeups);
}

/* Returns the part of `path` below the mount's root, "" for the root itself and all above it, or
 * NULL if it is somewhere else. */
static const char *path_in_mount(const struct inodes *t, const char *path)
{
	const char *root = t->root_path;
	size_t root_len = strlen(root), len = strlen(path);

	if (root_len == 1)
		return path + 1;
	if (!strncmp(path, root, root_len) && path[root_len] == '/')
		return path + root_len + 1;
	if (!strncmp(path, root, len) && (len == 1 || root[len] == '/' || root[len] == '\0'))
		return "";
	return NULL;
}

/* Files that are open although their names lead to others now: what they read is what their paths
 * lead to.  There are few, if any. */
static void touch_replaced_locked(struct inodes *t, const char *event, const struct timespec *now,
				  struct wakeups *wakeups)
{
	struct inode *inode;
	char path[PATH_SIZE];

	LIST_FOREACH(inode, &t->replaced, replaced_link)
		if (!event || path_locked(t, inode, path) || event_related(event, path))
			touch_locked(t, inode, now, wakeups);
}

void inodes_changed(struct inodes *t, const char *path, struct wakeups *wakeups)
{
	const char *below = "";
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	pthread_mutex_lock(&t->lock);
	if (path)
		below = path[0] == '/' ? path_in_mount(t, path) : NULL;
	if (below) {
		walk_locked(t, t->root, below, &now, wakeups);
		if (t->nodes_root && *below)
			walk_locked(t, t->nodes_root, below, &now, wakeups);
		touch_replaced_locked(t, path, &now, wakeups);
	}
	pthread_mutex_unlock(&t->lock);
}

static void unstick_path_locked(struct inodes *t, struct inode *top, const char *path)
{
	struct inode *inode;
	char name[PATH_SIZE];
	size_t len;

	for (; top && *path; path += len + (path[len] == '/')) {
		len = strcspn(path, "/");
		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		top = find_name_locked(t, top, name, INODE_DIR);
	}
	for (inode = top; inode; inode = subtree_next(top, inode))
		inode->sticky = false;
}

void inodes_removed(struct inodes *t, const char *path)
{
	const char *below;

	pthread_mutex_lock(&t->lock);
	below = path_in_mount(t, path);
	if (below) {
		unstick_path_locked(t, t->root, below);
		unstick_path_locked(t, t->nodes_root, below);
	}
	pthread_mutex_unlock(&t->lock);
}

void wakeups_notify(struct wakeups *wakeups)
{
	for (unsigned i = 0; i < wakeups->count; i++) {
		fuse_lowlevel_notify_poll(wakeups->polls[i]);
		fuse_pollhandle_destroy(wakeups->polls[i]);
	}
	free(wakeups->polls);
	*wakeups = (struct wakeups){ 0 };
}

void inode_wrote(struct inodes *t, struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	if (inode->kind == INODE_SPECIAL)
		inode = inode->parent;
	if (inode->kind == INODE_DIR) {
		inode->own_writes++;
		inode->own_write_ms = now_ms();
	}
	pthread_mutex_unlock(&t->lock);
}

uint64_t inode_events(struct inodes *t, const struct inode *inode)
{
	uint64_t events;

	pthread_mutex_lock(&t->lock);
	events = inode->events;
	pthread_mutex_unlock(&t->lock);
	return events;
}

void inode_looked(struct inodes *t, struct inode *inode, uint64_t events, bool gone)
{
	pthread_mutex_lock(&t->lock);
	if (events >= inode->looked_at) {
		inode->looked_at = events;
		inode->gone = gone;
	}
	pthread_mutex_unlock(&t->lock);
}

void inode_confirm(struct inodes *t, struct inode *inode, uint64_t events)
{
	pthread_mutex_lock(&t->lock);
	inode->confirmed = events;
	pthread_mutex_unlock(&t->lock);
}

bool inode_is_confirmed(struct inodes *t, const struct inode *inode)
{
	bool confirmed;

	pthread_mutex_lock(&t->lock);
	confirmed = inode->confirmed == inode->events && inode->hashed;
	pthread_mutex_unlock(&t->lock);
	return confirmed;
}

struct timespec inode_changed_at(struct inodes *t, const struct inode *inode)
{
	struct timespec at;

	pthread_mutex_lock(&t->lock);
	at = inode->changed_at;
	pthread_mutex_unlock(&t->lock);
	return at;
}

void inode_set_listing(struct inodes *t, struct inode *inode, struct listing *listing)
{
	pthread_mutex_lock(&t->lock);
	drop_listing_locked(t, inode);
	if (listing && listing->bytes <= INODE_LISTING_BYTES_MAX) {
		while (t->listing_bytes + listing->bytes > INODE_LISTING_BYTES_MAX)
			drop_listing_locked(t, TAILQ_FIRST(&t->listings));
		inode->listing = listing_get(listing);
		t->listing_bytes += listing->bytes;
		TAILQ_INSERT_TAIL(&t->listings, inode, listing_link);
	}
	pthread_mutex_unlock(&t->lock);
}

struct listing *inode_get_listing(struct inodes *t, struct inode *inode)
{
	struct listing *listing = NULL;

	pthread_mutex_lock(&t->lock);
	/* While a file of this mount is not yet written the store's names are not all there are. */
	if (inode->listing && t->pending == 0) {
		listing = listing_get(inode->listing);
		TAILQ_REMOVE(&t->listings, inode, listing_link);
		TAILQ_INSERT_TAIL(&t->listings, inode, listing_link);
	}
	pthread_mutex_unlock(&t->lock);
	return listing;
}

/* Returns the inode that is due to be told of, or NULL. */
static struct inode *next_stale_locked(struct inodes *t, int *wait_ms)
{
	uint64_t now = now_ms();
	struct inode *inode;

	*wait_ms = -1;
	for (unsigned i = 0; i < INODE_ROUNDS; i++) {
		inode = TAILQ_FIRST(&t->stale[i]);
		if (inode && inode->due_ms <= now)
			return inode;
		if (inode && (*wait_ms < 0 || inode->due_ms - now < (uint64_t)*wait_ms))
			*wait_ms = inode->due_ms - now;
	}
	return NULL;
}

bool inode_take_stale(struct inodes *t, struct stale *stale, int *wait_ms)
{
	struct inode *inode;

	pthread_mutex_lock(&t->lock);
	inode = next_stale_locked(t, wait_ms);
	if (inode) {
		TAILQ_REMOVE(inode->stale, inode, stale_link);
		inode->round = inode->stale - t->stale;
		inode->stale = NULL;
		/* An answer that is still on its way is believed when it arrives. */
		if (now_ms() - inode->answered_ms >= SETTLED_MS)
			inode->believed = false;
		stale->parent = inode->stale_name && inode->parent ? inode->parent->nodeid : 0;
		snprintf(stale->name, sizeof(stale->name), "%s", inode->name);
	}
	stale->inode = inode;
	pthread_mutex_unlock(&t->lock);
	return inode != NULL;
}

void inode_told(struct inodes *t, struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	if (!inode->stale && inode->unsettled && inode->round + 1 < INODE_ROUNDS) {
		queue_stale_locked(t, inode, inode->round + 1);
	} else {
		if (!inode->stale)
			inode->unsettled = inode->stale_name = false;
		inode->refs--;
		release_locked(t, inode);
	}
	pthread_mutex_unlock(&t->lock);
}
