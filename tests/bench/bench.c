/* SPDX-License-Identifier: MIT */
/* What bench.h says. */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/bench.h"

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

void die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void rates_add(struct rates *rates, double rate)
{
	if (rates->count < ROUNDS_MAX)
		rates->of[rates->count++] = rate;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double rates_median(const struct rates *rates)
{
	struct rates sorted = *rates;

	if (!sorted.count)
		return 0;
	qsort(sorted.of, sorted.count, sizeof(sorted.of[0]), compare);
	return (sorted.of[(sorted.count - 1) / 2] + sorted.of[sorted.count / 2]) / 2;
}

void report(const char *what, const char *operation, size_t bytes, const char *way,
	    const struct rates *rates, const struct rates *base)
{
	for (unsigned i = 0; i < rates->count; i++)
		printf("%s %s %zu %s %.0f %.0f\n", what, operation, bytes, way, rates->of[i],
		       base->of[i]);
	fflush(stdout);
}

uint64_t cpu_ns(pid_t pid)
{
	unsigned long long used, total = 0;
	const struct dirent *entry;
	char path[64 + sizeof(entry->d_name)];
	FILE *file;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid,
			 entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%llu", &used) == 1)
			total += used;
		fclose(file);
	}
	closedir(dir);
	return total;
}

void value_fill(char *value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		value[i] = 'a' + i % 26;
}

double lib_rate(struct xs_handle *xs, bool write, const char *path, const char *value, size_t size,
		uint64_t ns)
{
	uint64_t start = now_ns(), now = start;
	unsigned len;
	long count;
	char *got;

	for (count = 0; now - start < ns; count++) {
		if (write) {
			if (!xs_write(xs, XBT_NULL, path, value, size))
				die("libxenstore: write %s: %s", path, strerror(errno));
		} else {
			got = xs_read(xs, XBT_NULL, path, &len);
			if (!got || len != size)
				die("libxenstore: read %s: %s", path, strerror(errno));
			free(got);
		}
		now = now_ns();
	}
	return count * 1e9 / (now - start);
}
