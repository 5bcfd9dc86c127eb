/* SPDX-License-Identifier: MIT */
/* See disaster.h. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/history/disaster.h"

static const char *const names[DISASTERS] = {
	[DISASTER_NONE] = "none", [DISASTER_UPDATE] = "update", [DISASTER_ANEW] = "anew",
	[DISASTER_MOUNT] = "mount",
};

const char *disaster_name(unsigned disaster)
{
	return names[disaster];
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

void strike_init(struct strike *s)
{
	*s = (struct strike){ .from = FOREVER, .to = FOREVER };
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
}

void strike_plan(struct strike *s, enum disaster kind, enum blow blow, int mount, unsigned clients, unsigned after)
{
	pthread_mutex_lock(&s->lock);
	s->kind = kind;
	s->blow = blow;
	s->mount = mount;
	s->after = after;
	s->running = clients;
	s->begun = s->inside = 0;
	s->from = s->to = FOREVER;
	pthread_mutex_unlock(&s->lock);
}

/* Whether clients of that view wait until it is over: those of a dead mount, and all while the directory is missing that everything is in. */
static bool is_down(const struct strike *s, unsigned view)
{
	switch (s->down ? s->kind : DISASTER_NONE) {
	case DISASTER_ANEW:
		return true;
	case DISASTER_MOUNT:
		return view_mount(view) == s->mount;
	default:
		return false;
	}
}

/* Asks whoever runs this program, see main.c; the answer's first word has to be that one.  Returns the rest. */
static const char *ask(const struct strike *s, const char *question, const char *right)
{
	static char answer[256];

	printf("%s %s %d\n", question, names[s->kind], s->mount);
	fflush(stdout);
	*answer = '\0';
	if (!fgets(answer, sizeof(answer), stdin) || strncmp(answer, right, strlen(right)) != 0) {
		fprintf(stderr, "histories: disaster %s: %s\n", names[s->kind], *answer ? answer : "no answer");
		exit(2);
	}
	return answer + strlen(right);
}

/* Until the clients have done what this blow takes. */
static void wait_for_clients(struct strike *s, bool stopped)
{
	pthread_mutex_lock(&s->lock);
	while (s->running > 0 && (stopped ? s->inside < s->running : s->begun < s->after))
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

/* From now on the clients may get to feel it. */
static void begins(struct strike *s)
{
	pthread_mutex_lock(&s->lock);
	s->from = now();
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void hit(struct strike *s, pid_t victim)
{
	static const struct timespec moment = { .tv_nsec = 300000 };

	if (s->blow != BLOW_ANY)
		kill(victim, SIGSTOP);
	begins(s);
	if (s->blow == BLOW_ALL)
		wait_for_clients(s, true);
	else if (s->blow == BLOW_SOME)
		nanosleep(&moment, NULL);
	kill(victim, SIGKILL);
	if (s->blow != BLOW_ANY)
		kill(victim, SIGCONT);
}

void strike_now(struct strike *s)
{
	pid_t victim = s->kind == DISASTER_UPDATE ? 0 : atoi(ask(s, "victim", "pid "));

	wait_for_clients(s, false);
	if (victim > 1)
		hit(s, victim);
	else
		begins(s);
	pthread_mutex_lock(&s->lock);
	s->down = true;
	pthread_mutex_unlock(&s->lock);
	ask(s, "strike", "done");
	pthread_mutex_lock(&s->lock);
	s->mounts[s->mount] += s->kind == DISASTER_MOUNT;
	s->servers += s->kind == DISASTER_ANEW;
	pthread_mutex_unlock(&s->lock);
}

void strike_over(struct strike *s)
{
	pthread_mutex_lock(&s->lock);
	s->down = false;
	s->to = now();
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Whether a client has to wait until the disaster begins, so that there is somebody whom it meets. */
static bool is_early(const struct strike *s)
{
	return s->kind != DISASTER_NONE && s->from == FOREVER && s->begun >= s->after &&
	       (s->blow == BLOW_ALL || s->kind == DISASTER_UPDATE);
}

int64_t strike_step_begins(struct strike *s, unsigned view)
{
	int64_t time;

	pthread_mutex_lock(&s->lock);
	while (is_down(s, view) || is_early(s))
		pthread_cond_wait(&s->changed, &s->lock);
	s->begun++;
	s->inside++;
	pthread_cond_broadcast(&s->changed);
	time = now();
	pthread_mutex_unlock(&s->lock);
	return time;
}

static bool is_meanwhile(const struct strike *s, int64_t from, int64_t to)
{
	return s->kind != DISASTER_NONE && from < s->to && to > s->from;
}

static bool can_be_lost(const struct strike *s, unsigned view, int64_t from, int64_t to)
{
	return is_meanwhile(s, from, to) && s->kind != DISASTER_UPDATE &&
	       (s->kind != DISASTER_MOUNT || view_mount(view) == s->mount);
}

bool strike_step_ends(struct strike *s, unsigned view, int64_t from, int64_t to, bool failed)
{
	bool meets;

	pthread_mutex_lock(&s->lock);
	s->inside--;
	meets = can_be_lost(s, view, from, to);
	s->met += is_meanwhile(s, from, to);
	s->lost += meets && failed;
	pthread_mutex_unlock(&s->lock);
	return meets;
}

void strike_step_left_out(struct strike *s)
{
	pthread_mutex_lock(&s->lock);
	s->inside--;
	pthread_mutex_unlock(&s->lock);
}

void strike_client_ends(struct strike *s)
{
	pthread_mutex_lock(&s->lock);
	s->running--;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

bool strike_meets(struct strike *s, unsigned view, int64_t from, int64_t to)
{
	bool meets;

	pthread_mutex_lock(&s->lock);
	meets = can_be_lost(s, view, from, to);
	pthread_mutex_unlock(&s->lock);
	return meets;
}

unsigned strike_files(struct strike *s, unsigned view)
{
	unsigned count;

	pthread_mutex_lock(&s->lock);
	count = view == VIEW_DIRECT ? 0 : s->mounts[view_mount(view)];
	pthread_mutex_unlock(&s->lock);
	return count;
}

unsigned strike_connections(struct strike *s, unsigned view)
{
	unsigned count = strike_files(s, view);

	pthread_mutex_lock(&s->lock);
	count += s->servers;
	pthread_mutex_unlock(&s->lock);
	return count;
}
