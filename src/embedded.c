/* SPDX-License-Identifier: MIT */
/*
 * The private store: its directory, its server, the ring to it, and the end of all three.
 * For store_source.c and main.c, main thread, with one thread of its own, which reads the server's
 * output and then waits for its end.
 *
 * The world is made by the xsloop command, which also knows how to start a server in it.  The order
 * is that of a domain 0 whose user space owns its ring: bind a port, write its number where the
 * server looks, start the server, which takes page and port up.
 *
 * If we are killed, the kernel kills the server (PR_SET_PDEATHSIG).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ring/transport.h"
#include "src/embedded.h"
#include "src/loopback.h"
#include "src/oneshot.h"
#include "src/private_dir.h"
#include "src/signals.h"

#define DEMO "xsfs-demo"
#define SAMPLE "sample.json"

/* How long the server may take to start, which takes long under valgrind. */
#define START_PATIENCE_MS 30000
#define START_STEP_MS 5

/* The parts of the user's environment that the server and the xsloop command get: where to
 * find libraries and a server elsewhere, and how a sanitizer reports.  Anything else could
 * make them fail, or use what does not belong to them, as XENSTORED_PATH could make them use
 * another store's socket. */
static const char *const passed_on[] = {
	"LD_LIBRARY_PATH", "XSLOOP_SERVER", "XSLOOP_PRELOAD_FIRST",
	"ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS",
	"XSFS_DEMO_STEP_MS",
};

/* Those above, three of our own, and the NULL. */
#define ENVIRONMENT_MAX (sizeof(passed_on) / sizeof(passed_on[0]) + 4)

/* The last output of the server, for the line that reports why it ended. */
#define WORDS_SIZE 256

struct embedded {
	struct logger *log;
	char *environment[ENVIRONMENT_MAX]; /* for the children */
	char dir[PATH_MAX];
	int dir_fd; /* holds the lock; -1: no directory */
	pid_t server; /* not reaped before embedded_stop(), so its number stays ours; 0: none */
	int output;   /* output of the server; used by the thread */
	int ended_fd; /* eventfd, incremented by the thread when the server has ended */
	pid_t demo;   /* keeps the sample domains changing; 0: none */
	int demo_output;
	bool has_thread;
	pthread_t thread;
	pthread_mutex_t lock; /* guards `words` */
	char words[WORDS_SIZE];
};

/* ---- processes ------------------------------------------------------------------------------ */

/* Adds a variable at the first free place, unless it has no value.  Returns 0 or -ENOMEM. */
static int environment_add(char **environment, const char *name, const char *value)
{
	if (!value)
		return 0;
	while (*environment)
		environment++;
	if (asprintf(environment, "%s=%s", name, value) < 0) {
		*environment = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int environment_make(char **environment)
{
	char lib[PATH_MAX];
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		err = environment_add(environment, passed_on[i], getenv(passed_on[i]));
	if (!err && loopback_library(lib, sizeof(lib)) == 0)
		err = environment_add(environment, "XSLOOP_LIB", lib);
	if (!err)
		err = environment_add(environment, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
	return err ? err : environment_add(environment, "LC_ALL", "C");
}

static void environment_free(char **environment)
{
	while (*environment)
		free(*environment++);
}

/*
 * Runs the xsloop command `argv` with its output going to *output.  Returns its
 * process id, or -errno.
 * It has a session of its own: the terminal's Ctrl-C is for us, and we end it in order.
 */
static pid_t command_spawn(struct embedded *e, char **argv, int *output)
{
	const pid_t parent = getpid();
	int fds[2], null, err;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (pid == 0) {
		signals_reset();
		setsid();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		/* If we died in between, the signal will not come. */
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
		null = open("/dev/null", O_RDONLY);
		if (null > STDIN_FILENO)
			dup2(null, STDIN_FILENO);
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		execve(argv[0], argv, e->environment);
		dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
		_exit(EXIT_FAILURE);
	}
	close(fds[1]);
	*output = fds[0];
	return pid;
}

static void words_keep(struct embedded *e, const char *line)
{
	log_debug(e->log, "server: %s", line);
	pthread_mutex_lock(&e->lock);
	snprintf(e->words, sizeof(e->words), "%s", line);
	pthread_mutex_unlock(&e->lock);
}

/* Reads lines from a server until no process can write any more. */
static void output_read(struct embedded *e, int fd)
{
	FILE *file = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;

	if (!file) {
		close(fd);
		return;
	}
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (*line)
			words_keep(e, line);
	}
	free(line);
	fclose(file);
}

static void *server_follow(void *arg)
{
	struct embedded *e = arg;
	const uint64_t one = 1;
	siginfo_t info;
	ssize_t n;

	signals_block_all();
	output_read(e, e->output);
	/* Looks without reaping: the process id must stay taken until
	 * embedded_stop() has used it. */
	while (waitid(P_PID, e->server, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	n = write(e->ended_fd, &one, sizeof(one));
	(void)n;
	return NULL;
}

/* Runs a command and waits for its end.  Returns 0 or -errno; its message is in `words`. */
static int command_run(struct embedded *e, char **argv)
{
	int status, output;
	pid_t pid;

	pid = command_spawn(e, argv, &output);
	if (pid < 0)
		return pid;
	output_read(e, output);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int world_init(struct embedded *e, char *command)
{
	char init[] = "init";
	char *make[] = { command, init, e->dir, NULL };

	return command_run(e, make);
}

/* Finds a file next to this program, as in the build tree, or where it is installed. */
static void own_file_find(char *path, size_t size, const char *name, const char *installed)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n < 0 ? 0 : n] = '\0';
	self[strrchr(self, '/') ? strrchr(self, '/') - self : 0] = '\0';
	snprintf(path, size, "%s/%s", self, name);
	if (!self[0] || access(path, R_OK) < 0)
		snprintf(path, size, "%s", installed);
}

/*
 * Fills the store, by a program that reads the document named by XSFS_SAMPLE or the installed one.
 * With `demo`, another program changes it for as long as we live.  Returns 0 or -errno; a
 * message is in `words`.
 */
static int sample_start(struct embedded *e, bool demo)
{
	char command[PATH_MAX], program[2 * PATH_MAX], file[2 * PATH_MAX];
	char write[] = "write", live[] = "live";
	char *fill[] = { program, write, e->dir, command, file, NULL };
	char *change[] = { program, live, e->dir, command, NULL };
	const char *told = getenv("XSFS_SAMPLE");
	int err = loopback_command(command, sizeof(command));

	own_file_find(program, sizeof(program), DEMO, PKGLIBEXECDIR "/" DEMO);
	own_file_find(file, sizeof(file), SAMPLE, PKGDATADIR "/" SAMPLE);
	if (told && *told)
		snprintf(file, sizeof(file), "%s", told);
	if (!err)
		err = command_run(e, fill);
	if (err || !demo)
		return err;
	e->demo = command_spawn(e, change, &e->demo_output);
	return e->demo < 0 ? e->demo : 0;
}

/* Ends the demo, and logs its output. */
static void demo_stop(struct embedded *e)
{
	if (e->demo <= 0)
		return;
	kill(e->demo, SIGKILL);
	while (waitpid(e->demo, NULL, 0) < 0 && errno == EINTR)
		;
	output_read(e, e->demo_output);
}

static int server_start(struct embedded *e, char *command, bool oxenstored)
{
	char verb[] = "server", c[] = "c", o[] = "o", option[] = "-T", trace[] = "/dev/stderr";
	char *argv[] = { command, verb, e->dir, oxenstored ? o : c, NULL, NULL, NULL };
	pid_t pid;
	int err;

	/* Traces every request as the server sees it.  Not with oxenstored, which renames a log
	 * that has grown. */
	if (e->log->debug && !oxenstored) {
		argv[4] = option;
		argv[5] = trace;
	}
	pid = command_spawn(e, argv, &e->output);
	if (pid < 0)
		return pid;
	e->server = pid;
	err = pthread_create(&e->thread, NULL, server_follow, e);
	if (err) {
		close(e->output);
		return -err;
	}
	e->has_thread = true;
	return 0;
}

/* ---- start and stop ------------------------------------------------------------------------- */

static bool has_ended(const struct embedded *e, int timeout_ms)
{
	struct pollfd pfd = { .fd = e->ended_fd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) > 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Waits until the server answers, by which time it has taken the ring up. */
static int server_wait(struct embedded *e)
{
	const int64_t deadline = now_ms() + START_PATIENCE_MS;
	char path[PATH_MAX + 8];
	int err;

	snprintf(path, sizeof(path), "%s/socket", e->dir);
	do {
		err = oneshot_call(path, XS_GET_DOMAIN_PATH, "0", 2, START_PATIENCE_MS, e->log);
		if (!err)
			return 0;
		/* There is no socket yet, or nobody listens on it yet; other errors are final. */
		if (err != -ENOENT && err != -ECONNREFUSED)
			return err;
		if (has_ended(e, START_STEP_MS))
			return -ECHILD;
	} while (now_ms() < deadline);
	return -ETIMEDOUT;
}

/* Writes down for the server, which has not started yet, the port that domain 0 waits on. */
static int port_write(const struct embedded *e, uint32_t port)
{
	char path[PATH_MAX + 16];
	FILE *file;

	snprintf(path, sizeof(path), "%s/xsd_port", e->dir);
	file = fopen(path, "we");
	if (!file)
		return -errno;
	fprintf(file, "%u", (unsigned)port);
	return fclose(file) == 0 ? 0 : -errno;
}

/* Sets up directory, world, ring and server, in this order.  Returns 0 or -errno; *t then
 * belongs to the caller. */
static int world_start(struct embedded *e, bool oxenstored, struct transport **t)
{
	struct ring_params params = { .events = RING_EVENTS_UNBOUND, .privileged = true };
	char command[PATH_MAX];
	int err;

	err = loopback_command(command, sizeof(command));
	if (err) {
		words_keep(e, "the xsloop command is missing (" LOOPBACK_PACKAGE ")");
		return err;
	}
	e->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->ended_fd < 0)
		return -errno;
	e->dir_fd = private_dir_make(e->dir, e->log);
	err = e->dir_fd < 0 ? e->dir_fd : world_init(e, command);
	if (!err && (setenv("XSLOOP_DIR", e->dir, 1) || setenv("XSLOOP_DOMID", "0", 1)))
		err = -errno;
	if (!err)
		err = transport_ring_new(t, &params, e->log);
	if (err)
		return err;
	err = port_write(e, transport_ring_port(*t));
	if (!err)
		err = server_start(e, command, oxenstored);
	if (!err)
		err = server_wait(e);
	if (err)
		(*t)->ops->free(*t);
	return err;
}

static void reason_write(struct embedded *e, int err, char *why, size_t size)
{
	pthread_mutex_lock(&e->lock);
	snprintf(why, size, "embedded: the store does not start: %s",
		 e->words[0] && !e->log->debug ? e->words : strerror(-err));
	pthread_mutex_unlock(&e->lock);
}

int embedded_start(struct embedded **out, struct chan **chan, bool oxenstored, bool demo,
		   unsigned timeout_ms, unsigned in_flight_max, struct logger *log,
		   char *why, size_t size)
{
	struct chan_config config = {
		.log = log,
		.timeout_ms = timeout_ms,
		.in_flight_max = in_flight_max,
	};
	struct embedded *e = calloc(1, sizeof(*e));
	int err;

	if (!e) {
		snprintf(why, size, "embedded: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	e->log = log;
	e->dir_fd = e->ended_fd = -1;
	pthread_mutex_init(&e->lock, NULL);
	/* fusermount3 must run without the library, and the library in this process must not know
	 * of any world but ours. */
	unsetenv("LD_PRELOAD");
	unsetenv("XENSTORED_RUNDIR");
	unsetenv("XSLOOP_WITHOUT");
	err = environment_make(e->environment);
	if (!err)
		err = world_start(e, oxenstored, &config.transport);
	if (!err)
		err = chan_new(chan, &config);
	if (err) {
		reason_write(e, err, why, size);
		goto fail;
	}
	err = sample_start(e, demo);
	if (err) {
		snprintf(why, size, "embedded: the sample domains cannot be written: %s",
			 e->words[0] ? e->words : strerror(-err));
		chan_free(*chan);
		goto fail;
	}
	*out = e;
	return 0;
fail:
	*chan = NULL;
	embedded_stop(e);
	return err;
}

const char *embedded_dir(const struct embedded *e)
{
	return e->dir;
}

int embedded_fd(const struct embedded *e)
{
	return e->ended_fd;
}

void embedded_ended(struct embedded *e, struct chan *chan)
{
	siginfo_t info = { 0 };
	uint64_t count;

	if (read(e->ended_fd, &count, sizeof(count)) < 0)
		return;
	chan_set_dead(chan);
	waitid(P_PID, e->server, &info, WEXITED | WNOWAIT | WNOHANG);
	pthread_mutex_lock(&e->lock);
	log_error(e->log, "embedded: the server ended by itself (%s %d); its last words: %s",
		  info.si_code == CLD_EXITED ? "status" : "signal", info.si_status,
		  e->words[0] ? e->words : "none");
	pthread_mutex_unlock(&e->lock);
}

void embedded_stop(struct embedded *e)
{
	if (!e)
		return;
	demo_stop(e);
	/* Its store ends with it, so it has nothing to save. */
	if (e->server > 0)
		kill(e->server, SIGKILL);
	if (e->has_thread)
		pthread_join(e->thread, NULL);
	while (e->server > 0 && waitpid(e->server, NULL, 0) < 0 && errno == EINTR)
		;
	if (e->dir_fd >= 0) {
		private_dir_remove(e->dir);
		close(e->dir_fd);
	}
	if (e->ended_fd >= 0)
		close(e->ended_fd);
	environment_free(e->environment);
	pthread_mutex_destroy(&e->lock);
	free(e);
}
