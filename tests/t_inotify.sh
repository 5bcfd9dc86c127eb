#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# inotify: whatever others change in the store, those who watch files and directories of a mount are told.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
. "${0%/*}/inotify.sh"
requires python3 inotifywait unshare

# Random changes of one server and transport (100000 for a full run, 1000000 for what a day has), and keys that are watched.
: "${XSFS_INOTIFY_CHANGES:=3000}" "${XSFS_INOTIFY_KEYS:=1000}" "${XSFS_INOTIFY_ROUNDS:=60}"
[[ -z $XSFS_TEST_QUICK ]] || XSFS_INOTIFY_CHANGES=1000

# for mount_xsfs
export XSFS_TEST_CACHE=meta

test_table() {
	local options
	for options in threads=1 threads=4 ro; do
		mount_telling -o "$options"
		PREFIX="$PREFIX$options: "
		checked python3 "$TEST_DIR/programs/inotify_table.py" "$MNT" "$options"
		is "$(grep -c -i -e error -e warn "$MOUNT_LOG" || true)" 0 'nothing to complain about'
		umount_xsfs
		PREFIX=${PREFIX%"$options: "}
		xs rm /t
	done
}

test_lost() {
	local measured=rss
	# A sanitizer keeps what was freed.
	! has_sanitizer || measured=
	mount_telling
	checked python3 "$TEST_DIR/programs/inotify_lost.py" "$MNT" "$XSFS_INOTIFY_CHANGES" "$XSFS_INOTIFY_KEYS" "$MOUNT_PID" "$measured"
	umount_xsfs
}

test_flood() {
	mount_telling
	checked python3 "$TEST_DIR/programs/inotify_flood.py" "$MNT" "$MOUNT_PID"
	umount_xsfs
	xs rm /f
}

# flushes: how many FLUSH requests there were.
flushes() {
	awk '/^xsfs_operations_total\{.*"flush"/ { print $NF }' "$MNT/.xsfs/metrics"
}

# When the daemon is killed the kernel closes what its teller has open, while nobody answers any more: that must not
# ask.
test_no_flush() {
	local i before
	mount_telling
	xs write /q/k 0
	inotify_start "$MNT/q"
	before=$(flushes)
	for ((i = 1; i <= 30; i++)); do
		xs write /q/k "$i"
	done
	succeeds 'a reader is told' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE k'
	is "$(($(flushes) - before))" 0 'and no close has asked'
	inotify_stop
	umount_xsfs
	xs rm /q
}

test_often() {
	mount_telling
	checked python3 "$TEST_DIR/programs/inotify_often.py" "$MNT"
	umount_xsfs
	xs rm /o
}

test_busy() {
	mount_telling
	checked python3 "$TEST_DIR/programs/inotify_busy.py" "$MNT" 200
	umount_xsfs
	xs rm /busy
}

# Where the filesystem cannot be mounted once more (with context= of SELinux) the visible mount is copied, and nobody is
# told while something is mounted over that.
test_copied() {
	local before
	XSFS_TEST_WRAPPER="$BUILD/tests/refusing $XSFS_TEST_WRAPPER" mount_telling
	xs write /copied/k 1
	inotify_start "$MNT/copied"
	xs write /copied/k 2
	succeeds 'a reader is told through a copy' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE k'
	inotify_stop
	mkdir "$SCRATCH/side"
	mount --bind "$MNT" "$SCRATCH/side"
	mount -t tmpfs none "$MNT"
	mkdir "$MNT/copied"
	touch -d @1 "$MNT/copied/k"
	inotify_start "$SCRATCH/side/copied"
	before=$(looks "$SCRATCH/side")
	xs write /copied/k 3 /copied/new 1
	wait_for 10 has_settled "$before" || not_ok 'the teller is done'
	is "$(grep -c -E 'CLOSE_WRITE|CREATE' "$SCRATCH/inotify" || true)" 0 \
		'nobody is told while something is mounted over it'
	inotify_stop
	is "$(ls -A "$MNT/copied") $(stat -c %Y "$MNT/copied/k")" 'k 1' 'what is on top is not touched'
	umount "$MNT" "$SCRATCH/side"
	rmdir "$SCRATCH/side"
	umount_xsfs
	xs rm /copied
}

# has_settled BEFORE: the teller of the mount that $SCRATCH/side shows has looked since, and has no more to do.
has_settled() {
	local now
	now=$(looks "$SCRATCH/side")
	sleep 0.3
	((now > $1 && $(looks "$SCRATCH/side") == now))
}

# Moves of ours: while one is under way the store may say first that what was there is gone. That is not told, or
# everything below would be made anew.
test_moved() {
	local i from to numbers wrong=0
	mount_telling
	mkdir -p "$MNT/n/d0/in"
	for i in 1 2 3 4; do
		echo "$i" >"$MNT/n/d0/in/k$i"
	done
	ls -lR "$MNT/n" >/dev/null
	numbers=$(stat -c %i "$MNT"/n/d0/in "$MNT"/n/d0/in/k? | paste -sd ' ')
	for ((i = 0; i < 150; i++)); do
		from=$MNT/n/d$i to=$MNT/n/d$((i + 1))
		mv "$from" "$to"
		[[ $(stat -c %i "$to"/in "$to"/in/k? | paste -sd ' ') == "$numbers" ]] || wrong=$((wrong + 1))
	done
	is "$wrong" 0 'mv of a directory: everything below is what it was'
	umount_xsfs
}

# A store that does not answer the teller: it asks again.
test_refused() {
	fake_start -o inotify=on,cache=meta
	wait_for 5 telling || not_ok 'it tells readers'
	fake 'set /u/k 1'
	stat "$MNT/u/k" >/dev/null
	inotify_start "$MNT/u"
	fake 'set /u/k 2'
	succeeds 'a change' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE k'
	inotify_stop
	inotify_start "$MNT/u"
	fake 'error 3 EBUSY'
	fake 'set /u/k 3'
	succeeds 'one that the store cannot be asked about' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE k'
	inotify_stop
	fake_end
}

# looked_since COUNT: the teller has asked the store, after so many requests for permissions, and has its answer.
looked_since() {
	(($(stat_of requests_GET_PERMS) > $1)) && at_rest
}

# read_since COUNT: the store has been asked for a value, after so many.
read_since() {
	(($(stat_of requests_READ) > $1))
}

# Of what this mount writes the kernel tells. The store is asked about it all the same, as somebody else may have been
# there, and its answer may be from before the next write: that is not a change by others.
test_own() {
	local fd reads before
	fake_start -o inotify=on,cache=meta
	wait_for 5 telling || not_ok 'it tells readers'
	fake 'set /u/k 1'
	exec {fd}>"$MNT/u/k"
	printf a >&"$fd"
	wait_for 5 at_rest
	inotify_start "$MNT/u"
	# What was done until now has been told when this is: what changes again within 50 ms waits for so long.
	sleep 0.06
	fake 'set /u/begin 1'
	wait_for 10 inotify_has 'CREATE begin'
	wait_for 5 at_rest
	before=$(grep -c 'MODIFY k' "$SCRATCH/inotify" || true)
	reads=$(stat_of requests_READ)
	fake 'after 1 delay 700'
	printf b >&"$fd"
	wait_for 10 read_since "$reads" || not_ok 'the store is asked about a write of our own'
	printf c >&"$fd"
	fake ok
	wait_for 10 read_since "$((reads + 1))" || not_ok 'the store is asked about the next one'
	wait_for 5 at_rest
	fake 'set /u/end 1'
	succeeds 'what others do later is told' wait_for 5 inotify_has 'CREATE end'
	is "$(($(grep -c 'MODIFY k' "$SCRATCH/inotify") - before))" 2 'two writes through the mount, and nothing is told of others'
	exec {fd}>&-
	fake 'set /u/k 2'
	modified() {
		(($(grep -c 'MODIFY k' "$SCRATCH/inotify") == before + 3))
	}
	succeeds 'what others write then is told' wait_for 5 modified
	inotify_stop
	fake_end
}

# What is done through the mount is told by the kernel, and the store's report of it is recognised as that, however
# long the store takes to do it, or to be asked about it: new permissions are not told as a new content, too.
# test_late PLAN
test_late() {
	local asked PREFIX="$1: "
	fake_start -o inotify=on,cache=meta
	wait_for 5 telling || not_ok 'it tells readers'
	fake 'set /u/k 1'
	stat "$MNT/u/k" >/dev/null
	inotify_start "$MNT/u"
	wait_for 5 at_rest
	asked=$(stat_of requests_GET_PERMS)
	fake "$1"
	setfattr -n user.xenstore.perms -v n0,r1 "$MNT/u/k"
	wait_for 10 looked_since "$asked" || not_ok 'the store was asked about it'
	fake ok
	fake 'set /u/end 1'
	succeeds 'what comes later is told' wait_for 5 inotify_has 'CREATE end'
	is "$(grep -c 'ATTRIB k' "$SCRATCH/inotify")" 1 'permissions that were set through the mount'
	is "$(grep -c 'MODIFY k' "$SCRATCH/inotify" || true)" 0 'and not a new content, however late the store answers'
	inotify_stop
	fake_end
}

# looks MOUNT: prints how often the teller has asked the store.
looks() {
	sed -n 's/^xsfs_operations_total{operation="own_tell"} //p' "$1/.xsfs/metrics"
}

# looked_after COUNT: the teller has looked at something, after so often, and has its answer.
looked_after() {
	(($(looks "$MNT") > $1)) && at_rest
}

# A directory with an open file below is not told to be gone before that is closed, or it is back.
test_owed() {
	local held before i=0 busy
	fake_start -o inotify=on,cache=meta
	wait_for 5 telling || not_ok 'it tells readers'
	fake 'set /u/d/x 1'
	fake 'set /u/d/held 1'
	fake 'set /u/k 1'
	ls -lR "$MNT/u" >/dev/null
	inotify_start "$MNT/u" "$MNT/u/d"
	exec {held}<"$MNT/u/d/held"
	wait_for 5 at_rest
	before=$(looks "$MNT")
	fake 'remove /u/d'
	wait_for 5 looked_after "$before" || not_ok 'the teller looks at it'
	fake 'set /u/d/new 1'
	succeeds 'a directory with an open file is removed and made again: what is new' wait_for 5 inotify_has '/d/ CREATE new'
	succeeds 'what has gone' wait_for 5 inotify_has '/d/ DELETE x'
	is "$(grep -c 'DELETE,ISDIR d' "$SCRATCH/inotify" || true)" 0 'it is there itself'
	exec {held}<&-

	# However busy the store is.
	exec {held}<"$MNT/u/d/new"
	before=$(looks "$MNT")
	fake 'remove /u/d'
	wait_for 5 looked_after "$before" || not_ok 'the teller looks at it'
	while printf 'set /u/k %d\n' "$((i++))" >&8; do
		sleep 0.2
	done {held}<&- &
	busy=$!
	PIDS+=("$busy")
	exec {held}<&-
	succeeds 'one that has gone is told of while something changes all the time' wait_for 10 inotify_has 'DELETE,ISDIR d'
	end_process "$busy"
	inotify_stop
	fake_end
}

# large_key N [NAME]: a key in one of so many nodes that one answer does not hold their names.
large_key() {
	printf '/l/00000000-0000-0000-0000-%012d/%s' "$1" "${2:-name}"
}

# A directory of which the store gives the names in parts only, and which nobody has listed: what is new in it is told,
# and nothing else.
test_large() {
	local i pairs=() PREFIX="${PREFIX}large: "
	for ((i = 0; i < 300; i++)); do
		pairs+=("$(large_key "$i")" x)
	done
	xs write "${pairs[@]}"
	mount_telling
	inotify_start "$MNT/l"
	if [[ $PREFIX == *'[o/ring]'* ]]; then
		xs write "$(large_key 300)" x
		xs write /l/made x
		succeeds 'a server that cannot give its names: what is made by itself' wait_for 5 inotify_has 'CREATE made'
	else
		xs write "$(large_key 7 other)" x
		xs write "$(large_key 300)" x
		succeeds 'a new directory that comes with something in it' wait_for 5 inotify_has "CREATE,ISDIR 0*-.*300"
		is "$(grep -c CREATE "$SCRATCH/inotify" || true)" 1 'no other is told to be new'
		xs rm "/l/00000000-0000-0000-0000-000000000008"
		succeeds 'one that has gone' wait_for 5 inotify_has 'DELETE.*0*-.*008'
	fi
	inotify_stop
	umount_xsfs
	mount_telling -o root=/l
	inotify_start "$MNT"
	if [[ $PREFIX != *'[o/ring]'* ]]; then
		xs write "$(large_key 301)" x
		succeeds 'the same in the root of the mount' wait_for 5 inotify_has "CREATE,ISDIR 0*-.*301"
	fi
	inotify_stop
	umount_xsfs
	xs rm /l
}

# settled: the teller has not asked the store for a while.
settled() {
	local before
	before=$(looks "$MNT")
	for _ in {1..4}; do
		sleep 0.3
		[[ $(looks "$MNT") == "$before" ]] || return 1
	done
	at_rest
}

# The same after a gap: the store had nobody to report to.
test_large_gap() {
	local i PREFIX='a large directory: '
	fake_start -o inotify=on,cache=meta
	wait_for 5 telling || not_ok 'it tells readers'
	for ((i = 0; i < 300; i++)); do
		printf 'set %s x\n' "$(large_key "$i")"
	done >&8
	inotify_start "$MNT"
	fake 'set /mark 1'
	succeeds 'what was made is told' wait_for 5 inotify_has 'CREATE mark'
	comes_true 5 'all of it' settled
	inotify_stop
	inotify_start "$MNT/l"
	fake 'set /l/mark 1'
	succeeds 'a new file' wait_for 5 inotify_has 'CREATE mark'
	fake 'refuse on'
	fake close
	fake "set $(large_key 300) x"
	fake 'refuse off'
	succeeds 'after a gap a new name is told' wait_for 5 inotify_has "CREATE,ISDIR 0*-.*300"
	is "$(grep -c CREATE "$SCRATCH/inotify" || true)" 2 'and no other'
	inotify_stop
	fake_end
}

test_attack() {
	local threads
	for threads in $XSFS_TEST_THREADS; do
		mount_telling -o "threads=$threads"
		PREFIX="$PREFIX threads=$threads: "
		checked python3 "$TEST_DIR/programs/inotify_attack.py" "$MNT" "$XSFS_INOTIFY_ROUNDS"
		note "$(grep ^inotify "$MNT/.xsfs/stats" | tr '\n' ' ')"
		umount_xsfs
		PREFIX=${PREFIX%" threads=$threads: "}
		xs rm /x
	done
}

# teller: prints the number of the teller's thread.
teller() {
	local thread
	for thread in "/proc/$MOUNT_PID/task/"*; do
		[[ $(<"$thread/comm") != xsfs-teller ]] || printf '%s\n' "${thread##*/}"
	done
}

# A user may have any number in a namespace of his own, and none that the daemon can see from outside of its own.
test_pids() {
	local pid
	mount_telling
	xs write /y/file 1
	mkdir "$MNT/y/dir"
	pid=$(teller)
	like "$pid" '[0-9]*' 'there is one teller'
	succeeds 'a process with its number, in another namespace, is a user' \
		unshare --pid --fork --mount-proc python3 "$TEST_DIR/programs/inotify_pids.py" "$MNT" "$pid"
	absent /y/file 'what it removes is removed'
	absent /y/dir 'a directory too'
	succeeds 'and what it makes is made' exists /y/made
	umount_xsfs
	xs write /y/file 1 /y/dir ''
	XSFS_TEST_WRAPPER='unshare --pid --fork --kill-child' mount_telling
	succeeds 'a daemon that cannot see its users: remove' rm "$MNT/y/file"
	succeeds 'make' mkdir "$MNT/y/made2"
	absent /y/file 'removed'
	succeeds 'made' exists /y/made2
	inotify_start "$MNT/y"
	xs write /y/other 1
	succeeds 'and its readers are told' wait_for 5 inotify_has 'CREATE other'
	inotify_stop
	umount_xsfs
	xs rm /y
}

# What stands in its way, or takes it away.
test_life() {
	local i
	mount_telling
	xs write /z/d/k 1 /z/end 1
	stat "$MNT/z/d/k" >/dev/null
	inotify_start "$MNT/z" "$MNT/z/d"
	for i in {1..50}; do
		xs write /z/d/k "$i"
	done
	succeeds 'it is unmounted at once, while there are changes' umount "$MNT"
	wait_for 5 dead "$MOUNT_PID"
	is "$(value /z/d/k)" 50 'and all is there'
	inotify_stop
	mount_xsfs "$STORE" -o inotify=off
	is "$(stat_of inotify)" 0 'inotify=off: nobody is told'
	umount_xsfs
	XSFS_TEST_CACHE=off mount_xsfs "$STORE"
	is "$(stat_of inotify)" 0 'cache=off: nobody is told'
	umount_xsfs
	XSFS_TEST_CACHE=full mount_xsfs "$STORE" -o inotify=on
	is "$(stat_of inotify)" 0 'cache=full: nobody is told'
	succeeds 'which is said' grep -q 'inotify=on:.*not with cache=full' "$MOUNT_LOG"
	umount_xsfs
	XSFS_TEST_CACHE=off mount_telling -o inotify=on
	inotify_start "$MNT/z/d"
	xs write /z/d/k on
	succeeds 'unless that is asked for' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE k'
	inotify_stop

	# A kernel that forgets what nobody watches.
	inotify_start "$MNT/z/d"
	kernel_forgets
	xs write /z/d/k forgotten
	succeeds 'what the kernel has forgotten up to what is watched' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE k'
	inotify_stop

	# Somebody who has a file below open goes on with it: the removal of its directory is told afterwards.
	inotify_start "$MNT/z"
	exec {held}<"$MNT/z/d/k"
	xs rm /z/d
	xs write /z/mark 1
	succeeds 'a directory with an open file goes' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE mark'
	fails ENOENT cat "$MNT/z/d/k"
	xs write /z/d/k back
	is "$(cat "/dev/fd/$held" 2>/dev/null || true)" back 'and the open file is there again with it'
	xs rm /z/d
	exec {held}<&-
	succeeds 'it is told when the file is closed' wait_for 5 inotify_has 'DELETE,ISDIR d'
	inotify_stop

	# Mounted over: nothing happens to what is on top, and who gets there another way is told.
	mkdir "$SCRATCH/side"
	mount --bind "$MNT" "$SCRATCH/side"
	mount -t tmpfs none "$MNT"
	mkdir "$MNT/z"
	touch -d @1 "$MNT/z/mark"
	inotify_start "$SCRATCH/side/z"
	xs write /z/mark 2
	succeeds 'something is mounted over it, and there is a change' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE mark'
	inotify_stop
	is "$(ls -A "$MNT/z") $(stat -c %Y "$MNT/z/mark")" 'mark 1' 'what is on top is not touched'
	umount "$MNT" "$SCRATCH/side"
	rmdir "$SCRATCH/side"
	inotify_start "$MNT/z"
	xs write /z/below/k 1
	wait_for 5 test -d "$MNT/z/below"
	mount -t tmpfs none "$MNT/z/below"
	xs write /z/below/k 2
	xs write /z/mark 3
	succeeds 'something mounted below is not in the way' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE mark'
	umount "$MNT/z/below"
	inotify_stop

	# After a gap everything that is known is told.
	inotify_start "$MNT/z"
	stat "$MNT/z/mark" "$MNT/z/end" >/dev/null
	kill -STOP "$MOUNT_PID"
	kill -CONT "$MOUNT_PID"
	succeeds 'after a gap: what may have changed' wait_for 5 inotify_has 'CLOSE_WRITE,CLOSE end'
	inotify_stop
	end_process "$MOUNT_PID" KILL
	umount -l "$MNT" 2>/dev/null || true
	is "$(value /z/mark)$(value /z/end)" 31 'after kill -9 all is there'
}

for_each_store test_table
for_each_store test_lost
for_each_store test_flood
for_each_store test_often
for_each_store test_busy
for_each_store test_copied
for_each_store test_no_flush
for_each_store test_attack
for_each_store test_pids
for_each_store test_life
for_each_store test_moved
for_each_store test_large
test_large_gap
test_refused
test_owed
test_own
test_late 'delay 1500'
test_late 'after 1 delay 1500'
