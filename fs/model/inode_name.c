/* SPDX-License-Identifier: MIT */
/* The table of inodes: names, the tree that they form, and paths.  No I/O. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/inode_impl.h"

/* The part of a key before the name. */
struct key_head {
	uint64_t parent;
	uint64_t kind;
};

/* Writes a key to `key`, which has room for the head and for a name of that length with its NUL. */
static void key_write(char *key, const struct inode *parent, const char *name, size_t name_len,
		      uint64_t kind)
{
	struct key_head head = { .parent = parent ? parent->nodeid : 0, .kind = kind };

	memcpy(key, &head, sizeof(head));
	memcpy(key + sizeof(head), name, name_len + 1);
}

char *inode_key_new(const struct inode *parent, const char *name, uint64_t kind, size_t *len)
{
	size_t name_len = strlen(name);
	char *key = malloc(sizeof(struct key_head) + name_len + 1);

	if (!key)
		return NULL;
	key_write(key, parent, name, name_len, kind);
	*len = sizeof(struct key_head) + name_len;
	return key;
}

void inode_set_key(struct inode *inode, char *key, size_t len)
{
	free(inode->key);
	inode->key = key;
	inode->key_len = len;
	inode->name = key + sizeof(struct key_head);
}

void inode_hash(struct inodes *t, struct inode *inode)
{
	HASH_ADD_KEYPTR(by_name, t->by_name, inode->key, inode->key_len, inode);
	inode->hashed = inode->by_name.tbl != NULL;
	if (!inode->hashed && inode->parent)
		LIST_INSERT_HEAD(&t->unnamed, inode, unnamed_link);
}

void inode_unhash(struct inodes *t, struct inode *inode)
{
	if (inode->hashed)
		HASH_DELETE(by_name, t->by_name, inode);
	inode->hashed = false;
}

struct inode *inode_find_key(struct inodes *t, const char *key, size_t key_len)
{
	struct inode *inode;

	HASH_FIND(by_name, t->by_name, key, key_len, inode);
	return inode;
}

struct inode *inode_peek(struct inodes *t, const struct inode *parent, const char *name,
				enum inode_kind kind)
{
	/* On the stack, because an event must find its inode even without memory. */
	char key[sizeof(struct key_head) + PATH_SIZE];
	size_t len = strlen(name);

	if (len >= PATH_SIZE)
		return NULL;
	key_write(key, parent, name, len, kind);
	return inode_find_key(t, key, sizeof(struct key_head) + len);
}

int inode_own_path(struct inodes *t, const struct inode *inode, char *path)
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

	err = inode_own_path(t, inode, path);
	return err || !name ? err : path_append(path, name);
}

bool inode_is_removed(const struct inode *inode)
{
	while (inode && !inode->removed)
		inode = inode->parent;
	return inode;
}

struct inode *inode_next(const struct inode *top, struct inode *inode)
{
	if (!LIST_EMPTY(&inode->children))
		return LIST_FIRST(&inode->children);
	while (inode != top && !LIST_NEXT(inode, sibling))
		inode = inode->parent;
	return inode == top ? NULL : LIST_NEXT(inode, sibling);
}
