/* SPDX-License-Identifier: MIT */
/* The parts of xsfs-top that need no terminal: the copy of the store, domains, the mount's figures, edits. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/top/edit.h"
#include "src/top/guests.h"
#include "src/top/meter.h"
#include "src/top/mirror.h"

/* ---- the copy of the store ------------------------------------------------------------------ */

/* Takes a document: pairs of path and value, ended by NULL; its first path is what it is about. */
static void take(struct mirror *m, int64_t now, const char *path, ...)
{
	struct changes nodes = { 0 };
	const char *next = path;
	va_list ap;

	va_start(ap, path);
	for (; next; next = va_arg(ap, const char *)) {
		const char *value = va_arg(ap, const char *);

		if (value)
			assert_int_equal(changes_add(&nodes, next, value, strlen(value), NULL), 0);
		else
			break;
	}
	va_end(ap);
	assert_int_equal(mirror_take(m, path, &nodes, now), 0);
	changes_release(&nodes);
}

static const struct mirror_node *at(const struct mirror *m, const char *path)
{
	const struct mirror_node *node = mirror_find_shown(m, path);

	assert_non_null(node);
	return node;
}

static int setup_mirror(void **state)
{
	static struct mirror m;

	assert_int_equal(mirror_init(&m), 0);
	m.quiet = true;
	take(&m, 1, "/", "", "/a", "1", "/a/x", "2", "/a/10", "ten", "/a/9", "nine", "/b", "3", NULL);
	m.quiet = false;
	*state = &m;
	return 0;
}

static int teardown_mirror(void **state)
{
	mirror_release(*state);
	return 0;
}

static void the_first_reading_is_no_news(void **state)
{
	struct mirror *m = *state;
	const struct mirror_node *a = at(m, "/a");

	assert_int_equal(m->n, 6);
	assert_int_equal(a->mark, MIRROR_CALM);
	assert_int_equal(a->touched, 0);
	assert_string_equal(a->value, "1");
	assert_string_equal(a->children[0]->name, "9");
	assert_string_equal(a->children[1]->name, "10");
	assert_string_equal(a->children[2]->name, "x");
}

static void a_change_keeps_the_old_value_and_is_seen_from_above(void **state)
{
	struct mirror *m = *state;
	const struct mirror_node *x = at(m, "/a/x");
	uint64_t version = m->version;

	take(m, 5, "/a/x", "2", NULL);
	assert_int_equal(x->mark, MIRROR_CALM);
	assert_int_equal(m->version, version);
	take(m, 6, "/a/x", "two", NULL);
	assert_int_equal(x->mark, MIRROR_CHANGED);
	assert_int_equal(x->marked, 6);
	assert_string_equal(x->value, "two");
	assert_string_equal(x->was, "2");
	assert_int_equal(at(m, "/a")->mark, MIRROR_CALM);
	assert_int_equal(at(m, "/a")->touched, 6);
	assert_int_equal(m->root->touched, 6);
	assert_int_equal(at(m, "/b")->touched, 0);
	assert_int_not_equal(m->version, version);
}

static void a_new_node_makes_those_above_it(void **state)
{
	struct mirror *m = *state;

	take(m, 5, "/c/d/e", "v", NULL);
	assert_int_equal(m->n, 9);
	assert_int_equal(at(m, "/c")->mark, MIRROR_NEW);
	assert_int_equal(at(m, "/c/d")->mark, MIRROR_NEW);
	assert_string_equal(at(m, "/c/d")->value, "");
	assert_int_equal(at(m, "/c/d/e")->mark, MIRROR_NEW);
	assert_null(at(m, "/c/d/e")->was);
	/* Written again it is no longer new, but changed. */
	take(m, 6, "/c/d/e", "w", NULL);
	assert_int_equal(at(m, "/c/d/e")->mark, MIRROR_CHANGED);
}

static void what_a_document_lacks_is_gone(void **state)
{
	struct mirror *m = *state;

	take(m, 5, "/a", "1", "/a/9", "nine", NULL);
	assert_int_equal(m->n, 4);
	assert_int_equal(m->n_gone, 2);
	assert_null(mirror_find(m, "/a/x"));
	assert_int_equal(at(m, "/a/x")->mark, MIRROR_GONE);
	assert_int_equal(at(m, "/b")->mark, MIRROR_CALM);
	/* It is remembered for a while. */
	mirror_forget(m, 5);
	assert_non_null(mirror_find_shown(m, "/a/x"));
	mirror_forget(m, 6);
	assert_null(mirror_find_shown(m, "/a/x"));
	assert_int_equal(m->n_gone, 0);
}

static void a_tree_goes_with_its_top_and_can_come_back(void **state)
{
	struct mirror *m = *state;

	take(m, 5, "/a", NULL);
	assert_int_equal(m->n, 2);
	assert_int_equal(m->n_gone, 4);
	assert_null(mirror_find(m, "/a/x"));
	take(m, 6, "/a/x", "again", NULL);
	assert_int_equal(m->n, 4);
	assert_int_equal(at(m, "/a")->mark, MIRROR_NEW);
	assert_int_equal(at(m, "/a/x")->mark, MIRROR_NEW);
	mirror_forget(m, 100);
	assert_null(mirror_find_shown(m, "/a/9"));
	assert_string_equal(at(m, "/a/x")->value, "again");
	assert_int_equal(m->n_gone, 0);
}

static void many_children_come_and_go_in_order(void **state)
{
	struct mirror *m = *state;
	char path[32];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/n/%u", i * 7919 % 1000);
		take(m, 5, path, "v", NULL);
	}
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "%u", i);
		assert_string_equal(at(m, "/n")->children[i]->name, path);
	}
	for (unsigned i = 0; i < 1000; i += 2) {
		snprintf(path, sizeof(path), "/n/%u", i);
		take(m, 6, path, NULL);
		if (i % 100 == 0)
			mirror_forget(m, 7);
	}
	mirror_forget(m, 7);
	assert_int_equal(at(m, "/n")->n, 500);
	take(m, 8, "/n/500", "back", NULL);
	assert_int_equal(at(m, "/n")->n, 501);
	assert_string_equal(at(m, "/n")->children[250]->name, "500");
}

static void paths_and_the_order_of_the_tree(void **state)
{
	static const char *const order[] = { "/", "/a", "/a/9", "/a/10", "/a/x", "/b" };
	struct mirror *m = *state;
	const struct mirror_node *node = m->root;
	char path[PATH_SIZE];

	for (size_t i = 0; i < 6; i++, node = mirror_next(node)) {
		assert_non_null(node);
		mirror_path(node, path);
		assert_string_equal(path, order[i]);
		assert_ptr_equal(mirror_find(m, path), node);
	}
	assert_null(node);
}

/* ---- domains -------------------------------------------------------------------------------- */

struct world {
	struct mirror mirror;
	struct guests guests;
};

static int setup_world(void **state)
{
	static struct world w;
	struct mirror *m = &w.mirror;

	memset(&w, 0, sizeof(w));
	assert_int_equal(mirror_init(m), 0);
	take(m, 1, "/local/domain/0/name", "Domain-0", NULL);
	take(m, 1, "/local/domain/0/backend/vif/1/0", "", "/local/domain/0/backend/vif/1/0/state", "4",
	     "/local/domain/0/backend/vif/1/0/frontend", "/local/domain/1/device/vif/0", NULL);
	take(m, 1, "/local/domain/1", "", "/local/domain/1/name", "web", "/local/domain/1/memory", "",
	     "/local/domain/1/memory/target", "1024", "/local/domain/1/device", "",
	     "/local/domain/1/device/vif", "", "/local/domain/1/device/vif/0", "",
	     "/local/domain/1/device/vif/0/state", "4", NULL);
	assert_int_equal(guests_update(&w.guests, m, 1), 0);
	*state = &w;
	return 0;
}

static int teardown_world(void **state)
{
	struct world *w = *state;

	guests_release(&w->guests);
	mirror_release(&w->mirror);
	return 0;
}

static void domains_are_found_in_the_copy(void **state)
{
	struct world *w = *state;
	const struct guest *web = &w->guests.list[1];

	assert_int_equal(w->guests.n, 2);
	assert_int_equal(w->guests.n_devices, 1);
	assert_string_equal(web->domain.name, "web");
	assert_int_equal(web->domain.memory_target_kib, 1024);
	assert_string_equal(guest_state(web), "up");
	assert_string_equal(web->backends, "connected");
	assert_int_equal(web->made, 0);
	assert_int_equal(w->guests.n_connected, 1);
	assert_int_equal(w->guests.memory_kib, 1024);
}

static void what_changes_of_a_domain_is_dated(void **state)
{
	struct world *w = *state;
	const struct guest *web;

	take(&w->mirror, 5, "/local/domain/1/memory/target", "2048", NULL);
	take(&w->mirror, 5, "/local/domain/0/backend/vif/1/0/state", "5", NULL);
	take(&w->mirror, 5, "/local/domain/1/control/shutdown", "reboot", NULL);
	assert_int_equal(guests_update(&w->guests, &w->mirror, 5), 0);
	web = &w->guests.list[1];
	assert_int_equal(web->changed[GUEST_MEMORY], 5);
	assert_int_equal(web->changed[GUEST_STATE], 5);
	assert_int_equal(web->changed[GUEST_DEVICES], 5);
	assert_int_equal(web->changed[GUEST_NAME], 0);
	assert_string_equal(guest_state(web), "reboot");
	assert_string_equal(web->backends, "vif/0 Closing");
	assert_int_equal(w->guests.devices[0].backend_changed, 5);
	assert_int_equal(w->guests.devices[0].frontend_changed, 0);
	assert_int_equal(w->guests.list[0].changed[GUEST_STATE], 0);
}

static void a_domain_comes_goes_and_is_forgotten(void **state)
{
	struct world *w = *state;

	take(&w->mirror, 5, "/local/domain/3/name", "new", NULL);
	assert_int_equal(guests_update(&w->guests, &w->mirror, 5), 0);
	assert_int_equal(w->guests.n, 3);
	assert_int_equal(w->guests.list[2].made, 5);
	take(&w->mirror, 6, "/local/domain/1", NULL);
	take(&w->mirror, 6, "/local/domain/0/backend", NULL);
	assert_int_equal(guests_update(&w->guests, &w->mirror, 6), 0);
	assert_int_equal(w->guests.n, 3);
	assert_string_equal(guest_state(&w->guests.list[1]), "gone");
	assert_int_equal(w->guests.n_up, 2);
	assert_int_equal(w->guests.devices[0].gone, 6);
	/* It is gone since then, however often one looks. */
	assert_int_equal(guests_update(&w->guests, &w->mirror, 7), 0);
	assert_int_equal(w->guests.list[1].gone, 6);
	guests_forget(&w->guests, 6);
	assert_int_equal(w->guests.n, 3);
	guests_forget(&w->guests, 7);
	assert_int_equal(w->guests.n, 2);
	assert_int_equal(w->guests.n_devices, 0);
	assert_string_equal(w->guests.list[1].domain.name, "new");
}

static void states_that_keys_tell(void **state)
{
	struct world *w = *state;

	take(&w->mirror, 5, "/local/domain/0/backend/vif/1/0/state", "2", NULL);
	take(&w->mirror, 5, "/local/domain/4/memory/target", "1", NULL);
	assert_int_equal(guests_update(&w->guests, &w->mirror, 5), 0);
	assert_string_equal(guest_state(&w->guests.list[1]), "starting");
	assert_string_equal(guest_state(&w->guests.list[2]), "building");
}

static void views_are_filtered_and_sorted(void **state)
{
	struct world *w = *state;
	const struct guest *list[8];

	take(&w->mirror, 5, "/local/domain/7/name", "Another", NULL);
	assert_int_equal(guests_update(&w->guests, &w->mirror, 5), 0);
	assert_int_equal(guests_view(&w->guests, GUESTS_BY_ID, "", list), 3);
	assert_int_equal(list[2]->domain.domid, 7);
	assert_int_equal(guests_view(&w->guests, GUESTS_BY_NAME, "", list), 3);
	assert_int_equal(list[0]->domain.domid, 7);
	assert_int_equal(guests_view(&w->guests, GUESTS_BY_MEMORY, "", list), 3);
	assert_int_equal(list[0]->domain.domid, 1);
	assert_int_equal(guests_view(&w->guests, GUESTS_BY_DEVICES, "", list), 3);
	assert_int_equal(list[0]->domain.domid, 1);
	assert_int_equal(guests_view(&w->guests, GUESTS_BY_ID, "ANO", list), 1);
	assert_int_equal(guests_view(&w->guests, GUESTS_BY_ID, "0", list), 1);
	assert_int_equal(guests_view(&w->guests, GUESTS_BY_ID, "nobody", list), 0);
}

/* ---- figures -------------------------------------------------------------------------------- */

static void figures_and_rates(void **state)
{
	static struct meter m;
	const char *type;
	double rates[4];

	(void)state;
	meter_take(&m, "root /\ntransport ring\nstate connected\nrequests_READ 10\ntransport_moves 3\n", 1000);
	assert_string_equal(m.transport, "ring");
	assert_string_equal(m.state, "connected");
	assert_int_equal(meter_value(&m, "requests_READ", 0), 10);
	assert_int_equal(meter_value(&m, "transport_moves", 0), 3);
	assert_int_equal(meter_value(&m, "nothing", 7), 7);
	assert_true(m.requests == 0);
	meter_take(&m, "requests_READ 30\nrequests_WRITE 4\nevents 9\n", 3000);
	assert_true(m.lines[0].rate == 10);
	assert_true(m.requests == 12);
	assert_true(meter_is_request(&m.lines[0], &type));
	assert_string_equal(type, "READ");
	assert_false(meter_is_request(&m.lines[2], &type));
	/* Another mount, whose numbers begin anew. */
	meter_take(&m, "requests_READ 5\n", 4000);
	assert_true(m.requests == 0);
	assert_true(meter_history(&m, rates, 4) == 12);
	assert_true(rates[0] == 0 && rates[1] == 0 && rates[2] == 12 && rates[3] == 0);
	for (unsigned i = 0; i < 2 * METER_HISTORY; i++) {
		char text[32];

		snprintf(text, sizeof(text), "requests_READ %u\n", 5 + i * (i + 1) / 2);
		meter_take(&m, text, 5000 + i * 1000);
	}
	assert_true(meter_history(&m, rates, 2) == 2 * METER_HISTORY - 1);
	assert_true(rates[0] == 2 * METER_HISTORY - 2);
}

static void histograms(void **state)
{
	static const char text[] =
		"# TYPE xsfs_request_duration_seconds histogram\n"
		"xsfs_request_duration_seconds_bucket{type=\"READ\",le=\"1.6e-05\"} 60\n"
		"xsfs_request_duration_seconds_bucket{type=\"READ\",le=\"0.001\"} 99\n"
		"xsfs_request_duration_seconds_bucket{type=\"READ\",le=\"+Inf\"} 100\n"
		"xsfs_request_duration_seconds_count{type=\"READ\"} 100\n"
		"xsfs_request_duration_seconds_bucket{type=\"WRITE\",le=\"0.5\"} 0\n"
		"xsfs_request_duration_seconds_bucket{type=\"WRITE\",le=\"+Inf\"} 2\n"
		"xsfs_events_total 4\n"
		"xsfs_operation_duration_seconds_bucket{operation=\"read\",le=\"2\"} 1\n"
		"xsfs_operation_duration_seconds_bucket{operation=\"read\",le=\"+Inf\"} 1\n"
		"# EOF\n";
	static struct meter_latencies l;
	const struct meter_latency *read;

	(void)state;
	meter_latencies(&l, text);
	assert_int_equal(l.n, 3);
	read = meter_latency(&l, "request", "READ");
	assert_non_null(read);
	assert_int_equal(read->count, 100);
	assert_int_equal(lround(read->p50_us), 16);
	assert_int_equal(lround(read->p99_us), 1000);
	assert_true(isinf(meter_latency(&l, "request", "WRITE")->p50_us));
	assert_int_equal(lround(meter_latency(&l, "operation", "read")->p99_us), 2000000);
	assert_null(meter_latency(&l, "request", "read"));
	meter_latencies(&l, "");
	assert_int_equal(l.n, 0);
}

/* ---- edits ---------------------------------------------------------------------------------- */

static void is_line(struct edit_line *line, const char *expected)
{
	char *text = edit_text(line);

	assert_string_equal(text, expected);
	free(text);
}

static void a_line_is_typed(void **state)
{
	static struct edit_line line;

	(void)state;
	edit_begin(&line, "some words");
	edit_move(&line, EDIT_ERASE_WORD);
	is_line(&line, "some ");
	edit_move(&line, EDIT_HOME);
	edit_move(&line, EDIT_ERASE);
	edit_move(&line, EDIT_LEFT);
	edit_move(&line, EDIT_DELETE);
	edit_insert(&line, 'S');
	edit_insert(&line, '\n');
	is_line(&line, "Some ");
	edit_move(&line, EDIT_RIGHT);
	edit_move(&line, EDIT_ERASE_ALL);
	is_line(&line, "me ");
	edit_move(&line, EDIT_END);
	edit_move(&line, EDIT_RIGHT);
	edit_move(&line, EDIT_DELETE);
	edit_move(&line, EDIT_ERASE);
	is_line(&line, "me");
	for (unsigned i = 0; i < EDIT_SIZE + 10; i++)
		edit_insert(&line, 'x');
	assert_int_equal(line.len, EDIT_SIZE);
}

static void characters_of_several_bytes(void **state)
{
	static struct edit_line line;

	(void)state;
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	edit_begin(&line, "grün");
	assert_int_equal(line.len, 4);
	edit_move(&line, EDIT_LEFT);
	edit_move(&line, EDIT_ERASE);
	edit_insert(&line, L'ä');
	is_line(&line, "grän");
	setlocale(LC_CTYPE, "C");
}

static void is_value(const char *typed, const char *expected, size_t expected_len)
{
	char *text = strdup(typed);
	size_t len;

	assert_int_equal(edit_value(text, &len), 0);
	assert_int_equal(len, expected_len);
	assert_memory_equal(text, expected, len + 1);
	free(text);
}

static void what_is_typed_stands_for_bytes(void **state)
{
	static const char *const wrong[] = { "\\", "a\\q", "\\x", "\\x1", "\\x1g", "\\xg1" };
	size_t len;

	(void)state;
	is_value("", "", 0);
	is_value("plain", "plain", 5);
	is_value("\\n\\t\\\\x", "\n\t\\x", 4);
	is_value("\\x00\\xfF1", "\0\xff" "1", 3);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *text = strdup(wrong[i]);

		assert_int_equal(edit_value(text, &len), -EINVAL);
		free(text);
	}
}

static void every_value_can_be_typed(void **state)
{
	char bytes[256], *text;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	text = text_printable(bytes, sizeof(bytes));
	assert_int_equal(edit_value(text, &len), 0);
	assert_int_equal(len, sizeof(bytes));
	assert_memory_equal(text, bytes, len);
	free(text);
}

static void an_edit_is_turned_round(void **state)
{
	struct edit e;

	(void)state;
	assert_int_equal(edit_init(&e, "/a", "old", 3, "newer", 5), 0);
	edit_reverse(&e);
	assert_string_equal(e.was, "newer");
	assert_string_equal(e.value, "old");
	assert_int_equal(e.was_len, 5);
	assert_int_equal(e.len, 3);
	edit_release(&e);
	assert_string_equal(e.path, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_first_reading_is_no_news, setup_mirror,
						teardown_mirror),
		cmocka_unit_test_setup_teardown(a_change_keeps_the_old_value_and_is_seen_from_above,
						setup_mirror, teardown_mirror),
		cmocka_unit_test_setup_teardown(a_new_node_makes_those_above_it, setup_mirror,
						teardown_mirror),
		cmocka_unit_test_setup_teardown(what_a_document_lacks_is_gone, setup_mirror,
						teardown_mirror),
		cmocka_unit_test_setup_teardown(a_tree_goes_with_its_top_and_can_come_back, setup_mirror,
						teardown_mirror),
		cmocka_unit_test_setup_teardown(many_children_come_and_go_in_order, setup_mirror,
						teardown_mirror),
		cmocka_unit_test_setup_teardown(paths_and_the_order_of_the_tree, setup_mirror,
						teardown_mirror),
		cmocka_unit_test_setup_teardown(domains_are_found_in_the_copy, setup_world,
						teardown_world),
		cmocka_unit_test_setup_teardown(what_changes_of_a_domain_is_dated, setup_world,
						teardown_world),
		cmocka_unit_test_setup_teardown(a_domain_comes_goes_and_is_forgotten, setup_world,
						teardown_world),
		cmocka_unit_test_setup_teardown(states_that_keys_tell, setup_world, teardown_world),
		cmocka_unit_test_setup_teardown(views_are_filtered_and_sorted, setup_world,
						teardown_world),
		cmocka_unit_test(figures_and_rates),
		cmocka_unit_test(histograms),
		cmocka_unit_test(a_line_is_typed),
		cmocka_unit_test(characters_of_several_bytes),
		cmocka_unit_test(what_is_typed_stands_for_bytes),
		cmocka_unit_test(every_value_can_be_typed),
		cmocka_unit_test(an_edit_is_turned_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
