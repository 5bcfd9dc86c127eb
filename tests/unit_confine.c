/* SPDX-License-Identifier: MIT */
/* Capabilities and system calls that are given up, each in a child that may lose them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/confine.h"

static int warnings;

static void count_warning(struct logger *log, enum log_level level, const char *fmt, va_list ap)
{
	(void)log;
	(void)fmt;
	(void)ap;
	if (level <= LOGGER_WARNING)
		warnings++;
}

static struct logger logger = { .vlog = count_warning };

/* Returns the result of `body` in a child; it must be below 100. */
static int in_child(int (*body)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void root_only(void)
{
	if (geteuid() != 0)
		skip();
}

static bool has_capability(int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	return syscall(SYS_capget, &header, data) == 0 && (data[cap / 32].permitted >> cap % 32 & 1);
}

static int capabilities_of_a_mount(void)
{
	confine_capabilities(false, &logger);
	if (warnings)
		return 1;
	if (!has_capability(CAP_SYS_ADMIN) || !has_capability(CAP_DAC_OVERRIDE))
		return 2;
	if (has_capability(CAP_SYS_RAWIO) || has_capability(CAP_SYS_PTRACE) || has_capability(CAP_SETUID) ||
	    has_capability(CAP_SYS_MODULE) || has_capability(CAP_NET_ADMIN))
		return 3;
	return prctl(PR_CAPBSET_READ, CAP_SETUID, 0, 0, 0) == 0 ? 0 : 4;
}

static void a_mount_keeps_few_capabilities(void **state)
{
	(void)state;
	root_only();
	assert_int_equal(in_child(capabilities_of_a_mount), 0);
}

/* As in a container, which may have kept CAP_SETPCAP back. */
static int capabilities_without_setpcap(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return 1;
	data[0].effective &= ~(UINT32_C(1) << CAP_SETPCAP);
	data[0].permitted &= ~(UINT32_C(1) << CAP_SETPCAP);
	if (syscall(SYS_capset, &header, data) < 0)
		return 2;
	confine_capabilities(false, &logger);
	if (warnings != 1)
		return 3;
	return has_capability(CAP_SYS_ADMIN) && !has_capability(CAP_SETUID) ? 0 : 4;
}

static void what_children_may_get_cannot_be_limited(void **state)
{
	(void)state;
	root_only();
	assert_int_equal(in_child(capabilities_without_setpcap), 0);
}

static int capabilities_of_a_ring(void)
{
	bool had = has_capability(CAP_SYS_RAWIO);

	confine_capabilities(true, &logger);
	if (warnings)
		return 1;
	/* What was not there before is not there now. */
	return has_capability(CAP_SYS_RAWIO) == had && !has_capability(CAP_SETUID) ? 0 : 2;
}

static void a_ring_keeps_what_finding_it_takes(void **state)
{
	(void)state;
	root_only();
	assert_int_equal(in_child(capabilities_of_a_ring), 0);
}

static int guard_without_filter(void)
{
	confine_guard(false);
	for (int cap = 0; cap <= CAP_SYS_ADMIN; cap++)
		if (has_capability(cap))
			return 1;
	return open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0 ? 0 : 2;
}

static void the_guard_has_no_capability(void **state)
{
	(void)state;
	assert_int_equal(in_child(guard_without_filter), 0);
}

#ifdef HAVE_SECCOMP
static int guard_with_filter(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	confine_guard(true);
	if (open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0 || errno != ENOSYS)
		return 1;
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != ENOSYS)
		return 2;
	return write(fd, "x", 1) == 1 ? 0 : 3;
}

static void the_guard_can_only_write(void **state)
{
	(void)state;
	assert_int_equal(in_child(guard_with_filter), 0);
}

static int refused_calls(void)
{
	char *argv[] = { NULL };

	if (confine_calls())
		return 1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
	if (execve("/bin/true", argv, argv) == 0 || errno != ENOSYS)
		return 3;
	if (syscall(SYS_ptrace, 0, 0, 0, 0) == 0 || errno != ENOSYS)
		return 4;
	if (syscall(SYS_mount, "none", "/", "none", 0, NULL) == 0 || errno != ENOSYS)
		return 5;
	return syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == ENOSYS ? 0 : 6;
}

static void a_program_cannot_be_started_nor_something_mounted(void **state)
{
	(void)state;
	root_only();
	assert_int_equal(in_child(refused_calls), 0);
}

/* Returns NULL if a call is refused to this thread, too. */
static void *wait_for_go(void *arg)
{
	int *fds = arg;
	char c;

	if (read(fds[0], &c, 1) != 1)
		return arg;
	return syscall(SYS_chroot, "/") < 0 && errno == ENOSYS ? NULL : arg;
}

static int threads(void)
{
	pthread_t before, after;
	void *result;
	int fds[2];

	if (pipe(fds) || pthread_create(&before, NULL, wait_for_go, fds) || confine_calls())
		return 1;
	if (write(fds[1], "12", 2) != 2 || pthread_join(before, &result) || result)
		return 2;
	return pthread_create(&after, NULL, wait_for_go, fds) || pthread_join(after, &result) || result ? 3 : 0;
}

static void threads_that_were_there_are_confined_and_new_ones_can_be_made(void **state)
{
	(void)state;
	root_only();
	assert_int_equal(in_child(threads), 0);
}

static int serving(void)
{
	int fd;
	void *p;

	if (confine_calls())
		return 1;
	p = malloc(1 << 20);
	free(p);
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "x", 1) != 1 || close(fd))
		return 2;
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : 3;
}

static void files_memory_and_sockets_are_left(void **state)
{
	(void)state;
	root_only();
	assert_int_equal(in_child(serving), 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mount_keeps_few_capabilities),
		cmocka_unit_test(what_children_may_get_cannot_be_limited),
		cmocka_unit_test(a_ring_keeps_what_finding_it_takes),
		cmocka_unit_test(the_guard_has_no_capability),
#ifdef HAVE_SECCOMP
		cmocka_unit_test(a_program_cannot_be_started_nor_something_mounted),
		cmocka_unit_test(threads_that_were_there_are_confined_and_new_ones_can_be_made),
		cmocka_unit_test(files_memory_and_sockets_are_left),
		cmocka_unit_test(the_guard_can_only_write),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
