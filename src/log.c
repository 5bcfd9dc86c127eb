/* SPDX-License-Identifier: MIT */
/*
 * Formats log lines and writes each in one piece.
 * For every layer, through struct logger; any thread.
 */
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <fuse_log.h>

#include "src/journal.h"
#include "src/log.h"
#include "src/log_text.h"
#include "src/system_log.h"

/* A longer line is cut. */
#define LINE_MAX_BYTES 2048

static struct {
	struct logger logger;
	bool foreground;
	bool journal;           /* lines go to the journal if it takes them */
	const char *mount;      /* "": unknown so far */
	char mount_text[LINE_MAX_BYTES]; /* `mount`, escaped, as lines start: "/xen: " */
	atomic_bool started;
	pthread_mutex_t lock; /* guards `cause` */
	char cause[LINE_MAX_BYTES];
	pthread_mutex_t out_lock; /* guards `lost`, and lets one thread write at a time */
	unsigned long lost;       /* lines for which the log had no room */
} self = { .mount = "", .lock = PTHREAD_MUTEX_INITIALIZER, .out_lock = PTHREAD_MUTEX_INITIALIZER };

static const int priorities[] = {
	[LOGGER_ERROR] = LOG_ERR,
	[LOGGER_WARNING] = LOG_WARNING,
	[LOGGER_INFO] = LOG_INFO,
	[LOGGER_DEBUG] = LOG_DEBUG,
};

/*
 * Writes a line in one piece, as several processes may write there.  Returns false, without having written, if
 * that would wait: nobody may be reading, and whoever logs may hold the filesystem's lock.  A pipe that is
 * writable has room for PIPE_BUF bytes.  The descriptor itself is not ours alone, so it stays as it is.
 */
static bool write_at_once(const char *line, size_t len)
{
	struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };
	ssize_t n;

	if (poll(&fd, 1, 0) == 0)
		return false;
	/* There is nobody to tell if it fails. */
	n = write(STDERR_FILENO, line, len);
	(void)n;
	return true;
}

static bool write_stderr(const char *text)
{
	char line[PIPE_BUF];
	size_t len = 0;
	int n;

	if (self.logger.debug) {
		struct timespec now;
		struct tm tm;

		clock_gettime(CLOCK_REALTIME, &now);
		localtime_r(&now.tv_sec, &tm);
		len = strftime(line, sizeof(line), "%H:%M:%S", &tm);
		len += snprintf(line + len, sizeof(line) - len, ".%06ld ", now.tv_nsec / 1000);
	}
	n = snprintf(line + len, sizeof(line) - len, "xsfs: %s\n", text);
	len += n;
	if (len >= sizeof(line)) {
		len = sizeof(line) - 1;
		line[len - 1] = '\n';
	}
	return write_at_once(line, len);
}

/* Passes a line to the log in use.  Returns false, without having waited, if that had no room for it. */
static bool pass(enum log_level level, const char *line)
{
	if (self.journal && journal_send(priorities[level], self.mount, line))
		return true;
	return self.foreground ? write_stderr(line) : system_log_send(priorities[level], line);
}

/* Passes a line, and before it how many were lost. */
static void pass_or_lose(enum log_level level, const char *line)
{
	char note[LINE_MAX_BYTES + 80];

	pthread_mutex_lock(&self.out_lock);
	if (self.lost) {
		snprintf(note, sizeof(note), "%s%lu lines were lost here, as the log did not take them", self.mount_text, self.lost);
		if (pass(LOGGER_WARNING, note))
			self.lost = 0;
	}
	if (self.lost || !pass(level, line))
		self.lost++;
	pthread_mutex_unlock(&self.out_lock);
}

/* Passes a line, with its mount, to the log in use. */
static void deliver(enum log_level level, const char *text)
{
	char line[2 * LINE_MAX_BYTES];
	size_t len = strlen(self.mount_text);

	/* Lines about the mount point itself start with it already. */
	if (!strncmp(text, self.mount_text, len))
		len = 0;
	snprintf(line, sizeof(line), "%.*s%s", (int)len, self.mount_text, text);
	pass_or_lose(level, line);
}

static void write_line(enum log_level level, const char *raw)
{
	char text[LINE_MAX_BYTES];

	log_text_escape(text, sizeof(text), raw);
	if (level == LOGGER_ERROR && !atomic_load(&self.started)) {
		pthread_mutex_lock(&self.lock);
		if (!self.cause[0])
			snprintf(self.cause, sizeof(self.cause), "%s", text);
		pthread_mutex_unlock(&self.lock);
		return;
	}
	deliver(level, text);
}

static void log_vlog(struct logger *log, enum log_level level, const char *fmt, va_list ap)
{
	char text[LINE_MAX_BYTES];

	if (level == LOGGER_DEBUG && !log->debug)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	write_line(level, text);
}

/* libfuse's lines end in a newline, and its callback has no argument. */
static void log_fuse(enum fuse_log_level level, const char *fmt, va_list ap)
{
	enum log_level ours = LOGGER_DEBUG;
	char text[LINE_MAX_BYTES];
	size_t len;

	if (level <= FUSE_LOG_ERR)
		ours = LOGGER_ERROR;
	else if (level == FUSE_LOG_WARNING)
		ours = LOGGER_WARNING;
	else if (level <= FUSE_LOG_INFO)
		ours = LOGGER_INFO;
	if (ours == LOGGER_DEBUG && !self.logger.debug)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	len = strlen(text);
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	if (len > 0)
		write_line(ours, text);
}

struct logger *log_init(bool foreground, bool debug)
{
	self.logger.vlog = log_vlog;
	self.logger.debug = debug;
	self.foreground = foreground;
	self.journal = (!foreground || journal_has_stderr()) && journal_open();
	if (!foreground)
		system_log_open();
	fuse_set_log_func(log_fuse);
	return &self.logger;
}

void log_close(void)
{
	self.journal = false;
	journal_close();
	system_log_close();
}

void log_set_mount(const char *path)
{
	self.mount = path;
	log_text_escape(self.mount_text, sizeof(self.mount_text) - strlen(": "), path);
	strcat(self.mount_text, ": ");
}

void log_started(void)
{
	atomic_store(&self.started, true);
}

const char *log_cause(void)
{
	return self.cause;
}
