#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# cache=meta: what the kernel remembers costs the store nothing, and is never wrong for longer than a moment.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
requires python3 xenstore-write xenstore-ls "$BUILD/tests/fakestore"

# Random changes of one server and transport (100000 for a full run), rounds of test_window, and nodes of
# test_memory (100000).
: "${XSFS_CACHE_CHANGES:=3000}" "${XSFS_CACHE_ROUNDS:=100}" "${XSFS_CACHE_NODES:=1000}"
[[ -z $XSFS_TEST_QUICK ]] || XSFS_CACHE_CHANGES=1000

XSFS_TEST_CACHE=meta

# asks_again NAME CMD...: CMD takes requests, although it was run before.
asks_again() {
	if asks_nothing "${@:2}"; then
		not_ok "$1" 'no request'
	else
		ok "$1"
	fi
}

test_costs() {
	local i
	for i in {1..20}; do
		xs write "/c/$i/name" "n$i" "/c/$i/device/vif/0/state" 4 "/c/$i/device/vif" value
	done
	# Requests are counted, so those for inotify are left out.
	mount_xsfs "$STORE" -o inotify=off
	comes_true 5 'the watch is set' covered
	remembers find "$MNT/c"
	asks 0 'find again: no request' find "$MNT/c"
	is "$(find "$MNT/c" | wc -l)" 141 'find: the whole tree'
	asks 0 'ls -lR: no request' ls -lR "$MNT/c"
	asks 0 'a glob: no request' bash -c 'echo "$1"/c/*/device/vif/*' - "$MNT"
	asks 1 'cat: one request, for the value' cat "$MNT/c/7/name"
	asks 2 'an own name that is not there: two requests, not remembered' stat "$MNT/c/none"
	asks 2 'and two again' stat "$MNT/c/none"
	xs write /c/7/name other
	is "$(cat "$MNT/c/7/name")" other 'a value is always right'
	comes_true 2 'then all is quiet' at_rest
	comes_true 5 'after a change and a look: no request' asks_nothing find "$MNT/c" -ls
	umount_xsfs
	mount_xsfs "$STORE" -o cache=off
	find "$MNT/c" >/dev/null
	if (($(requests) > 0)) && find "$MNT/c" >/dev/null && (($(requests) > 400)); then
		ok 'cache=off asks each time'
	else
		not_ok 'cache=off asks each time' "$(requests)"
	fi
	umount_xsfs
}

test_window() {
	local threads
	for threads in $XSFS_TEST_THREADS; do
		mount_xsfs "$STORE" -o "threads=$threads"
		xs write /k ''
		comes_true 5 "threads=$threads: the watch is set" covered
		checked python3 "$TEST_DIR/programs/cache_window.py" "$MNT" "$XSFS_CACHE_ROUNDS"
		umount_xsfs
		xs rm /k
	done
}

# tree_of_mount and tree_of_store: kinds and sizes of what is below /r, as the mount shows it, and as
# xenstore-ls does.
tree_of_mount() {
	(cd "$MNT" && find r -type f -name .value -prune -o -type f -printf 'f %p %s\n' -o -type d -printf 'd %p\n' |
		sort)
}

tree_of_store() {
	{
		echo 'd r'
		# Children come right behind their parent; the values are words in quotes.
		xs ls -f /r | awk -F ' = ' '
			function previous(has_children) {
				if (path != "")
					print has_children ? "d " path : "f " path " " (size ? size + 1 : 0)
			}
			{
				previous(index($1, "/" path "/") == 1)
				path = substr($1, 2)
				size = length($2) - 2
			}
			END { previous(0) }'
	} | sort
}

# same_trees: they are the same, but for directories that lost their children while the kernel knew them.
same_trees() {
	tree_of_mount >"$SCRATCH/mounted" || return 1
	tree_of_store >"$SCRATCH/stored"
	local kind path
	diff "$SCRATCH/mounted" "$SCRATCH/stored" | grep '^[<>]' >"$SCRATCH/differ" || return 0
	# Sticky: a directory here, an empty leaf, or one with .value, there.
	while read -r _ kind path _; do
		if [[ $kind == d ]]; then
			[[ ! $(find "$MNT/$path" -mindepth 1 ! -name .value -print -quit) ]] || return 1
			grep -q "^f $path " "$SCRATCH/stored" || return 1
		else
			grep -q "^d $path\$" "$SCRATCH/mounted" || return 1
		fi
	done <"$SCRATCH/differ"
}

# all_is_told: nothing is under way, and the kernel has nothing to forget.
all_is_told() {
	at_rest && stat_is invalidations_due 0
}

# heard_since EVENTS: the mount has got more events than that, and the kernel was told.
heard_since() {
	(($(stat_of events) > $1)) && all_is_told
}

test_random() {
	local threads
	for threads in $XSFS_TEST_THREADS; do
		mount_xsfs "$STORE" -o "threads=$threads"
		xs write /r/keep 1
		comes_true 5 "threads=$threads: the watch is set" covered
		checked python3 "$TEST_DIR/programs/cache_changes.py" "$MNT" $((XSFS_CACHE_CHANGES / $(wc -w <<<"$XSFS_TEST_THREADS")))
		comes_true 5 "threads=$threads: the kernel is told of all changes" all_is_told
		# Without another try: what it was not told it would forget by itself after a minute.
		if same_trees; then
			ok "threads=$threads: after $XSFS_CACHE_CHANGES changes the tree is the store's"
		else
			not_ok "threads=$threads: after $XSFS_CACHE_CHANGES changes the tree is the store's" \
				"$(cat "$SCRATCH/differ")"
		fi
		comes_true 5 "threads=$threads: and is remembered" asks_nothing find "$MNT/r"
		umount_xsfs
		xs rm /r
	done
}

# The times of changes, and a process whose directory is a node that changes.
test_times() {
	local before
	xs write /t/old 1 /t/new 1 /t/dir/x 1
	mount_xsfs "$STORE"
	comes_true 5 'the watch is set' covered
	find "$MNT/t" -ls >/dev/null
	before=$(stat -c %Y "$MNT/t/old")
	touch -d 'now' "$SCRATCH/stamp"
	xs write /t/new 2
	wait_for 2 test "$MNT/t/new" -nt "$MNT/t/old" || true
	is "$(find "$MNT/t" -type f -newer "$SCRATCH/stamp" -printf '%f ')" 'new ' 'find -newer: what was changed'
	# shellcheck disable=SC2012 # this is what it is about
	is "$(ls -t "$MNT/t" | head -n 1)" new 'ls -t: it comes first'
	is "$(stat -c %Y "$MNT/t/old")" "$before" 'the others keep their times'

	# A working directory keeps its name, as long as it is there.
	(
		cd "$MNT/t/dir"
		xs write /t/dir value /t/dir/y 1 /t/dir/x 2
		sleep 0.2
		ls .. . >/dev/null
		/bin/pwd >"$SCRATCH/pwd" 2>&1
	)
	is "$(cat "$SCRATCH/pwd")" "$MNT/t/dir" 'getcwd in a directory that changes'
	umount_xsfs
}

rss_kib() {
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"
}

# What is remembered takes little memory, and is dropped when the kernel forgets.
test_memory() {
	local before after count i
	# Telling of new nodes makes some known before they are counted.
	mount_xsfs "$STORE" -o inotify=off
	comes_true 5 'the watch is set' covered
	flood /m/a 1000 1000
	find "$MNT/m/a" >/dev/null
	# A thousand to a directory, as oxenstored lists no large ones over a ring.
	for ((i = 0; i < XSFS_CACHE_NODES / 1000; i++)); do
		flood "/m/b/$i" 1000 1000
	done
	before=$(rss_kib "$MOUNT_PID") count=$(stat_of inodes)
	find "$MNT/m/b" >/dev/null
	after=$(rss_kib "$MOUNT_PID")
	note "$(((after - before) * 1024 / XSFS_CACHE_NODES)) bytes for each of $XSFS_CACHE_NODES nodes"
	at_least $(($(stat_of inodes) - count)) "$XSFS_CACHE_NODES" 'nodes that the kernel knows are remembered'
	if ! grep -q -e '-fsanitize=' "$BUILD/config.log"; then
		at_most $(((after - before) * 1024 / XSFS_CACHE_NODES)) 1500 'in less than 1500 bytes each'
	fi
	forgotten() {
		kernel_forgets
		(($(stat_of inodes) < 100))
	}
	comes_true "$XSFS_TEST_PATIENCE" 'and forgotten with the kernel' forgotten
	find "$MNT/m/b" >/dev/null
	note "$((($(rss_kib "$MOUNT_PID") - after) * 1024 / XSFS_CACHE_NODES)) bytes more the second time"
	umount_xsfs
}

# A guest: only what its watch covers.
test_guest() {
	has_config HAVE_XEN || skip 'built without the ring transport'
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7/domid 7 /local/domain/7/data/a 1 /shared/a 1 /local/domain/7/hid/den/key 1
	xs chmod -r /local/domain/7 n7 >/dev/null
	xs chmod /local/domain/7/hid n0
	xs chmod -r /shared b0 >/dev/null
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound -o inotify=off
	comes_true 5 'the watch is set' covered
	ls -lR "$MNT/local/domain/7/data" "$MNT/shared" >/dev/null
	(
		cd "$MNT/local/domain/7"
		remembers stat data/a
		asks 0 'its own directory is remembered' stat data/a
		cd "$MNT/shared"
		asks_again 'what is elsewhere is not' stat a
		# What goes with a node that the guest may not see is not reported.
		cd "$MNT/local/domain/7/hid/den"
		stat . key >/dev/null
		asks_again 'what is behind a node that it may not see is not either' stat key
		xs rm /local/domain/7/hid
		comes_true 2 'it is not shown when it is gone' dead_name key
	)
	xs write /local/domain/7/data/a 12345
	own_size() {
		[[ $(stat -c %s "$MNT/local/domain/7/data/a") == 6 ]]
	}
	comes_true 2 'and kept right' own_size
	xs write /shared/a 12345
	is "$(stat -c %s "$MNT/shared/a")" 6 'what is elsewhere is right at once'
	xs rm /shared
	# Behind what it may not read xenstored does not say what is there.
	is "$(stat -c %F "$MNT/shared/a" 2>/dev/null || true)" \
		"$([[ $SERVER_KIND == o ]] || echo directory)" 'also its removal'
	umount_xsfs
}

# The tools, on what they themselves and others change.
test_tools() {
	local i
	mount_xsfs "$STORE"
	comes_true 5 'the watch is set' covered
	mkdir -p "$MNT/u/src/one/two"
	for i in {1..40}; do
		echo "$i" >"$MNT/u/src/one/k$i"
		echo "$i" >"$MNT/u/src/one/two/k$i"
	done
	echo dir >"$MNT/u/src/one/.value"
	succeeds 'tar -c' tar -C "$MNT/u" -cf "$SCRATCH/x.tar" src
	mkdir "$MNT/u/dst"
	succeeds 'tar -x' tar -C "$MNT/u/dst" -xf "$SCRATCH/x.tar"
	succeeds 'diff -r' diff -r "$MNT/u/src" "$MNT/u/dst/src"
	succeeds 'mv of a tree' mv "$MNT/u/dst/src" "$MNT/u/moved"
	succeeds 'diff -r again' diff -r "$MNT/u/src" "$MNT/u/moved"
	succeeds 'cp -r' cp -r "$MNT/u/src" "$MNT/u/dst/"
	succeeds 'rm -r' rm -r "$MNT/u/src" "$MNT/u/moved" "$MNT/u/dst"
	is "$(ls -A "$MNT/u")" '' 'nothing is left'
	is "$(xs list /u)" '' 'in the store either'
	for i in {1..20}; do
		xs write "/u/x/y$i/z" 1
	done
	xs write /u/x/y1/z/new 1
	succeeds 'rm -r of what was made outside' rm -r "$MNT/u/x"
	absent /u/x 'it is gone'
	umount_xsfs
}

# --- a store that answers as it is told --------------------------------------------------------------------

kind_is() {
	[[ $(stat -c %F "$1" 2>/dev/null) == "$2" ]]
}

# fake_lookup_race NAME CHANGE AFTER: while the answer to a lookup is on its way, the event of CHANGE
# overtakes it. What the lookup says is not kept.
fake_lookup_race() {
	local count
	count=$(done_count "$2")
	# Replies are kept for 100 ms, events are not. The change comes when both questions were answered.
	fake 'reorder 9'
	fake "after 2 $2"
	stat "$MNT/x/leaf" >/dev/null 2>&1 || true
	fake ok
	is "$(stat -c %F "$MNT/x/leaf" 2>/dev/null || true)" "$3" "$1"
	is $(($(done_count "$2") - count)) 1 "$1: it happened in between"
}

test_overtaken() {
	local threads sizes events
	for threads in $XSFS_TEST_THREADS; do
		PREFIX="threads=$threads: " sizes=0
		fake_start -o "threads=$threads"
		fake 'set /x/leaf 1'
		comes_true 2 'the directory is there' kind_is "$MNT/x" directory
		ls "$MNT/x" >/dev/null
		fake_lookup_race 'a leaf gets a child during its lookup' 'set /x/leaf/child 1' directory
		fake 'remove /x/leaf'
		comes_true 2 'removed' dead_name "$MNT/x/leaf"
		fake 'set /x/leaf 22'
		fake_lookup_race 'a leaf goes during its lookup' 'remove /x/leaf' ''
		# The size, when only that is asked for.
		fake 'set /x/size 1'
		comes_true 2 'a file' kind_is "$MNT/x/size" 'regular file'
		exec 5<"$MNT/x/size"
		events=$(stat_of events)
		fake 'set /x/size 22'
		# Or the kernel knows the old size, and does not ask while the next change is made.
		wait_for "$XSFS_TEST_PATIENCE" heard_since "$events"
		fake 'reorder 9'
		fake 'after 2 set /x/size 55555'
		stat -L /dev/fd/5 >/dev/null
		fake ok
		is "$(stat -L -c %s /dev/fd/5)" 6 'a file is changed while its size is asked for'
		is "$(stat -c %s "$MNT/x/size")" 6 'by its name too'
		is $(($(done_count 'set /x/size 55555'))) $((++sizes)) 'it happened in between'
		exec 5<&-
		fake 'remove /x/size'
		comes_true 2 'removed' dead_name "$MNT/x/size"
		# A listing.
		fake 'set /x/one 1'
		comes_true 2 'a name' kind_is "$MNT/x/one" 'regular file'
		# After an event it is asked whether the directory has changed; only the listing is to be asked for.
		stat "$MNT/x" >/dev/null
		fake 'reorder 9'
		fake 'after 2 set /x/two 2'
		is "$(ls "$MNT/x")" one 'a directory gets a name while it is listed: from before'
		fake ok
		is "$(ls "$MNT/x" | paste -sd ' ')" 'one two' 'and is not kept'
		fake_end
	done
	PREFIX=
}

dead_name() {
	[[ ! -e $1 ]]
}

# The notifier waits for a directory in which a lookup waits for a store that says nothing: nothing else
# waits for it, and the end is at once.
test_stuck() {
	local how status line pid
	for how in TERM umount; do
		PREFIX="stuck, $how: "
		# Longer than anything here is waited for.
		fake_start -o timeout=600
		fake 'set /x/known 1'
		fake 'set /y/other 1'
		comes_true 2 'a name is known' kind_is "$MNT/x/known" 'regular file'
		sleep 1.2
		stat "$MNT/x/known" >/dev/null
		exec 5<"$MNT/y/.watch"
		fake 'silent 2'
		stat "$MNT/x/unknown" >/dev/null 2>&1 &
		pid=$!
		PIDS+=("$pid")
		disown "$pid"
		comes_true 2 'a lookup waits' stat_is fuse_operations_now 2
		fake 'set /x/known 22'
		in_kernel() {
			grep -q -e rwsem -e down_write -e reverse_inval /proc/"$MOUNT_PID"/task/*/wchan
		}
		comes_true 2 'the notifier waits for its directory' in_kernel
		fake 'set /y/other 2'
		read -r -t "$XSFS_TEST_PATIENCE" line <&5
		is "$line" 'changed /y/other' 'streams go on'
		is "$(bounded cat "$MNT/y/other")" 2 'and so does everything else'
		exec 5<&-
		status=0
		if [[ $how == TERM ]]; then
			kill -s TERM "$MOUNT_PID"
		else
			umount -f "$MNT" 2>/dev/null || true
		fi
		if wait_for 20 dead "$MOUNT_PID"; then
			ok 'the daemon ends, and waits for nobody'
			wait "$MOUNT_PID" || status=$?
		else
			not_ok 'the daemon ends, and waits for nobody' "$(cat /proc/"$MOUNT_PID"/task/*/wchan)"
		fi
		is "$status" 0 'with status 0'
		is "$(wait_for 20 dead "$pid" && echo gone)" gone 'who waited is free'
		exec 8>&-
		end_process "$FAKE_PID"
		umount -l "$MNT" 2>/dev/null || true
	done
	PREFIX=
}

test_overtaken
test_stuck
for_each_store test_costs
for_each_store test_window
for_each_store test_random
for_each_store test_times
for_each_store test_memory
for_each_store test_guest
for_each_store test_tools
