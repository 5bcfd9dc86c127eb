/* SPDX-License-Identifier: MIT */
/* See top.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "src/top/top.h"

int64_t top_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void raise_eventfd(int fd)
{
	const uint64_t one = 1;

	/* It fails only where it is raised already. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

void top_notify(struct top *top)
{
	raise_eventfd(top->news);
}

void top_order_locked(struct top *top, struct edit *e)
{
	edit_release(&top->edit);
	top->edit = *e;
	top->edit_state = TOP_EDIT_WANTED;
	*e = (struct edit){ 0 };
	raise_eventfd(top->order);
}

/* Signals are the main thread's, which waits for them together with the keyboard. */
static int start_threads(struct top *top)
{
	sigset_t all, before;
	pthread_attr_t detached;
	pthread_t thread;
	int err;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	err = pthread_create(&thread, &detached, reader_run, top);
	if (!err)
		err = pthread_create(&thread, &detached, sampler_run, top);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&detached);
	return -err;
}

int top_start(struct top *top, struct tool *tool, int64_t interval_ms)
{
	int err;

	*top = (struct top){ .tool = tool, .interval_ms = interval_ms };
	pthread_mutex_init(&top->lock, NULL);
	top->mountpoint = tool->mountpoint;
	top->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	top->order = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = top->news < 0 || top->order < 0 ? -errno : mirror_init(&top->mirror);
	if (!err)
		err = start_threads(top);
	return err ? tool_fail(tool, err, tool->name) : 0;
}
