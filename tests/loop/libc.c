/* SPDX-License-Identifier: MIT */
/*
 * libc.c - the paths of a xenstore server, moved into the loopback world.
 *
 * For the servers: /proc/xen/xsd_kva and xsd_port come from the world's directory, and what lies
 * below /var/run/xenstored (compiled into oxenstored) from $XENSTORED_RUNDIR, so that many
 * servers run side by side.  For ring clients: their locks, the signs of a kernel's driver, and the
 * one ioctl of /dev/xen/evtchn that libxenevtchn has no function for.
 * Everything else goes on to the C library; any thread.
 */
/* These would turn the functions defined here into others. */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS

#include "tests/loop/xsloop.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))next_find((void **)&next_##name, #name))

/* A sanitizer's runtime calls setrlimit() before instrumented code can run. */
#define NOT_INSTRUMENTED __attribute__((no_sanitize("address", "thread", "undefined")))

/* The same name in the library after this one.  Racing threads find the same. */
NOT_INSTRUMENTED static void *next_find(void **next, const char *name)
{
	void *found = __atomic_load_n(next, __ATOMIC_RELAXED);

	if (!found) {
		found = dlsym(RTLD_NEXT, name);
		if (!found)
			abort();
		__atomic_store_n(next, found, __ATOMIC_RELAXED);
	}
	return found;
}

/* What follows *begin* in *path*, or NULL.  A sanitizer's runtime makes the directory of its reports before
 * the string functions, which are its own then, can be used. */
static const char *path_after(const char *path, const char *begin)
{
	while (*begin)
		if (*path++ != *begin++)
			return NULL;
	return path;
}

static bool path_is(const char *path, const char *other)
{
	const char *rest = path_after(path, other);

	return rest && *rest == '\0';
}

/* If *path* is *from* or below it, what follows; or NULL. */
static const char *path_below(const char *path, const char *from)
{
	const char *rest = path_after(path, from);

	return rest && (*rest == '\0' || *rest == '/') ? rest : NULL;
}

/* Domain 0's store page and port, which the kernel shows as files. */
static const char *path_map_proc(const char *path, char buf[PATH_MAX])
{
	bool port = path_is(path, "/proc/xen/xsd_port");

	if (!port && !path_is(path, "/proc/xen/xsd_kva"))
		return path;
	if (world_attach(NULL) < 0 || world_domid() != 0)
		return path;
	if (port)
		world_xsd_port_refresh();
	return world_path(buf, port ? "xsd_port" : "page.0.0") < 0 ? path : buf;
}

/* Where a kernel shows that its own driver uses the ring, and where ring clients lock theirs. */
static const char *path_map_ring(const char *path, char buf[PATH_MAX])
{
	static const char *const driver[] = { "/dev/xen/xenbus", "/proc/xen/xenbus",
					      "/sys/class/misc/xen!xenbus" };
	const char *name = path_after(path, "/run/xsfs-ring-") ? path + strlen("/run/") : NULL;
	size_t i;

	for (i = 0; i < sizeof(driver) / sizeof(driver[0]); i++)
		if (path_is(path, driver[i]))
			name = "xenbus";
	return !name || world_attach(NULL) < 0 || world_path(buf, name) < 0 ? path : buf;
}

/* The path to use instead of *path*: itself, or one written to *buf*. */
static const char *path_map(const char *path, char buf[PATH_MAX])
{
	const char *rest, *rundir;

	if (!path || path[0] != '/')
		return path;
	rest = path_map_ring(path, buf);
	if (rest != path)
		return rest;
	if (path_below(path, "/proc/xen"))
		return path_map_proc(path, buf);
	rest = path_below(path, "/var/run/xenstored");
	if (!rest)
		rest = path_below(path, "/run/xenstored");
	rundir = rest ? getenv("XENSTORED_RUNDIR") : NULL;
	if (!rundir || snprintf(buf, PATH_MAX, "%s%s", rundir, rest) >= PATH_MAX)
		return path;
	return buf;
}

/* The mode of open() is only there when a file may be created. */
#define MODE_ARG(flags, mode) do {						\
	mode = 0;								\
	if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) {		\
		va_list ap_;							\
		va_start(ap_, flags);						\
		mode = va_arg(ap_, mode_t);					\
		va_end(ap_);							\
	}									\
} while (0)

int open(const char *path, int flags, ...)
{
	static void *next_open;
	char buf[PATH_MAX];
	mode_t mode;

	MODE_ARG(flags, mode);
	return NEXT(open)(path_map(path, buf), flags, mode);
}

int open64(const char *path, int flags, ...)
{
	static void *next_open64;
	char buf[PATH_MAX];
	mode_t mode;

	MODE_ARG(flags, mode);
	return NEXT(open64)(path_map(path, buf), flags, mode);
}

int openat(int dirfd, const char *path, int flags, ...)
{
	static void *next_openat;
	char buf[PATH_MAX];
	mode_t mode;

	MODE_ARG(flags, mode);
	return NEXT(openat)(dirfd, path_map(path, buf), flags, mode);
}

int openat64(int dirfd, const char *path, int flags, ...)
{
	static void *next_openat64;
	char buf[PATH_MAX];
	mode_t mode;

	MODE_ARG(flags, mode);
	return NEXT(openat64)(dirfd, path_map(path, buf), flags, mode);
}

int mkdir(const char *path, mode_t mode)
{
	static void *next_mkdir;
	char buf[PATH_MAX];

	return NEXT(mkdir)(path_map(path, buf), mode);
}

int unlink(const char *path)
{
	static void *next_unlink;
	char buf[PATH_MAX];

	return NEXT(unlink)(path_map(path, buf));
}

int rename(const char *from, const char *to)
{
	static void *next_rename;
	char from_buf[PATH_MAX], to_buf[PATH_MAX];

	return NEXT(rename)(path_map(from, from_buf), path_map(to, to_buf));
}

int access(const char *path, int mode)
{
	static void *next_access;
	char buf[PATH_MAX];

	return NEXT(access)(path_map(path, buf), mode);
}

int chmod(const char *path, mode_t mode)
{
	static void *next_chmod;
	char buf[PATH_MAX];

	return NEXT(chmod)(path_map(path, buf), mode);
}

int stat64(const char *path, struct stat64 *st)
{
	static void *next_stat64;
	char buf[PATH_MAX];

	return NEXT(stat64)(path_map(path, buf), st);
}

int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	static void *next_bind;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *mapped;
	char path[sizeof(sun.sun_path) + 1], buf[PATH_MAX];
	size_t head = offsetof(struct sockaddr_un, sun_path);

	if (addr && len > head && len <= sizeof(sun) && addr->sa_family == AF_UNIX) {
		memcpy(path, (const char *)addr + head, len - head);
		path[len - head] = '\0';
		mapped = path_map(path, buf);
		if (mapped != path) {
			if (strlen(mapped) >= sizeof(sun.sun_path)) {
				errno = ENAMETOOLONG;
				return -1;
			}
			strcpy(sun.sun_path, mapped);
			return NEXT(bind)(fd, (const struct sockaddr *)&sun, sizeof(sun));
		}
	}
	return NEXT(bind)(fd, addr, len);
}

/*
 * oxenstored raises its limit of descriptors and dies if it may not.  A server of a test needs
 * few of them.
 */
NOT_INSTRUMENTED int setrlimit(__rlimit_resource_t resource, const struct rlimit *limits)
{
	static void *next_setrlimit;
	int rc = NEXT(setrlimit)(resource, limits);

	return rc < 0 && errno == EPERM ? 0 : rc;
}

/* Linux 6.6; later than the header of Xen 4.17. */
#define BIND_STATIC _IOC(_IOC_NONE, 'E', 7, sizeof(unsigned int))

int ioctl(int fd, unsigned long request, ...)
{
	static void *next_ioctl;
	va_list ap;
	void *arg;
	int rc;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request != BIND_STATIC || world_attach(NULL) < 0)
		return NEXT(ioctl)(fd, request, arg);
	rc = port_bind_static(fd, *(const unsigned int *)arg);
	if (rc == 0)
		return 0;
	errno = -rc;
	return -1;
}
