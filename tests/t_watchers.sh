#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The programs that people watch files with, each as it is: what another client changes in the store arrives there.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
. "${0%/*}/inotify.sh"
requires inotifywait gio node entr python3

# python_with MODULE: the interpreter that has it; Debian's modules are not for one from elsewhere.
python_with() {
	local python
	for python in python3 /usr/bin/python3; do
		if "$python" -c "import $1" 2>/dev/null; then
			printf '%s\n' "$python"
			return
		fi
	done
}
WATCHDOG_PYTHON=$(python_with watchdog)
[[ $WATCHDOG_PYTHON ]] || skip 'python3-watchdog is not installed'

# node can watch what is below a directory since version 20.  Of new directories and removed files it may miss some by
# itself, as it looks for what it was told of a moment later; once it ended with ENOENT.  So these are not asserted.
NODE_WATCH='require("fs").watch(process.argv[1], {recursive: process.argv[2] === "below"}, (what, name) => console.log(what, name))'

declare -A READER_PID

# watches PID: how many of inotify's watches the process has.
watches() {
	cat "/proc/$1/fdinfo/"* 2>/dev/null | grep -c '^inotify wd:' || true
}

has_watches() {
	(($(watches "$1") >= $2))
}

# reader NAME WATCHES CMD...: starts a reader, whose lines go to a file of its name, and waits until it watches.
reader() {
	local name=$1 count=$2
	shift 2
	PYTHONDONTWRITEBYTECODE=1 "$@" >"$SCRATCH/$name" 2>&1 </dev/null &
	READER_PID[$name]=$!
	PIDS+=("$!")
	wait_for 5 has_watches "$!" "$count" || not_ok "$name watches" "$(tail -n 5 "$SCRATCH/$name")"
}

reported() {
	grep -q -- "$2" "$SCRATCH/$1"
}

# sees CHANGE READER PATTERN...: each reader gets a line with that pattern.
sees() {
	local change=$1
	shift
	while (($#)); do
		if wait_for 5 reported "$1" "$2"; then
			ok "$1: $change"
		else
			not_ok "$1: $change" "$(tail -n 10 "$SCRATCH/$1")"
		fi
		shift 2
	done
}

start_readers() {
	reader inotifywait 2 inotifywait -m -r "$MNT/w"
	reader watchdog 2 "$WATCHDOG_PYTHON" "$TEST_DIR/programs/watchers_watchdog.py" "$MNT/w"
	reader gio 1 gio monitor -d "$MNT/w/d"
	reader gio_file 1 gio monitor -f "$MNT/w/d/a"
	reader node 1 node -e "$NODE_WATCH" "$MNT/w/d" here
	[[ ! $NODE_BELOW ]] || reader node_below 2 node -e "$NODE_WATCH" "$MNT/w" below
	printf '%s\n' "$MNT/w/d/a" >"$SCRATCH/entr_files"
	# shellcheck disable=SC2016 # the parameters are of that shell
	reader entr 1 bash -c 'exec entr -n -p echo changed <"$1"' - "$SCRATCH/entr_files"
	# A mark of a directory or of the whole filesystem: the events come through a mount of the daemon's own.
	reader fanotify 0 python3 "$TEST_DIR/programs/watchers_fanotify.py" directory "$MNT/w/d"
	reader fanotify_all 0 python3 "$TEST_DIR/programs/watchers_fanotify.py" filesystem "$MNT"
	sees ready fanotify ready fanotify_all ready
}

change_and_see() {
	xs write /w/d/new 1
	sees 'a new key' inotifywait 'CREATE new' watchdog 'created .*/d/new' gio '/new: created' node 'rename new' \
		fanotify 'CLOSE_WRITE .*/d/new' fanotify_all 'CLOSE_WRITE .*/d/new'
	[[ ! $NODE_BELOW ]] || sees 'a new key' node_below 'rename d/new'
	xs write /w/d/a 22
	sees 'a value' inotifywait 'CLOSE_WRITE,CLOSE a' watchdog 'closed .*/d/a' gio '/a: changes done' \
		gio_file '/a: changes done' node 'change a' entr changed fanotify 'CLOSE_WRITE .*/d/a' \
		fanotify_all 'CLOSE_WRITE .*/d/a'
	[[ ! $NODE_BELOW ]] || sees 'a value' node_below 'change d/a'
	xs chmod /w/d/a n0 r5
	sees 'permissions' inotifywait 'ATTRIB a' gio '/a: attributes changed' gio_file '/a: attributes changed'

	# Whoever follows directories has to find the new one by itself.
	xs write /w/sub/deep 1
	sees 'a new directory' inotifywait 'w/ CREATE,ISDIR sub' watchdog 'created .*/w/sub$'
	wait_for 5 has_watches "${READER_PID[inotifywait]}" 3
	wait_for 5 has_watches "${READER_PID[watchdog]}" 3
	xs write /w/sub/later 1
	sees 'a key in it' inotifywait 'sub/ CREATE later' watchdog 'created .*/sub/later' fanotify_all 'CLOSE_WRITE .*/sub/later'

	xs rm /w/d/gone
	sees 'a removal' inotifywait 'DELETE gone' watchdog 'deleted .*/d/gone' gio '/gone: deleted' node 'rename gone'
	xs rm /w/d/a
	sees 'its file goes' gio_file '/a: deleted'
	xs rm /w/sub
	sees 'it goes' inotifywait 'w/ DELETE,ISDIR sub' watchdog 'deleted .*/w/sub$'
}

test_readers() {
	local how name
	for how in meta:rw meta:ro off:rw; do
		xs write /w/d/a 1 /w/d/gone 1
		XSFS_TEST_CACHE=${how%:*} mount_xsfs "$STORE" -o "inotify=on,${how#*:}"
		wait_for 5 telling || not_ok "it tells readers: $how" "$(sed 's/^/# /' "$MOUNT_LOG")"
		PREFIX="$PREFIX$how: "
		start_readers
		change_and_see
		for name in "${!READER_PID[@]}"; do
			end_process "${READER_PID[$name]}"
		done
		umount_xsfs
		PREFIX=${PREFIX%"$how: "}
		xs rm /w
	done
}

NODE_BELOW=
(($(node -p 'process.versions.node.split(".")[0]') < 20)) || NODE_BELOW=yes
[[ $NODE_BELOW ]] || note 'this version of node cannot watch what is below a directory'
for_each_store test_readers
