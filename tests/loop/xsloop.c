/* SPDX-License-Identifier: MIT */
/*
 * xsloop.c - the xsloop command: makes loopback worlds, starts real xenstore servers in them,
 * and does what a toolstack would do to their domains.
 *
 * For tests, benchmarks and people; one thread.  Runs without the library preloaded.
 */
#include "tests/loop/xsloop.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>
#include <xen/xen.h>

#define MS_PER_S	1000
#define WAIT_STEP_MS	5

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list ap;

	fputs("xsloop: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void __attribute__((noreturn)) usage(int status)
{
	fputs("usage: xsloop init DIR\n"
	      "       xsloop server DIR c|o [--priv-domid N] [--set KEY=VALUE] [-T FILE] [ARG...]\n"
	      "       xsloop wait DIR [SECONDS]\n"
	      "       xsloop env DIR [DOMID]\n"
	      "       xsloop domain DIR DOMID GFN\n"
	      "       xsloop guest DIR DOMID GFN [SERVER_DOMID]\n"
	      "       xsloop kill-domain DIR DOMID\n"
	      "       xsloop introduce DIR DOMID GFN PORT\n"
	      "       xsloop release DIR DOMID\n"
	      "       xsloop ports DIR\n", status ? stderr : stdout);
	exit(status);
}

static unsigned long long number(const char *text, unsigned long long max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || *end != '\0' || *text == '-' || n > max)
		die("%s: not a number up to %llu", text, max);
	return n;
}

static uint32_t domid_arg(const char *text)
{
	return number(text, DOMID_FIRST_RESERVED - 1);
}

static void path_format(char path[PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void path_format(char path[PATH_MAX], const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(path, PATH_MAX, format, ap);
	va_end(ap);
	if (n < 0 || n >= PATH_MAX)
		die("%s...: path too long", path);
}

/* The absolute name of an existing directory: what is started may run anywhere. */
static void dir_resolve(const char *dir, char path[PATH_MAX])
{
	if (!realpath(dir, path))
		die("%s: %s", dir, strerror(errno));
}

static void attach(const char *dir)
{
	int rc = world_attach(dir);

	if (rc == -ENOENT)
		die("%s: no loopback world; make one with: xsloop init %s", dir, dir);
	if (rc < 0)
		die("%s: %s", dir, strerror(-rc));
}

static int lock_or_die(void)
{
	int lock = world_lock();

	if (lock < 0)
		die("cannot lock the world: %s", strerror(-lock));
	return lock;
}

/* ---- environment --------------------------------------------------------------------------- */

/* Where libxsloop.so is: told, in the build tree, or installed. */
static void library_find(char path[PATH_MAX])
{
	static const char *const below[] = {
		"libxsloop.so", ".libs/libxsloop.so", "../lib/xsfs/libxsloop.so",
		"../../lib/xsfs/libxsloop.so",
	};
	const char *told = getenv("XSLOOP_LIB");
	char self[PATH_MAX], *slash;
	ssize_t n;
	size_t i;

	if (told && *told) {
		if (!realpath(told, path))
			die("XSLOOP_LIB=%s: %s", told, strerror(errno));
		return;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash) {
		slash[1] = '\0';
		for (i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
			char try[PATH_MAX];

			path_format(try, "%s%s", self, below[i]);
			if (realpath(try, path))
				return;
		}
	}
#ifdef XSLOOP_PKGLIBDIR
	if (realpath(XSLOOP_PKGLIBDIR "/libxsloop.so", path))
		return;
#endif
	die("libxsloop.so not found; name it in XSLOOP_LIB");
}

/* The value for LD_PRELOAD: a sanitizer's runtime first, what is set already, the library. */
static void preload_format(char value[PATH_MAX])
{
	const char *first = getenv("XSLOOP_PRELOAD_FIRST"), *now = getenv("LD_PRELOAD");
	char lib[PATH_MAX];

	library_find(lib);
	if (now && strstr(now, "libxsloop.so"))
		now = NULL;
	path_format(value, "%s%s%s%s%s", first ? first : "", first && *first ? ":" : "",
		    now ? now : "", now && *now ? ":" : "", lib);
}

static void quote(const char *name, const char *value)
{
	printf("export %s='", name);
	for (; *value; value++) {
		if (*value == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*value);
	}
	puts("'");
}

static int cmd_env(int argc, char **argv)
{
	char dir[PATH_MAX], value[PATH_MAX];

	if (argc < 1 || argc > 2)
		usage(2);
	dir_resolve(argv[0], dir);
	quote("XSLOOP_DIR", dir);
	path_format(value, "%u", argc > 1 ? domid_arg(argv[1]) : 0);
	quote("XSLOOP_DOMID", value);
	quote("XENSTORED_RUNDIR", dir);
	path_format(value, "%s/socket", dir);
	quote("XENSTORED_PATH", value);
	preload_format(value);
	quote("LD_PRELOAD", value);
	return 0;
}

/* ---- server -------------------------------------------------------------------------------- */

/*
 * The newest installed server of that name, or what $XSLOOP_SERVER says.  Not the one in
 * /usr/sbin, which is a script in Debian that looks for a hypervisor.
 */
static void server_find(const char *name, char path[PATH_MAX])
{
	const char *told = getenv("XSLOOP_SERVER");
	char pattern[PATH_MAX];
	glob_t found;
	size_t i;

	if (told && *told) {
		path_format(path, "%s", told);
		return;
	}
	path[0] = '\0';
	path_format(pattern, "/usr/lib/xen-*/bin/%s", name);
	if (glob(pattern, 0, NULL, &found) == 0) {
		for (i = 0; i < found.gl_pathc; i++)
			if (access(found.gl_pathv[i], X_OK) == 0 &&
			    strverscmp(found.gl_pathv[i], path) > 0)
				path_format(path, "%s", found.gl_pathv[i]);
		globfree(&found);
	}
	if (!path[0])
		die("no %s: install the newest xen-utils-N.NN (Debian)", name);
}

/* oxenstored reads its settings from a file; later lines win, so the caller's come last. */
static void config_write(const char *path, const char *dir, const char *trace,
			 char *const settings[], size_t n_settings)
{
	FILE *file = fopen(path, "w");
	size_t i;

	if (!file)
		die("%s: %s", path, strerror(errno));
	fprintf(file,
		"pid-file = %s/oxenstored.pid\n"
		"xenstored-kva = /proc/xen/xsd_kva\n"
		"xenstored-port = /proc/xen/xsd_port\n"
		"xenstored-log-file = %s/oxenstored.log\n"
		"test-eagain = false\n"
		"merge-activate = true\n"
		"perms-activate = true\n"
		"quota-activate = true\n"
		"quota-maxentity = 1000\n"
		"quota-maxsize = 2048\n"
		"quota-maxwatch = 100\n"
		"quota-transaction = 10\n"
		"quota-maxrequests = 1024\n"
		"quota-path-max = 1024\n"
		"quota-maxoutstanding = 1024\n"
		"quota-maxwatchevents = 1024\n"
		"persistent = false\n",
		dir, dir);
	if (trace)
		fprintf(file, "access-log-file = %s\naccess-log-read-ops = true\n", trace);
	for (i = 0; i < n_settings; i++)
		fprintf(file, "%s\n", settings[i]);
	if (fclose(file) != 0)
		die("%s: %s", path, strerror(errno));
}

static void __attribute__((noreturn)) server_exec(const char *path, char **args, const char *dir)
{
	char preload[PATH_MAX], value[PATH_MAX];

	preload_format(preload);
	/* Each of them, or xenstored would take another store's socket where XENSTORED_PATH names that. */
	path_format(value, "%s/socket", dir);
	if (setenv("XSLOOP_DIR", dir, 1) || setenv("XSLOOP_DOMID", "0", 1) ||
	    setenv("XENSTORED_PATH", value, 1) ||
	    setenv("XENSTORED_RUNDIR", dir, 1) || setenv("XENSTORED_ROOTDIR", dir, 1) ||
	    setenv("LD_PRELOAD", preload, 1))
		die("%s", strerror(errno));
	/* The servers keep their store to the end: that is no leak of the library's. */
	if (getenv("XSLOOP_PRELOAD_FIRST")) {
		const char *options = getenv("ASAN_OPTIONS");

		path_format(value, "%s%sdetect_leaks=0", options ? options : "",
			    options ? ":" : "");
		if (setenv("ASAN_OPTIONS", value, 1))
			die("%s", strerror(errno));
	}
	execv(path, args);
	die("%s: %s", path, strerror(errno));
}

static int cmd_server(int argc, char **argv)
{
	char dir[PATH_MAX], path[PATH_MAX], config[PATH_MAX], trace[PATH_MAX] = "";
	char **args, **settings;
	size_t n = 0, n_settings = 0;
	bool ocaml;
	int i;

	if (argc < 2)
		usage(2);
	dir_resolve(argv[0], dir);
	attach(dir);
	ocaml = strcmp(argv[1], "o") == 0;
	if (!ocaml && strcmp(argv[1], "c") != 0)
		die("%s: the server is c (xenstored) or o (oxenstored)", argv[1]);
	if (strlen(dir) + strlen("/socket") >= sizeof(((struct sockaddr_un *)0)->sun_path))
		die("%s: too long for the path of a socket", dir);
	server_find(ocaml ? "oxenstored" : "xenstored", path);

	args = calloc(argc + 5, sizeof(*args));
	settings = calloc(argc, sizeof(*settings));
	if (!args || !settings)
		die("%s", strerror(ENOMEM));
	args[n++] = path;
	args[n++] = (char *)"--no-fork";
	for (i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--set") == 0 && i + 1 < argc)
			settings[n_settings++] = argv[++i];
		else if (ocaml && strcmp(argv[i], "-T") == 0 && i + 1 < argc)
			path_format(trace, "%s", argv[++i]);
		else if (ocaml && strncmp(argv[i], "--priv-domid", 12) == 0)
			die("oxenstored has no --priv-domid; its privileged ring is domain 0's");
		else
			args[n++] = argv[i];
	}
	if (n_settings && !ocaml)
		die("--set is for oxenstored; xenstored has options (xenstored --help)");
	if (ocaml) {
		path_format(config, "%s/oxenstored.conf", dir);
		config_write(config, dir, trace[0] ? trace : NULL, settings, n_settings);
		args[n++] = (char *)"--config-file";
		args[n++] = config;
		if (!trace[0])
			args[n++] = (char *)"--no-access-log";
	}
	server_exec(path, args, dir);
}

/* ---- talking to the server ----------------------------------------------------------------- */

static int server_connect(const char *dir)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char path[PATH_MAX];
	int fd;

	path_format(path, "%s/socket", dir);
	if (strlen(path) >= sizeof(sun.sun_path))
		die("%s: too long for the path of a socket", path);
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * MS_PER_S + ts.tv_nsec / 1000000;
}

/* Reads *len* bytes until *deadline*. */
static bool read_all(int fd, void *data, size_t len, int64_t deadline)
{
	while (len > 0) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - now_ms();
		ssize_t n;

		if (left < 0 || poll(&pfd, 1, left) <= 0)
			return false;
		n = read(fd, data, len);
		if (n <= 0)
			return false;
		data = (char *)data + n;
		len -= n;
	}
	return true;
}

/*
 * One request over the socket.  The reply's payload goes to *reply*, ended by a NUL; its type is
 * returned, or -1 if the server did not answer in time.
 */
static int server_call(int fd, uint32_t type, const char *data, size_t len,
		       char reply[XENSTORE_PAYLOAD_MAX + 1], int64_t deadline)
{
	struct xsd_sockmsg msg = { .type = type, .req_id = 1, .len = len };

	if (send(fd, &msg, sizeof(msg), MSG_NOSIGNAL) != sizeof(msg) ||
	    send(fd, data, len, MSG_NOSIGNAL) != (ssize_t)len ||
	    !read_all(fd, &msg, sizeof(msg), deadline) || msg.len > XENSTORE_PAYLOAD_MAX ||
	    !read_all(fd, reply, msg.len, deadline))
		return -1;
	reply[msg.len] = '\0';
	return msg.type;
}

static int cmd_wait(int argc, char **argv)
{
	char reply[XENSTORE_PAYLOAD_MAX + 1];
	int64_t deadline;
	int fd;

	if (argc < 1 || argc > 2)
		usage(2);
	deadline = now_ms() + (argc > 1 ? number(argv[1], 3600) : 10) * MS_PER_S;
	do {
		fd = server_connect(argv[0]);
		if (fd >= 0 && server_call(fd, XS_GET_DOMAIN_PATH, "0", 2, reply, deadline) ==
			       XS_GET_DOMAIN_PATH)
			return 0;
		if (fd >= 0)
			close(fd);
		poll(NULL, 0, WAIT_STEP_MS);
	} while (now_ms() < deadline);
	die("%s: the server does not answer", argv[0]);
}

/* Sends the numbers as the NUL-ended strings that the toolstack's requests are made of. */
static int cmd_call(uint32_t type, int argc, char **argv)
{
	char data[XENSTORE_PAYLOAD_MAX], reply[XENSTORE_PAYLOAD_MAX + 1];
	size_t len = 0;
	int fd, i, rc;

	fd = server_connect(argv[0]);
	if (fd < 0)
		die("%s/socket: %s", argv[0], strerror(errno));
	for (i = 1; i < argc; i++)
		len += snprintf(data + len, sizeof(data) - len, "%llu",
				number(argv[i], UINT64_MAX)) + 1;
	rc = server_call(fd, type, data, len, reply, now_ms() + 10 * MS_PER_S);
	close(fd);
	if (rc == XS_ERROR)
		die("the server says %s", reply);
	if (rc < 0)
		die("%s: the server does not answer", argv[0]);
	return 0;
}

static int cmd_introduce(int argc, char **argv)
{
	if (argc != 4)
		usage(2);
	return cmd_call(XS_INTRODUCE, argc, argv);
}

static int cmd_release(int argc, char **argv)
{
	if (argc != 2)
		usage(2);
	return cmd_call(XS_RELEASE, argc, argv);
}

/* ---- worlds and domains -------------------------------------------------------------------- */

static int cmd_init(int argc, char **argv)
{
	int rc;

	if (argc != 1)
		usage(2);
	if (mkdir(argv[0], 0700) < 0 && errno != EEXIST)
		die("%s: %s", argv[0], strerror(errno));
	rc = world_create(argv[0]);
	if (rc < 0)
		die("%s: %s", argv[0], strerror(-rc));
	attach(argv[0]);
	return 0;
}

static int cmd_domain(int argc, char **argv)
{
	char path[PATH_MAX];
	uint32_t domid;
	bool is_new;
	int fd, lock, rc;

	if (argc != 3)
		usage(2);
	attach(argv[0]);
	domid = domid_arg(argv[1]);
	path_format(path, "%s/page.%u.%llu", argv[0], domid, number(argv[2], UINT64_MAX));
	lock = lock_or_die();
	is_new = !domain_exists(domid);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	rc = fd < 0 ? errno : posix_fallocate(fd, 0, XSLOOP_PAGE_SIZE);
	if (rc)
		die("%s: %s", path, strerror(rc));
	close(fd);
	if (is_new)
		domain_changed_locked(domid);
	world_unlock(lock);
	return 0;
}

/*
 * A domain as the toolstack makes it: with a page, and a port of its own that waits for the domain
 * of the server.  Made again it is elsewhere, as after a restore.
 */
static int cmd_guest(int argc, char **argv)
{
	char path[PATH_MAX];
	struct xsloop_port *p;
	uint32_t domid;
	uint64_t old;
	FILE *file;
	int lock, port;

	if (argc != 3 && argc != 4)
		usage(2);
	attach(argv[0]);
	domid = domid_arg(argv[1]);
	while (world_page_first(domid, &old) == 0) {
		path_format(path, "%s/page.%u.%llu", argv[0], domid, (unsigned long long)old);
		if (unlink(path) < 0)
			die("%s: %s", path, strerror(errno));
	}
	cmd_domain(3, argv);
	lock = lock_or_die();
	port = port_alloc_locked(domid, 0);
	if (port < 0)
		die("no free port");
	p = &world_get()->ports[port];
	p->remote_domid = argc > 3 ? domid_arg(argv[3]) : 0;
	p->is_static = 1;
	port_publish_locked(port, XSLOOP_UNBOUND);
	world_unlock(lock);
	path_format(path, "%s/guest.%u", argv[0], domid);
	file = fopen(path, "w");
	if (!file)
		die("%s: %s", path, strerror(errno));
	fprintf(file, "%llu %d\n", number(argv[2], UINT64_MAX), port);
	if (fclose(file) != 0)
		die("%s: %s", path, strerror(errno));
	printf("%d\n", port);
	return 0;
}

static int cmd_kill_domain(int argc, char **argv)
{
	struct xsloop_world *world;
	char path[PATH_MAX];
	uint32_t domid, port;
	uint64_t gfn;
	int lock;

	if (argc != 2)
		usage(2);
	domid = domid_arg(argv[1]);
	if (domid == 0)
		die("domain 0 cannot be killed");
	attach(argv[0]);
	world = world_get();
	lock = lock_or_die();
	if (world_page_first(domid, &gfn) < 0)
		die("no domain %u", domid);
	do {
		path_format(path, "%s/page.%u.%llu", argv[0], domid, (unsigned long long)gfn);
		if (unlink(path) < 0)
			die("%s: %s", path, strerror(errno));
	} while (world_page_first(domid, &gfn) == 0);
	for (port = 1; port < XSLOOP_PORTS; port++)
		if (world->ports[port].state != XSLOOP_FREE && world->ports[port].domid == domid)
			port_close_locked(port);
	domain_changed_locked(domid);
	world_unlock(lock);
	return 0;
}

static int cmd_ports(int argc, char **argv)
{
	static const char *const events[] = { "idle", "queued", "taken", "raised" };
	uint32_t port;
	int lock;

	if (argc != 1)
		usage(2);
	attach(argv[0]);
	lock = lock_or_die();
	world_reap_locked();
	for (port = 1; port < XSLOOP_PORTS; port++) {
		const struct xsloop_port *p = &world_get()->ports[port];

		if (p->state == XSLOOP_FREE)
			continue;
		printf("%4u: domain %u, handle %u, %s, ", port, p->domid, p->handle,
		       events[p->event % 4]);
		if (p->state == XSLOOP_VIRQ)
			printf("VIRQ %u\n", p->virq);
		else if (p->state == XSLOOP_UNBOUND)
			printf("waits for domain %u\n", p->remote_domid);
		else
			printf("connected to domain %u, port %u\n", p->remote_domid,
			       p->remote_port);
	}
	world_unlock(lock);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "init", cmd_init }, { "server", cmd_server }, { "wait", cmd_wait },
		{ "env", cmd_env }, { "domain", cmd_domain }, { "guest", cmd_guest },
		{ "kill-domain", cmd_kill_domain },
		{ "introduce", cmd_introduce }, { "release", cmd_release },
		{ "ports", cmd_ports },
	};
	size_t i;

	if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0))
		usage(0);
	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 2, argv + 2);
	usage(2);
}
