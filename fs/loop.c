/* SPDX-License-Identifier: MIT */
/*
 * The loops.  One thread, the I/O thread, polls both /dev/fuse and the channel, so that a request
 * and its reply need as few wake-ups as possible; further readers only take requests from /dev/fuse
 * and submit them.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>

#include "fs/events/dispatch.h"
#include "fs/events/poll.h"
#include "fs/events/stream.h"
#include "fs/events/untold.h"
#include "fs/inotify/inotify.h"
#include "fs/loop.h"
#include "fs/op/lock.h"
#include "fs/op/op.h"
#include "fs/op/transaction.h"
#include "fs/special/raw.h"
#include "ring/clock.h"
#include "ring/spin.h"

/* How many requests to take from /dev/fuse before servicing the channel. */
#define FUSE_BATCH 16

#define EXTRA_MAX 4

/* The pause where it is not possible to wait. */
#define FAILED_POLL_MS 5

static bool ended(struct fs *fs)
{
	return atomic_load(&fs->stop) || atomic_load(&fs->broken) || fuse_session_exited(fs->se);
}

/* Sees whether the kernel's first request got to ops_init().  If libfuse had no memory for it the kernel was told so,
 * and answers whatever is done in the mount with an error. */
static void check_greeted(struct fs *fs, const struct fuse_buf *buf)
{
	const struct fuse_in_header *in = buf->mem;

	if (!fs->greeted && in->opcode == FUSE_INIT)
		atomic_store(&fs->broken, -ENOMEM);
}

/*
 * Takes and starts the requests that /dev/fuse has, up to a batch.  Returns their number, 0 when
 * there is none now, or -errno: -ENODEV after an unmount.
 */
static int take_requests(struct fs *fs, struct fuse_buf *buf)
{
	int count = 0, len;

	while (count < FUSE_BATCH) {
		len = fuse_session_receive_buf(fs->se, buf);
		if (len == -EAGAIN || len == -EINTR)
			break;
		/* Linux 6.18 has been seen to report a connection as aborted when it was
		 * only unmounted. */
		if (len == 0 || len == -ECONNABORTED)
			return -ENODEV;
		if (len < 0)
			return len;
		fs_lock(fs);
		if (!inotify_answers(fs, buf))
			ops_process(fs, buf);
		check_greeted(fs, buf);
		fs_unlock(fs);
		count++;
	}
	return count;
}

/* Returns for how many milliseconds the machine was suspended since it started. */
static int64_t suspended_ms(void)
{
	return clock_now_ms(CLOCK_BOOTTIME) - clock_now_ms(CLOCK_MONOTONIC);
}

/* Returns the earlier of two timeouts of poll(2). */
static int earlier(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

/* Runs the timers that are due.  Returns the milliseconds until another is, or -1. */
REQUIRES(fs_lock_held) static int run_timers(struct fs *fs)
{
	int interrupt_ms = ops_interrupt(fs), idle_ms = transactions_expire(fs), untold_ms = untold_give_up(fs);

	return earlier(earlier(interrupt_ms, untold_ms), earlier(idle_ms, polls_tell_unwatched(fs)));
}

void fs_gap(struct fs *fs)
{
	fs_lock(fs);
	dispatch_resync(fs);
	raws_resync(fs);
	fs_unlock(fs);
}

void fs_store_died(struct fs *fs)
{
	fs_lock(fs);
	fs->store_died = true;
	dispatch_unseen(fs);
	streams_died(fs);
	raws_died(fs);
	fs_unlock(fs);
}

void loop_begin(struct fs *fs)
{
	fs->suspended_ms = suspended_ms();
}

void loop_look_for_suspension(struct fs *fs)
{
	int64_t now = suspended_ms();

	/* The two clocks are read one after the other, so less than a second means nothing. */
	if (now < fs->suspended_ms + 1000)
		return;
	fs->suspended_ms = now;
	fs_gap(fs);
}

/* Sleeps until something happens, or for `wait_ms` (-1: for ever), and runs the callbacks of the
 * caller's descriptors. */
static void sleep_and_wake(struct fs *fs, const struct fs_extra_fd *extra, unsigned n_extra,
			   int wait_ms)
{
	struct pollfd fds[1 + EXTRA_MAX + CHAN_POLLFDS];
	unsigned n = 0;
	int ready;

	fds[n++] = (struct pollfd){ .fd = fuse_session_fd(fs->se), .events = POLLIN };
	for (unsigned i = 0; i < n_extra; i++)
		fds[n++] = (struct pollfd){ .fd = extra[i].fd, .events = POLLIN };
	n += chan_pollfds(fs->chan, fds + n);
	ready = poll(fds, n, earlier(chan_timeout(fs->chan), wait_ms));
	loop_look_for_suspension(fs);
	/* It fails at once without memory, and when the limit for descriptors was lowered to fewer than these.  The loop
	 * looks at the kernel and the store all the same, but should leave the processor to others. */
	if (ready < 0 && errno != EINTR) {
		poll(NULL, 0, FAILED_POLL_MS);
		ready = poll(fds + 1, n_extra, 0);
	}
	if (ready <= 0)
		return;
	for (unsigned i = 0; i < n_extra; i++)
		if (fds[1 + i].revents)
			extra[i].ready(extra[i].arg);
}

/*
 * Receives what the store has sent.  Returns the number of messages.  `taken` is the number of requests that were just
 * taken from /dev/fuse; *asks tells whether the kernel will send one soon, for a poll that is to be notified.
 *
 * An event wakes up pollers, the notifier and the teller.  A poller needs two hops more than those threads: once the kernel
 * was notified it sends us a POLL, and only the reply lets the poller go on.  So the threads have to wait until
 * that request has been taken, or until loop_run() has looked for it in vain and is about to sleep.
 */
REQUIRES(fs_lock_held) static int service_channel(struct fs *fs, int taken, bool *asks)
{
	int received;

	fs_hold_signals(fs);
	received = chan_service(fs->chan);
	*asks = !STAILQ_EMPTY(&fs->wakeups);
	if (taken > 0 || (received > 0 && !*asks))
		fs_send_signals(fs);
	return received;
}

bool loop_may_sleep(struct fs *fs, int *wait_ms)
{
	if (!chan_may_sleep(fs->chan))
		return false;
	/* Another thread may have put something on a list before it saw us asleep. */
	fs_lock(fs);
	*wait_ms = run_timers(fs);
	fs_send_signals(fs);
	fs_unlock(fs);
	/* What was due has had the channel serviced, and then nobody would wake us. */
	return chan_is_asleep(fs->chan);
}

/*
 * Spinning pays while a reply is outstanding, and for a moment after it, when its receiver may send
 * its next request; `active` means that there was traffic since the last sleep.
 */
int loop_run(struct fs *fs, const struct fs_extra_fd *extra, unsigned n_extra)
{
	struct fuse_buf buf = { 0 };
	struct spin spin;
	bool active = false, asks;
	int taken = 0, received, wait_ms;

	spin_init(&spin);
	loop_begin(fs);
	while (!ended(fs)) {
		taken = take_requests(fs, &buf);
		if (taken < 0)
			break;
		fs_lock(fs);
		run_timers(fs);
		received = service_channel(fs, taken, &asks);
		fs_unlock(fs);
		if (taken > 0 || received > 0) {
			spin_hit(&spin);
			if (asks)
				spin_expect(&spin);
			active = true;
			continue;
		}
		if (active && spin_again(&spin))
			continue;
		if (!loop_may_sleep(fs, &wait_ms))
			continue;
		sleep_and_wake(fs, extra, n_extra, wait_ms);
		spin_restart(&spin);
		active = false;
	}
	fs_lock(fs);
	fs_send_signals(fs);
	fs_unlock(fs);
	free(buf.mem);
	if (atomic_load(&fs->broken))
		return atomic_load(&fs->broken);
	return taken < 0 && taken != -ENODEV ? taken : 0;
}

void loop_end_waiting(struct fs *fs)
{
	streams_shutdown(fs);
	untold_shutdown(fs);
	raws_shutdown(fs);
	transactions_shutdown(fs);
}

void loop_answer(struct fs *fs)
{
	struct pollfd fd = { .fd = fuse_session_fd(fs->se), .events = POLLIN };
	struct fuse_buf buf = { 0 };

	/* The channel is shut down: whatever needs the store fails at once. */
	if (poll(&fd, 1, 1) > 0)
		take_requests(fs, &buf);
	fs_lock(fs);
	loop_end_waiting(fs);
	fs_unlock(fs);
	free(buf.mem);
}

void *loop_reader(void *arg)
{
	struct fs *fs = arg;
	struct pollfd fds[2] = {
		{ .fd = fuse_session_fd(fs->se), .events = POLLIN },
		{ .fd = fs->wake_readers, .events = POLLIN },
	};
	struct fuse_buf buf = { 0 };

	while (!ended(fs)) {
		if (take_requests(fs, &buf) < 0)
			break;
		if (poll(fds, 2, -1) > 0 && fds[1].revents)
			break;
	}
	/* The session ended, which the I/O thread has to see as well. */
	chan_wake(fs->chan);
	free(buf.mem);
	return NULL;
}
