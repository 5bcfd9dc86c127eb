#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# xsfs-wait: what it waits for, that it misses nothing and asks for nothing meanwhile, and how it ends.
. "${0%/*}/functions.sh"
requires xenstore-write

WAIT=$BUILD/src/xsfs-wait
export XSFS_MOUNT

# is_blocked PID: it waits for its stream, where it can be frozen: in epoll_wait(2).
is_blocked() {
	local number fd rest
	read -r number fd rest <"/proc/$1/syscall" || return 1
	# epoll_wait and epoll_pwait on x86_64; epoll_pwait on aarch64
	[[ $number == 232 || $number == 281 || $number == 22 ]] || return 1
	[[ $(readlink "/proc/$1/fd/$((fd))") == 'anon_inode:[eventpoll]' ]] || return 1
	readlink "/proc/$1/fd/"* | grep -qE '/(\.xsfs/watch|\.watch)$'
}

# waiting ARGS...: starts xsfs-wait and returns when it waits for an event. Sets WAITER and WAITER_OUT.
waiting() {
	WAITER_OUT=$SCRATCH/waiter.out
	"$WAIT" "$@" >"$WAITER_OUT" 2>&1 </dev/null &
	WAITER=$!
	PIDS+=("$WAITER")
	wait_for "$XSFS_TEST_PATIENCE" is_blocked "$WAITER" || not_ok "waits: $*" "$(cat "$WAITER_OUT")"
}

# ended STATUS NAME: the waiter ends by itself, with that status.
ended() {
	local status=0
	if wait_for "$XSFS_TEST_PATIENCE" dead "$WAITER"; then
		wait "$WAITER" || status=$?
		is "$status $(<"$WAITER_OUT")" "$1 " "$2"
	else
		not_ok "$2" 'it waits on'
		end_process "$WAITER"
	fi
}

# goes_on NAME: the waiter has taken the events there were, and waits for others.
goes_on() {
	# what the mount is asked now comes after them
	cat "$MNT/.xsfs/requests" "$MNT/tool/none" >/dev/null 2>&1 || true
	if wait_for "$XSFS_TEST_PATIENCE" is_blocked "$WAITER"; then
		ok "$1"
	else
		not_ok "$1" "$(cat "$WAITER_OUT")"
	fi
}

# looks STATUS NAME ARGS...: what xsfs-wait says without waiting.
looks() {
	local status=0 output
	output=$(bounded "$WAIT" --timeout 0 "${@:3}" 2>&1) || status=$?
	is "$status $output" "$1 " "$2"
}

# refuses PATTERN ARGS...: ends with status 2 and one line that matches.
refuses() {
	local status=0 output
	output=$(bounded "$WAIT" "${@:2}" 2>&1) || status=$?
	like "$status $output" "2 xsfs-wait: $1" "refused: ${*:2}"
	is "$(wc -l <<<"$output")" 1 'in one line'
}

at_once() {
	xs write /w/key v /w/empty '' /w/dir/below 1 /w/text $'v\n'
	looks 0 'it has the value' /w/key v
	looks 1 'it has another' /w/key w
	looks 1 'it has more' /w/key ''
	looks 1 'values are compared as they are' /w/text v
	looks 0 'with their newline' /w/text $'v\n'
	looks 0 'an empty value' /w/empty ''
	looks 0 'that of a directory' /w/dir ''
	looks 1 'a key that is not there has none' /w/none ''
	looks 0 'it is there' /w/key --exists
	looks 0 'so is a directory, and the root' / -e
	looks 1 'it is not there' /w/none/none --exists
	looks 0 'it is gone' --gone /w/none/none
	looks 1 'it is not gone' --gone /w/key
	looks 1 'it does not change' /w/key
	looks 0 'a value that begins like an option' /w/none --gone --
	printf %s -e >"$MNT/w/minus"
	looks 0 'a value that is like an option' -- /w/minus -e
	looks 1 'what is so is no change' /w/empty
}

waits() {
	local sum
	xs write /w/key v
	waiting /w/key 4
	for value in 1 2 3; do
		xs write /w/key "$value"
		goes_on "waits for 4, not for $value"
	done
	xs write /w/key 4
	ended 0 'the value'
	waiting /w/key --gone
	echo 5 >"$MNT/w/key"
	goes_on 'waits until it is gone'
	xs rm /w
	ended 0 'gone with its parent'
	waiting /w/a/b --exists
	xs write /w/x 1
	goes_on 'waits for a key whose parents are missing'
	xs write /w/a/b/c/d 1
	ended 0 'made on the way to another'
	waiting /w/a/leaf v
	xs write /w/a/leaf ''
	xs write /w/a/leaf/child 1
	goes_on 'the leaf became a directory'
	xs write /w/a/leaf v
	ended 0 'and got the value'
	waiting /w/new/key
	xs write /w/new ''
	goes_on 'a parent came, the key did not'
	mkdir "$MNT/.xsfs/nodes/w/new/key"
	ended 0 'changed: it was made'
	waiting /w/new/key
	xs write /w/new/key/child 1
	xs write /w/new/key2 1
	goes_on 'what is below or beside it is no change'
	xs write /w/new/key ''
	ended 0 'changed: the same value again'
	waiting /w/new/key/child
	xs rm /w/new
	ended 0 'changed: removed with a parent'
	xs write /w/new/key same
	waiting /w/new/key
	kill -STOP "$WAITER"
	xs rm /w/new
	xs write /w/new/key same
	kill -CONT "$WAITER"
	ended 0 'changed: removed and made again while it was stopped'
	waiting /w/new/key 2
	kill -STOP "$WAITER"
	xs write /w/new/key 2
	kill -CONT "$WAITER"
	ended 0 'the value came while it was stopped'

	# Nothing to do, and nothing is done.
	waiting /w/new/key 3
	sum=$(grep -h ctxt "/proc/$WAITER/status")
	for i in {1..20}; do
		xs write "/w/other/$i" 1
	done
	goes_on 'others change'
	is "$(grep -h ctxt "/proc/$WAITER/status")" "$sum" 'it does not even wake up'
	is "$(stat_of streams)" 1 'one stream is open'
	kill "$WAITER"
	wait_for 5 dead "$WAITER"
	wait "$WAITER" || is "$?" 143 'a signal ends it'
	wait_for 5 eval '(($(stat_of streams) == 0))' || true
	is "$(stat_of streams)" 0 'no stream is left'
}

several() {
	xs write /m/a 1 /m/b 1
	looks 1 'all: one is not so' /m/a=1 /m/b=2
	looks 0 'all' /m/a=1 /m/b=1
	looks 0 'any' --any /m/a=1 /m/b=2
	looks 1 'any: none' --any /m/a=2 /m/b=2
	looks 0 'a value with "="' "/m/none=" "/m/a=1" --any
	looks 0 'any of two keys' --any --gone /m/a /m/none
	looks 1 'all of two keys' --all --gone /m/a /m/none
	looks 0 'one key of the new form' /m/a=1
	waiting /m/a=2 /m/b=2
	xs write /m/a 2
	goes_on 'one of two is so'
	xs write /m/b 2
	ended 0 'both are so'
	waiting --any /m/a /m/none
	xs write /m/none 1
	ended 0 'any: one of them changed'
	waiting --all /m/a /m/none
	xs write /m/none 2
	goes_on 'all: one of them changed'
	xs write /m/a 3
	ended 0 'all: and so did the other'
}

time_passes() {
	local before status=0 elapsed
	xs write /w/key v
	before=${EPOCHREALTIME/[.,]/}
	"$WAIT" -t 0.4 /w/key 1 || status=$?
	elapsed=$((${EPOCHREALTIME/[.,]/} - before))
	is "$status $((elapsed >= 400000 && elapsed < 10000000))" '1 1' 'not in time'
	before=${EPOCHREALTIME/[.,]/} status=0
	kill -STOP "$MOUNT_PID"
	timeout --signal=KILL 20 "$WAIT" -t 0.4 /w/key v || status=$?
	elapsed=$((${EPOCHREALTIME/[.,]/} - before))
	kill -CONT "$MOUNT_PID"
	is "$status $((elapsed >= 400000 && elapsed < 10000000))" '1 1' 'not in time, where the mount does not answer'
	waiting -t 60 /w/key 1
	xs write /w/key 1
	ended 0 'in time'
}

hard_times() {
	local names=()
	xs write /w/key v
	waiting /w/key 2
	kill -STOP "$MOUNT_PID"
	xs write /w/key 2
	kill -CONT "$MOUNT_PID"
	ended 0 'resync: the value came while xsfs was stopped'
	waiting /w/key
	kill -STOP "$MOUNT_PID"
	kill -CONT "$MOUNT_PID"
	goes_on 'resync: nothing changed'
	xs write /w/key 3
	ended 0 'and then it did'

	waiting /w/key 4
	kill -STOP "$WAITER"
	for i in {1..1200}; do
		names+=("/w/key/$(printf '%0200d' "$i")" 1)
		((${#names[@]} < 400)) || { xs write "${names[@]}" && names=(); }
	done
	xs write /w/key 4
	wait_for "$XSFS_TEST_PATIENCE" eval '(($(stat_of stream_overflows) > 0))' || true
	is "$(($(stat_of stream_overflows) > 0))" 1 'its queue overflows'
	kill -CONT "$WAITER"
	ended 0 'overflow: the value came'

	if [[ $STORE == socket ]]; then
		waiting /w/key 5
		kill_server
		start_server "$SERVER_KIND"
		wait_for "$XSFS_TEST_PATIENCE" grep -q '^state connected' "$MNT/.xsfs/stats" || true
		xs write /w/key 5
		ended 0 'the server was restarted'
	fi
	waiting /w/key 6
	disown "$MOUNT_PID"
	end_process "$MOUNT_PID" KILL
	wait_for "$XSFS_TEST_PATIENCE" dead "$WAITER" || true
	status=0
	wait "$WAITER" || status=$?
	like "$status $(<"$WAITER_OUT")" '2 xsfs-wait: *' 'xsfs was killed: an error'
	is "$(wc -l <"$WAITER_OUT")" 1 'in one line'
	umount -l "$MNT"
}

# Where the mount is, and what a key is there.
places() {
	local dir="$SCRATCH/a b"
	xs write /w/sub/key v /local/domain/0/name Domain-0
	XSFS_MOUNT=''
	looks 0 '-m' -m "$MNT" /w/sub/key v
	ln -sfn "$MNT" "$SCRATCH/link"
	looks 0 '-m, a symbolic link' -m "$SCRATCH/link" /w/sub/key v
	XSFS_MOUNT=$MNT looks 0 'XSFS_MOUNT' /w/sub/key v
	cd "$MNT/w"
	looks 0 'the current directory' /w/sub/key v
	looks 0 'a path from there' sub/key v
	looks 0 'other ways to write it' ../w/./sub//key/ v
	cd "$MNT/.xsfs/nodes/w/sub/key"
	looks 0 'from below nodes' . v
	looks 0 'and up' .. ''
	cd "$MNT/.xsfs"
	looks 0 'in .xsfs: absolute' /w/sub/key v
	refuses 'w: relative, *' w
	cd /
	looks 0 'the mount that the key is a file of' "$MNT/w/sub/key" v
	looks 0 'a file below nodes' "$MNT/.xsfs/nodes/w/sub/key" v
	refuses 'w: relative, *' -m "$MNT" w
	refuses "$SCRATCH: no xenstore is mounted there" -m "$SCRATCH" /w
	refuses "$MNT/w: no xenstore is mounted there" -m "$MNT/w" /w
	refuses '/nowhere: No such file or directory' -m /nowhere /w
	for key in /w.x /w/../.. ''; do
		refuses "$key: not the path of a key" -m "$MNT" "$key"
	done
	for args in '' 'a b c' '--gone --exists a' 'a b --gone' '--any --all a'; do
		# shellcheck disable=SC2086 # these are words
		refuses 'usage: xsfs-wait *' $args
	done
	looks 0 'a file, with -m' -m "$MNT" "$MNT/w" --exists
	# two slashes: a key and no file, and this one has dots
	refuses "/$MNT/w: not the path of a key" -m "$MNT" "/$MNT/w"
	refuses '--what: no such option, or without its value; usage: xsfs-wait *' --what a
	refuses '-x: no such option*' /w -gx
	refuses '-t: no such option, or without its value*' /w --timeout
	refuses '--timeout 1s: must be a number of seconds' --timeout 1s a
	refuses '--timeout -1: must be a number of seconds' --timeout -1 a
	refuses '@introduceDomain: an event, no key*' -m "$MNT" @introduceDomain --gone

	mkdir -p "$dir" "$dir.sub"
	mount --bind "$MNT" "$dir"
	MOUNTS+=("$dir")
	refuses "xenstore is mounted on *$MNT*; say which by -m or XSFS_MOUNT, or go there" /w/sub/key
	looks 0 'two mounts: the one that the key is a file of' "$dir/w/sub/key" v
	(cd "$dir/w" && looks 0 'a bind mount, with a blank in its name' sub/key v)
	umount "$dir"
	umount_xsfs

	mount_xsfs "$STORE" -o root=/w/sub
	(cd "$MNT" && looks 0 'root=: a path in the store' /w/sub/key v)
	(cd "$MNT" && looks 0 'root=: the root itself' /w/sub '')
	(cd "$MNT" && looks 0 'root=: from the root' key v)
	(cd "$MNT" && refuses "/w: $MNT has only what is in /w/sub" ..)
	looks 0 'root=: a file' "$MNT/key" v
	looks 0 'root=: a file below nodes' "$MNT/.xsfs/nodes/key" v
	refuses "/w/subkey: $MNT has only what is in /w/sub" -m "$MNT" /w/subkey
	waiting -m "$MNT" /w/sub/key 1
	xs write /w/sub/key 1
	ended 0 'root=: it waits'
	umount_xsfs

	mount_xsfs "$STORE" -o ro
	waiting -m "$MNT" /w/ro/key/x 1
	xs write /w/other 1
	goes_on 'ro: a key that is not there'
	xs write /w/ro/key/x 1
	ended 0 'ro: it waits'
	xs rm /w/ro
	waiting -m "$MNT" /w/ro/key/x
	xs write /w/ro ''
	goes_on 'ro: a parent came'
	xs write /w/ro/key/x 1
	ended 0 'ro: changed'
	umount_xsfs

	mount_xsfs "$STORE" -o layout=nodes
	(cd "$MNT/w/sub" && looks 0 'layout=nodes' key 1)
	umount_xsfs
}

special_events() {
	waiting @introduceDomain
	xs write /tool/x 1
	goes_on '@introduceDomain: keys are something else'
	"$XSLOOP" domain "$SERVER_DIR" 9 4712
	local mnt=$MNT pid=$MOUNT_PID
	# it introduces its domain by itself
	XSFS_TEST_DOMID=9 mount_xsfs ring:domid=9,gfn=4712,events=unbound
	ended 0 '@introduceDomain'
	waiting -m "$mnt" @releaseDomain
	umount_xsfs
	"$XSLOOP" release "$SERVER_DIR" 9
	ended 0 '@releaseDomain'
	MNT=$mnt MOUNT_PID=$pid
}

guest() {
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7/data/key 1 /local/domain/0/backend/vif/7/state 1 /local/domain/0/secret 1
	xs chmod -r /local/domain/7 n7
	xs chmod -r /local/domain/0/backend/vif/7 n0 r7
	xs chmod /local/domain/0/secret n0
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	XSFS_MOUNT=$MNT
	waiting /local/domain/7/data/key 2
	xs write /local/domain/7/data/key 2
	ended 0 'a guest: its own key'
	waiting /local/domain/0/backend/vif/7/state 4
	xs write /local/domain/0/backend/vif/7/state 4
	ended 0 'a guest: a key outside'
	waiting /local/domain/0/backend/vif/7/state --gone
	xs rm /local/domain/0/backend/vif/7/state
	ended 0 'a guest: a key outside goes'
	refuses '/local/domain/0/secret: Permission denied' /local/domain/0/secret 2
	umount_xsfs
}

# The kernel may remember names here.
test_wait() {
	XSFS_TEST_CACHE=meta mount_xsfs "$STORE"
	XSFS_MOUNT=$MNT
	"$1"
	! mounted "$MNT" || umount_xsfs
}

test_all() {
	for part in at_once waits several time_passes places special_events hard_times; do
		test_wait "$part"
	done
	[[ $STORE != ring ]] || guest
}

# The event of what was done before may come late: then it is still no change.
old_events() {
	local socket=$SCRATCH/fake.socket control=$SCRATCH/fake.control out=$SCRATCH/fake.out
	mkfifo "$control"
	"$BUILD/tests/fakestore" "$socket" "$control" >"$out" &
	PIDS+=("$!")
	exec 7>"$control"
	wait_for "$XSFS_TEST_PATIENCE" grep -q '^ready' "$out"
	mount_xsfs "socket:$socket"
	XSFS_MOUNT=$MNT
	echo v >"$MNT/own"
	looks 0 'the store answers' /own v
	# It is sent when the store is asked for the first time, while the key is looked up.
	echo 'after 1 set /own v' >&7
	wait_for "$XSFS_TEST_PATIENCE" grep -q '^done after' "$out"
	waiting /own
	is "$(grep -c '^done set' "$out")" 1 'there was an event while it looked for the first time'
	goes_on 'what was done before is no change'
	echo 'set /own v' >&7
	ended 0 'what is done now is one'
	umount_xsfs
	exec 7>&-
}

is "$("$WAIT" --version)" "xsfs-wait $("$XSFS" --version | sed -n '1s/^xsfs //p')" 'the version'
like "$("$WAIT" --help)" 'usage: xsfs-wait *' 'help'
requires_fuse
old_events
for_each_store test_all
