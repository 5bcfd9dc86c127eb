/* SPDX-License-Identifier: MIT */
/* The words of the options with a few values each, as users write them and `.xsfs/options` prints them. */
#include <stddef.h>

#include "fs/model/config.h"

const char *const fs_format_words[] = {
	[FS_TEXT] = "text",
	[FS_RAW] = "raw",
	NULL,
};

const char *const fs_layout_words[] = {
	[FS_TREE] = "tree",
	[FS_NODES] = "nodes",
	NULL,
};

const char *const fs_cache_words[] = {
	[FS_CACHE_OFF] = "off",
	[FS_CACHE_META] = "meta",
	[FS_CACHE_FULL] = "full",
	NULL,
};

const char *const fs_inotify_words[] = {
	[FS_INOTIFY_AUTO] = "auto",
	[FS_INOTIFY_ON] = "on",
	[FS_INOTIFY_OFF] = "off",
	NULL,
};
