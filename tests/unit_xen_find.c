/* SPDX-License-Identifier: MIT */
/*
 * Tests how a PV guest's ring is found: symbol lists and kernel cores, right and wrong, as files
 * made by the test.
 */
#define __XEN_TOOLS__ 1

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/xen.h>

#include "ring/xen_find.h"

#ifdef __x86_64__

#define POINTER_AT 0xffffffff82a0d2c8
#define INFO_AT 0xffff888001234000
#define GFN 0x1abcd
#define PORT 5

/* A kernel: its symbols, and a core with two pieces of memory. */
struct kernel {
	char kallsyms[64], kcore[64];
	const char *symbols;
	uint64_t pointer;
	struct start_info info;
	bool short_core;
	struct xen_finder finder;
	struct xen_place place;
};

static void file_make(char *name, const void *data, size_t len)
{
	int fd;

	strcpy(name, "/tmp/unit_xen_find.XXXXXX");
	fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void core_make(struct kernel *k)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr parts[3];
		uint64_t memory[4]; /* the pointer is the third word of its piece */
		struct start_info info;
	} core = {
		.header = { .e_ident = ELFMAG, .e_phoff = sizeof(Elf64_Ehdr),
			    .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3 },
		.memory = { 1, 2, k->pointer, 4 },
		.info = k->info,
	};

	core.parts[0] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_vaddr = POINTER_AT, .p_memsz = 64 };
	core.parts[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_vaddr = POINTER_AT - 16,
				      .p_memsz = sizeof(core.memory),
				      .p_offset = (char *)core.memory - (char *)&core };
	core.parts[2] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_vaddr = INFO_AT,
				      .p_memsz = sizeof(core.info),
				      .p_offset = (char *)&core.info - (char *)&core };
	file_make(k->kcore, &core, k->short_core ? sizeof(core) - sizeof(core.info) / 2 :
						   sizeof(core));
}

static int setup(void **state)
{
	struct kernel *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	k->symbols = "ffffffff81000000 T _text\n"
		     "ffffffff82a0d000 D xen_start_info_not\n"
		     "ffffffff82a0d2c8 D xen_start_info\n"
		     "ffffffffc0001000 t helper\t[fuse]\n";
	k->pointer = INFO_AT;
	strcpy(k->info.magic, "xen-3.0-x86_64");
	k->info.store_mfn = GFN;
	k->info.store_evtchn = PORT;
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static int find(struct kernel *k)
{
	int err;

	file_make(k->kallsyms, k->symbols, strlen(k->symbols));
	core_make(k);
	err = xen_find_start_info(&k->finder, k->kallsyms, k->kcore, &k->place);
	unlink(k->kallsyms);
	unlink(k->kcore);
	return err;
}

static void is_found(void **state)
{
	struct kernel *k = *state;

	assert_int_equal(find(k), 0);
	assert_int_equal(k->place.gfn, GFN);
	assert_int_equal(k->place.port, PORT);
}

/* After a restore: the pointer is where it was, the list of symbols is not read again. */
static void is_found_again(void **state)
{
	struct kernel *k = *state;

	assert_int_equal(find(k), 0);
	k->symbols = "";
	k->info.store_mfn = GFN + 1;
	k->info.store_evtchn = PORT + 1;
	assert_int_equal(find(k), 0);
	assert_int_equal(k->place.gfn, GFN + 1);
	assert_int_equal(k->place.port, PORT + 1);
}

static void no_symbol(void **state)
{
	struct kernel *k = *state;

	k->symbols = "ffffffff81000000 T _text\nffffffff82a0d000 D xen_start_info_not\n";
	assert_int_equal(find(k), -ENOENT);
	k->symbols = "nonsense xen_start_info\n\n";
	assert_int_equal(find(k), -ENOENT);
}

static void symbols_are_hidden(void **state)
{
	struct kernel *k = *state;

	k->symbols = "0000000000000000 D xen_start_info\n";
	assert_int_equal(find(k), -EPERM);
}

static void no_files(void **state)
{
	struct kernel *k = *state;

	assert_int_equal(xen_find_start_info(&k->finder, "/nonexistent", "/nonexistent", &k->place),
			 -ENOENT);
	k->finder.pointer = POINTER_AT;
	assert_int_equal(xen_find_start_info(&k->finder, "/nonexistent", "/nonexistent", &k->place),
			 -ENOENT);
	/* No core at all. */
	assert_int_equal(xen_find_start_info(&k->finder, "/", "/proc/self/comm", &k->place), -EPROTO);
}

/* The pointer of a PVH guest leads nowhere. */
static void no_pv_guest(void **state)
{
	struct kernel *k = *state;

	k->pointer = 0;
	assert_int_equal(find(k), -EPROTO);
}

static void no_start_info(void **state)
{
	struct kernel *k = *state;

	strcpy(k->info.magic, "zen");
	assert_int_equal(find(k), -EPROTO);
}

static void at_the_end_of_memory(void **state)
{
	struct kernel *k = *state;

	k->pointer = INFO_AT + 8;
	assert_int_equal(find(k), -EPROTO);
	k->pointer = UINT64_MAX - 8;
	assert_int_equal(find(k), -EPROTO);
	k->pointer = INFO_AT;
	k->short_core = true;
	assert_int_equal(find(k), -EPROTO);
}

/* Domain 0 was told of none. */
static void no_ring(void **state)
{
	struct kernel *k = *state;

	k->info.store_mfn = 0;
	assert_int_equal(find(k), -ENXIO);
	k->info.store_mfn = GFN;
	k->info.store_evtchn = 0;
	assert_int_equal(find(k), -ENXIO);
	assert_int_equal(k->place.gfn, 0);
}

#else

/* Only x86 has such guests. */
static void other_architecture(void **state)
{
	struct xen_finder finder = { 0 };
	struct xen_place place = { 0 };

	(void)state;
	assert_int_equal(xen_find_start_info(&finder, "/proc/kallsyms", "/proc/kcore", &place), -ENOSYS);
}

#endif

int main(void)
{
	static const struct CMUnitTest tests[] = {
#ifdef __x86_64__
		cmocka_unit_test_setup_teardown(is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(is_found_again, setup, teardown),
		cmocka_unit_test_setup_teardown(no_symbol, setup, teardown),
		cmocka_unit_test_setup_teardown(symbols_are_hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(no_files, setup, teardown),
		cmocka_unit_test_setup_teardown(no_pv_guest, setup, teardown),
		cmocka_unit_test_setup_teardown(no_start_info, setup, teardown),
		cmocka_unit_test_setup_teardown(at_the_end_of_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(no_ring, setup, teardown),
#else
		cmocka_unit_test(other_architecture),
#endif
	};

	return cmocka_run_group_tests_name("xen_find", tests, NULL, NULL);
}
