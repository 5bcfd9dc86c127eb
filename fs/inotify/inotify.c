/* SPDX-License-Identifier: MIT */
/* The teller's thread: its life, and how much of the machine it may take. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "fs/inotify/inotify_impl.h"
#include "fs/op/lock.h"
#include "ring/clock.h"

#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_SEC UINT64_C(1000000000)

/* After so long it rests for as long, if there is still work, so that a flood of changes takes half of its
 * time at most, and so that the mount is left in between.  It may have had to wait: hence a limit. */
#define WORK_NS (50 * NSEC_PER_MSEC)
#define REST_MAX_NS WORK_NS

/* After a flood of events, how long none must have come before everything is compared. */
#define FLOOD_QUIET_NS (100 * NSEC_PER_MSEC)

/* How often it is looked whether the filesystem can be written to again. */
#define READONLY_NS NSEC_PER_SEC

void inotify_wake(struct fs *fs)
{
	struct inotify *in = fs->inotify;
	const bool urgent = queue_is_urgent(&in->queue);

	if (in->work && (in->urgent || !urgent))
		return;
	in->work = true;
	in->urgent |= urgent;
	fs_signal(fs, &in->wake);
}

/* Waits for a signal, or for `ns` nanoseconds (0: for ever). */
REQUIRES(fs_lock_held) static void wait_ns(struct fs *fs, uint64_t ns)
{
	const struct timespec until = fs_time_after(ns);

	fs_wait(fs, &fs->inotify->wake, ns ? &until : NULL);
}

/* Rests until a time of CLOCK_MONOTONIC; not `whatever` comes: or until there is something urgent. */
REQUIRES(fs_lock_held) static void rest(struct fs *fs, uint64_t until, bool whatever)
{
	uint64_t now;

	while (!fs->inotify->ending && (whatever || !fs->inotify->urgent) &&
	       (now = clock_now_ns(CLOCK_MONOTONIC)) < until)
		wait_ns(fs, until - now);
}

/* Waits until there is something in the queue, or something else to do after all. */
REQUIRES(fs_lock_held) static void await_work(struct fs *fs)
{
	struct inotify *in = fs->inotify;
	const bool flooded = queue_was_flooded(&in->queue);
	uint64_t now = clock_now_ns(CLOCK_MONOTONIC), ns = flooded ? FLOOD_QUIET_NS : 0;

	if (!TAILQ_EMPTY(&in->owed)) {
		if (in->owed_due_ns <= now)
			return;
		if (!ns || in->owed_due_ns - now < ns)
			ns = in->owed_due_ns - now;
	}
	wait_ns(fs, ns);
	/* Nothing was reported for a while. */
	if (flooded && !in->work && clock_now_ns(CLOCK_MONOTONIC) - now >= FLOOD_QUIET_NS)
		queue_sweep(fs, false);
}

/* Not only when nothing else happens: some store is never quiet. */
static void take_owed(struct fs *fs)
{
	const struct inotify *in = fs->inotify;

	if (!TAILQ_EMPTY(&in->owed) && clock_now_ns(CLOCK_MONOTONIC) >= in->owed_due_ns)
		queue_owed(fs);
}

/* Looks at the next names in the queue.  Returns false if there was none. */
REQUIRES(fs_lock_held) static bool look_next(struct fs *fs)
{
	struct news *news[LOOK_MAX];
	unsigned n = 0;

	while (n < LOOK_MAX && (news[n] = queue_take(fs)))
		n++;
	look(fs, news, n);
	for (unsigned i = 0; i < n; i++)
		news_free(fs, news[i]);
	return n > 0;
}

/* Leaves the mount. */
REQUIRES(fs_lock_held) static void leave(struct fs *fs)
{
	fs_unlock(fs);
	raise_pause(fs);
	fs_lock(fs);
}

/* Waits until the filesystem can be written to. */
REQUIRES(fs_lock_held) static void await_writable(struct fs *fs)
{
	while (fs->inotify->readonly && !fs->inotify->ending) {
		rest(fs, clock_now_ns(CLOCK_MONOTONIC) + READONLY_NS, true);
		raise_retry(fs);
		leave(fs);
	}
}

/* Tells what there is for as long as it may.  Returns the nanoseconds that this took. */
REQUIRES(fs_lock_held) static uint64_t work(struct fs *fs)
{
	uint64_t began = clock_now_ns(CLOCK_MONOTONIC), took = 0;

	while (!fs->inotify->ending && !fs->inotify->readonly && took < WORK_NS && look_next(fs))
		took = clock_now_ns(CLOCK_MONOTONIC) - began;
	leave(fs);
	return took;
}

/* Returns whether everything works, and says so where it does not. */
REQUIRES(fs_lock_held) static bool probe(struct fs *fs)
{
	struct inotify *in = fs->inotify;
	const char *why;

	while (!in->serving && !in->ending)
		wait_ns(fs, 0);
	why = in->ending ? "" : raise_probe(fs);
	if (!why)
		return true;
	if (fs->config.inotify == FS_INOTIFY_ON && *why)
		log_warning(fs->log, "-o inotify=on: readers of inotify are not told what others change: %s", why);
	else if (*why)
		log_info(fs->log, "readers of inotify are not told what others change: %s", why);
	return false;
}

REQUIRES(fs_lock_held) static void serve(struct fs *fs)
{
	struct inotify *in = fs->inotify;
	uint64_t took;

	fs->inotify_counters.on = true;
	queue_note_event(fs, NULL, false);
	while (!in->ending) {
		await_writable(fs);
		if (!in->work)
			await_work(fs);
		if (in->work && !in->urgent)
			rest(fs, in->queue.patient_due_ns, false);
		take_owed(fs);
		queue_wait_over(&in->queue);
		in->work = !TAILQ_EMPTY(&in->queue.patient);
		in->urgent = false;
		took = work(fs);
		if (took >= WORK_NS) {
			in->work = in->urgent = true;
			rest(fs, clock_now_ns(CLOCK_MONOTONIC) + (took < REST_MAX_NS ? took : REST_MAX_NS), true);
		}
	}
}

static void stop_noting(struct fs *fs)
{
	fs->tell_readers = NULL;
	fs->inodes.telling = false;
}

static void *teller(void *arg)
{
	struct fs *fs = arg;
	struct inotify *in = fs->inotify;

	/* A working directory of its own, in which it works; see raise.c. */
	bool own = unshare(CLONE_FS) == 0;

	/* Everything belongs to this user: so no rights over others' files are needed. */
	if (fs->config.uid != geteuid()) {
		setfsgid(fs->config.gid);
		setfsuid(fs->config.uid);
	}

	pthread_setname_np(pthread_self(), "xsfs-teller");
	fs_lock(fs);
	fs->teller = own ? gettid() : 0;
	in->started = true;
	pthread_cond_signal(&in->wake);
	if (own && probe(fs)) {
		serve(fs);
	} else {
		stop_noting(fs);
		queue_deinit(fs, &in->queue);
	}
	fs->inotify_counters.on = false;
	leave(fs);
	/* Another thread may get the number. */
	fs->teller = 0;
	in->ended = true;
	fs_unlock(fs);
	return NULL;
}

static void inotify_free(struct fs *fs)
{
	struct inotify *in = fs->inotify;

	stop_noting(fs);
	fs->inotify = NULL;
	pthread_cond_destroy(&in->wake);
	free(in->mountpoint);
	free(in);
}

int inotify_start(struct fs *fs, const struct inotify_place *place)
{
	struct inotify *in = calloc(1, sizeof(*in));
	int err;

	if (!in)
		return -ENOMEM;
	fs->inotify = in;
	in->mountpoint = strdup(place->mountpoint);
	in->place = *place;
	in->place.mountpoint = in->mountpoint;
	queue_init(&in->queue);
	TAILQ_INIT(&in->owed);
	fs_cond_init(&in->wake);
	/* Before the thread, which takes it back if nothing can be told. */
	fs->tell_readers = queue_note_event;
	fs->inodes.telling = true;
	err = in->mountpoint ? fs_thread_start(&in->thread, teller, fs) : -ENOMEM;
	if (err) {
		inotify_free(fs);
		return err;
	}
	fs_lock(fs);
	while (!in->started)
		wait_ns(fs, 0);
	fs_unlock(fs);
	return 0;
}

void inotify_serve(struct fs *fs)
{
	if (!fs->inotify)
		return;
	fs->inotify->serving = true;
	pthread_cond_signal(&fs->inotify->wake);
}

bool inotify_end(struct fs *fs)
{
	struct inotify *in = fs->inotify;
	bool ended;

	if (!in)
		return true;
	fs_lock(fs);
	in->ending = true;
	pthread_cond_signal(&in->wake);
	ended = in->ended;
	fs_unlock(fs);
	if (!ended)
		return false;
	pthread_join(in->thread, NULL);
	fs_lock(fs);
	while (!TAILQ_EMPTY(&in->owed))
		queue_owed(fs);
	queue_deinit(fs, &in->queue);
	inotify_free(fs);
	fs_unlock(fs);
	return true;
}
