/* SPDX-License-Identifier: MIT */
/*
 * The command: checks its arguments, goes into the background, sets up store and filesystem, and
 * takes them down in the end.
 * Everything here is the main thread, which becomes the I/O thread in fs_run().
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/fs.h"
#include "fs/mount.h"
#include "fs/mountinfo.h"
#include "ring/wire.h"
#include "src/background.h"
#include "src/capture.h"
#include "src/confine.h"
#include "src/embedded.h"
#include "src/guard.h"
#include "src/log.h"
#include "src/loopback.h"
#include "src/options.h"
#include "src/patience.h"
#include "src/remount.h"
#include "src/service.h"
#include "src/signals.h"
#include "src/store_source.h"
#include "src/verbs.h"
#include "src/version.h"

/* For the single line that reports a failure; it may name a path. */
#define WHY_SIZE (PATH_MAX + 512)

struct program {
	struct options options;
	struct store_spec spec;
	char mountpoint[PATH_MAX]; /* absolute */
	struct background background;
	struct logger *log;
	struct store_source source;
	struct fs *fs;
	struct guard guard;
	struct guard_title title;
	struct fs_extra_fd *guard_polled; /* in the table of fs_run(); poll(2) ignores a descriptor of -1 */
	int signal_fd;
	unsigned park_ms; /* as in struct fs_config */
	char why[WHY_SIZE];
};

/* ---- before the fork ------------------------------------------------------------------------ */

/* Whether an error of a mount says that its server is gone, or went while it was asked. */
static bool is_over(int err)
{
	return err == -ENOTCONN || err == -ECONNABORTED;
}

static int mountpoint_missing(struct program *p, const char *given, int err)
{
	if (err == -ENOENT)
		snprintf(p->why, sizeof(p->why), "%s: there is no such directory; make it with mkdir",
			 given);
	else if (is_over(err))
		snprintf(p->why, sizeof(p->why), "%s: a mount of something else whose server was killed "
						 "is in the way; umount -l %s", given, given);
	else
		snprintf(p->why, sizeof(p->why), "%s: %s", given, strerror(-err));
	return err;
}

/* Adds the verbs to the reason if the wrong word may have been meant as one. */
static void name_verbs(struct program *p, const char *word)
{
	size_t len = strlen(p->why);
	char names[256];

	if (strpbrk(word, "/:"))
		return;
	verbs_names(names, sizeof(names));
	snprintf(p->why + len, sizeof(p->why) - len, "; or a verb: %s", names);
}

/* Makes the mount point absolute, and checks that it is a directory: the kernel would
 * accept a file, which would be of no use.  A dead mount of xsfs counts as a directory,
 * and is replaced later. */
static int mountpoint_check(struct program *p)
{
	const char *given = p->options.mountpoint;
	struct stat st;

	if (mount_is_silent(given)) {
		snprintf(p->why, sizeof(p->why), "%s: an xsfs is mounted there and does not answer; if it was "
						 "killed, umount -f %s frees who waits for it", given, given);
		return -ETIMEDOUT;
	}
	if (!realpath(given, p->mountpoint) || stat(p->mountpoint, &st) < 0) {
		int err = -errno;

		if (is_over(err) && dead_mount_find(given, p->mountpoint))
			return 0;
		return mountpoint_missing(p, given, err);
	}
	if (!S_ISDIR(st.st_mode)) {
		snprintf(p->why, sizeof(p->why), "%s: not a directory: nothing can be mounted "
						 "there", given);
		return -ENOTDIR;
	}
	return 0;
}

/* Checks the options that apply only to a private store. */
static int embedded_options_check(struct program *p)
{
	p->spec.demo = p->options.demo;
	if (!p->options.demo || p->spec.kind == STORE_EMBEDDED)
		return 0;
	snprintf(p->why, sizeof(p->why), "-o demo: only for the store embedded: it would write to a "
					 "real one");
	return -EINVAL;
}

/* A second mount over the first one is allowed, but rarely what was meant. */
static void mountpoint_warn(struct program *p)
{
	struct mountinfo info;
	struct statx st;

	/* Not synchronised, because that would ask the store, or a server that hangs. */
	if (statx(AT_FDCWD, p->mountpoint, AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) == 0 &&
	    (st.stx_mask & STATX_MNT_ID) && mountinfo_find(&info, st.stx_mnt_id) == 0 &&
	    info.is_xsfs && !strcmp(info.point, p->mountpoint) && !dead_mount_find(p->mountpoint, NULL))
		log_warning(p->log, "%s: xsfs is mounted there already; that mount stays, below this one",
			    p->mountpoint);
}

/* Checks everything that can be found wrong before there is a process in the background. */
static int arguments_check(struct program *p, int argc, char **argv)
{
	struct options *o = &p->options;
	int err;

	err = options_parse(o, argc, argv, p->why, sizeof(p->why));
	if (err || o->help || o->version)
		return err;
	err = store_spec_parse(&p->spec, o->store, p->why, sizeof(p->why));
	if (err)
		name_verbs(p, o->store);
	else
		err = embedded_options_check(p);
	if (!err && (err = mountpoint_check(p)) == -ENOENT && argc == 2)
		name_verbs(p, o->mountpoint);
	if (!err && p->spec.kind == STORE_EMBEDDED)
		err = loopback_preload(argv, p->why, sizeof(p->why));
	if (!err)
		mountpoint_warn(p);
	return err;
}

/* ---- the daemon ----------------------------------------------------------------------------- */

static void signal_ready(void *arg)
{
	struct program *p = arg;
	int signo = signals_read(p->signal_fd);

	if (!signo)
		return;
	if (signo == SIGCONT) {
		/* Nobody knows for how long it was stopped, and the store drops events that
		 * are not taken in time. */
		fs_gap(p->fs);
		return;
	}
	log_info(p->log, "ending on signal %d (%s)", signo, strsignal(signo));
	service_tell("STOPPING=1");
	fs_stop(p->fs);
}

static void embedded_ready(void *arg)
{
	struct program *p = arg;

	embedded_ended(p->source.embedded, p->source.chan);
	fs_store_died(p->fs);
}

/* The entry of fs_run()'s table that shows the end of the guard. */
static void guard_ready(void *arg)
{
	struct program *p = arg;

	guard_ended(&p->guard, p->log);
	p->guard_polled->fd = p->guard.fd;
}

/* Refuses a root that the store does not have, because it would look like an empty store. */
static int root_check(struct program *p)
{
	const char *root = p->options.root;
	struct chan_stats stats;
	struct request *req;
	int err;

	chan_stats(p->source.chan, &stats);
	if (!strcmp(root, "/") || stats.state != CHAN_CONNECTED)
		return 0;
	req = request_new_path(XS_READ, 0, root, NULL, 0);
	if (!req)
		return -ENOMEM;
	chan_submit(p->source.chan, req);
	err = chan_wait(p->source.chan, req);
	request_put(req);
	/* A root that may not be read exists; one that cannot be read now may exist. */
	if (err != -ENOENT)
		return 0;
	snprintf(p->why, sizeof(p->why), "-o root=%s: the store has no such key; xenstore-write or mkdir in "
					 "a mount of the whole store makes it", root);
	return err;
}

/* Condenses the output of libfuse and fusermount3 to one line, and adds advice. */
static void mount_refused(struct program *p, const char *said, int err)
{
	const char *cause = *said ? said : log_cause(), *help = "";

	/* libfuse 3.14: "failed to exec fusermount3"; 3.17: "On calling fusermount posix_spawn failed". */
	if (strstr(cause, "fusermount") && (strstr(cause, "exec") || strstr(cause, "spawn")))
		help = ": who is not root, or wants auto_unmount, needs fusermount3 (Debian: fuse3)";
	else if (*said && strstr(cause, "mount failed: Operation not permitted"))
		help = ": fusermount3 has no right to mount, which it gets by being setuid root";
	/* The cause that was logged is appended later. */
	snprintf(p->why, sizeof(p->why), "%s cannot be mounted%s%s%s", p->mountpoint,
		 *said || !*cause ? ": " : "", *cause ? said : strerror(-err), help);
}

static int filesystem_mount(struct program *p)
{
	const struct options *o = &p->options;
	const struct fs_config config = {
		.chan = p->source.chan,
		.log = p->log,
		.server_dir = p->source.embedded ? embedded_dir(p->source.embedded) : NULL,
		.root = o->root,
		.dirs = o->dirs,
		.protect = o->protect,
		.format = o->format,
		.layout = o->layout,
		.cache = o->cache,
		.inotify = o->inotify,
		.uid = o->uid,
		.gid = o->gid,
		.umask = o->umask,
		.allow_other = o->allow_other,
		.strict_modes = o->strict_modes,
		.privileged = p->source.privileged,
		.self_domid = p->source.self_domid,
		.threads = o->threads,
		.timeout_ms = o->timeout_s * 1000,
		.park_ms = p->park_ms,
		.tx_idle_s = o->tx_idle_s,
		.streams = o->streams,
		.watched = o->watched,
		.transactions = o->transactions,
	};
	char name[] = "xsfs", flag[] = "-o";
	char *argv[] = { name, flag, o->fuse, NULL };
	char said[512] = "";
	struct capture capture;
	int err;

	/* Not before the store is there: programs that use the path must not find an
	 * empty directory. */
	err = dead_mount_remove(p->mountpoint, p->log);
	if (!err)
		err = fs_new(&p->fs, &config, 3, argv);
	if (!err) {
		capture_start(&capture);
		err = fs_mount(p->fs, p->mountpoint);
		capture_end(&capture, !err, said, sizeof(said));
	}
	if (err)
		mount_refused(p, said, err);
	else if (o->nosymfollow)
		err = remount_nosymfollow(p->mountpoint, p->why, sizeof(p->why));
	return err;
}

/* Keeps the timeout below the time after which the kernel would end the mount: an operation may
 * take two rounds. */
static void patience_check(struct program *p)
{
	unsigned limit_s = patience_of_kernel(), most_s = limit_s / 2;

	if (!limit_s)
		return;
	if (p->options.timeout_s > most_s)
		p->options.timeout_s = most_s;
	p->park_ms = most_s * 1000;
	log_warning(p->log, "fs.fuse.max_request_timeout: this kernel ends mounts that do not answer within %u s, "
			    "so whoever waits for events gets EINTR after %u s, and the timeout is %u s",
		    limit_s, most_s, p->options.timeout_s);
}

/* A daemon without the filter works as well, but its administrator is told. */
static void calls_confine(struct program *p)
{
	int err = p->options.seccomp ? confine_calls() : 0;

	if (err)
		log_warning(p->log, "system calls are not filtered: %s", strerror(-err));
}

/* A daemon without a guard works as well; only killing it then has a risk. */
static void guard_set(struct program *p)
{
	int fd = fs_abort_open(p->fs), err = fd;

	if (fd >= 0) {
		err = guard_start(&p->guard, fd, &p->title, p->mountpoint, p->options.seccomp);
		close(fd);
	}
	if (err < 0)
		log_info(p->log, "no guard process: %s; if this one is killed, programs may hang until umount -f",
			 strerror(-err));
}

/* Starts everything, from the connection to the mount. */
static int program_start(struct program *p)
{
	int err;

	patience_check(p);
	confine_capabilities(p->spec.kind == STORE_RING, p->log);

	p->signal_fd = signals_open();
	if (p->signal_fd < 0) {
		snprintf(p->why, sizeof(p->why), "no descriptor for signals: %s",
			 strerror(-p->signal_fd));
		return p->signal_fd;
	}
	err = store_source_open(&p->source, &p->spec, p->options.timeout_s * 1000,
				p->options.in_flight, p->log, p->why, sizeof(p->why));
	if (!err)
		err = root_check(p);
	if (!err)
		err = filesystem_mount(p);
	if (!err) {
		background_mounted(&p->background);
		guard_set(p);
		calls_confine(p);
	}
	return err;
}

static int program_serve(struct program *p)
{
	struct fs_extra_fd extra[3] = {
		{ .fd = p->signal_fd, .ready = signal_ready, .arg = p },
		{ .fd = p->guard.fd, .ready = guard_ready, .arg = p },
	};
	unsigned n = 2;
	int err;

	p->guard_polled = &extra[1];

	if (p->source.embedded)
		extra[n++] = (struct fs_extra_fd){
			.fd = embedded_fd(p->source.embedded),
			.ready = embedded_ready,
			.arg = p,
		};
	log_info(p->log, "%s mounted on %s over %s", p->options.store, p->mountpoint,
		 chan_transport_name(p->source.chan));
	err = fs_run(p->fs, extra, n);
	if (err)
		log_error(p->log, "ending: %s", strerror(-err));
	return err;
}

static void program_end(struct program *p)
{
	if (p->fs)
		fs_free(p->fs);
	/* Not earlier: we may be killed while we end. */
	guard_stop(&p->guard);
	store_source_close(&p->source);
	if (p->signal_fd >= 0)
		close(p->signal_fd);
}

/* Prints the single line, which ends in the errors of the lower layers. */
static void failed(struct program *p)
{
	char line[2 * WHY_SIZE];
	const char *cause = log_cause();

	snprintf(line, sizeof(line), "%s%s%s", p->why, *cause ? ": " : "", cause);
	background_failed(&p->background, line);
}

int main(int argc, char **argv)
{
	static struct program p = { .background = BACKGROUND_INIT, .guard = GUARD_INIT, .signal_fd = -1 };
	int err;

	guard_title_find(&p.title, argc, argv);
	verbs_run(argc, argv);
	/* Called again below, when the destination of the log is known. */
	p.log = log_init(true, false);
	if (remount_wanted(argc, argv)) {
		err = remount(argc, argv, p.log, p.why, sizeof(p.why));
		if (err)
			failed(&p);
		return err ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	err = arguments_check(&p, argc, argv);
	if (err) {
		failed(&p);
	} else if (p.options.help) {
		fputs(options_help(), stdout);
		puts("Tools that use a mount; xsfs help VERB, man xsfs-VERB:");
		verbs_list();
	} else if (p.options.version) {
		version_print(stdout);
	} else {
		if (!p.options.foreground) {
			log_close();
			err = background_fork(&p.background);
		}
		if (err)
			snprintf(p.why, sizeof(p.why), "cannot go into the background: %s",
				 strerror(-err));
		log_init(p.options.foreground, p.options.debug);
		log_set_mount(p.mountpoint);
		service_open();
		if (!err)
			err = program_start(&p);
		if (err)
			failed(&p);
		else
			err = background_ready(&p.background);
		if (!err)
			service_tell("READY=1");
		log_started();
		if (!err)
			err = program_serve(&p);
		program_end(&p);
	}
	options_free(&p.options);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
