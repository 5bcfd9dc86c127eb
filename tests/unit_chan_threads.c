/* SPDX-License-Identifier: MIT */
/*
 * Tests the channel under many threads: submitters, abandoners, one I/O thread, and a store that
 * answers in any order through a small window.  Every request completes exactly once, with its own
 * reply; no transaction stays open; nobody reads but the I/O thread.
 *
 * XSFS_TEST_STRESS multiplies the number of operations.
 */
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring/chan_impl.h"
#include "tests/fake_store.h"

/* --- the eventfd ------------------------------------------------------------------------------ */

ssize_t __real_write(int fd, const void *buf, size_t count);
ssize_t __real_read(int fd, void *buf, size_t count);
ssize_t __wrap_write(int fd, const void *buf, size_t count);
ssize_t __wrap_read(int fd, void *buf, size_t count);

/* Runs once before a write() to this descriptor. */
static atomic_int watched_fd = -1;
static void (*before_write)(void);
static atomic_uint reads;

ssize_t __wrap_write(int fd, const void *buf, size_t count)
{
	int watched = fd;

	if (atomic_compare_exchange_strong(&watched_fd, &watched, -1))
		before_write();
	return __real_write(fd, buf, count);
}

ssize_t __wrap_read(int fd, void *buf, size_t count)
{
	atomic_fetch_add(&reads, 1);
	return __real_read(fd, buf, count);
}

static struct chan *raced;
static pthread_t racer;

static void *service_once(void *arg)
{
	(void)arg;
	chan_service(raced);
	return NULL;
}

/* The I/O thread wakes up for another reason just when it is about to be woken.  If it takes the
 * wake-up for read before it was written, that shows by its read(). */
static void service_before_write(void)
{
	unsigned before = atomic_load(&reads);

	pthread_create(&racer, NULL, service_once, NULL);
	for (int i = 0; i < 100 && atomic_load(&reads) == before; i++)
		usleep(1000);
}

static void wake_up_is_not_left_behind(void **state)
{
	struct fake_store *store = fake_store_new();
	struct chan_config config = { .transport = &store->transport };
	struct pollfd fds[CHAN_POLLFDS];

	(void)state;
	assert_int_equal(chan_new(&raced, &config), 0);
	assert_true(chan_may_sleep(raced));
	before_write = service_before_write;
	atomic_store(&watched_fd, raced->wake_fd);
	chan_wake(raced);
	pthread_join(racer, NULL);
	/* However it came out, the descriptor is not readable for ever. */
	chan_service(raced);
	assert_true(chan_may_sleep(raced));
	assert_int_equal(poll(fds, chan_pollfds(raced, fds), 0), 0);
	chan_free(raced);
	fake_store_free(store);
}

/* --- stress ----------------------------------------------------------------------------------- */

#define SUBMITTERS 8
#define ABANDONERS 2
/* Requests that one submitter has outstanding. */
#define WINDOW 12
/* Requests that the abandoners can find. */
#define EXPOSED 64
/* Bytes that the store takes before it has read some. */
#define STORE_ROOM 1024
/* Requests that the store has read and not answered. */
#define POOL 40

struct stress {
	struct fake_store *store;
	struct chan *chan;
	unsigned operations; /* of each submitter */
	bool flaky;          /* the store ends its connections now and then */
	bool cut;            /* the channel is shut down in the middle */

	_Atomic(struct request *) exposed[EXPOSED];
	atomic_uint submitted, completed, twice, wrong, interrupted, lost, ended;
	atomic_int open_transactions; /* in the store's view, this connection's */
	atomic_bool stop_io, stop_store, stop_abandoners;
};

struct submitter {
	struct stress *st;
	pthread_t thread;
	unsigned seed;
	sem_t window;
};

struct operation {
	struct submitter *by;
	atomic_uint done;
	char path[24];
};

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

static void count_error(struct stress *st, int error)
{
	switch (error) {
	case 0:
		break;
	case -EINTR:
		atomic_fetch_add(&st->interrupted, 1);
		break;
	case -EIO:
	case -ESTALE:
		atomic_fetch_add(&st->lost, 1);
		break;
	case -ESHUTDOWN:
		atomic_fetch_add(&st->ended, 1);
		break;
	default:
		atomic_fetch_add(&st->wrong, 1);
	}
}

static void end_complete(struct request *req)
{
	struct stress *st = req->arg;

	atomic_fetch_add(&st->completed, 1);
	count_error(st, req->error);
}

/* A completion that submits, from whatever thread it runs on. */
static void end_transaction(struct stress *st, struct request *start)
{
	uint32_t id = atoi(start->reply);
	struct request *end = request_new_path(XS_TRANSACTION_END, id, "F", NULL, 0);

	end->complete = end_complete;
	end->arg = st;
	end->epoch = start->epoch;
	atomic_fetch_add(&st->submitted, 1);
	chan_submit(st->chan, end);
	request_put(end);
}

static void operation_complete(struct request *req)
{
	struct operation *op = req->arg;
	struct stress *st = op->by->st;

	if (atomic_fetch_add(&op->done, 1))
		atomic_fetch_add(&st->twice, 1);
	count_error(st, req->error);
	if (req->error ? req->reply != NULL : req->reply == NULL)
		atomic_fetch_add(&st->wrong, 1);
	if (!req->error && req->msg.type == XS_TRANSACTION_START)
		end_transaction(st, req);
	else if (!req->error && strcmp(req->reply, op->path))
		atomic_fetch_add(&st->wrong, 1);
	atomic_fetch_add(&st->completed, 1);
	sem_post(&op->by->window);
}

/* Puts a request where an abandoner may find it. */
static void expose(struct stress *st, struct request *req, unsigned where)
{
	request_put(atomic_exchange(&st->exposed[where % EXPOSED], request_get(req)));
}

static void *submitter_main(void *arg)
{
	struct submitter *s = arg;
	struct stress *st = s->st;
	struct operation *ops = calloc(st->operations, sizeof(*ops));
	struct request *req;
	unsigned dice;

	for (unsigned i = 0; i < st->operations; i++) {
		dice = next_random(&s->seed);
		sem_wait(&s->window);
		ops[i].by = s;
		snprintf(ops[i].path, sizeof(ops[i].path), "/%u/%u", s->seed & 0xff, i);
		if (dice % 16 == 0)
			req = request_new_path(XS_TRANSACTION_START, 0, "", NULL, 0);
		else
			req = request_new_path(XS_READ, 0, ops[i].path, "padding", dice % 8);
		req->complete = operation_complete;
		req->arg = &ops[i];
		req->bulk = dice % 3 == 0;
		req->epoch = dice % 16 == 0 ? chan_epoch(st->chan) : 0;
		if (dice % 5 == 0)
			expose(st, req, dice / 5);
		atomic_fetch_add(&st->submitted, 1);
		chan_submit(st->chan, req);
		if (dice % 7 == 0)
			chan_abandon(st->chan, req, -EINTR);
		request_put(req);
	}
	for (unsigned i = 0; i < WINDOW; i++)
		sem_wait(&s->window);
	for (unsigned i = 0; i < st->operations; i++)
		if (atomic_load(&ops[i].done) != 1)
			atomic_fetch_add(&st->wrong, 1);
	free(ops);
	return NULL;
}

static void *abandoner_main(void *arg)
{
	struct stress *st = arg;
	struct request *req;
	unsigned seed = 1;

	while (!atomic_load(&st->stop_abandoners)) {
		req = atomic_exchange(&st->exposed[next_random(&seed) % EXPOSED], NULL);
		if (req)
			chan_abandon(st->chan, req, -EINTR);
		request_put(req);
		sched_yield();
	}
	return NULL;
}

static void store_answer(struct stress *st, const struct fake_msg *msg, unsigned number)
{
	char body[16];

	switch (msg->hdr.type) {
	case XS_TRANSACTION_START:
		atomic_fetch_add(&st->open_transactions, 1);
		fake_store_reply(st->store, msg, body,
				 snprintf(body, sizeof(body), "%u", number) + 1);
		break;
	case XS_TRANSACTION_END:
		atomic_fetch_sub(&st->open_transactions, 1);
		fake_store_reply(st->store, msg, "OK", 3);
		break;
	default:
		fake_store_reply(st->store, msg, msg->body, strlen(msg->body));
	}
}

static void *store_main(void *arg)
{
	static struct fake_msg pool[POOL];
	struct stress *st = arg;
	unsigned count = 0, answered = 0, seed = 2, dice;
	bool idle;

	while (!atomic_load(&st->stop_store)) {
		idle = true;
		while (count < POOL && fake_store_take(st->store, &pool[count])) {
			fake_store_room(st->store, WIRE_HEADER_SIZE + pool[count].hdr.len);
			count++;
			idle = false;
		}
		if (count) {
			dice = next_random(&seed) % count;
			store_answer(st, &pool[dice], ++answered);
			pool[dice] = pool[--count];
			idle = false;
			if (st->flaky && answered % 500 == 0) {
				/* What was sent and not read goes with the connection. */
				count = 0;
				fake_store_eof(st->store);
				fake_store_room(st->store, STORE_ROOM);
			}
		}
		if (idle)
			sched_yield();
	}
	return NULL;
}

static void *io_main(void *arg)
{
	struct stress *st = arg;
	struct pollfd fds[CHAN_POLLFDS];

	fake_store_io_thread(st->store);
	while (!atomic_load(&st->stop_io)) {
		if (st->cut && atomic_load(&st->completed) > st->operations)
			break;
		/* As if each connection had lasted: no growing pauses between them. */
		if (st->flaky)
			st->chan->connected_ns = 0;
		if (chan_service(st->chan) > 0 || !chan_may_sleep(st->chan))
			continue;
		poll(fds, chan_pollfds(st->chan, fds), chan_timeout(st->chan));
	}
	chan_shutdown(st->chan);
	return NULL;
}

static void stress_run(struct stress *st)
{
	struct chan_config config = { .timeout_ms = 60000 };
	const char *times = getenv("XSFS_TEST_STRESS");
	struct submitter submitters[SUBMITTERS];
	pthread_t io, store, abandoners[ABANDONERS];
	struct chan_stats stats;

	if (times)
		st->operations *= atoi(times);
	st->store = fake_store_new();
	st->store->room = STORE_ROOM;
	st->store->recv_piece = 100;
	config.transport = &st->store->transport;
	assert_int_equal(chan_new(&st->chan, &config), 0);
	/* The ids wrap during the test. */
	st->chan->table.count = UINT32_MAX - 1000;

	pthread_create(&io, NULL, io_main, st);
	pthread_create(&store, NULL, store_main, st);
	for (unsigned i = 0; i < ABANDONERS; i++)
		pthread_create(&abandoners[i], NULL, abandoner_main, st);
	for (unsigned i = 0; i < SUBMITTERS; i++) {
		submitters[i].st = st;
		submitters[i].seed = i;
		sem_init(&submitters[i].window, 0, WINDOW);
		pthread_create(&submitters[i].thread, NULL, submitter_main, &submitters[i]);
	}

	for (unsigned i = 0; i < SUBMITTERS; i++)
		pthread_join(submitters[i].thread, NULL);
	atomic_store(&st->stop_abandoners, true);
	for (unsigned i = 0; i < ABANDONERS; i++)
		pthread_join(abandoners[i], NULL);
	/* The transactions of those who gave up are ended behind their backs. */
	do {
		chan_stats(st->chan, &stats);
		sched_yield();
	} while (!st->cut && stats.in_flight + stats.queued > 0);
	atomic_store(&st->stop_io, true);
	chan_wake(st->chan);
	pthread_join(io, NULL);
	atomic_store(&st->stop_store, true);
	pthread_join(store, NULL);

	chan_stats(st->chan, &stats);
	for (unsigned i = 0; i < EXPOSED; i++)
		request_put(st->exposed[i]);
	assert_int_equal(atomic_load(&st->twice), 0);
	assert_int_equal(atomic_load(&st->wrong), 0);
	assert_int_equal(atomic_load(&st->completed), atomic_load(&st->submitted));
	assert_int_equal(stats.completed, atomic_load(&st->submitted));
	assert_int_equal(stats.in_flight + stats.queued, 0);
	assert_true(stats.in_flight_high <= 16);
	assert_true(stats.abandoned <= atomic_load(&st->interrupted) + atomic_load(&st->lost) +
					       atomic_load(&st->ended));
	print_message("# %u requests, %u given up, %u lost, %u refused; %u reconnects, "
		      "%u wake-ups sent, %u saved\n",
		      atomic_load(&st->submitted), atomic_load(&st->interrupted),
		      atomic_load(&st->lost), atomic_load(&st->ended), (unsigned)stats.reconnects,
		      (unsigned)stats.wakeups_sent, (unsigned)stats.wakeups_saved);
	if (!st->flaky && !st->cut)
		assert_int_equal(atomic_load(&st->open_transactions), 0);
	assert_int_equal(st->store->wrong_thread, 0);
	assert_int_equal(st->store->overlaps, 0);

	/* Here the I/O thread is gone, and this thread takes its place. */
	fake_store_io_thread(st->store);
	chan_free(st->chan);
	fake_store_free(st->store);
	for (unsigned i = 0; i < SUBMITTERS; i++)
		sem_destroy(&submitters[i].window);
}

static void every_request_completes_once(void **state)
{
	struct stress st = { .operations = 8000 };

	(void)state;
	stress_run(&st);
	assert_int_equal(atomic_load(&st.lost) + atomic_load(&st.ended), 0);
	assert_int_not_equal(atomic_load(&st.interrupted), 0);
}

static void every_request_completes_once_on_a_flaky_connection(void **state)
{
	struct stress st = { .operations = 4000, .flaky = true };

	(void)state;
	stress_run(&st);
	assert_int_not_equal(atomic_load(&st.lost), 0);
}

static void every_request_completes_once_at_the_end(void **state)
{
	struct stress st = { .operations = 2000, .cut = true };

	(void)state;
	stress_run(&st);
	assert_int_not_equal(atomic_load(&st.ended), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wake_up_is_not_left_behind),
		cmocka_unit_test(every_request_completes_once),
		cmocka_unit_test(every_request_completes_once_on_a_flaky_connection),
		cmocka_unit_test(every_request_completes_once_at_the_end),
	};

	return cmocka_run_group_tests_name("chan_threads", tests, NULL, NULL);
}
