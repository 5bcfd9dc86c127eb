/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into xsfs: one allocation, or one new descriptor, fails, whoever asks for it: xsfs, libfuse, or another
 * library.  A test says which one by the file that $XSFS_FAILING names: two struct failing, for memory and for
 * descriptors, which it maps as this does.  Any thread.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Calls are counted from 1 while fail_at is not 0; number fail_at fails, with errno `error`. */
struct failing {
	_Atomic uint64_t fail_at;
	_Atomic uint64_t calls;
	_Atomic uint64_t failed;
	_Atomic uint64_t error;
};

static struct failing none[2], *failing = none;

#define MEMORY 0
#define DESCRIPTORS 1

/* Before the first allocation of main(); earlier ones succeed. */
__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("XSFS_FAILING");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = MAP_FAILED;

	if (fd >= 0)
		map = mmap(NULL, sizeof(none), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		failing = map;
	if (fd >= 0)
		close(fd);
}

static bool fails(unsigned kind)
{
	struct failing *f = &failing[kind];
	uint64_t at = atomic_load(&f->fail_at);

	if (!at || atomic_fetch_add(&f->calls, 1) + 1 != at)
		return false;
	atomic_fetch_add(&f->failed, 1);
	errno = kind == MEMORY ? ENOMEM : (int)atomic_load(&f->error);
	return true;
}

/* dlsym() allocates at its first call in each thread of some versions of glibc; these bytes are for that. */
static char early[4096] __attribute__((aligned(16)));
static size_t early_used;

static void *early_alloc(size_t size)
{
	void *p = early + early_used;

	early_used += (size + 15) & ~(size_t)15;
	return early_used <= sizeof(early) ? p : NULL;
}

static bool is_early(const void *p)
{
	return (const char *)p >= early && (const char *)p < early + sizeof(early);
}

/* Finds the function behind ours. */
#define NEXT(function)                                                  \
	static __typeof__(&function) find_##function(void)              \
	{                                                               \
		static union {                                          \
			void *symbol;                                   \
			__typeof__(&function) call;                     \
		} next;                                                 \
		if (!next.symbol)                                       \
			next.symbol = dlsym(RTLD_NEXT, #function);      \
		return next.call;                                       \
	}

NEXT(malloc)
NEXT(calloc)
NEXT(realloc)
NEXT(free)
NEXT(posix_memalign)

static _Thread_local bool looking;

void *malloc(size_t size)
{
	void *(*next)(size_t);

	if (looking)
		return early_alloc(size);
	looking = true;
	next = find_malloc();
	looking = false;
	return fails(MEMORY) ? NULL : next(size);
}

void *calloc(size_t n, size_t size)
{
	void *(*next)(size_t, size_t);

	if (looking)
		return early_alloc(n * size);
	looking = true;
	next = find_calloc();
	looking = false;
	return fails(MEMORY) ? NULL : next(n, size);
}

void *realloc(void *p, size_t size)
{
	void *(*next)(void *, size_t);

	looking = true;
	next = find_realloc();
	looking = false;
	return fails(MEMORY) ? NULL : next(p, size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
	int (*next)(void **, size_t, size_t);

	looking = true;
	next = find_posix_memalign();
	looking = false;
	return fails(MEMORY) ? ENOMEM : next(p, alignment, size);
}

void free(void *p)
{
	if (!is_early(p))
		find_free()(p);
}

NEXT(open)
NEXT(open64)
NEXT(openat)
NEXT(socket)
NEXT(eventfd)
NEXT(timerfd_create)
NEXT(signalfd)
NEXT(fopen)
NEXT(fopen64)
NEXT(fcntl)
NEXT(fcntl64)
NEXT(dup)
NEXT(pipe)
NEXT(pipe2)
NEXT(accept4)

/* The mode, if the flags say that there is one. */
#define MODE_OF(flags, mode)                                            \
	do {                                                            \
		va_list ap;                                             \
		va_start(ap, flags);                                    \
		mode = (flags) & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0; \
		va_end(ap);                                             \
	} while (0)

int open(const char *path, int flags, ...)
{
	mode_t mode;

	MODE_OF(flags, mode);
	return fails(DESCRIPTORS) ? -1 : find_open()(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	mode_t mode;

	MODE_OF(flags, mode);
	return fails(DESCRIPTORS) ? -1 : find_open64()(path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode;

	MODE_OF(flags, mode);
	return fails(DESCRIPTORS) ? -1 : find_openat()(dir, path, flags, mode);
}

int socket(int domain, int type, int protocol)
{
	return fails(DESCRIPTORS) ? -1 : find_socket()(domain, type, protocol);
}

int eventfd(unsigned int count, int flags)
{
	return fails(DESCRIPTORS) ? -1 : find_eventfd()(count, flags);
}

int timerfd_create(clockid_t clock, int flags)
{
	return fails(DESCRIPTORS) ? -1 : find_timerfd_create()(clock, flags);
}

int signalfd(int fd, const sigset_t *mask, int flags)
{
	return fd < 0 && fails(DESCRIPTORS) ? -1 : find_signalfd()(fd, mask, flags);
}

FILE *fopen(const char *path, const char *mode)
{
	return fails(DESCRIPTORS) ? NULL : find_fopen()(path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
	return fails(DESCRIPTORS) ? NULL : find_fopen64()(path, mode);
}

static bool is_copy(int command)
{
	return command == F_DUPFD || command == F_DUPFD_CLOEXEC;
}

/* Every command takes one argument at most, of the size of a pointer. */
#define ARGUMENT_OF(command, arg)       \
	do {                            \
		va_list ap;             \
		va_start(ap, command);  \
		arg = va_arg(ap, void *); \
		va_end(ap);             \
	} while (0)

int fcntl(int fd, int command, ...)
{
	void *arg;

	ARGUMENT_OF(command, arg);
	return is_copy(command) && fails(DESCRIPTORS) ? -1 : find_fcntl()(fd, command, arg);
}

int fcntl64(int fd, int command, ...)
{
	void *arg;

	ARGUMENT_OF(command, arg);
	return is_copy(command) && fails(DESCRIPTORS) ? -1 : find_fcntl64()(fd, command, arg);
}

int dup(int fd)
{
	return fails(DESCRIPTORS) ? -1 : find_dup()(fd);
}

int pipe(int fds[2])
{
	return fails(DESCRIPTORS) ? -1 : find_pipe()(fds);
}

int pipe2(int fds[2], int flags)
{
	return fails(DESCRIPTORS) ? -1 : find_pipe2()(fds, flags);
}

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return fails(DESCRIPTORS) ? -1 : find_accept4()(fd, addr, len, flags);
}
