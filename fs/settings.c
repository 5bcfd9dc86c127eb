/* SPDX-License-Identifier: MIT */
/* Changes options of the running mount.  On the threads that read /dev/fuse. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fs/model/handle.h"
#include "fs/op/fs_impl.h"
#include "fs/settings.h"
#include "fs/special/special_files.h"

static void settings_apply(struct fs *fs, const struct fs_settings *settings)
{
	struct fs_config *config = &fs->config;

	if (settings->which & FS_SETTING_TIMEOUT) {
		config->timeout_ms = settings->timeout_ms;
		/* As at the start: this kernel ends mounts that let it wait for longer. */
		if (config->park_ms && config->timeout_ms > config->park_ms)
			config->timeout_ms = config->park_ms;
		chan_set_timeout(fs->chan, config->timeout_ms);
	}
	if (settings->which & FS_SETTING_TX_IDLE)
		config->tx_idle_s = settings->tx_idle_s;
	if (settings->which & FS_SETTING_DEBUG)
		atomic_store(&fs->log->debug, settings->debug);
	log_info(fs->log, "remounted: timeout %u s, tx_idle %u s, log %s", config->timeout_ms / 1000,
		 config->tx_idle_s, fs->log->debug ? "debug" : "info");
}

void settings_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg, struct fuse_file_info *fi,
		    unsigned flags, const void *in, size_t in_size, size_t out_size)
{
	const struct handle *handle = (const struct handle *)(uintptr_t)fi->fh;
	uid_t uid = fuse_req_ctx(req)->uid;
	struct fs_settings settings;

	(void)ino;
	(void)arg;
	(void)flags;
	(void)out_size;
	if (cmd != FS_SETTINGS_IOCTL || handle->inode->special != &special_options || in_size < sizeof(settings)) {
		fuse_reply_err(req, ENOTTY);
		return;
	}
	memcpy(&settings, in, sizeof(settings));
	if (uid != 0 && uid != geteuid()) {
		fuse_reply_err(req, EPERM);
	} else if (settings.which & ~FS_SETTINGS_ALL || settings.debug > 1 ||
		   (settings.which & FS_SETTING_TIMEOUT && settings.timeout_ms == 0)) {
		fuse_reply_err(req, EINVAL);
	} else {
		settings_apply(fuse_req_userdata(req), &settings);
		fuse_reply_ioctl(req, 0, NULL, 0);
	}
}
