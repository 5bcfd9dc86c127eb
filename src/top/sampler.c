/* SPDX-License-Identifier: MIT */
/*
 * The thread that reads what the mount says about itself: its statistics, who waits, and its histograms
 * where it has them.  The mount answers these without asking the store.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/top/top.h"

#define TEXT_MAX (1 << 20)

/* Reads a file of `.xsfs`.  Returns its text for the caller to free, or NULL. */
static char *read_file(const char *dir, const char *name)
{
	char file[PATH_MAX + 32], *text = malloc(TEXT_MAX + 1);
	ssize_t n = -1;
	size_t len = 0;
	int fd;

	snprintf(file, sizeof(file), "%s/.xsfs/%s", dir, name);
	fd = text ? TEMP_FAILURE_RETRY(open(file, O_RDONLY | O_CLOEXEC)) : -1;
	if (fd >= 0) {
		while (len < TEXT_MAX &&
		       (n = TEMP_FAILURE_RETRY(read(fd, text + len, TEXT_MAX - len))) > 0)
			len += n;
		close(fd);
	}
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

static void sample(struct top *top)
{
	const char *dir = top->tool->mountpoint.dir;
	char *stats = read_file(dir, "stats"), *requests = read_file(dir, "requests");
	char *metrics = read_file(dir, "metrics");

	pthread_mutex_lock(&top->lock);
	if (stats) {
		meter_take(&top->meter, stats, top_now());
		top->sampled = top->meter.time;
	}
	top->latencies.n = 0;
	if (metrics)
		meter_latencies(&top->latencies, metrics);
	free(top->requests);
	top->requests = requests;
	pthread_mutex_unlock(&top->lock);
	free(stats);
	free(metrics);
	top_notify(top);
}

void *sampler_run(void *arg)
{
	struct top *top = arg;
	const struct timespec pause = { .tv_sec = top->interval_ms / 1000,
					.tv_nsec = top->interval_ms % 1000 * 1000000 };

	for (;;) {
		sample(top);
		nanosleep(&pause, NULL);
	}
	return NULL;
}
