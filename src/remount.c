/* SPDX-License-Identifier: MIT */
/* Finds the mount, passes its new flags to the kernel, and tells its daemon the rest.  Main thread. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fs/mountinfo.h"
#include "fs/settings.h"
#include "src/option_list.h"
#include "src/options.h"
#include "src/remount.h"

/* How often, and after how long, the kernel is asked again while a file is open for writing. */
#define BUSY_TRIES 100
#define BUSY_PAUSE_NS 5000000L

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The words for what the kernel keeps.  Not `suid` and `dev`, which are accepted and ignored when it is mounted, too:
 * every FUSE mount begins with nosuid and nodev, and for a line of fstab mount(8) adds both words by itself. */
static const struct {
	const char *word;
	unsigned long clear, set;
} kernels[] = {
	{ "ro", 0, MS_RDONLY },
	{ "rw", MS_RDONLY, 0 },
	{ "nosuid", 0, MS_NOSUID },
	{ "nodev", 0, MS_NODEV },
	{ "noexec", 0, MS_NOEXEC },
	{ "exec", MS_NOEXEC, 0 },
	{ "noatime", MS_STRICTATIME | MS_RELATIME, MS_NOATIME },
	{ "atime", MS_NOATIME, 0 },
	{ "relatime", MS_NOATIME | MS_STRICTATIME, MS_RELATIME },
	{ "norelatime", MS_RELATIME, 0 },
	{ "strictatime", MS_NOATIME | MS_RELATIME, MS_STRICTATIME },
	{ "nodiratime", 0, MS_NODIRATIME },
	{ "diratime", MS_NODIRATIME, 0 },
	{ "sync", 0, MS_SYNCHRONOUS },
	{ "async", MS_SYNCHRONOUS, 0 },
	{ "nosymfollow", 0, MS_NOSYMFOLLOW },
	{ "symfollow", MS_NOSYMFOLLOW, 0 },
};

/* Words that the kernel shows for a FUSE mount, and mount(8) repeats. */
static const char *const shown[] = {
	"remount", "seclabel", "fd=", "rootmode=", "user_id=", "group_id=", "max_read=", "blksize=",
};

/* Our own options that the daemon can change, with what it is told then. */
static void take_timeout(struct fs_settings *settings, const struct options *o)
{
	settings->timeout_ms = o->timeout_s * 1000;
}

static void take_tx_idle(struct fs_settings *settings, const struct options *o)
{
	settings->tx_idle_s = o->tx_idle_s;
}

static void take_log(struct fs_settings *settings, const struct options *o)
{
	settings->debug = o->debug;
}

static const struct {
	const char *name;
	enum fs_setting setting;
	void (*take)(struct fs_settings *settings, const struct options *o);
} changeable[] = {
	{ "timeout=", FS_SETTING_TIMEOUT, take_timeout },
	{ "tx_idle=", FS_SETTING_TX_IDLE, take_tx_idle },
	{ "log=", FS_SETTING_DEBUG, take_log },
};

/* The requested remount. */
struct wish {
	const char *mountpoint;
	unsigned long flags;
	struct fs_settings settings;
	const char *super; /* those of the filesystem, as the kernel shows them */
	char given[4096]; /* our own options that were given and cannot change, with newlines between */
	char *why;        /* what is wrong with an option; "": nothing */
	size_t size;
};

static bool is_word(const char *word, size_t len, void *arg)
{
	return len == strlen(arg) && memcmp(word, arg, len) == 0;
}

static bool begins(const char *word, size_t len, void *arg)
{
	return len > strlen(arg) && memcmp(word, arg, strlen(arg)) == 0;
}

/* Returns whether `match` says so for any word of the command line's options. */
static bool any_option(int argc, char **argv, bool (*match)(const char *word, size_t len, void *arg), void *arg)
{
	const char *list;

	/* What follows "--" is no option. */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		list = option_list_at(argc, argv, &i);
		if (list && option_list_any(list, match, arg))
			return true;
	}
	return false;
}

bool remount_wanted(int argc, char **argv)
{
	char word[] = "remount";

	return any_option(argc, argv, is_word, word);
}

/* If the word is one of the kernel's, changes *flags and returns true. */
static bool flag_apply(unsigned long *flags, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		if (strcmp(kernels[i].word, word) != 0)
			continue;
		*flags = (*flags & ~kernels[i].clear) | kernels[i].set;
		return true;
	}
	return false;
}

static bool is_shown(const char *word)
{
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		len = strlen(shown[i]);
		if (!strncmp(word, shown[i], len) && (shown[i][len - 1] == '=' || !word[len]))
			return true;
	}
	return false;
}

static bool take_flag(const char *text, size_t len, void *arg)
{
	unsigned long *flags = arg;
	char word[64];

	if (len < sizeof(word)) {
		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		flag_apply(flags, word);
	}
	return false;
}

/*
 * Returns the flags to begin with: those that the mount has.  But where mount(8) repeats all that the kernel shows,
 * user_id= among it, a word that is missing there is one that it has taken away: for `exec` it leaves out `noexec`.
 */
static unsigned long flags_before(int argc, char **argv, const struct mountinfo *info)
{
	char sync[] = "sync", shown_always[] = "user_id=";
	unsigned long flags = 0;

	option_list_any(info->flags, take_flag, &flags);
	if (option_list_any(info->super, is_word, sync))
		flags |= MS_SYNCHRONOUS;
	return any_option(argc, argv, begins, shown_always) ? flags & (MS_NOSUID | MS_NODEV) : flags;
}

/* Remembers an option that cannot change. */
static void take_fixed(struct wish *wish, const char *word)
{
	size_t used = strlen(wish->given);

	snprintf(wish->given + used, sizeof(wish->given) - used, "%s\n", word);
}

/* Takes one of our own options.  Returns whether its value is right. */
static bool take_own(struct wish *wish, const char *word)
{
	struct options o = { 0 };
	const char *wrong;
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(changeable); i++) {
		len = strlen(changeable[i].name);
		if (strncmp(word, changeable[i].name, len))
			continue;
		wrong = options_set(&o, word);
		if (wrong) {
			snprintf(wish->why, wish->size, "-o %.200s: must be %s", word, wrong);
			return false;
		}
		wish->settings.which |= changeable[i].setting;
		changeable[i].take(&wish->settings, &o);
		return true;
	}
	take_fixed(wish, word);
	return true;
}

/* Returns true where it is no use to go on. */
static bool take_wish(const char *text, size_t len, void *arg)
{
	struct wish *wish = arg;
	char word[PATH_MAX], dirsync[] = "dirsync";

	if (len == 0 || len >= sizeof(word))
		return false;
	snprintf(word, sizeof(word), "%.*s", (int)len, text);
	if (flag_apply(&wish->flags, word) || is_shown(word))
		return false;
	/* The kernel looks at it only when it mounts. */
	if (!strcmp(word, dirsync) && !option_list_any(wish->super, is_word, dirsync))
		take_fixed(wish, word);
	switch (options_kind(word)) {
	case OPTION_OURS:
		return !take_own(wish, word);
	case OPTION_UNKNOWN:
		snprintf(wish->why, wish->size, "unknown option -o %s; xsfs --help lists those that exist", word);
		return true;
	case OPTION_ACCEPTED:
		break;
	}
	return false;
}

/* Finds the topmost mount at `given`, without asking its server.  Returns 0, or -errno
 * with a line in `why`. */
static int find(struct mountinfo *info, const char *given, char *why, size_t size)
{
	char path[PATH_MAX];
	struct statx st;
	int err;

	if (!realpath(given, path) ||
	    statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0) {
		err = errno;
		snprintf(why, size, "%s: %s", given, strerror(err));
		return -err;
	}
	if (!(st.stx_mask & STATX_MNT_ID) || mountinfo_find(info, st.stx_mnt_id) || !info->is_xsfs ||
	    strcmp(info->point, path)) {
		snprintf(why, size, "%s: no xsfs is mounted there that could be remounted", given);
		return -EINVAL;
	}
	return 0;
}

int remount_nosymfollow(const char *mountpoint, char *why, size_t size)
{
	struct mountinfo info;
	unsigned long flags;
	int err;

	err = find(&info, mountpoint, why, size);
	if (err)
		return err;
	/* With MS_BIND only this mount changes, and nothing that its filesystem has. */
	flags = MS_REMOUNT | MS_BIND | MS_NOSYMFOLLOW | flags_before(0, NULL, &info);
	if (mount("none", info.point, NULL, flags, NULL) == 0)
		return 0;
	err = errno;
	snprintf(why, size, "%s cannot be mounted with nosymfollow: %s", mountpoint,
		 err == EPERM ? "only root may do that" : strerror(err));
	return -err;
}

/* The daemon itself opens files for writing, for a moment each, to tell the readers of inotify of changes. */
static int change_tried(unsigned long flags, const char *point)
{
	const struct timespec pause = { .tv_nsec = BUSY_PAUSE_NS };
	int tries = 0;

	while (mount("none", point, NULL, MS_REMOUNT | flags, NULL) < 0) {
		if (errno != EBUSY || ++tries == BUSY_TRIES)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int change(const struct wish *wish, const char *point, char *why, size_t size)
{
	int err = -change_tried(wish->flags, point);

	if (!err)
		return 0;
	snprintf(why, size, "%s cannot be remounted: %s", wish->mountpoint,
		 err == EBUSY ? "a file in it is open for writing" :
		 err == EPERM ? "only root may do that" : strerror(err));
	return -err;
}

/* Opens the file by which the daemon is told.  Returns a descriptor, or -errno with a line in `why`. */
static int daemon_open(const struct wish *wish, const char *point, char *why, size_t size)
{
	char path[PATH_MAX + 16];
	int fd, err;

	snprintf(path, sizeof(path), "%s/.xsfs/options", point);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	err = errno;
	snprintf(why, size, "%s cannot be remounted: its daemon cannot be told of other options: %s", wish->mountpoint,
		 err == ENOENT ? "it is of an older version" : strerror(err));
	return -err;
}

static int daemon_tell(const struct wish *wish, int fd, char *why, size_t size)
{
	int err;

	if (ioctl(fd, FS_SETTINGS_IOCTL, &wish->settings) == 0)
		return 0;
	err = errno;
	snprintf(why, size, "%s cannot be remounted: its daemon does not take other options: %s", wish->mountpoint,
		 err == EPERM ? "only root and the mounter may do that" : strerror(err));
	return -err;
}

/* Warns of options that were given, differ from those of the mount, and stay as they are.  mount(8) gives all
 * that fstab has, so those that agree are no news. */
static void warn_kept(const struct wish *wish, int fd, struct logger *log)
{
	char now[4096], kept[512] = "", *rest, *word, given[sizeof(wish->given)];
	ssize_t n = fd < 0 ? 0 : read(fd, now + 1, sizeof(now) - 2);
	char line[sizeof(given) + 2];
	size_t used;

	now[0] = '\n';
	now[n < 0 ? 1 : n + 1] = '\0';
	strcpy(given, wish->given);
	for (word = strtok_r(given, "\n", &rest); word; word = strtok_r(NULL, "\n", &rest)) {
		snprintf(line, sizeof(line), "\n%s\n", word);
		used = strlen(kept);
		if (!strstr(now, line))
			snprintf(kept + used, sizeof(kept) - used, "%s%s", used ? ", " : "", word);
	}
	if (kept[0])
		log_warning(log, "%s: these cannot change while it is mounted, and stay as they are: %s; umount and "
				 "mount again", wish->mountpoint, kept);
}

/* First the file is opened, so that nothing has changed where that fails. */
static int remount_wish(const struct wish *wish, const char *point, struct logger *log, char *why, size_t size)
{
	const bool changes = wish->settings.which != 0;
	int fd = -1, err;

	if (changes || wish->given[0])
		fd = daemon_open(wish, point, why, size);
	if (fd < 0 && changes)
		return fd;
	err = change(wish, point, why, size);
	if (!err && changes)
		err = daemon_tell(wish, fd, why, size);
	if (!err)
		warn_kept(wish, fd, log);
	if (fd >= 0)
		close(fd);
	return err;
}

int remount(int argc, char **argv, struct logger *log, char *why, size_t size)
{
	struct wish wish = { .why = why, .size = size };
	struct mountinfo info;
	const char *list;
	int err;

	for (int i = 1; i < argc; i++) {
		list = option_list_at(argc, argv, &i);
		if (!list && argv[i][0] != '-')
			wish.mountpoint = argv[i];
	}
	if (!wish.mountpoint) {
		snprintf(why, size, "no mount point given; usage: xsfs [STORE] MOUNTPOINT -o remount,OPTIONS");
		return -EINVAL;
	}
	err = find(&info, wish.mountpoint, why, size);
	if (err)
		return err;
	wish.flags = flags_before(argc, argv, &info);
	wish.super = info.super;
	if (any_option(argc, argv, take_wish, &wish))
		return -EINVAL;
	return remount_wish(&wish, info.point, log, why, size);
}
