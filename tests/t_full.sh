#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# cache=full: values that the kernel keeps cost nothing, are what was written here at once, and what others wrote soon.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
requires python3 xenstore-write xenstore-rm "$BUILD/tests/fakestore"

# Writes of test_own, and changes of test_others that are waited for (10000 for a full run).
: "${XSFS_FULL_ROUNDS:=300}"
[[ -z $XSFS_TEST_QUICK ]] || XSFS_FULL_ROUNDS=100

XSFS_TEST_CACHE=full

# mount_covered ARGS...: mounts, and waits for the watch.
mount_covered() {
	mount_xsfs "$STORE" "$@"
	comes_true 5 'the watch is set' covered
}

# reads FILE WANT: it reads so.
reads() {
	[[ $(cat "$1" 2>&1) == "$2" ]]
}

# dropped_since COUNT: values of the kernel, since there were so many.
dropped_since() {
	(($(stat_of contents_dropped) > $1))
}

test_costs() {
	local i before
	for i in {1..50}; do
		xs write "/c/$i/name" "n$i" "/c/$i/device/state" 4 "/c/$i/device" value
	done
	mount_covered
	remembers grep -r . "$MNT/c"
	asks 0 'grep -r of what was read: no request' grep -r . "$MNT/c"
	is "$(grep -r . "$MNT/c" | wc -l)" 150 'and it finds all'
	asks 0 'cat: no request' cat "$MNT/c/7/name"
	asks 1 'an own open with O_DIRECT: one request' dd if="$MNT/c/7/name" iflag=direct
	before=$(stat_of contents_dropped)
	xs write /c/7/name other
	comes_true 5 'a change: it is read' reads "$MNT/c/7/name" other
	comes_true 5 'and kept again' asks_nothing cat "$MNT/c/7/name"
	comes_true 5 'what was kept is dropped, and counted' dropped_since "$before"
	asks 0 'all others were kept' cat "$MNT/c/8/name"
	umount_xsfs
}

test_own() {
	local threads
	for threads in $XSFS_TEST_THREADS; do
		mount_covered -o "threads=$threads"
		checked python3 "$TEST_DIR/programs/full_own.py" "$MNT" "$XSFS_FULL_ROUNDS" "$RANDOM"
		umount_xsfs
	done
}

test_others() {
	local threads
	for threads in $XSFS_TEST_THREADS; do
		mount_covered -o "threads=$threads"
		checked python3 "$TEST_DIR/programs/full_others.py" "$MNT" "$XSFS_FULL_ROUNDS" $((10 * XSFS_FULL_ROUNDS)) \
			"threads=$threads"
		umount_xsfs
	done
}

test_locked() {
	mount_covered -o threads=4
	checked python3 "$TEST_DIR/programs/full_locked.py" "$MNT" $((XSFS_FULL_ROUNDS / 100))
	umount_xsfs
}

test_mapped() {
	mount_covered
	checked python3 "$TEST_DIR/programs/full_mapped.py" "$MNT"
	umount_xsfs
}

test_kinds() {
	mount_covered
	checked python3 "$TEST_DIR/programs/full_kinds.py" "$MNT"
	umount_xsfs
}

# A guest: only what its watch covers.
test_guest() {
	has_config HAVE_XEN || skip 'built without the ring transport'
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7/domid 7 /local/domain/7/data/a 1 /shared/a 1
	xs chmod -r /local/domain/7 n7 >/dev/null
	xs chmod -r /shared b0 >/dev/null
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	comes_true 5 'the watch is set' covered
	(
		cd "$MNT/local/domain/7/data"
		remembers cat a
		asks 0 'its own values are kept' cat a
		cd "$MNT/shared"
		exec 5<a
		is "$(cat a)" 1 'what is elsewhere'
		xs write /shared/a 2
		is "$(cat a)$(cat <&5)" 22 'is not'
	)
	umount_xsfs
}

# The connection is lost, and what a file that is open was is changed before there is another.
test_reconnect() {
	local before
	xs write /r/open old /r/known old
	# A ring tells nobody that its server has died.
	mount_xsfs socket:"$SERVER_SOCKET"
	comes_true 5 'the watch is set' covered
	exec 5<"$MNT/r/open"
	remembers cat "$MNT/r/known" "$MNT/r/open"
	asks 0 'two values are kept' cat "$MNT/r/known" "$MNT/r/open"
	before=$(stat_of connection)
	kill_server
	rm -f "$SERVER_DIR/tdb"*
	start_server "$SERVER_KIND" 5<&-
	xs write /r/open new /r/known new
	comes_true 30 'another connection' another_connection "$before"
	comes_true 30 'an open file reads what there is now' read_5 new
	comes_true 5 'a name, too' reads "$MNT/r/known" new
	exec 5<&-
	umount_xsfs
}

another_connection() {
	[[ $(stat_of connection) != "$1" ]]
}

read_5() {
	[[ $(python3 -c 'import os; print(os.pread(5, 99, 0).decode(), end="")') == "$1" ]]
}

# The daemon was stopped while things changed.
test_stopped() {
	xs write /s/open old /s/known old
	mount_covered
	exec 5<"$MNT/s/open"
	remembers cat "$MNT/s/known" "$MNT/s/open"
	asks 0 'two values are kept' cat "$MNT/s/known" "$MNT/s/open"
	kill -s STOP "$MOUNT_PID"
	xs write /s/open new /s/known new
	kill -s CONT "$MOUNT_PID"
	comes_true 5 'stopped meanwhile: an open file reads what there is now' read_5 new
	comes_true 5 'stopped meanwhile: a name, too' reads "$MNT/s/known" new
	exec 5<&-
	umount_xsfs
}

# --- a store that answers as it is told -----------------------------------------------------------

# While the answer to a question about a file is on its way, the event of another change overtakes it.
test_overtaken() {
	local threads i
	for threads in $XSFS_TEST_THREADS; do
		PREFIX="threads=$threads: "
		fake_start -o "threads=$threads"
		for i in {1..5}; do
			# By its name: what the lookup says is not kept.
			fake "set /x/name$i old"
			comes_true 5 'a name' test -e "$MNT/x"
			fake 'reorder 9'
			fake "after 2 set /x/name$i newer"
			stat "$MNT/x/name$i" >/dev/null
			fake ok
			is "$(cat "$MNT/x/name$i")" newer "overtaken during its lookup, $i: the new value"
			is "$(cat "$MNT/x/name$i")" newer "overtaken during its lookup, $i: again"
			# Open: what a read brings when nothing of it is known.
			fake "set /x/open$i old"
			comes_true 5 'an open file is kept' kept "$MNT/x/open$i"
			exec 5<"$MNT/x/open$i"
			is "$(read_5_as_is)" old "open, $i: the old value"
			fake "set /x/open$i older"
			fake 'reorder 9'
			fake "after 2 set /x/open$i newest"
			read_5_as_is >/dev/null
			fake ok
			comes_true 5 "overtaken while it is read, $i: the newest" read_5 newest
			is "$(cat "$MNT/x/open$i")" newest "overtaken while it is read, $i: opened anew"
			exec 5<&-
		done
		fake_end
	done
	PREFIX=
}

read_5_as_is() {
	python3 -c 'import os; print(os.pread(5, 99, 0).decode(), end="")'
}

# kept FILE: the kernel answers for it.
kept() {
	cat "$1" >/dev/null 2>&1 && asks_nothing cat "$1"
}

test_overtaken
for_each_store test_costs
for_each_store test_own
for_each_store test_others
for_each_store test_locked
for_each_store test_mapped
for_each_store test_kinds
for_each_store test_guest
for_each_store test_reconnect
for_each_store test_stopped
