#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# rename(2), which the store does not have: files, subtrees with values and permissions, all or nothing.
. "${0%/*}/functions.sh"
requires python3 xenstore-ls

# rename FROM TO [FLAGS]: renameat2(2) itself, below the mount.
rename() {
	python3 "$TEST_DIR/programs/rename_call.py" "$MNT/$1" "$MNT/$2" "${3:-0}"
}

# dump PATH: the subtree as the store has it, under the name /.
dump() {
	xs ls -fp "$1" | sed "s:^$1/:/:" | sort
}

files() {
	local fd before
	xs write /f/a v /f/b old /f/dir/k 1
	xs chmod /f/a n0 r5
	succeeds 'a file' rename f/a f/c
	is "$(value /f/c)" v 'the value is there'
	is "$(perms "$MNT/f/c")" n0,r5 'with its permissions'
	absent /f/a 'and the old name is gone'
	fails ENOENT stat "$MNT/f/a"
	succeeds 'over a file' rename f/c f/b
	is "$(value /f/b) $(perms "$MNT/f/b")" 'v n0,r5' 'it is replaced'
	succeeds 'into another directory' rename f/b f/dir/b
	is "$(value /f/dir/b)" v 'the value is there'
	succeeds 'to its own name' rename f/dir/b f/dir/b
	is "$(value /f/dir/b)" v 'nothing happens'
	fails EEXIST rename f/dir/b f/dir/k 1
	is "$(value /f/dir/b)$(value /f/dir/k)" v1 'RENAME_NOREPLACE: both are as they were'
	succeeds 'RENAME_NOREPLACE to a new name' rename f/dir/b f/b 1
	is "$(value /f/b)" v 'the value is there'
	fails EINVAL rename f/b f/dir/k 2
	is "$(value /f/b)$(value /f/dir/k)" v1 'RENAME_EXCHANGE: both are as they were'
	fails ENOENT rename f/none f/x
	fails ENOTDIR rename f/dir f/b
	fails EISDIR rename f/b f/dir
	fails EINVAL rename f/b 'f/b.old'
	fails EXDEV rename f/b .xsfs/nodes/f/other
	fails EXDEV rename .xsfs/nodes/f/b f/other
	fails EXDEV rename f/b "f/dir/.value"
	fails EPERM rename f/b .xsfs/stats
	fails EPERM rename f/b f/dir/.perms
	fails EPERM rename f/dir/.perms f/x
	is "$(value /f/b)" v 'and it is still there'

	printf 'all\0bytes\xff\n\n' >"$MNT/f/bin"
	before=$(value /f/bin | od -An -tx1)
	succeeds 'a binary value' rename f/bin f/bin2
	is "$(value /f/bin2 | od -An -tx1)" "$before" 'it is the same'
	: >"$MNT/f/empty"
	succeeds 'an empty file' rename f/empty f/empty2
	is "$(value /f/empty2)" '' 'it is there'

	# Open files.
	exec {fd}<>"$MNT/f/b"
	succeeds 'a file that is open' rename f/b f/moved
	is "$(cat <&"$fd")" v 'it can be read'
	echo written >&"$fd"
	is "$(value /f/moved)" $'v\nwritten' 'and written, under its new name'
	exec {fd}>&-
	absent /f/b 'nothing comes back under the old one'
	exec {fd}>"$MNT/f/new"
	succeeds 'a new file before its first write' rename f/new f/newer
	echo late >&"$fd"
	exec {fd}>&-
	is "$(value /f/newer)" late 'the write finds it'
	absent /f/new 'the old name is gone'
	succeeds 'mv' mv "$MNT/f/newer" "$MNT/f/dir/"
	is "$(value /f/dir/newer)" late 'as the store sees it'
}

trees() {
	local fd wanted i
	xs write /t/a own /t/a/b 1 /t/a/c/d deep /t/a/c/e '' /t/other/k 1
	xs chmod /t/a/c n0 r3
	xs chmod /t/a/c/d n0 w5 r6
	wanted=$(dump /t/a)
	succeeds 'a subtree' rename t/a t/z
	is "$(dump /t/z)" "$wanted" 'values and permissions of all of it'
	is "$(value /t/z)" own 'its own value'
	absent /t/a 'the old one is gone'
	succeeds 'into another directory' rename t/z t/other/z
	is "$(dump /t/other/z)" "$wanted" 'all of it is there'
	fails EINVAL rename t/other t/other/z/y
	fails ENOTEMPTY rename t/other/z/c t/other
	mkdir "$MNT/t/empty"
	succeeds 'over an empty directory' rename t/other/z t/empty
	is "$(dump /t/empty)" "$wanted" 'all of it is there'
	xs write /t/full/k 1
	fails ENOTEMPTY rename t/empty t/full
	is "$(xs ls -f /t/full)" '/t/full/k = "1"' 'a full one is as it was'
	mkdir "$MNT/t/valued"
	echo v >"$MNT/t/valued/.value"
	fails ENOTEMPTY rename t/empty t/valued
	is "$(value /t/valued)" v 'one with a value is not empty'
	mkdir "$MNT/t/made" "$MNT/t/made/inner"
	succeeds 'directories that mkdir made' rename t/made t/made2
	is "$(stat --format=%F "$MNT/t/made2") $(stat --format=%F "$MNT/t/made2/inner")" 'directory directory' 'stay directories'
	rmdir "$MNT/t/made2/inner"
	(
		cd "$MNT/t/empty/c"
		exec {fd}<d
		rename t/empty t/gone
		is "$(<d)" deep 'who stands in it goes with it'
		echo here >new
		is "$(value /t/gone/c/new)" here 'and writes there'
		is "$(cat <&"$fd")" deep 'open files below it go on'
	)
	absent /t/empty 'nothing is made under the old name'

	# More than one reply, one batch, one level.
	for ((i = 0; i < 300; i++)); do
		printf '%s\n' "/t/large/s$((i % 7))/k$i" "value $i"
	done | xargs -d '\n' -n 100 env XENSTORED_PATH="$SERVER_SOCKET" xenstore-write
	xs write /t/large/s3 middle
	wanted=$(dump /t/large)
	succeeds '300 keys' rename t/large t/huge
	is "$(dump /t/huge)" "$wanted" 'all of them are there'
	succeeds 'rm -r of what moved' rm -r "$MNT/t"
	absent /t 'it is gone'
}

# look: what rename_look.py prints.
look() {
	PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 python3 "$TEST_DIR/programs/rename_look.py" "$SERVER_SOCKET"
}

# All or nothing: a tree that is moved to and fro is always complete for others.
atomic() {
	local seen wrong=0 mover
	xs write /at/x/a 1 /at/x/b 2 /at/x/c 3
	(
		set +Ee
		trap - ERR EXIT
		python3 -c 'import os, sys
for i in range(100):
    os.rename(sys.argv[1] + "/x", sys.argv[1] + "/y")
    os.rename(sys.argv[1] + "/y", sys.argv[1] + "/x")' "$MNT/at"
	) &
	mover=$!
	PIDS+=("$mover")
	seen=0
	while alive "$mover"; do
		checked_at=$(look) || wrong=$((wrong + 1))
		[[ $checked_at == 3 ]] || wrong=$((wrong + 1))
		seen=$((seen + 1))
	done
	wait "$mover" || wrong=$((wrong + 100))
	is "$wrong" 0 'others see one tree or the other, complete'
	is "$((seen > 0))" 1 'they looked meanwhile'
	is "$(xs ls -f /at | sort | cut -d ' ' -f 1 | paste -sd ' ')" '/at/x /at/x/a /at/x/b /at/x/c' 'it is back at its place'
}

# Too much for one transaction of a guest: EXDEV, and mv copies.
guest() {
	local home=/local/domain/7 wanted i
	stop_server
	SERVER_DIR=
	if [[ $SERVER_KIND == c ]]; then
		start_server c -Q transaction-nodes=300
	else
		start_server o --set quota-maxrequests=300
	fi
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write "$home/data/first" 1
	xs chmod -r "$home" n7
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	cd "$MNT$home/data"
	mkdir small large
	for ((i = 0; i < 20; i++)); do
		echo "$i" >"small/k$i"
	done
	for ((i = 0; i < 560; i++)); do
		((i % 200)) || mkdir "large/d$((i / 200))"
		echo "$i" >"large/d$((i / 200))/k$i"
	done
	succeeds 'a guest moves a small tree' python3 -c 'import os; os.rename("small", "moved")'
	is "$(xs ls -f "$home/data/moved" | wc -l)" 20 'it is there'
	fails EXDEV python3 -c 'import os; os.rename("large", "moved2")'
	is "$(xs ls -f "$home/data/large" | wc -l)" 563 'a large one is too much for one transaction: it is as it was'
	absent "$home/data/moved2" 'and nowhere else'
	fails EDQUOT mv large moved2
	is "$(xs ls -f "$home/data/large" | wc -l)" 563 'mv keeps what it cannot copy'
	rm -r moved2
	wanted=$(dump "$home/data/large/d2")
	fails EXDEV python3 -c 'import os; os.rename("large/d2", "copied")'
	succeeds 'mv copies what fits into the quota' mv large/d2 copied
	is "$(dump "$home/data/copied")" "$wanted" 'that is there'
	absent "$home/data/large/d2" 'and only there'
	cd /
	umount_xsfs
}

test_rename() {
	mount_xsfs "$STORE"
	files
	trees
	atomic
	checked python3 "$TEST_DIR/programs/rename_new.py" "$MNT"
	checked python3 "$TEST_DIR/programs/rename_inside.py" "$MNT"
	is "$(stat_of reconnects)" 0 'one connection all the time'
	umount_xsfs
	[[ $STORE != ring ]] || guest
}
for_each_store test_rename
