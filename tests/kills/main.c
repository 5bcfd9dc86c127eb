/* SPDX-License-Identifier: MIT */
/*
 * killer MOUNT MOUNT SOCKET NODE BELOW
 *
 * Workers (work.c) are started and killed with SIGKILL, over and over; NODE is where they work, and
 * BELOW the same in the two mounts.  Reads commands, and answers each with a line:
 *
 *	go                    the workers run from now on
 *	hold                  kills all of them, and waits for their end
 *	dying WHAT, back WHAT the store, mount0 or mount1 is about to be killed; it is there again
 *	check                 compares the journal with the store, and the mounts with it; all are held
 *	check store           without the mounts
 *	quit
 *
 * Each answer ends with counts.  It ends when a process that was killed does not.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/kills/kills.h"

#define NSEC_PER_MSEC INT64_C(1000000)

/* How long a worker lives, at most. */
#define LIFE_MAX_NS (60 * NSEC_PER_MSEC)

/* How often the master looks whether somebody has to die. */
#define TURN_MS 1

struct config config;
struct shared *shared;

static unsigned seed;
static int64_t patience_ns = 120000 * NSEC_PER_MSEC;
static bool running;

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * NSEC_PER_MSEC + ts.tv_nsec;
}

void wrong(const char *format, ...)
{
	unsigned i = shared->wrong++;
	va_list args;

	if (i >= REPORTS_MAX)
		return;
	va_start(args, format);
	vsnprintf(shared->reports[i], sizeof(shared->reports[i]), format, args);
	va_end(args);
	fprintf(stderr, "killer: store %llu, mounts %llu %llu: %s\n", (unsigned long long)shared->store,
		(unsigned long long)shared->mounts[0], (unsigned long long)shared->mounts[1], shared->reports[i]);
}

/* ---- life and death of the workers ---- */

static void worker_start(unsigned id)
{
	struct worker *worker = &shared->workers[id];
	pid_t parent = getpid(), pid;

	worker->due_ns = now_ns() + rand_r(&seed) % LIFE_MAX_NS;
	worker->dying = false;
	/* Not into the worker at once, which the child shares. */
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		work(id);
	}
	worker->pid = pid > 0 ? pid : 0;
}

static void worker_kill(struct worker *worker)
{
	kill(worker->pid, SIGKILL);
	worker->dying = true;
	worker->due_ns = now_ns() + patience_ns;
	shared->killed++;
}

/* Returns whether a process that was killed has not ended in all that time. */
static bool turn_worker(unsigned id)
{
	struct worker *worker = &shared->workers[id];

	if (worker->pid && waitpid(worker->pid, NULL, WNOHANG) == worker->pid) {
		if (!worker->dying)
			wrong("w%u: ended by itself", id);
		worker->pid = 0;
	}
	if (!worker->pid && running)
		worker_start(id);
	if (worker->pid && now_ns() > worker->due_ns) {
		if (worker->dying) {
			wrong("w%u (kind %u): process %d is stuck", id, worker->kind, (int)worker->pid);
			return true;
		}
		worker_kill(worker);
	}
	return false;
}

static bool any_left(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		if (shared->workers[i].pid)
			return true;
	return false;
}

/* Returns the number of those that do not die. */
static unsigned hold(void)
{
	unsigned stuck = 0;

	running = false;
	for (unsigned i = 0; i < WORKERS; i++)
		if (shared->workers[i].pid && !shared->workers[i].dying)
			worker_kill(&shared->workers[i]);
	while (any_left() && !stuck) {
		for (unsigned i = 0; i < WORKERS; i++)
			stuck += turn_worker(i);
		usleep(1000);
	}
	return stuck;
}

/* ---- commands ---- */

static age *age_of(const char *what)
{
	if (!strcmp(what, "store"))
		return &shared->store;
	return &shared->mounts[!strcmp(what, "mount1")];
}

static void dying(const char *what)
{
	for (unsigned i = 0; i < WORKERS && !strcmp(what, "store"); i++)
		shared->workers[i].tried_at_death = shared->workers[i].tried;
	++*age_of(what);
}

static void back(const char *what)
{
	for (unsigned i = 0; i < WORKERS && !strcmp(what, "store"); i++)
		shared->workers[i].first = shared->workers[i].tried_at_death;
	++*age_of(what);
}

/* Waits until a mount shows what the store has: events may be on their way, and so may what the kernel closes for a
 * process that was killed, so the store is looked at again each time.  Sets *seen to what it has.  Returns 0, or an errno
 * of the store. */
static int check_mount(int fd, unsigned id, unsigned mount, struct seen *seen)
{
	int64_t until = now_ns() + patience_ns;
	struct seen there = { 0 };
	int err, mount_err;

	do {
		err = look_in_store(fd, id, seen);
		mount_err = look_through_mount(id, mount, &there);
		if (err || (!mount_err && there.exists == seen->exists && there.number == seen->number))
			return err;
		usleep(1000);
	} while (now_ns() < until);
	wrong("w%u (kind %u): mount%u shows %d/%d/%llu (%s), the store has %d/%d/%llu", id, shared->workers[id].kind, mount,
	      there.exists, there.empty, (unsigned long long)there.number, strerror(mount_err), seen->exists, seen->empty,
	      (unsigned long long)seen->number);
	return ETIMEDOUT;
}

/* Returns how many workers' keys were compared. */
static unsigned check(bool mounts)
{
	int fd = store_connect(config.socket), err = fd < 0 ? errno : 0;
	unsigned checked = 0;
	struct seen seen;

	for (unsigned i = 0; i < WORKERS && !err; i++) {
		const struct worker *worker = &shared->workers[i];

		err = look_in_store(fd, i, &seen);
		for (unsigned mount = 0; mount < MOUNTS && mounts && !err; mount++)
			err = check_mount(fd, i, mount, &seen);
		if (err)
			break;
		if (!is_possible(worker, &seen, shared->store))
			wrong("w%u (kind %u): the store has %d/%d/%llu; acknowledged %llu, tried %llu", i, worker->kind,
			      seen.exists, seen.empty, (unsigned long long)seen.number,
			      (unsigned long long)worker->acked, (unsigned long long)worker->tried);
		checked++;
	}
	if (err)
		wrong("check: %s", strerror(err));
	close(fd);
	return checked;
}

static void answer(const char *word)
{
	unsigned long long operations = 0;

	for (unsigned i = 0; i < KINDS; i++)
		operations += shared->operations[i];
	printf("%s killed %llu operations %llu failed %llu wrong %llu\n", word, (unsigned long long)shared->killed,
	       operations, (unsigned long long)shared->failed, (unsigned long long)shared->wrong);
	fflush(stdout);
}

/* Returns whether there are more to come. */
static bool obey(char *command)
{
	char *what = strchr(command, ' ');
	unsigned count;
	char word[64];

	if (what)
		*what++ = '\0';
	if (!strcmp(command, "go")) {
		running = true;
		answer("going");
	} else if (!strcmp(command, "hold")) {
		answer(hold() ? "stuck" : "held");
	} else if (!strcmp(command, "dying") && what) {
		dying(what);
		answer("dying");
	} else if (!strcmp(command, "back") && what) {
		back(what);
		answer("back");
	} else if (!strcmp(command, "check")) {
		count = check(!what);
		snprintf(word, sizeof(word), "checked %u", count);
		answer(word);
	} else if (!strcmp(command, "quit")) {
		hold();
		answer("quit");
		return false;
	} else {
		answer("what");
	}
	return true;
}

/* ---- all ---- */

static void run(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char line[128];
	bool more = true;

	while (more) {
		for (unsigned i = 0; i < WORKERS; i++)
			if (turn_worker(i))
				return;
		/* One line is there, or none: whoever writes waits for each answer. */
		if (poll(&in, 1, TURN_MS) <= 0)
			continue;
		if (!fgets(line, sizeof(line), stdin))
			break;
		line[strcspn(line, "\n")] = '\0';
		more = obey(line);
	}
	hold();
}

int main(int argc, char **argv)
{
	const char *patience = getenv("XSFS_TEST_PATIENCE");

	if (argc != 6) {
		fputs("usage: killer MOUNT MOUNT SOCKET NODE BELOW\n", stderr);
		return 2;
	}
	config = (struct config){ { argv[1], argv[2] }, argv[3], argv[4], argv[5] };
	if (patience)
		patience_ns = atoll(patience) * 1000 * NSEC_PER_MSEC;
	seed = getpid();
	signal(SIGPIPE, SIG_IGN);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	for (unsigned i = 0; i < WORKERS; i++) {
		shared->workers[i].kind = i / MOUNTS % KINDS;
		shared->workers[i].mount = i % MOUNTS;
	}
	run();
	for (unsigned i = 0; i < KINDS; i++)
		printf("kind %u: %llu\n", i, (unsigned long long)shared->operations[i]);
	return shared->wrong != 0;
}
