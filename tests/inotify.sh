# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Helpers of the tests of inotify: mounts that tell its readers, and a reader. Sourced after fake.sh.

# telling: the mount tells readers of inotify.
telling() {
	covered && stat_is inotify 1
}

# mount_telling [ARGS]: mounts STORE, and waits until it tells.
mount_telling() {
	mount_xsfs "$STORE" "$@"
	wait_for 5 telling || not_ok "it tells readers: $*" "$(sed 's/^/# /' "$MOUNT_LOG")"
}

# inotify_start ARGS: inotifywait -m, until inotify_stop; inotify_has TEXT: it has reported that.
inotify_start() {
	# The one before may have left its words, and the next one empties the file only when it runs.
	: >"$SCRATCH/inotify"
	inotifywait -m "$@" >"$SCRATCH/inotify" 2>&1 &
	INOTIFY_PID=$!
	PIDS+=("$INOTIFY_PID")
	wait_for 5 grep -q 'Watches established' "$SCRATCH/inotify"
}

inotify_has() {
	grep -q -- "$1" "$SCRATCH/inotify"
}

inotify_stop() {
	end_process "$INOTIFY_PID"
}
