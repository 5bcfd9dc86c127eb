#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An xsfs that ends removes its own mount and no other, wherever that is by then; one that starts replaces the
# mount of an xsfs that was killed, and nothing else.
. "${0%/*}/functions.sh"
requires setpriv
requires_fuse

# mount_at DIR: mounts the store there; sets MOUNT_PID and MOUNT_LOG.
mount_at() {
	MOUNT_LOG=$(mktemp "$SCRATCH/log.XXXXXX")
	# shellcheck disable=SC2086 # the wrapper may have arguments
	$XSFS_TEST_WRAPPER "$XSFS" "socket:$SERVER_SOCKET" "$1" -f "${@:2}" >"$MOUNT_LOG" 2>&1 </dev/null &
	MOUNT_PID=$!
	PIDS+=("$MOUNT_PID")
	MOUNTS+=("$(realpath "$1" 2>/dev/null || echo "$1")")
	wait_for 10 is_ready || { not_ok "mounted on $1" "$(<"$MOUNT_LOG")"; return 1; }
}

is_ready() {
	grep -q ' mounted on ' "$MOUNT_LOG"
}

# stack DIR: the types of what is mounted there, the lowest first.
stack() {
	awk -v dir="$1" '$5 == dir { sub(/.* - /, ""); print $1 }' /proc/self/mountinfo
}

types() {
	stack "$1" | paste -sd ' '
}

# anywhere PATTERN: how many mounts of xsfs there are whose place matches.
anywhere() {
	awk -v place="$1" '$5 ~ place && / - fuse\.xsfs / { n++ } END { print n + 0 }' /proc/self/mountinfo
}

# tmpfs DIR: mounts one there, with a file in it.
tmpfs() {
	mount -t tmpfs tmpfs "$1"
	MOUNTS+=("$1")
	echo mine >"$1/file"
}

# ends NAME: SIGTERM ends the last mount's process with status 0.
ends() {
	local status=0
	kill -s TERM "$MOUNT_PID" 2>/dev/null || true
	wait_for "$XSFS_TEST_PATIENCE" dead "$MOUNT_PID" || true
	wait "$MOUNT_PID" || status=$?
	is "$status" 0 "$1: it ends well"
}

# killed: kills the last mount's process.
killed() {
	kill -s KILL "$MOUNT_PID"
	wait "$MOUNT_PID" 2>/dev/null || true
}

# elsewhere DIR: another mount namespace keeps what is mounted there; ended by elsewhere_ends.
elsewhere() {
	mkfifo "$SCRATCH/held"
	unshare --mount --propagation private bash -c 'echo here >"$1"; exec sleep 1000' - "$SCRATCH/held" &
	HOLDER=$!
	disown "$HOLDER"
	PIDS+=("$HOLDER")
	read -r _ <"$SCRATCH/held"
	rm "$SCRATCH/held"
}

elsewhere_ends() {
	end_process "$HOLDER" KILL
}

its_own_mount() {
	local dir=$SCRATCH/own id
	mkdir -p "$dir" "$SCRATCH/other"
	xs write /key v

	mount_at "$dir"
	ends 'alone'
	is "$(types "$dir")" '' 'alone: its mount is gone'

	mount_at "$dir"
	tmpfs "$dir"
	ends 'covered'
	is "$(types "$dir") $(cat "$dir/file" 2>&1)" 'fuse.xsfs tmpfs mine' 'covered: what lies over it stays'
	like "$(<"$MOUNT_LOG")" "*$dir: something is mounted over it*" 'covered: the log says so'
	umount "$dir"
	fails ENOTCONN ls "$dir"
	mount_at "$dir"
	is "$(types "$dir") $(cat "$dir/key")" 'fuse.xsfs v' 'covered: the next one replaces what was left'
	ends 'after that'

	# The upper of two is ended, then the lower; and the lower before the upper.
	mount_at "$dir"
	local lower=$MOUNT_PID
	mount_at "$dir" -o root=/tool
	ends 'the upper of two'
	is "$(types "$dir") $(cat "$dir/key")" 'fuse.xsfs v' 'the lower of two is there'
	mount_at "$dir" -o root=/tool
	local upper=$MOUNT_PID
	MOUNT_PID=$lower
	ends 'the lower of two'
	is "$(types "$dir") $(ls "$dir")" 'fuse.xsfs fuse.xsfs xenstored' 'the upper of two is there'
	MOUNT_PID=$upper
	ends 'then the upper'
	umount "$dir"

	local way
	for way in umount 'umount -l'; do
		mount_at "$dir"
		elsewhere
		$way "$dir"
		is "$(alive "$MOUNT_PID" && echo alive)" alive "$way, and another namespace keeps it"
		tmpfs "$dir"
		ends "$way, another namespace"
		is "$(types "$dir") $(cat "$dir/file" 2>&1)" 'tmpfs mine' "$way, another namespace: what is there now stays"
		umount "$dir"
		elsewhere_ends
	done
	mount_at "$dir"
	local first=$MOUNT_PID second
	elsewhere
	umount "$dir"
	mount_at "$dir"
	second=$MOUNT_PID MOUNT_PID=$first
	ends 'another xsfs is there now'
	is "$(types "$dir") $(cat "$dir/key")" 'fuse.xsfs v' 'another xsfs is there now, and works'
	MOUNT_PID=$second
	ends 'that one'
	elsewhere_ends

	mkdir -p "$SCRATCH/a/m"
	mount_at "$SCRATCH/a/m"
	mv "$SCRATCH/a" "$SCRATCH/b c"
	mkdir -p "$SCRATCH/a/m"
	tmpfs "$SCRATCH/a/m"
	ends 'renamed'
	is "$(types "$SCRATCH/a/m") $(anywhere "$SCRATCH/b")" 'tmpfs 0' 'renamed: gone from its new place, and from there only'
	umount "$SCRATCH/a/m"

	mount_at "$dir"
	mount --move "$dir" "$SCRATCH/other"
	tmpfs "$dir"
	ends 'moved'
	is "$(types "$dir")/$(types "$SCRATCH/other")" 'tmpfs/' 'moved: gone from its new place, and from there only'
	umount "$dir"

	ln -s own "$SCRATCH/link"
	mount_at "$SCRATCH/link"
	ln -sfn other "$SCRATCH/link"
	tmpfs "$SCRATCH/other"
	ends 'through a link that leads elsewhere now'
	is "$(types "$dir")/$(types "$SCRATCH/other")" '/tmpfs' 'a link: its mount is gone, what it leads to now stays'
	umount "$SCRATCH/other"

	mkdir -p "$SCRATCH/above/m"
	mount_at "$SCRATCH/above/m"
	tmpfs "$SCRATCH/above"
	mkdir "$SCRATCH/above/m"
	mount -t tmpfs tmpfs "$SCRATCH/above/m"
	ends 'not visible any more'
	is "$(types "$SCRATCH/above/m")" 'fuse.xsfs tmpfs' 'not visible any more: what is visible stays'
	umount "$SCRATCH/above/m" "$SCRATCH/above"
	umount "$SCRATCH/above/m"

	# A copy of it that somebody made is somebody's; that it is of no more use is another matter.
	mount_at "$dir"
	mount --bind "$dir" "$SCRATCH/other"
	ends 'a bind mount of it'
	is "$(types "$dir")/$(types "$SCRATCH/other")" '/fuse.xsfs' 'a bind mount of it stays'
	umount "$SCRATCH/other"

	# In use, and its connection aborted.
	mount_at "$dir"
	(cd "$dir" && exec sleep 1000) &
	id=$!
	PIDS+=("$id")
	wait_for 5 eval '[[ $(readlink /proc/'"$id"'/cwd) == '"'$dir'"' ]]' || true
	ends 'in use'
	is "$(types "$dir")" '' 'in use: it is gone'
	end_process "$id"
	mount_at "$dir"
	fuse_abort "$dir"
	wait_for "$XSFS_TEST_PATIENCE" dead "$MOUNT_PID" || true
	is "$(dead "$MOUNT_PID" && types "$dir")" '' 'aborted: it ends, and its mount is gone'
}

# The same as a user who is not root: fusermount3 does it.
as_a_user() {
	local dir=$SCRATCH/home/m user
	id nobody >/dev/null 2>&1 || { skip_one 'as a user' 'there is no user nobody'; return 0; }
	[[ -u $(command -v fusermount3) ]] || { skip_one 'as a user' 'fusermount3 is not set-uid'; return 0; }
	user="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups"
	chmod 755 "$SCRATCH"
	chmod 755 "$SERVER_DIR"
	chmod 777 "$SERVER_SOCKET"
	mkdir -p "$dir"
	chown -R nobody "$SCRATCH/home"
	# The build may be where they cannot go.
	local XSFS=$SCRATCH/xsfs
	cp "$BUILD/src/xsfs" "$XSFS"
	XSFS_TEST_WRAPPER="$user $XSFS_TEST_WRAPPER" mount_at "$dir"
	ends 'a user'
	is "$(types "$dir")" '' 'a user: its mount is gone'
	XSFS_TEST_WRAPPER="$user $XSFS_TEST_WRAPPER" mount_at "$dir"
	mount -t tmpfs tmpfs "$dir"
	ends 'a user, covered'
	is "$(types "$dir")" 'fuse.xsfs tmpfs' 'a user, covered: what lies over it stays'
	umount "$dir"
	XSFS_TEST_WRAPPER="$user $XSFS_TEST_WRAPPER" mount_at "$dir"
	is "$(types "$dir") $($user cat "$dir/key")" 'fuse.xsfs v' 'a user: the next one replaces what was left'
	mv "$SCRATCH/home" "$SCRATCH/home 2"
	mkdir -p "$dir"
	mount -t tmpfs tmpfs "$dir"
	ends 'a user, renamed'
	is "$(types "$dir") $(anywhere "$SCRATCH/home")" 'tmpfs 0' 'a user, renamed: gone from its new place only'
	umount "$dir"
}

# asks_a_mount PID: a child of it, which asks in its place, waits for the answer of a mount's process.
asks_a_mount() {
	local child
	child=$(pgrep --parent "$1") && grep -q request_wait_answer "/proc/$child/wchan"
}

# unit_starts DIR: does what the unit does to start there, in the foreground.
unit_starts() {
	local unit=$BUILD/contrib/systemd/xsfs@.service line words
	while IFS= read -r line; do
		words=${line//%f/$1}
		# shellcheck disable=SC2086 # words of a command line
		case $words in
		ExecStartPre=-*) bounded ${words#ExecStartPre=-} >/dev/null 2>&1 || true ;;
		ExecStartPre=*) bounded ${words#ExecStartPre=} || return 1 ;;
		ExecStart=*) mount_at "$1" ;;
		esac
	done <"$unit"
}

dead_ones() {
	local dir=$SCRATCH/dead foreign
	mkdir "$dir"
	mount_at "$dir"
	killed
	fails ENOTCONN ls "$dir"
	mount_at "$dir"
	is "$(types "$dir") $(cat "$dir/key")" 'fuse.xsfs v' 'a dead mount is replaced'
	is "$(grep -c "$dir: removed the mount of an xsfs that was killed" "$MOUNT_LOG")" 1 'the log says so'
	# The kernel may still remember what its directory looks like.
	killed
	ls -ld "$dir" >/dev/null 2>&1 || true
	mount_at "$dir/"
	is "$(types "$dir")" fuse.xsfs 'a dead mount that is named with a slash'
	killed
	pushd "$SCRATCH" >/dev/null || return 1
	mount_at dead
	popd >/dev/null || return 1
	is "$(types "$dir")" fuse.xsfs 'and by a relative path'
	killed
	mount_at "$dir"
	local first=$MOUNT_PID
	mount_at "$dir" -o root=/tool
	killed
	MOUNT_PID=$first
	killed
	is "$(types "$dir")" 'fuse.xsfs fuse.xsfs' 'two dead ones'
	mount_at "$dir"
	is "$(types "$dir")" fuse.xsfs 'are replaced by one'

	# It dies while the next one looks at what is there, and so waits for it.
	end_process "$MOUNT_PID"
	mount_at "$dir" -o cache=off
	first=$MOUNT_PID
	kill -s STOP "$first"
	wait_for 10 grep -q '^State:.T' "/proc/$first/status"
	MOUNT_LOG=$(mktemp "$SCRATCH/log.XXXXXX")
	# shellcheck disable=SC2086 # the wrapper may have arguments
	$XSFS_TEST_WRAPPER "$XSFS" "socket:$SERVER_SOCKET" "$dir" -f >"$MOUNT_LOG" 2>&1 </dev/null &
	MOUNT_PID=$!
	PIDS+=("$MOUNT_PID")
	wait_for 10 asks_a_mount "$MOUNT_PID" || note 'it does not ask'
	kill -s KILL "$first"
	wait "$first" 2>/dev/null || true
	wait_for 10 is_ready || note "$(<"$MOUNT_LOG")"
	is "$(types "$dir")" fuse.xsfs 'one that dies while the next one looks is replaced'

	# Where the store is not there nothing changes: who writes to the path gets an error, as before.
	killed
	bounded "$XSFS" "socket:$SCRATCH/none" "$dir" >/dev/null 2>&1 || true
	is "$(types "$dir")" fuse.xsfs 'no store: the dead mount stays'
	fails ENOTCONN ls "$dir"

	unit_starts "$dir"
	is "$(types "$dir") $(cat "$dir/key")" 'fuse.xsfs v' 'the unit replaces a dead mount'
	first=$MOUNT_PID
	unit_starts "$dir"
	is "$(types "$dir")" 'fuse.xsfs fuse.xsfs' 'the unit leaves one that lives alone'
	ends 'the unit'\''s'
	is "$(cat "$dir/key")" v 'which still works'
	MOUNT_PID=$first
	ends 'the one below'
	tmpfs "$dir"
	unit_starts "$dir"
	is "$(types "$dir")" 'tmpfs fuse.xsfs' 'the unit leaves another file system alone'
	ends 'what the unit started over it'
	is "$(types "$dir") $(<"$dir/file")" 'tmpfs mine' 'which is seen again then'
	umount "$dir"
	is "$(sed -n '/^Exec.*umount/p' "$BUILD/contrib/systemd/xsfs@.service")" '' 'the unit has no umount'

	# A dead mount of something else is not ours to remove.
	foreign=$SCRATCH/foreign
	mkdir "$foreign"
	mount_foreign "$foreign" || { skip_one 'a dead mount of something else' 'there is none to be had'; return 0; }
	fails ENOTCONN ls "$foreign"
	if bounded "$XSFS" "socket:$SERVER_SOCKET" "$foreign" 2>"$SCRATCH/err"; then
		not_ok 'a dead mount of something else: refused'
	else
		like "$(<"$SCRATCH/err")" '*a mount of something else*umount -l*' 'a dead mount of something else: refused'
	fi
	# mount(8) of util-linux 2.41 loses the second half of the type.
	like "$(types "$foreign")" 'fuse*(.other)' 'and left alone'
	umount -l "$foreign"
}

# mount_foreign DIR: leaves a dead mount of another type there, one whose server never was.
mount_foreign() {
	(
		exec 3<>/dev/fuse
		mount -i -t fuse.other -o fd=3,rootmode=40000,user_id=0,group_id=0 other "$1" 2>/dev/null
	)
}

test_ends() {
	its_own_mount
	as_a_user
	dead_ones
}
# The ways to the store make no difference here.
# shellcheck disable=SC2034 # for_each_store reads them
XSFS_TEST_SERVER=c XSFS_TEST_TRANSPORT=socket
for_each_store test_ends
