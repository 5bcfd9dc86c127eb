/* SPDX-License-Identifier: MIT */
/* The table of inodes: names and lifetimes.  Any thread; no I/O. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/inode_impl.h"
#include "fs/listing.h"

/* What stands in front of the name in a key. */
struct key_head {
	uint64_t parent;
	uint64_t kind;
};

/* Writes a key to `key`, which has room for the head and a name of that length with its NUL. */
static void key_write(char *key, const struct inode *parent, const char *name, size_t name_len,
		      enum inode_kind kind)
{
	struct key_head head = { .parent = parent ? parent->nodeid : 0, .kind = kind };

	memcpy(key, &head, sizeof(head));
	memcpy(key + sizeof(head), name, name_len + 1);
}

static char *key_new(const struct inode *parent, const char *name, enum inode_kind kind,
		     size_t *len)
{
	size_t name_len = strlen(name);
	char *key = malloc(sizeof(struct key_head) + name_len + 1);

	if (!key)
		return NULL;
	key_write(key, parent, name, name_len, kind);
	*len = sizeof(struct key_head) + name_len;
	return key;
}

void inode_drop_listing_locked(struct inodes *t, struct inode *inode)
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

/* Makes the inode found by its name.  Without memory it is not: its name will lead to another, and
 * events find it on a list. */
static void hash_locked(struct inodes *t, struct inode *inode)
{
	HASH_ADD_KEYPTR(by_name, t->by_name, inode->key, inode->key_len, inode);
	inode->hashed = inode->by_name.tbl != NULL;
	if (!inode->hashed && inode->parent)
		LIST_INSERT_HEAD(&t->unnamed, inode, unnamed_link);
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
	if (view->hooks)
		view->hooks->get(view);
	return view;
}

static void view_put(const struct view *view)
{
	if (view->hooks)
		view->hooks->put(view);
}

void inode_release_locked(struct inodes *t, struct inode *inode)
{
	struct inode *parent;

	while (inode && inode->refs == 0 && inode->nlookup == 0) {
		parent = inode->parent;
		if (!inode->hashed && !inode->removed && inode->parent)
			LIST_REMOVE(inode, unnamed_link);
		inode_stat_end_locked(t, inode);
		unhash_locked(t, inode);
		inode_drop_listing_locked(t, inode);
		HASH_DELETE(by_id, t->by_id, inode);
		if (parent)
			LIST_REMOVE(inode, sibling);
		if (inode == t->nodes_root)
			t->nodes_root = NULL;
		view_put(inode->view);
		free(inode->last);
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
	inode->foreign = 1;
	LIST_INIT(&inode->children);
	LIST_INIT(&inode->pollers);
	LIST_INIT(&inode->emptied);
	if (parent) {
		parent->refs++;
		LIST_INSERT_HEAD(&parent->children, inode, sibling);
	}
	set_key(inode, key, key_len);
	hash_locked(t, inode);
	return inode;
}

int inodes_init(struct inodes *t, const char *root_path, const struct view *view,
		const struct inode_ops *const *ops)
{
	size_t key_len = 0;
	char *key;

	*t = (struct inodes){ .ops = ops, .root_path = strdup(root_path) };
	TAILQ_INIT(&t->listings);
	LIST_INIT(&t->unnamed);
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
	t->root->ops = ops[INODE_DIR];
	t->root->view = view;
	t->root->view_root = true;
	inode_stat_begin_locked(t, t->root, false);
	pthread_mutex_init(&t->lock, NULL);
	return 0;
}

void inodes_deinit(struct inodes *t)
{
	struct inode *inode, *next;

	HASH_CLEAR(by_name, t->by_name);
	HASH_CLEAR(by_number, t->by_number);
	recent_deinit(&t->recent);
	HASH_ITER(by_id, t->by_id, inode, next) {
		HASH_DELETE(by_id, t->by_id, inode);
		listing_put(inode->listing);
		view_put(inode->view);
		free(inode->last);
		free(inode->names);
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
	inode_release_locked(t, inode);
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
	inode_release_locked(t, inode);
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

static struct inode *find_key_locked(struct inodes *t, const char *key, size_t key_len)
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
	inode = find_key_locked(t, key, key_len);
	if (inode) {
		inode->refs++;
		free(key);
	} else {
		inode = inode_new_locked(t, parent, key, key_len);
		if (inode) {
			inode->kind = kind;
			inode->ops = t->ops[kind];
			inode->cacheable = kind != INODE_SPECIAL;
			inode->view = view_get(view);
			inode->special = special;
			inode->view_root = view != parent->view;
			/* No event is about a transaction. */
			if (inode->view_root && !view->tx)
				t->nodes_root = inode;
			inode_stat_begin_locked(t, inode, false);
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
		inode->ops = t->ops[INODE_SPECIAL];
		inode->view = view_get(parent->view);
		inode->special = special;
		inode_stat_begin_locked(t, inode, true);
	}
	pthread_mutex_unlock(&t->lock);
	return inode;
}

struct inode *inode_find_locked(struct inodes *t, const struct inode *parent, const char *name,
				enum inode_kind kind)
{
	/* Without an allocation: an event has to find its inode. */
	char key[sizeof(struct key_head) + PATH_SIZE];
	size_t len = strlen(name);

	if (len >= PATH_SIZE)
		return NULL;
	key_write(key, parent, name, len, kind);
	return find_key_locked(t, key, sizeof(struct key_head) + len);
}

struct inode *inode_find(struct inodes *t, struct inode *parent, const char *name,
			 enum inode_kind kind)
{
	struct inode *inode;

	pthread_mutex_lock(&t->lock);
	inode = inode_find_locked(t, parent, name, kind);
	if (inode)
		inode->refs++;
	pthread_mutex_unlock(&t->lock);
	return inode;
}

void inode_remember(struct inodes *t, struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	inode->nlookup++;
	inode->absent = false;
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
		inode_release_locked(t, inode);
	}
	pthread_mutex_unlock(&t->lock);
}

/* Appends the path of an inode's node to `path`, from the root of its view on. */
int inode_path_locked(struct inodes *t, const struct inode *inode, char *path)
{
	const struct inode *chain[XENSTORE_ABS_PATH_MAX / 2 + 1];
	unsigned depth = 0;
	int err;

	for (; !inode->view_root; inode = inode->parent) {
		if (inode->removed)
			return depth ? -ENOENT : inode->removed;
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
	err = inode_path_locked(t, inode, path);
	pthread_mutex_unlock(&t->lock);
	return err || !name ? err : path_append(path, name);
}

bool inode_is_removed(struct inodes *t, const struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	while (inode && !inode->removed)
		inode = inode->parent;
	pthread_mutex_unlock(&t->lock);
	return inode;
}

struct inode *inode_get_parent(struct inodes *t, const struct inode *inode)
{
	struct inode *parent;

	pthread_mutex_lock(&t->lock);
	parent = inode->parent;
	parent->refs++;
	pthread_mutex_unlock(&t->lock);
	return parent;
}

void inode_set_cacheable(struct inodes *t, struct inode *inode)
{
	pthread_mutex_lock(&t->lock);
	inode->cacheable = true;
	pthread_mutex_unlock(&t->lock);
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
	found = inode && !inode_path_locked(t, inode, path);
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

/* What this mount does is seen at once: the event may come a little later. */
static void changed_locked(struct inodes *t, struct inode *inode)
{
	if (inode->pending)
		inode_drop_listing_locked(t, inode->parent);
	set_pending_locked(t, inode, false);
	inode->changes++;
	inode_change_value_locked(inode);
	/* The value of a directory's node is its own, too. */
	if (inode->kind == INODE_SPECIAL && inode->parent->kind == INODE_DIR)
		inode_change_value_locked(inode->parent);
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
	inode_drop_listing_locked(t, parent);
	inode = inode_find_locked(t, parent, name, INODE_DIR);
	if (inode) {
		inode->sticky = false;
		inode->found = 0;
	}
	inode_absent_locked(t, inode);
	inode = inode_find_locked(t, parent, name, INODE_LEAF);
	if (inode) {
		changed_locked(t, inode);
		inode->found = 0;
	}
	inode_absent_locked(t, inode);
	pthread_mutex_unlock(&t->lock);
}

/* Takes an inode, if there is one, out of the table of names for good. */
static void remove_locked(struct inodes *t, struct inode *inode, int why, struct wakeups *wakeups)
{
	struct inode *below;

	if (!inode)
		return;
	unhash_locked(t, inode);
	inode->removed = why;
	for (below = inode; below; below = inode_next_locked(inode, below)) {
		/* No empty value is due any more. */
		changed_locked(t, below);
		below->sticky = false;
		below->confirmed = 0;
		below->found = 0;
	}
	inode_wake_removed_locked(t, inode, wakeups);
}

void inode_remove(struct inodes *t, struct inode *parent, const char *name,
		  struct wakeups *wakeups)
{
	pthread_mutex_lock(&t->lock);
	inode_drop_listing_locked(t, parent);
	remove_locked(t, inode_find_locked(t, parent, name, INODE_DIR), -ENOENT, wakeups);
	remove_locked(t, inode_find_locked(t, parent, name, INODE_LEAF), -ENOENT, wakeups);
	inode_change_dir_locked(t, parent);
	pthread_mutex_unlock(&t->lock);
}

void inode_set_last(struct inodes *t, struct inode *inode, char *data, size_t len)
{
	pthread_mutex_lock(&t->lock);
	free(inode->last);
	inode->last = data;
	inode->last_len = len;
	pthread_mutex_unlock(&t->lock);
}

char *inode_get_last(struct inodes *t, const struct inode *inode, size_t *len)
{
	char *copy = NULL;

	pthread_mutex_lock(&t->lock);
	if (inode->removed == -ESTALE && inode->last)
		copy = malloc(inode->last_len + 1);
	if (copy) {
		memcpy(copy, inode->last, inode->last_len);
		*len = inode->last_len;
	}
	pthread_mutex_unlock(&t->lock);
	return copy;
}

/* Moves one inode, if there is one; `key` is that of its new name, and taken. */
static void move_locked(struct inodes *t, struct inode *inode, struct inode *new_parent, char *key,
			size_t key_len)
{
	struct inode *old_parent;

	if (!inode) {
		free(key);
		return;
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
	inode_release_locked(t, old_parent);
}

/* The same with what is at the new place, which is removed. */
static void rename_kind_locked(struct inodes *t, struct inode *parent, const char *name,
			       struct inode *new_parent, const char *new_name,
			       enum inode_kind kind, char *key, size_t key_len,
			       struct wakeups *wakeups)
{
	struct inode *inode = inode_find_locked(t, parent, name, kind);
	struct inode *target = inode_find_locked(t, new_parent, new_name, kind);

	if (inode == target) {
		free(key);
		return;
	}
	/* Whoever looks the file up while it is replaced is to look again, not to miss it. */
	remove_locked(t, target, kind == INODE_LEAF ? -ESTALE : -ENOENT, wakeups);
	move_locked(t, inode, new_parent, key, key_len);
}

int inode_rename(struct inodes *t, struct inode *parent, const char *name,
		 struct inode *new_parent, const char *new_name, struct wakeups *wakeups)
{
	size_t leaf_len = 0, dir_len = 0;
	char *leaf_key = key_new(new_parent, new_name, INODE_LEAF, &leaf_len);
	char *dir_key = key_new(new_parent, new_name, INODE_DIR, &dir_len);

	if (!leaf_key || !dir_key) {
		free(leaf_key);
		free(dir_key);
		return -ENOMEM;
	}
	pthread_mutex_lock(&t->lock);
	inode_drop_listing_locked(t, parent);
	inode_drop_listing_locked(t, new_parent);
	rename_kind_locked(t, parent, name, new_parent, new_name, INODE_LEAF, leaf_key, leaf_len,
			   wakeups);
	rename_kind_locked(t, parent, name, new_parent, new_name, INODE_DIR, dir_key, dir_len,
			   wakeups);
	inode_change_dir_locked(t, parent);
	if (new_parent != parent)
		inode_change_dir_locked(t, new_parent);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

void inode_set_listing(struct inodes *t, struct inode *inode, struct listing *listing)
{
	pthread_mutex_lock(&t->lock);
	inode_drop_listing_locked(t, inode);
	if (listing && listing->bytes <= INODE_LISTING_BYTES_MAX) {
		while (t->listing_bytes + listing->bytes > INODE_LISTING_BYTES_MAX)
			inode_drop_listing_locked(t, TAILQ_FIRST(&t->listings));
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
