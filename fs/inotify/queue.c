/* SPDX-License-Identifier: MIT */
/*
 * The names about which there is news, each once, in the order in which they came.  Only names are kept, and
 * the store is asked when their turn comes: so however often something changes, it is told of as often as
 * there is time, and the last time is after the last change.
 */
#include <stdlib.h>
#include <string.h>

#include "fs/inotify/inotify_impl.h"
#include "ring/clock.h"

/*
 * What was done through this mount is compared with the store after so many milliseconds, in case that somebody else was
 * there too: one event may stand for both.  So is what others change again and again: readers of inotify are told
 * of it at once if there was nothing for so long, and else as often as this.  A name that is written all the time would
 * otherwise be asked for all the time.
 */
#define PATIENT_MS 50
#define NSEC_PER_MSEC UINT64_C(1000000)

/* How long it takes until it is looked whether what is owed can be told. */
#define OWED_NS UINT64_C(1000000000)

/* With more names than this, everything that is known is compared instead. */
#define QUEUE_MAX 8192

/*
 * oxenstored 4.17 queues 1024 messages for a client that is slower than the others are writing (quota-maxoutstanding).
 * The events after those it keeps back, up to another 1024 (quota-maxwatchevents), and sends them with the next event of
 * the same watch, whenever that may be.  Half of the first number, as less may have been counted since a sweep began.
 */
#define FLOOD_EVENTS 512

void queue_init(struct news_queue *queue)
{
	*queue = (struct news_queue){ 0 };
	TAILQ_INIT(&queue->list);
	TAILQ_INIT(&queue->patient);
}

void news_free(struct fs *fs, struct news *news)
{
	inode_put(&fs->inodes, news->dir);
	free(news);
}

static struct news_list *list_of(struct news_queue *queue, const struct news *news)
{
	return news->patient ? &queue->patient : &queue->list;
}

static void list_add(struct news_queue *queue, struct news *news)
{
	if (news->patient && TAILQ_EMPTY(&queue->patient))
		queue->patient_due_ns = clock_now_ns(CLOCK_MONOTONIC) + PATIENT_MS * NSEC_PER_MSEC;
	TAILQ_INSERT_TAIL(list_of(queue, news), news, link);
}

static void hurry(struct news_queue *queue, struct news *news)
{
	TAILQ_REMOVE(list_of(queue, news), news, link);
	news->patient = false;
	list_add(queue, news);
}

void queue_wait_over(struct news_queue *queue)
{
	struct news *news;

	if (clock_now_ns(CLOCK_MONOTONIC) < queue->patient_due_ns)
		return;
	while ((news = TAILQ_FIRST(&queue->patient)))
		hurry(queue, news);
}

bool queue_is_urgent(const struct news_queue *queue)
{
	return queue->sweep || !TAILQ_EMPTY(&queue->list);
}

static void queue_remove(struct news_queue *queue, struct news *news)
{
	HASH_DELETE(hh, queue->by_key, news);
	TAILQ_REMOVE(list_of(queue, news), news, link);
	queue->count--;
}

void queue_deinit(struct fs *fs, struct news_queue *queue)
{
	struct news *news;

	while ((news = queue->by_key)) {
		queue_remove(queue, news);
		news_free(fs, news);
	}
}

bool queue_was_flooded(const struct news_queue *queue)
{
	return queue->events >= FLOOD_EVENTS;
}

void queue_sweep(struct fs *fs, bool lost)
{
	struct news_queue *queue = &fs->inotify->queue;

	queue->sweep = true;
	queue->sweep_lost |= lost;
}

static void merge(struct news *news, const struct news *like)
{
	news->foreign |= like->foreign;
	news->deep |= like->deep;
	news->lost |= like->lost;
	if (like->reported_ms > news->reported_ms)
		news->reported_ms = like->reported_ms;
}

/* Writes the key of a name to `key`, which has room for it and a NUL.  Returns its length without that. */
static size_t key_make(char *key, const struct inode *dir, const char *name)
{
	size_t len = strlen(name);

	memcpy(key, &dir->nodeid, sizeof(dir->nodeid));
	memcpy(key + sizeof(dir->nodeid), name, len + 1);
	return sizeof(dir->nodeid) + len;
}

static struct news *news_new(struct inode *dir, const char *name)
{
	struct news *news = calloc(1, sizeof(*news) + sizeof(dir->nodeid) + strlen(name) + 1);

	if (!news)
		return NULL;
	news->key_len = key_make(news->key, dir, name);
	news->name = news->key + sizeof(dir->nodeid);
	news->dir = inode_ref(dir);
	return news;
}

void queue_add(struct fs *fs, struct inode *dir, const char *name, const struct news *like)
{
	struct news_queue *queue = &fs->inotify->queue;
	char key[sizeof(dir->nodeid) + PATH_SIZE];
	struct news *news;
	size_t len;

	/* No path has such a name, so the store could not be asked for it. */
	if (strlen(name) >= PATH_SIZE)
		return;
	/* First, as most names are there already while much happens. */
	len = key_make(key, dir, name);
	HASH_FIND(hh, queue->by_key, key, len, news);
	if (news) {
		merge(news, like);
		if (news->patient && !like->patient)
			hurry(queue, news);
		fs->inotify_counters.merged++;
		return;
	}
	news = news_new(dir, name);
	if (news)
		HASH_ADD_KEYPTR(hh, queue->by_key, news->key, news->key_len, news);
	if (!news || !news->hh.tbl) {
		if (news)
			news_free(fs, news);
		queue_sweep(fs, like->lost);
		return;
	}
	merge(news, like);
	news->tries = like->tries;
	news->patient = like->patient;
	list_add(queue, news);
	queue->count++;
}

void queue_owe(struct fs *fs, struct inode *dir, const char *name, const struct news *like)
{
	struct news *news = news_new(dir, name);

	if (!news) {
		queue_sweep(fs, like->lost);
		return;
	}
	merge(news, like);
	news->tries = like->tries;
	if (TAILQ_EMPTY(&fs->inotify->owed))
		fs->inotify->owed_due_ns = clock_now_ns(CLOCK_MONOTONIC) + OWED_NS;
	TAILQ_INSERT_TAIL(&fs->inotify->owed, news, link);
}

void queue_owed(struct fs *fs)
{
	struct news *news;

	while ((news = TAILQ_FIRST(&fs->inotify->owed))) {
		TAILQ_REMOVE(&fs->inotify->owed, news, link);
		queue_add(fs, news->dir, news->name, news);
		news_free(fs, news);
	}
}

static bool is_node(const struct inode *inode)
{
	return inode->kind != INODE_SPECIAL && inode->hashed && !inode->view_root;
}

void queue_add_children(struct fs *fs, struct inode *dir, const struct news *like)
{
	struct inode *child;

	LIST_FOREACH(child, &dir->children, sibling)
		if (is_node(child) && !child->view->tx)
			queue_add(fs, dir, child->name, like);
}

/* Begins with the roots; each directory adds what is below it when its turn comes. */
static void sweep(struct fs *fs)
{
	struct news_queue *queue = &fs->inotify->queue;
	const struct news all = { .foreign = queue->sweep_lost, .deep = true, .lost = queue->sweep_lost };

	queue->sweep = queue->sweep_lost = false;
	queue->events = 0;
	fs->inotify_counters.swept++;
	queue_add(fs, fs->inodes.root, "", &all);
	if (fs->inodes.nodes_root)
		queue_add(fs, fs->inodes.nodes_root, "", &all);
}

struct news *queue_take(struct fs *fs)
{
	struct news_queue *queue = &fs->inotify->queue;
	struct news *news;

	if (queue->sweep && TAILQ_EMPTY(&queue->list))
		sweep(fs);
	news = TAILQ_FIRST(&queue->list);
	if (news)
		queue_remove(queue, news);
	return news;
}

/* ---- events ---- */

/* Returns the inode of a name as a directory, or as a file, without a reference. */
static struct inode *child(struct fs *fs, struct inode *dir, const char *name, enum inode_kind kind)
{
	struct inode *inode = inode_find(&fs->inodes, dir, name, kind);

	/* Whatever keeps it does so for as long as the caller has the lock. */
	inode_put(&fs->inodes, inode);
	return inode;
}

/* Returns whether something was reported of the inode a short time ago, too. */
static bool reported_again(struct inode *inode, uint64_t now)
{
	uint64_t before = inode->told.reported_ms;

	inode->told.reported_ms = now;
	return now - before < PATIENT_MS;
}

/* The event is about the name itself. */
static void note_end(struct fs *fs, struct inode *dir, const char *name, struct inode *leaf, struct inode *sub,
		     uint64_t now)
{
	bool own = (leaf && inode_is_written(leaf)) || (sub && inode_is_written(sub));
	bool again = reported_again(leaf ? leaf : sub ? sub : dir, now);
	/* What it stands for is known when the removal is over. */
	bool leaving = (leaf && leaf->leaving) || (sub && sub->leaving);
	const struct news news = {
		.foreign = !own,
		.reported_ms = own ? 0 : now,
		.patient = own || again || leaving,
		.deep = sub,
	};

	queue_add(fs, dir, name, &news);
}

/* Walks along an event's path below the root of a view to what the kernel may know. */
static void note(struct fs *fs, struct inode *dir, const char *path)
{
	const uint64_t now = inode_now_ms();
	const struct news passed = { .foreign = true, .reported_ms = now, .deep = true };
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
		leaf = child(fs, dir, name, INODE_LEAF);
		sub = child(fs, dir, name, INODE_DIR);
		if (leaf)
			leaf->told.stirred++;
		if (sub)
			sub->told.stirred++;
		if (!*path) {
			note_end(fs, dir, name, leaf, sub, now);
			return;
		}
		/* Nothing tells of a directory that came into being along the way, nor of a file that
		 * became one.  By the time it is told there may be more in it: hence deep. */
		if (leaf || (dir->told.names_known && told_name(dir, name) == TOLD_NOT))
			queue_add(fs, dir, name, &passed);
		if (!sub)
			return;
		dir = sub;
	}
	queue_add(fs, dir, "", &(struct news){ .foreign = true, .deep = true });
}

void queue_note_event(struct fs *fs, const char *path, bool lost)
{
	struct inotify *in = fs->inotify;
	const char *below = path ? path_below(path, fs->inodes.root_path) : NULL;

	if (path && path[0] != '/')
		return;
	if (path && !below && !path_below(fs->inodes.root_path, path))
		return;
	in->queue.events += path != NULL;
	if (!path || in->queue.count >= QUEUE_MAX) {
		queue_sweep(fs, lost);
	} else {
		note(fs, fs->inodes.root, below ? below : "");
		if (fs->inodes.nodes_root)
			note(fs, fs->inodes.nodes_root, below ? below : "");
	}
	if (in->queue.by_key || in->queue.sweep)
		inotify_wake(fs);
}
