#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Telling the readers of inotify is done by operations on the mount, beside those of its users.  No user may notice: no
# error, no other result, nothing lost; and whatever users do in their turn, no telling reaches the store.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
requires python3 inotifywait unshare

# for mount_xsfs
export XSFS_TEST_CACHE=meta

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

# storm_start DIR: another client changes what is in it, all the time.
storm_start() {
	XENSTORED_PATH=$SERVER_SOCKET PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 \
		python3 "$TEST_DIR/programs/inotify_storm.py" "$1" &
	STORM_PID=$!
	PIDS+=("$STORM_PID")
	wait_for 5 exists "$1/ready"
}

storm_stop() {
	end_process "$STORM_PID"
}

# A remount to read-only holds for every mount of the filesystem, the teller's too.  Then nothing can be told; what has
# changed meanwhile is, when it can be written to again.
test_remount() {
	local i failed=0
	mount_telling
	xs write /ro/a 1 /ro/gone 1 /ro/same 1 /ro/end 1
	ls -l "$MNT/ro" >/dev/null
	inotify_start "$MNT/ro"
	succeeds 'remount,ro' "$XSFS" "$MNT" -o remount,ro
	xs write /ro/a 2
	succeeds 'nobody is told' wait_for 5 stat_is inotify 0
	xs rm /ro/gone
	xs write /ro/new 1
	is "$(cat "$MNT/ro/a")$(ls "$MNT/ro" | tr '\n' ' ')" '2a end new same ' 'it shows what others change'
	succeeds 'remount,rw' "$XSFS" "$MNT" -o remount,rw
	succeeds 'it tells again' wait_for 5 stat_is inotify 1
	succeeds 'what has changed meanwhile' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE a'
	succeeds 'what has gone' wait_for 5 inotify_has 'DELETE gone'
	succeeds 'what is new' wait_for 5 inotify_has 'CREATE new'
	xs write /ro/end 2
	succeeds 'and what changes then' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE end'
	is "$(grep -c 'CLOSE_WRITE,CLOSE same' "$SCRATCH/inotify" || true)" 0 'not what is as it was'
	inotify_stop

	# The daemon opens files for its events; whoever remounts does not notice.
	storm_start /ro/storm
	ls -lR "$MNT/ro" >/dev/null 2>&1 || true
	inotify_start "$MNT/ro/storm"
	wait_for 5 inotify_has 'storm/.*CLOSE_WRITE'
	for ((i = 0; i < 30; i++)); do
		"$XSFS" "$MNT" -o remount,ro 2>>"$SCRATCH/remount" || failed=$((failed + 1))
		"$XSFS" "$MNT" -o remount,rw 2>>"$SCRATCH/remount" || failed=$((failed + 1))
		: >"$SCRATCH/inotify"
		wait_for 5 inotify_has 'storm/.*CLOSE_WRITE' || failed=$((failed + 1))
	done
	is "$failed $(<"$SCRATCH/remount")" '0 ' 'remount,ro and remount,rw while others change'
	storm_stop
	inotify_stop
	umount_xsfs
}

for_each_store test_remount
