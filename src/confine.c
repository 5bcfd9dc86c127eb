/* SPDX-License-Identifier: MIT */
/* Capabilities by prctl(2) and capset(2); the filter of system calls by libseccomp. */
#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#include "src/confine.h"

/* For mounting and unmounting; for files and sockets that do not belong to root. */
static const int needed[] = { CAP_SYS_ADMIN, CAP_DAC_OVERRIDE };
/* For /dev/mem and /proc/kcore, for the addresses in /proc/kallsyms, and to lock memory used by
 * hypercalls in place. */
static const int needed_by_ring[] = { CAP_SYS_RAWIO, CAP_SYSLOG, CAP_IPC_LOCK };

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t capabilities_kept(bool own_ring)
{
	uint64_t kept = 0;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		kept |= UINT64_C(1) << needed[i];
	for (size_t i = 0; own_ring && i < ARRAY_SIZE(needed_by_ring); i++)
		kept |= UINT64_C(1) << needed_by_ring[i];
	return kept;
}

/* Limits all three capability sets of this process.  Returns 0 or -errno. */
static int capabilities_limit(uint64_t kept)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint32_t given_up = 0;

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
		uint32_t word = kept >> (32 * i);

		given_up |= (data[i].effective | data[i].permitted | data[i].inheritable) & ~word;
		data[i].effective &= word;
		data[i].permitted &= word;
		data[i].inheritable &= word;
	}
	/* A service manager that left us no more may not let us call it, either. */
	return given_up && syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

void confine_capabilities(bool own_ring, struct logger *log)
{
	uint64_t kept = capabilities_kept(own_ring);
	int err = 0, limit_err;

	if (geteuid() != 0)
		return;
	/* The bounding set, for programs that it starts, comes first, because changing it takes a
	 * capability too.  EINVAL: there are no more capabilities. */
	for (int cap = 0; cap < 64 && !err; cap++)
		if (!(kept & UINT64_C(1) << cap) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			err = -errno;
	/* Without CAP_SETPCAP only the former fails. */
	limit_err = capabilities_limit(kept);
	if (!err)
		err = limit_err;
	/* Of each thread: those that come have it from this one. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 && !err)
		err = -errno;
	if (err)
		log_warning(log, "privileges cannot be given up: %s", strerror(-err));
}

#ifdef HAVE_SECCOMP

/* The system calls of the daemon, libfuse, Xen's libraries and the C library once the
 * mount is there. */
static const int allowed[] = {
	/* files, pipes, sockets */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(write), SCMP_SYS(writev),
	SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup),
	SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(fcntl), SCMP_SYS(fcntl64), SCMP_SYS(flock), SCMP_SYS(fsync),
	SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64), SCMP_SYS(fallocate), SCMP_SYS(ioctl), SCMP_SYS(lseek),
	SCMP_SYS(_llseek), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(pipe), SCMP_SYS(pipe2),
	SCMP_SYS(splice), SCMP_SYS(vmsplice), SCMP_SYS(tee), SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(fstat), SCMP_SYS(fstat64), SCMP_SYS(fstatfs), SCMP_SYS(fstatfs64),
	SCMP_SYS(stat), SCMP_SYS(stat64), SCMP_SYS(lstat), SCMP_SYS(lstat64), SCMP_SYS(newfstatat),
	SCMP_SYS(fstatat64), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(statfs64), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(getdents), SCMP_SYS(getdents64), SCMP_SYS(unlink),
	SCMP_SYS(unlinkat), SCMP_SYS(rmdir), SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(sendto),
	SCMP_SYS(send), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(recv), SCMP_SYS(recvmsg),
	SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername), SCMP_SYS(socketcall), SCMP_SYS(umount), SCMP_SYS(umount2),
	/* our own mount, for inotify */
	SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(open_tree), SCMP_SYS(mount_setattr),
	SCMP_SYS(fchdir), SCMP_SYS(chdir), SCMP_SYS(mkdirat), SCMP_SYS(mknodat), SCMP_SYS(utimensat),
	SCMP_SYS(utimensat_time64),
	/* waiting */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(ppoll_time64), SCMP_SYS(select), SCMP_SYS(pselect6),
	SCMP_SYS(pselect6_time64), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2), SCMP_SYS(signalfd4),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(futex), SCMP_SYS(futex_time64),
	SCMP_SYS(futex_waitv), SCMP_SYS(restart_syscall), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_nanosleep_time64), SCMP_SYS(sched_yield), SCMP_SYS(wait4), SCMP_SYS(waitid),
	SCMP_SYS(waitpid), SCMP_SYS(pause),
	/* time and numbers */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday),
	SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(gettid),
	SCMP_SYS(getuid), SCMP_SYS(getuid32), SCMP_SYS(geteuid), SCMP_SYS(geteuid32), SCMP_SYS(getgid),
	SCMP_SYS(getgid32), SCMP_SYS(getegid), SCMP_SYS(getegid32), SCMP_SYS(uname), SCMP_SYS(sysinfo),
	SCMP_SYS(getcpu), SCMP_SYS(getrusage), SCMP_SYS(getrlimit), SCMP_SYS(ugetrlimit), SCMP_SYS(prlimit64),
	/* memory and threads */
	SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect),
	SCMP_SYS(madvise), SCMP_SYS(msync), SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(munlock),
	SCMP_SYS(membarrier), SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(set_robust_list),
	SCMP_SYS(get_robust_list), SCMP_SYS(rseq), SCMP_SYS(set_tid_address), SCMP_SYS(set_thread_area),
	SCMP_SYS(arch_prctl), SCMP_SYS(prctl), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler), SCMP_SYS(exit), SCMP_SYS(exit_group),
	/* signals; `kill` ends an embedded server */
	SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(tgkill), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigreturn), SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack),
};

/* The guard's. */
static const int allowed_guard[] = {
	SCMP_SYS(write), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigtimedwait_time64), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall), SCMP_SYS(prctl), SCMP_SYS(getppid), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* Allows these calls and no others.  Returns 0 or -errno. */
static int calls_limit(const int *calls, size_t count)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int err;

	if (!filter)
		return -ENOMEM;
	/* For all existing threads. */
	err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* A call that this machine does not have (a negative number) needs no rule. */
	for (size_t i = 0; !err && i < count; i++)
		if (calls[i] >= 0)
			err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

int confine_calls(void)
{
	return geteuid() == 0 ? calls_limit(allowed, ARRAY_SIZE(allowed)) : 0;
}

static void calls_limit_guard(void)
{
	calls_limit(allowed_guard, ARRAY_SIZE(allowed_guard));
}

#else

int confine_calls(void)
{
	return 0;
}

static void calls_limit_guard(void)
{
}

#endif

void confine_guard(bool seccomp)
{
	capabilities_limit(0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (seccomp)
		calls_limit_guard();
}
