/* SPDX-License-Identifier: MIT */
/*
 * Tests ring/page.c on a plain page: bytes, wrap-around, indices that lie, and when a side is
 * signalled.  The far side is this file's own idea of a server, on a thread where it matters.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "ring/page.h"

#define SIZE XENSTORE_RING_SIZE

/* Rounds of a race, unless time is short (valgrind).  A lost wake-up shows as a side that sleeps
 * for longer than SLEEP_MAX_S. */
#define ROUNDS 1000000
#define ROUNDS_QUICK 20000
#define SLEEP_MAX_S 20

/* A buffer whose first use runs the far side. */
#define TRAP_SIZE 4096

static unsigned rounds;

static struct xenstore_domain_interface page;

static int setup(void **state)
{
	(void)state;
	memset(&page, 0, sizeof(page));
	return 0;
}

/* Starts both rings at `start`, as a predecessor that moved so many bytes would leave them. */
static void start_at(uint32_t start)
{
	page.req_cons = page.req_prod = page.rsp_cons = page.rsp_prod = start;
}

/* A byte stream that both ends can compute. */
static char byte_at(uint32_t pos)
{
	return (char)((pos * 2654435761u) >> 24);
}

/* ---- One thread: every rule by itself ------------------------------------------------------ */

static void send_puts_bytes(void **state)
{
	bool notify = false;

	(void)state;
	assert_int_equal(page_send(&page, "hello", 5, &notify), 5);
	assert_memory_equal(page.req, "hello", 5);
	assert_int_equal(page.req_prod, 5);
	assert_int_equal(page.req_cons, 0);
	assert_int_equal(page.rsp_prod, 0);
	assert_int_equal(page_send(&page, "!", 1, &notify), 1);
	assert_memory_equal(page.req, "hello!", 6);
	assert_int_equal(page.req_prod, 6);
}

static void send_takes_what_fits(void **state)
{
	char data[SIZE + 100];
	bool notify = false;

	(void)state;
	memset(data, 'x', sizeof(data));
	start_at(77);
	assert_int_equal(page_send(&page, data, sizeof(data), &notify), SIZE);
	assert_int_equal(page.req_prod, 77 + SIZE);
	assert_false(page_writable(&page));
	notify = false;
	assert_int_equal(page_send(&page, data, 1, &notify), 0);
	assert_false(notify);
	assert_int_equal(page.req_prod, 77 + SIZE);
	page.req_cons += 3;
	assert_true(page_writable(&page));
	assert_int_equal(page_send(&page, "abcdef", 6, &notify), 3);
	assert_memory_equal(page.req + 77, "abc", 3);
	assert_int_equal(page.req[80], 'x');
}

static void send_of_nothing(void **state)
{
	bool notify = false;

	(void)state;
	assert_int_equal(page_send(&page, "", 0, &notify), 0);
	assert_false(notify);
	assert_int_equal(page.req_prod, 0);
}

static void send_wraps(void **state)
{
	bool notify = false;

	(void)state;
	/* The array ends after 4 bytes, the index after 4 bytes as well. */
	start_at(UINT32_MAX - 3);
	assert_int_equal(page_send(&page, "abcdefgh", 8, &notify), 8);
	assert_int_equal(page.req_prod, 4);
	assert_memory_equal(page.req + SIZE - 4, "abcd", 4);
	assert_memory_equal(page.req, "efgh", 4);
	assert_int_equal(page.rsp[0], 0);
}

static void send_signals_who_had_read_all(void **state)
{
	bool notify = false;

	(void)state;
	start_at(1000);
	page_send(&page, "a", 1, &notify);
	assert_true(notify);
	/* "a" is still unread: the server has not gone to sleep, and will look again. */
	notify = false;
	page_send(&page, "b", 1, &notify);
	assert_false(notify);
	page.req_cons++;
	page_send(&page, "c", 1, &notify);
	assert_false(notify);
	page.req_cons = page.req_prod;
	page_send(&page, "d", 1, &notify);
	assert_true(notify);
	/* Never set to false: the caller collects. */
	page_send(&page, "e", 1, &notify);
	assert_true(notify);
}

static void send_index_lies(void **state)
{
	bool notify = false;

	(void)state;
	start_at(5000);
	page.req_cons = 5001; /* consumed what was never produced */
	assert_int_equal(page_send(&page, "a", 1, &notify), -EPROTO);
	page.req_cons = 5000 - SIZE - 1;
	assert_int_equal(page_send(&page, "a", 1, &notify), -EPROTO);
	page.req_cons = 5000 + 0x80000000u;
	assert_int_equal(page_send(&page, "a", 1, &notify), -EPROTO);
	assert_int_equal(page.req_prod, 5000);
	assert_false(notify);
	assert_true(page_writable(&page));
}

static void recv_gets_bytes(void **state)
{
	char buf[16];
	bool notify = false;

	(void)state;
	memcpy(page.rsp, "hello", 5);
	page.rsp_prod = 5;
	assert_int_equal(page_recv(&page, buf, 2, &notify), 2);
	assert_memory_equal(buf, "he", 2);
	assert_int_equal(page.rsp_cons, 2);
	assert_int_equal(page_recv(&page, buf, sizeof(buf), &notify), 3);
	assert_memory_equal(buf, "llo", 3);
	assert_int_equal(page.rsp_cons, 5);
	assert_int_equal(page_recv(&page, buf, sizeof(buf), &notify), 0);
	assert_int_equal(page.req_cons, 0);
	assert_false(notify);
}

static void recv_of_nothing(void **state)
{
	char buf[1];
	bool notify = false;

	(void)state;
	page.rsp_prod = SIZE;
	assert_int_equal(page_recv(&page, buf, 0, &notify), 0);
	assert_int_equal(page.rsp_cons, 0);
	assert_false(notify);
}

static void recv_wraps(void **state)
{
	char buf[16];
	bool notify = false;

	(void)state;
	start_at(UINT32_MAX - 3);
	memcpy(page.rsp + SIZE - 4, "abcd", 4);
	memcpy(page.rsp, "efgh", 4);
	page.rsp_prod = 4;
	assert_int_equal(page_recv(&page, buf, sizeof(buf), &notify), 8);
	assert_memory_equal(buf, "abcdefgh", 8);
	assert_int_equal(page.rsp_cons, 4);
}

static void recv_signals_when_full(void **state)
{
	char buf[SIZE];
	bool notify = false;

	(void)state;
	start_at(1000);
	page.rsp_prod += SIZE - 1;
	page_recv(&page, buf, 10, &notify);
	assert_false(notify);
	page.rsp_prod = page.rsp_cons + SIZE;
	page_recv(&page, buf, 1, &notify);
	assert_true(notify);
	/* The room was announced; the server was not waiting since. */
	notify = false;
	page_recv(&page, buf, 1, &notify);
	assert_false(notify);
	/* Never set to false. */
	notify = true;
	page_recv(&page, buf, 1, &notify);
	assert_true(notify);
}

static void recv_index_lies(void **state)
{
	char buf[16];
	bool notify = false;

	(void)state;
	start_at(5000);
	page.rsp_prod = 4999;
	assert_int_equal(page_recv(&page, buf, sizeof(buf), &notify), -EPROTO);
	page.rsp_prod = 5000 + SIZE + 1;
	assert_int_equal(page_recv(&page, buf, sizeof(buf), &notify), -EPROTO);
	page.rsp_prod = 5000 + 0x80000000u;
	assert_int_equal(page_recv(&page, buf, sizeof(buf), &notify), -EPROTO);
	assert_int_equal(page.rsp_cons, 5000);
	assert_false(notify);
	/* Must be seen by who is about to sleep. */
	assert_true(page_readable(&page));
}

static void readable_and_writable(void **state)
{
	(void)state;
	start_at(UINT32_MAX);
	assert_false(page_readable(&page));
	assert_true(page_writable(&page));
	page.rsp_prod++;
	assert_true(page_readable(&page));
	page.rsp_cons++;
	assert_false(page_readable(&page));
	page.req_prod += SIZE;
	assert_false(page_writable(&page));
	page.req_cons++;
	assert_true(page_writable(&page));
}

static void error_is_read(void **state)
{
	(void)state;
	assert_int_equal(page_error(&page), XENSTORE_ERROR_NONE);
	page.error = XENSTORE_ERROR_PROTO;
	assert_int_equal(page_error(&page), XENSTORE_ERROR_PROTO);
	page.error = UINT32_MAX;
	assert_int_equal(page_error(&page), UINT32_MAX);
}

/* ---- One thread, and the far side acts just while the bytes are copied ----------------------- */

static char *trap;
static void (*trap_action)(void);

/* The caller's buffer was touched for the first time. */
static void trap_sprung(int sig)
{
	(void)sig;
	/* Without an action it was not the buffer, but a real crash. */
	if (mprotect(trap, TRAP_SIZE, PROT_READ | PROT_WRITE) || !trap_action)
		abort();
	trap_action();
	trap_action = NULL;
}

static int setup_trap(void **state)
{
	setup(state);
	trap = mmap(NULL, TRAP_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(trap != MAP_FAILED);
	return 0;
}

/* Lets the far side do that when the buffer is touched.  In the test itself: cmocka puts a
 * handler of its own in place before each, and takes all away after it. */
static void trap_set(void (*action)(void))
{
	struct sigaction sa = { .sa_handler = trap_sprung };

	assert_int_equal(mprotect(trap, TRAP_SIZE, PROT_NONE), 0);
	assert_int_equal(sigaction(SIGSEGV, &sa, NULL), 0);
	trap_action = action;
}

static int teardown_trap(void **state)
{
	(void)state;
	munmap(trap, TRAP_SIZE);
	return 0;
}

static void server_reads_all(void)
{
	__atomic_store_n(&page.req_cons, page.req_prod, __ATOMIC_SEQ_CST);
}

/* It read all the earlier bytes after we looked, and went to sleep before we published. */
static void send_signals_who_reads_all_meanwhile(void **state)
{
	bool notify = false;

	(void)state;
	page_send(&page, "a", 1, &notify);
	trap_set(server_reads_all);
	notify = false;
	assert_int_equal(page_send(&page, trap, 5, &notify), 5);
	assert_null(trap_action);
	assert_true(notify);
}

static void server_fills_the_ring(void)
{
	__atomic_store_n(&page.rsp_prod, page.rsp_cons + SIZE, __ATOMIC_SEQ_CST);
}

/* It filled the ring after we looked, and went to sleep before we made room. */
static void recv_signals_who_fills_meanwhile(void **state)
{
	bool notify = false;

	(void)state;
	page.rsp_prod = SIZE - 10;
	trap_set(server_fills_the_ring);
	assert_int_equal(page_recv(&page, trap, 5, &notify), 5);
	assert_null(trap_action);
	assert_true(notify);
}

static void server_lies(void)
{
	__atomic_store_n(&page.req_cons, 0x80000000u, __ATOMIC_SEQ_CST);
	__atomic_store_n(&page.rsp_prod, 0x80000000u, __ATOMIC_SEQ_CST);
}

static void index_changes_meanwhile(void **state)
{
	bool notify = false;

	(void)state;
	trap_set(server_lies);
	assert_int_equal(page_send(&page, trap, 2 * SIZE, &notify), SIZE);
	assert_int_equal(page.req_prod, SIZE);
	page.rsp_prod = 7;
	trap_set(server_lies);
	assert_int_equal(page_recv(&page, trap, 2 * SIZE, &notify), 7);
	assert_int_equal(page.rsp_cons, 7);
	assert_null(trap_action);
}

/* ---- Two threads --------------------------------------------------------------------------- */

/* Stands in for an event channel: raised by one side, slept on by the other. */
struct event {
	atomic_bool raised;
};

static void event_raise(struct event *ev)
{
	atomic_store(&ev->raised, true);
}

/* Sleeps until the event is raised; false if that never happens. */
static bool event_sleep(struct event *ev)
{
	struct timespec start, now;
	unsigned i;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 1; !atomic_exchange(&ev->raised, false); i++) {
		/* One processor may have to serve both sides. */
		sched_yield();
		if (i % 1024)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec > SLEEP_MAX_S)
			return false;
	}
	return true;
}

/* A little time that is never the same. */
static void dawdle(unsigned *seed, unsigned max)
{
	unsigned n = rand_r(seed) % max;

	while (n--)
		atomic_signal_fence(memory_order_seq_cst);
}

static uint32_t idx_load(uint32_t *idx)
{
	return __atomic_load_n(idx, __ATOMIC_SEQ_CST);
}

static void idx_store(uint32_t *idx, uint32_t value)
{
	__atomic_store_n(idx, value, __ATOMIC_SEQ_CST);
}

struct far_side {
	struct event wake_server, wake_client;
	uint32_t total; /* bytes that the server moves before it ends */
	bool ok;
};

/* A server that reads all requests, checks them, and sleeps when there is none. */
static void *server_reads(void *arg)
{
	struct far_side *far = arg;
	uint32_t start = page.req_cons, pos = 0, prod;
	unsigned seed = 1;

	far->ok = true;
	while (pos < far->total) {
		prod = idx_load(&page.req_prod) - start;
		if (prod == pos) {
			far->ok = event_sleep(&far->wake_server);
			if (!far->ok)
				break;
			continue;
		}
		for (; pos != prod; pos++)
			if (page.req[MASK_XENSTORE_IDX(start + pos)] != byte_at(pos))
				far->ok = false;
		dawdle(&seed, 50);
		idx_store(&page.req_cons, start + pos);
		/* A client that waits for room is signalled at every step, as by
		 * the real servers. */
		event_raise(&far->wake_client);
	}
	/* Let a sender whose server gave up fail and not hang. */
	idx_store(&page.req_cons, start + far->total);
	event_raise(&far->wake_client);
	return NULL;
}

static void no_wakeup_is_lost_sending(void **state)
{
	struct far_side far = { .total = 0 };
	unsigned seed = 2, len, i;
	uint32_t pos = 0, signals = 0;
	uint16_t *lens = malloc(rounds * sizeof(*lens));
	pthread_t thread;
	char data[16];
	bool notify;
	ssize_t n = 0;

	(void)state;
	assert_non_null(lens);
	/* The indices pass UINT32_MAX on the way. */
	start_at(UINT32_MAX - rounds);
	for (i = 0; i < rounds; i++)
		far.total += lens[i] = 1 + rand_r(&seed) % 7;
	assert_int_equal(pthread_create(&thread, NULL, server_reads, &far), 0);
	for (i = 0; i < rounds && n >= 0; i++) {
		for (len = 0; len < lens[i]; len++)
			data[len] = byte_at(pos + len);
		for (len = 0; len < lens[i]; len += n) {
			notify = false;
			n = page_send(&page, data + len, lens[i] - len, &notify);
			if (n < 0)
				break;
			if (notify) {
				signals++;
				event_raise(&far.wake_server);
			}
			if (!n && !page_writable(&page) && !event_sleep(&far.wake_client))
				n = -ETIMEDOUT;
			if (n < 0)
				break;
		}
		pos += lens[i];
		dawdle(&seed, 100);
	}
	pthread_join(thread, NULL);
	free(lens);
	assert_true(far.ok);
	assert_true(n > 0);
	assert_int_equal(i, rounds);
	/* The point of the rule: not every message costs a signal. */
	assert_in_range(signals, 1, rounds);
}

/* A server that writes replies for as long as there is room, and sleeps when there is none. */
static void *server_writes(void *arg)
{
	struct far_side *far = arg;
	uint32_t start = page.rsp_prod, pos = 0, room, n;
	unsigned seed = 3;

	far->ok = true;
	while (pos < far->total) {
		room = SIZE - (start + pos - idx_load(&page.rsp_cons));
		if (!room) {
			far->ok = event_sleep(&far->wake_server);
			if (!far->ok)
				break;
			continue;
		}
		n = 1 + rand_r(&seed) % 300;
		if (n > room)
			n = room;
		if (n > far->total - pos)
			n = far->total - pos;
		for (; n; n--, pos++)
			page.rsp[MASK_XENSTORE_IDX(start + pos)] = byte_at(pos);
		idx_store(&page.rsp_prod, start + pos);
		event_raise(&far->wake_client);
		dawdle(&seed, 20);
	}
	return NULL;
}

static void no_wakeup_is_lost_receiving(void **state)
{
	struct far_side far = { .total = rounds * 400u };
	unsigned seed = 4;
	uint32_t pos = 0, signals = 0, reads = 0;
	bool notify, same = true;
	pthread_t thread;
	char buf[SIZE];
	ssize_t n = 0, i;

	(void)state;
	start_at(UINT32_MAX - far.total / 2);
	assert_int_equal(pthread_create(&thread, NULL, server_writes, &far), 0);
	while (pos < far.total) {
		notify = false;
		n = page_recv(&page, buf, 1 + rand_r(&seed) % (SIZE / 2), &notify);
		if (n < 0)
			break;
		if (notify) {
			signals++;
			event_raise(&far.wake_server);
		}
		if (!n && !page_readable(&page) && !event_sleep(&far.wake_client)) {
			n = -ETIMEDOUT;
			break;
		}
		for (i = 0; i < n; i++)
			same &= buf[i] == byte_at(pos + i);
		pos += n;
		reads += n > 0;
		dawdle(&seed, 200);
	}
	pthread_join(thread, NULL);
	assert_true(far.ok);
	assert_true(n >= 0);
	assert_true(same);
	assert_int_equal(pos, far.total);
	assert_true(reads >= rounds);
	assert_in_range(signals, 1, reads - 1);
}

/* A server that answers every byte with the same byte. */
static void *server_echoes(void *arg)
{
	struct far_side *far = arg;
	uint32_t start = page.req_cons, pos = 0, n, i;
	bool idle;

	far->ok = true;
	while (pos < far->total) {
		n = idx_load(&page.req_prod) - (start + pos);
		i = SIZE - (start + pos - idx_load(&page.rsp_cons));
		if (n > i)
			n = i;
		idle = !n;
		if (idle) {
			far->ok = event_sleep(&far->wake_server);
			if (!far->ok)
				break;
			continue;
		}
		for (i = 0; i < n; i++, pos++)
			page.rsp[MASK_XENSTORE_IDX(start + pos)] =
				page.req[MASK_XENSTORE_IDX(start + pos)];
		idx_store(&page.req_cons, start + pos);
		idx_store(&page.rsp_prod, start + pos);
		event_raise(&far->wake_client);
	}
	return NULL;
}

/* One thread sends and receives, as the I/O thread does. */
static void messages_larger_than_the_ring(void **state)
{
	enum { MESSAGE = XENSTORE_PAYLOAD_MAX + 16, MESSAGES = 500 };
	struct far_side far = { .total = MESSAGE * MESSAGES };
	static char out[MESSAGE * MESSAGES], in[MESSAGE * MESSAGES];
	uint32_t sent = 0, received = 0, end;
	pthread_t thread;
	bool notify, progress;
	ssize_t n;

	(void)state;
	for (end = 0; end < far.total; end++)
		out[end] = byte_at(end);
	start_at(UINT32_MAX - far.total / 2);
	assert_int_equal(pthread_create(&thread, NULL, server_echoes, &far), 0);
	while (received < far.total) {
		notify = progress = false;
		/* Never beyond the message: the next one starts with a call of its own. */
		end = (sent / MESSAGE + 1) * MESSAGE;
		n = page_send(&page, out + sent, (sent < far.total ? end : sent) - sent, &notify);
		if (n < 0)
			break;
		sent += n;
		progress |= n > 0;
		n = page_recv(&page, in + received, far.total - received, &notify);
		if (n < 0)
			break;
		received += n;
		progress |= n > 0;
		if (notify)
			event_raise(&far.wake_server);
		if (!progress && !page_readable(&page) &&
		    !(sent < far.total && page_writable(&page)) && !event_sleep(&far.wake_client))
			break;
	}
	pthread_join(thread, NULL);
	assert_true(far.ok);
	assert_int_equal(received, far.total);
	assert_memory_equal(in, out, far.total);
}

struct liar {
	atomic_bool stop;
	uint32_t *idx, good, bad;
};

static void *lie(void *arg)
{
	struct liar *liar = arg;

	unsigned i;

	for (i = 0; !atomic_load(&liar->stop); i++) {
		__atomic_store_n(liar->idx, i % 2 ? liar->good : liar->bad, __ATOMIC_RELEASE);
		/* Now and then both values are seen for long, also where threads take turns. */
		if (!(i % 63))
			sched_yield();
	}
	return NULL;
}

/* What was checked must be what is used, however the index changes in between. */
static void index_changes_all_the_time(void **state)
{
	struct liar liar = { .idx = &page.rsp_prod, .good = SIZE, .bad = 3 * SIZE };
	struct liar liar2 = { .idx = &page.req_cons, .good = 0, .bad = 2u * SIZE };
	bool notify = false, sane = true;
	char buf[4 * SIZE] = "";
	pthread_t thread, thread2;
	unsigned i, seen = 0;
	ssize_t n;

	(void)state;
	page.rsp_prod = SIZE;
	assert_int_equal(pthread_create(&thread, NULL, lie, &liar), 0);
	assert_int_equal(pthread_create(&thread2, NULL, lie, &liar2), 0);
	for (i = 0; i < rounds || (seen != 15 && i < 50 * ROUNDS); i++) {
		n = page_recv(&page, buf, sizeof(buf), &notify);
		sane &= n == -EPROTO || n == SIZE;
		seen |= n == SIZE ? 1 : 2;
		__atomic_store_n(&page.rsp_cons, 0, __ATOMIC_RELAXED);
		n = page_send(&page, buf, sizeof(buf), &notify);
		sane &= n == -EPROTO || n == SIZE;
		seen |= n == SIZE ? 4 : 8;
		__atomic_store_n(&page.req_prod, 0, __ATOMIC_RELAXED);
	}
	atomic_store(&liar.stop, true);
	atomic_store(&liar2.stop, true);
	pthread_join(thread, NULL);
	pthread_join(thread2, NULL);
	assert_true(sane);
	/* Both the truth and the lie were met, or nothing was tested. */
	assert_int_equal(seen, 15);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(send_puts_bytes, setup),
		cmocka_unit_test_setup(send_takes_what_fits, setup),
		cmocka_unit_test_setup(send_of_nothing, setup),
		cmocka_unit_test_setup(send_wraps, setup),
		cmocka_unit_test_setup(send_signals_who_had_read_all, setup),
		cmocka_unit_test_setup(send_index_lies, setup),
		cmocka_unit_test_setup(recv_gets_bytes, setup),
		cmocka_unit_test_setup(recv_of_nothing, setup),
		cmocka_unit_test_setup(recv_wraps, setup),
		cmocka_unit_test_setup(recv_signals_when_full, setup),
		cmocka_unit_test_setup(recv_index_lies, setup),
		cmocka_unit_test_setup(readable_and_writable, setup),
		cmocka_unit_test_setup(error_is_read, setup),
		cmocka_unit_test_setup_teardown(send_signals_who_reads_all_meanwhile, setup_trap,
						teardown_trap),
		cmocka_unit_test_setup_teardown(recv_signals_who_fills_meanwhile, setup_trap,
						teardown_trap),
		cmocka_unit_test_setup_teardown(index_changes_meanwhile, setup_trap,
						teardown_trap),
		cmocka_unit_test_setup(no_wakeup_is_lost_sending, setup),
		cmocka_unit_test_setup(no_wakeup_is_lost_receiving, setup),
		cmocka_unit_test_setup(messages_larger_than_the_ring, setup),
		cmocka_unit_test_setup(index_changes_all_the_time, setup),
	};

	rounds = getenv("XSFS_TEST_QUICK") ? ROUNDS_QUICK : ROUNDS;
	return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
