#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Telling the readers of inotify is done by operations on the mount, beside those of its users.  No user may notice: no
# error, no other result, nothing lost; and whatever users do in their turn, no telling reaches the store.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
. "${0%/*}/inotify.sh"
requires python3 inotifywait unshare

# What users do in one round of the tests, and which of the tests.
: "${XSFS_INOTIFY_USES:=40}" "${XSFS_INOTIFY_ATTACKS:=users fresh places inner locked ends remount nodes}"

# for mount_xsfs
export XSFS_TEST_CACHE=meta

# storm_start DIR: another client changes what is in it, all the time. It goes no faster than the mount to which storm_on
# has led it.
storm_start() {
	XENSTORED_PATH=$SERVER_SOCKET PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 \
		python3 "$TEST_DIR/programs/inotify_storm.py" "$1" "$SCRATCH/storm" &
	STORM_PID=$!
	PIDS+=("$STORM_PID")
	wait_for 5 exists "$1/ready"
}

storm_on() {
	ln -sfn "$MNT" "$SCRATCH/storm"
}

storm_stop() {
	end_process "$STORM_PID"
}

# A remount to read-only holds for every mount of the filesystem, the teller's too.  Then nothing can be told; what has
# changed meanwhile is, when it can be written to again.
test_remount() {
	local i failed=0 names
	mount_telling
	xs write /ro/a 1 /ro/gone 1 /ro/same 1 /ro/end 1
	ls -l "$MNT/ro" >/dev/null
	inotify_start "$MNT/ro"
	succeeds 'remount,ro' "$XSFS" "$MNT" -o remount,ro
	xs write /ro/a 2
	succeeds 'nobody is told' wait_for 5 stat_is inotify 0
	xs rm /ro/gone
	xs write /ro/new 1
	names=("$MNT/ro/"*)
	is "$(cat "$MNT/ro/a") ${names[*]##*/}" '2 a end new same' 'it shows what others change'
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
	storm_on
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


# teller: prints the number of the teller's thread.
teller() {
	local thread
	for thread in "/proc/$MOUNT_PID/task/"*; do
		[[ $(<"$thread/comm") != xsfs-teller ]] || printf '%s\n' "${thread##*/}"
	done
}

test_users() {
	local threads
	for threads in $XSFS_TEST_THREADS; do
		mount_telling -o "threads=$threads"
		PREFIX="${PREFIX}threads=$threads: "
		checked python3 "$TEST_DIR/programs/inotify_users.py" "$MNT" "$XSFS_INOTIFY_USES"
		xs rm /u
		checked python3 "$TEST_DIR/programs/inotify_again.py" "$MNT" "$XSFS_INOTIFY_USES"
		xs rm /again
		note "$(grep ^inotify "$MNT/.xsfs/stats" | tr '\n' ' ')"
		umount_xsfs
		PREFIX=${PREFIX%"threads=$threads: "}
	done
}

test_fresh() {
	mount_telling
	checked python3 "$TEST_DIR/programs/inotify_fresh.py" "$MNT" 30
	umount_xsfs
	xs rm /fresh
}

# A process that has the number of the teller's thread, in a pid namespace, a mount namespace and a root directory of its
# own, is a user, whoever it is.
test_places() {
	local root=$SCRATCH/root pid
	mount_telling -o allow_other,uid=12345,gid=12345,protect=/y/kept
	chmod 755 "$SCRATCH"
	xs write /y/file 1 /y/kept/k 1
	ls -l "$MNT/y" "$MNT/y/kept" >/dev/null
	mkdir -p "$MNT/y/dir" "$root"
	mount --bind / "$root"
	mount --bind "$MNT" "$root$MNT"
	MOUNTS+=("$root" "$root$MNT")
	pid=$(teller)
	# shellcheck disable=SC2016 # the parameters are of that shell
	succeeds 'its number, with another root directory, by another mount, as another user' unshare --pid --fork --mount \
		bash -c 'mount -t proc proc "$1/proc" && exec chroot "$1" python3 "$2" "$3" "$4" 12345' - "$root" \
		"$TEST_DIR/programs/inotify_pids.py" "$MNT" "$pid"
	absent /y/file 'what it removes is removed'
	absent /y/dir 'a directory too'
	succeeds 'and what it makes is made' exists /y/made
	umount "$root$MNT" "$root"
	inotify_start "$MNT/y" "$MNT/y/kept"
	fails EPERM rmdir "$MNT/y/kept"
	succeeds 'what is protected stays' exists /y/kept/k
	xs rm /y/kept
	succeeds 'if others remove it, that is told' wait_for 5 inotify_has 'DELETE,ISDIR kept'
	xs write /y/kept/k 2
	succeeds 'and that it is back' wait_for 5 inotify_has 'CREATE,ISDIR kept'
	inotify_stop
	umount_xsfs
	xs rm /y
}

# stays_mounted TOP: other filesystems are mounted on what others remove and make again. TOP is where a mount shows /in.
stays_mounted() {
	local top=$1
	xs write /in/d/k 1 /in/f 1 /in/mark 1 /in/deep/er/k 1
	ls -lR "$top" >/dev/null
	inotify_start "$top"
	mount -t tmpfs none "$top/d"
	echo inner >"$SCRATCH/inner"
	mount --bind "$SCRATCH/inner" "$top/f"
	mount -t tmpfs none "$top/deep/er"
	MOUNTS+=("$top/d" "$top/f" "$top/deep/er")
	echo kept >"$top/d/kept"
	echo below >"$top/deep/er/below"
	xs rm /in/d
	xs rm /in/deep
	xs rm /in/f
	xs write /in/mark 2
	succeeds 'others remove what something is mounted on' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE mark'
	xs write /in/d/k 2 /in/f 2 /in/deep/er/k 2 /in/mark2 1
	succeeds 'and make it again' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE mark2'
	is "$(cat "$top/d/kept" "$top/f" "$top/deep/er/below" 2>&1 | tr '\n' ' ')" 'kept inner below ' \
		'what is mounted there stays'
	succeeds 'it is unmounted' umount "$top/d" "$top/f" "$top/deep/er"
	is "$(cat "$top/d/k" "$top/f" "$top/deep/er/k" 2>&1 | tr '\n' ' ')" '2 2 2 ' 'then there is what they have made'
	inotify_stop
	xs rm /in
}

test_inner() {
	mount_telling
	stays_mounted "$MNT/in"
	# Part of it, somewhere else.
	xs write /in/mark 0
	mkdir "$SCRATCH/side" "$SCRATCH/moved"
	mount --bind "$MNT/in" "$SCRATCH/side"
	MOUNTS+=("$SCRATCH/side" "$SCRATCH/moved")
	PREFIX="${PREFIX}a bind mount: " stays_mounted "$SCRATCH/side"
	umount "$SCRATCH/side"
	mount --move "$MNT" "$SCRATCH/moved"
	MNT=$SCRATCH/moved
	PREFIX="${PREFIX}moved: " stays_mounted "$MNT/in"
	umount_xsfs
	rmdir "$SCRATCH/side" "$SCRATCH/moved"
}

# Somebody has a directory locked for as long as he likes: only the telling waits for him.
test_locked() {
	local answer pid
	mount_telling
	xs write /lock/d/k 1 /lock/other/k 1
	ls -lR "$MNT/lock" >/dev/null
	inotify_start "$MNT/lock/d" "$MNT/lock/other"
	coproc LOCKED { exec python3 "$TEST_DIR/programs/inotify_locked.py" "$MNT/lock/d" 2>&1; }
	# Bash forgets it when it has ended.
	# shellcheck disable=SC2153 # bash sets it
	pid=$LOCKED_PID
	PIDS+=("$pid")
	read -r -t "$XSFS_TEST_PATIENCE" answer <&"${LOCKED[0]}"
	if [[ $answer != locked ]]; then
		skip_one 'a directory that is locked' "$answer"
	else
		xs rm /lock/d/k
		xs write /lock/d/new 1
		xs write /lock/other/k 2
		is "$(bounded cat "$MNT/lock/other/k")" 2 'others read'
		succeeds 'others write' bash -c 'echo 3 >"$1"' - "$MNT/lock/other/k"
		succeeds 'others make' mkdir "$MNT/lock/other/dir"
		is "$(value /lock/other/k)" 3 'and it is in the store'
		printf '\n' >&"${LOCKED[1]}"
		read -r -t "$XSFS_TEST_PATIENCE" answer <&"${LOCKED[0]}"
		is "$answer" 'read True' 'it reads on'
		succeeds 'then what has gone is told' wait_for 5 inotify_has '/d/ DELETE k'
		succeeds 'and what is new' wait_for 5 inotify_has '/d/ CREATE new'
	fi
	end_process "$pid"
	inotify_stop
	umount_xsfs
	xs rm /lock
}

# unmounts: umount(8) without any option, again for as long as the teller is just entering.
unmounts() {
	umount "$MNT" 2>"$SCRATCH/umount" || { ! grep -q busy "$SCRATCH/umount" || BUSY=$((BUSY + 1)); return 1; }
}

# no_daemon: nothing is left of the daemon and what it started.
no_daemon() {
	dead "$MOUNT_PID" && ! pgrep -f "^[^ ]*xsfs[^ ]* [^ ]* $MNT( |\$)"
}

# The mount goes, in either way, in the middle of changes.
test_ends() {
	local i
	BUSY=0
	storm_start /ends
	for i in {1..6}; do
		mount_telling
		storm_on
		ls -l "$MNT/ends" >/dev/null 2>&1 || true
		inotify_start "$MNT/ends"
		wait_for 5 inotify_has CLOSE_WRITE
		if ((i % 2)); then
			succeeds 'umount' wait_for 5 unmounts
		else
			disown "$MOUNT_PID"
			end_process "$MOUNT_PID" KILL
			umount -l "$MNT" 2>/dev/null || true
		fi
		succeeds "nothing is left of it" wait_for 5 no_daemon
		is "$(mounted "$MNT" && echo mounted)" '' 'nor is it mounted'
		inotify_stop
	done
	at_most "$BUSY" 60 'umount is hardly ever told that it is busy'
	# Real programs, among what changes.
	mount_telling
	storm_on
	inotify_start "$MNT/ends"
	for i in {1..10}; do
		mkdir -p "$MNT/ends/mine/$i/a"
		echo "$i" >"$MNT/ends/mine/$i/a/b"
		{ mv "$MNT/ends/mine/$i" "$MNT/ends/moved$i" && rm -r "$MNT/ends/moved$i"; } || not_ok 'mv of a directory, and rm -r'
		absent "/ends/moved$i" 'mv and rm -r'
	done
	storm_stop
	inotify_stop
	umount_xsfs
	xs rm /ends
}

# The view in which every node is a directory, as the mount and below `.xsfs/nodes`.
test_nodes() {
	mount_telling -o layout=nodes
	checked python3 "$TEST_DIR/programs/inotify_nodes.py" "$MNT" layout=nodes "$SERVER_KIND"
	umount_xsfs
	xs rm /t
	mount_telling
	checked python3 "$TEST_DIR/programs/inotify_nodes.py" "$MNT/.xsfs/nodes" .xsfs/nodes "$SERVER_KIND"
	umount_xsfs
}

for test in users fresh places inner locked ends remount nodes; do
	[[ $XSFS_INOTIFY_ATTACKS != *"$test"* ]] || for_each_store "test_$test"
done
