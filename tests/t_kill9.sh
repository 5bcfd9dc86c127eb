#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 of a mount's process hangs nobody, not even while the kernel makes one of its threads wait for a directory
# whose holder waits for that process: whoever waits gets an error, the process goes, and its place can be mounted anew.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
requires setpriv "$BUILD/tests/fakestore"
requires_fuse

# guards PID: the children of a daemon that guard its mount.
guards() {
	pgrep --parent "$1" --exact fuse-guard || true
}

all_gone() {
	local pid
	for pid in "$@"; do
		dead "$pid" || return 1
	done
}

# in_kernel: a thread of the daemon waits for a directory's lock.
in_kernel() {
	grep -q -e rwsem -e down_write -e reverse_inval /proc/"$MOUNT_PID"/task/*/wchan
}

# frees NAME PID...: after the daemon was killed these have ended, the daemon and its guard too.
frees() {
	local name=$1
	shift
	if wait_for 60 all_gone "$MOUNT_PID" "$GUARD" "$@"; then
		ok "$name: everybody is free, and nothing is left of the daemon and its guard"
	else
		not_ok "$name: everybody is free, and nothing is left of the daemon and its guard" \
			"$(ps -o pid,ppid,stat,wchan:25,args -p "$(IFS=,; echo "$MOUNT_PID,$*")")"
		fuse_abort "$MNT"
	fi
}

# killed: kill -9, about which the shell need not say anything.
killed() {
	disown "$MOUNT_PID"
	kill -s KILL "$MOUNT_PID"
}

# stuck: mounts fakestore, and brings its notifier to wait for the directory x, which a lookup holds
# that fakestore does not answer. Sets GUARD and WAITER.
stuck() {
	fake_start -o timeout=600,cache=meta
	fake 'set /x/known 1'
	comes_true 2 'a name is known' test -f "$MNT/x/known"
	# The kernel is told of a name only when it has kept it for a while.
	comes_true 5 'a name is remembered' remembered "$MNT/x/known"
	fake 'silent 2'
	stat "$MNT/x/unknown" >/dev/null 2>&1 &
	WAITER=$!
	PIDS+=("$WAITER")
	disown "$WAITER"
	comes_true 2 'a lookup waits' stat_is fuse_operations_now 2
	fake 'set /x/known 22'
	comes_true 2 'the notifier waits for its directory' in_kernel
	GUARD=$(guards "$MOUNT_PID")
}

# remembered FILE: looking at it again asks the store nothing.
remembered() {
	local before
	stat "$1" >/dev/null
	before=$(requests)
	stat "$1" >/dev/null
	(($(requests) == before))
}

fake_over() {
	exec 8>&-
	end_process "$FAKE_PID"
	umount -l "$MNT" 2>/dev/null || true
}

# The stuck thread is certain here.
test_stuck() {
	PREFIX='stuck: '
	stuck
	is "$(wc -w <<<"$GUARD")" 1 'there is one guard'
	killed
	frees 'kill -9' "$WAITER"
	fails ENOTCONN ls "$MNT"
	fake ok
	succeeds 'the next one starts there' bounded "$XSFS" "socket:$FAKE/socket" "$MNT"
	is "$(bounded cat "$MNT/x/known")" 22 'and works'
	umount "$MNT"
	fake_over
	PREFIX=
}

# load DIR: programs make and remove directories there and list it, another client changes keys in it. Sets LOAD.
load() {
	local i
	LOAD=()
	for i in 1 2 3 4 5 6; do
		while mkdir "$1/d$i" && rmdir "$1/d$i"; do :; done >/dev/null 2>&1 &
		LOAD+=("$!")
	done
	while ls -l "$1" >/dev/null 2>&1 && test -d "$1"; do :; done &
	LOAD+=("$!")
	while xs write /tool/kill/f1 "$RANDOM" /tool/kill/f2 "$RANDOM" /tool/kill/f3 "$RANDOM"; do :; done >/dev/null 2>&1 &
	WRITER=$!
	PIDS+=("${LOAD[@]}" "$WRITER")
	disown "${LOAD[@]}" "$WRITER"
}

invalidated() {
	(($(stat_of invalidations) > 100))
}

test_load() {
	xs write /tool/kill/f1 1
	XSFS_TEST_CACHE=meta mount_xsfs "$STORE"
	GUARD=$(guards "$MOUNT_PID")
	load "$MNT/tool/kill"
	comes_true 30 'the kernel is told of changes' invalidated
	killed
	frees 'under load' "${LOAD[@]}"
	kill "$WRITER" 2>/dev/null || true
	fails ENOTCONN ls "$MNT"
	umount -l "$MNT"
}

# mounts_again: mounts the store, and sets GUARD, which must be one process.
mounts_again() {
	mount_xsfs "$STORE"
	comes_true 5 'there is a guard' has_guard
}

has_guard() {
	GUARD=$(guards "$MOUNT_PID")
	(($(wc -w <<<"$GUARD") == 1))
}

# field NAME: of the guard's status.
field() {
	awk -v name="$1:" '$1 == name { print $2 }' "/proc/$GUARD/status"
}

test_guard() {
	local signal fds

	mounts_again
	is "$(tr '\0' ' ' <"/proc/$GUARD/cmdline" | sed 's/ *$//')" "fuse-guard $MNT" 'ps says what it is'
	fds=$(find "/proc/$GUARD/fd" -mindepth 1 -printf '%f %l\n' | sort | sed 's/\[.*//' | paste -sd ' ')
	like "$fds" '0 */abort 1 pipe:' 'it holds what aborts the mount and a pipe, and nothing else'
	is "$(field CapEff)$(field CapPrm)" 00000000000000000000000000000000 'it has no capability'
	! has_config HAVE_SECCOMP || is "$(field Seccomp)" 2 'and its system calls are filtered'
	for signal in TERM INT HUP USR1 USR2; do
		kill -s "$signal" "$GUARD"
	done
	is "$(xs write /tool/k v && cat "$MNT/tool/k")" v 'a signal that is not from the kernel means nothing to it'
	is "$(alive "$GUARD" && echo alive)" alive 'and does not end it'
	umount_xsfs
	is "$(all_gone "$GUARD" && echo gone)" gone 'after umount it is gone'

	mounts_again
	kill -s TERM "$MOUNT_PID"
	wait_for "$XSFS_TEST_PATIENCE" dead "$MOUNT_PID"
	is "$(wait "$MOUNT_PID" && all_gone "$GUARD" && echo gone)" gone 'after SIGTERM it is gone'

	mounts_again
	kill -s KILL "$GUARD"
	comes_true 20 'it is killed, and the log says so' grep -q 'the guard process ended (signal 9)' "$MOUNT_LOG"
	is "$(bounded cat "$MNT/tool/k")" v 'the mount goes on'
	is "$([[ -d /proc/$GUARD ]] || echo reaped)" reaped 'no zombie is left'
	umount_xsfs
	is "$(grep -c 'guard process' "$MOUNT_LOG")" 1 'the log says it once'
}

# Root needs no fusectl in its place, whoever else mounts may have none.
test_elsewhere() {
	PREFIX='no fusectl: '
	umount /sys/fs/fuse/connections 2>/dev/null || true
	stuck
	is "$(wc -w <<<"$GUARD")" 1 'root has a guard'
	killed
	frees 'kill -9' "$WAITER"
	fake_over
	mount -t fusectl fusectl /sys/fs/fuse/connections 2>/dev/null || true
	PREFIX=
}

# In the background, and for a user who is not root.
test_background() {
	local user dir=$SCRATCH/home/m

	[[ -u $(command -v fusermount3) ]] || { skip_one 'as a user' 'fusermount3 is not set-uid'; return 0; }
	mount -t fusectl fusectl /sys/fs/fuse/connections 2>/dev/null || true
	user="setpriv --reuid=65534 --regid=65534 --clear-groups"
	chmod 755 "$SCRATCH" "$SERVER_DIR"
	chmod 777 "$SERVER_SOCKET"
	mkdir -p "$dir"
	chown -R 65534 "$SCRATCH/home"
	# The build may be where they cannot go.
	cp "$BUILD/src/xsfs" "$SCRATCH/xsfs"
	# shellcheck disable=SC2086 # words of a command line
	succeeds 'a user mounts' bounded $user "$SCRATCH/xsfs" "socket:$SERVER_SOCKET" "$dir"
	MOUNTS+=("$dir")
	GUARD=$(pgrep -f "^fuse-guard $dir" || true)
	is "$(wc -w <<<"$GUARD")" 1 'the user has a guard'
	MOUNT_PID=$(awk '$1 == "PPid:" { print $2 }' "/proc/$GUARD/status")
	like "$(readlink "/proc/$GUARD/fd/0")" '*/abort' 'which can abort the mount'
	kill -s KILL "$MOUNT_PID"
	frees 'a user'
	# shellcheck disable=SC2086
	succeeds 'the user mounts again' bounded $user "$SCRATCH/xsfs" "socket:$SERVER_SOCKET" "$dir"
	GUARD=$(pgrep -f "^fuse-guard $dir" || true)
	umount "$dir"
	comes_true 20 'after umount it is gone' all_gone "$GUARD"
}

# Without a guard, as with an xsfs that had none: the next one at that place frees everybody, or at least is not
# caught itself.
test_unguarded() {
	local output status=0 told=
	PREFIX='unguarded: '
	stuck
	! grep -qs fuse_connection /proc/"$MOUNT_PID"/fdinfo/* || told=yes
	kill -s KILL "$GUARD"
	comes_true 20 'the guard is gone' all_gone "$GUARD"
	killed
	comes_true 20 'the daemon cannot end' grep -q '^State:.Z' "/proc/$MOUNT_PID/status"
	is "$(all_gone "$MOUNT_PID" || echo stuck)" stuck 'a thread of it is left'
	fake ok
	if [[ $told ]]; then
		succeeds 'the next one starts there' bounded "$XSFS" "socket:$FAKE/socket" "$MNT"
		frees 'by the next one' "$WAITER"
		is "$(bounded cat "$MNT/x/known")" 22 'it works'
		umount "$MNT"
	else
		output=$(bounded "$XSFS" "socket:$FAKE/socket" "$MNT" 2>&1) || status=$?
		is "$status" 1 'the next one gives up'
		like "$output" '*does not answer*umount -f*' 'and says what to do'
		umount -f "$MNT" 2>/dev/null || true
		frees 'umount -f' "$WAITER"
	fi
	fake_over
	PREFIX=
}

# A living one that does not answer is left alone, and who wants to mount over it is told after a while.
test_stopped() {
	local output status=0
	PREFIX='stopped: '
	fake_start -o cache=meta
	fake 'set /x 1'
	kill -s STOP "$MOUNT_PID"
	output=$(bounded "$XSFS" "socket:$FAKE/socket" "$MNT" 2>&1) || status=$?
	kill -s CONT "$MOUNT_PID"
	is "$status $(wc -l <<<"$output")" '1 1' 'the next one gives up, with one line'
	like "$output" "xsfs: $MNT: *does not answer*umount -f*" 'which says what to do'
	succeeds 'the stopped one works on' bounded test -e "$MNT/x"
	fake_end
	PREFIX=
}

test_stuck
test_unguarded
test_stopped
test_elsewhere
for_each_store test_load
# shellcheck disable=SC2034 # for_each_store reads them
XSFS_TEST_SERVER=c XSFS_TEST_TRANSPORT=socket
for_each_store test_guard
for_each_store test_background
