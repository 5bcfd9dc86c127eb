/* SPDX-License-Identifier: MIT */
/* Finds the mount, and passes its new flags to the kernel.  Main thread. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "fs/mountinfo.h"
#include "src/option_list.h"
#include "src/options.h"
#include "src/remount.h"

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
	{ "dirsync", 0, MS_DIRSYNC },
};

/* Words that the kernel shows for a FUSE mount, and mount(8) repeats. */
static const char *const shown[] = {
	"remount", "seclabel", "fd=", "rootmode=", "user_id=", "group_id=", "max_read=", "blksize=",
};

/* The requested remount. */
struct wish {
	const char *mountpoint;
	unsigned long flags;
	char kept[256]; /* our own options, which do not change; truncated if they are many */
	const char *unknown;
};

static bool is_remount(const char *word, size_t len, void *arg)
{
	(void)arg;
	return len == strlen("remount") && memcmp(word, "remount", len) == 0;
}

bool remount_wanted(int argc, char **argv)
{
	const char *list;

	for (int i = 1; i < argc; i++) {
		list = option_list_at(argc, argv, &i);
		if (list && option_list_any(list, is_remount, NULL))
			return true;
	}
	return false;
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

static bool take_wish(const char *text, size_t len, void *arg)
{
	struct wish *wish = arg;
	char word[PATH_MAX];
	size_t used = strlen(wish->kept);

	if (len == 0 || len >= sizeof(word))
		return false;
	snprintf(word, sizeof(word), "%.*s", (int)len, text);
	if (flag_apply(&wish->flags, word) || is_shown(word))
		return false;
	switch (options_kind(word)) {
	case OPTION_OURS:
		snprintf(wish->kept + used, sizeof(wish->kept) - used, "%s%s", used ? ", " : "", word);
		break;
	case OPTION_UNKNOWN:
		wish->unknown = text;
		break;
	case OPTION_ACCEPTED:
		break;
	}
	return wish->unknown != NULL;
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

static int change(const struct wish *wish, const char *point, char *why, size_t size)
{
	int err;

	if (mount("none", point, NULL, MS_REMOUNT | wish->flags, NULL) == 0)
		return 0;
	err = errno;
	snprintf(why, size, "%s cannot be remounted: %s", wish->mountpoint,
		 err == EBUSY ? "a file in it is open for writing" :
		 err == EPERM ? "only root may do that" : strerror(err));
	return -err;
}

int remount(int argc, char **argv, struct logger *log, char *why, size_t size)
{
	struct wish wish = { 0 };
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
	option_list_any(info.flags, take_flag, &wish.flags);
	for (int i = 1; i < argc; i++) {
		list = option_list_at(argc, argv, &i);
		if (list && option_list_any(list, take_wish, &wish)) {
			snprintf(why, size, "unknown option -o %.*s; xsfs --help lists those that exist",
				 (int)(option_list_end(wish.unknown) - wish.unknown), wish.unknown);
			return -EINVAL;
		}
	}
	err = change(&wish, info.point, why, size);
	if (!err && wish.kept[0])
		log_warning(log, "%s: remounting changes ro, rw and the like only; as it was mounted stays: %s",
			    wish.mountpoint, wish.kept);
	return err;
}
