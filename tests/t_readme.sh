#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tour of README.md, its table of commands, and the examples of xsfs(5) about events do what it says there.
. "${0%/*}/functions.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires_fuse
requires getfattr python3 xenstore-ls
server_binary c >/dev/null || skip 'no xenstored (xen-utils)'

# The embedded store's socket is below this directory.
export TMPDIR=$SCRATCH/tmp
mkdir "$TMPDIR"

# configure refuses another build directory once the checkout has been configured itself, and so do quickstart and
# tests/run.
is "$(sed -n 's/^    //p' "$TEST_DIR/../README.md" | grep -o '[.]*/configure\b')" $'../configure\n../configure' \
	'each build has a directory of its own'

# The lines of the tour that are indented: commands behind "# " and "> ", what they print.
sed -n '/^## A short tour/,/^## On a Xen host/s/^    //p' "$TEST_DIR/../README.md" >"$SCRATCH/tour"
commands() {
	sed -n -e '/^# file: /d' -e 's/^[#>] //p' "$SCRATCH/tour"
}
expected() {
	sed -e '/^# file: /b' -e '/^[#>] /d' "$SCRATCH/tour"
}

PATH=$BUILD/src:$PATH
XSFS_TEST_CACHE=meta mount_xsfs embedded
export XSFS_MOUNT=$MNT
# The places of the reader are others: the mount, the store's directory, the examples, the saved files.
# And a busy machine takes its time to start a program that is to be there before something happens.
commands | sed -e "s:/xen\\b:$MNT:g" -e "s:/run/xsfs:$TMPDIR/xsfs:g" -e "s:/tmp/web.tar:$SCRATCH/web.tar:g" \
	-e "s:/usr/local/share/doc/xsfs/examples:$TEST_DIR/../contrib/examples:g" \
	-e "s:/tmp/tool.json:$SCRATCH/tool.json:g" \
	-e 's:^(sleep 1;:(sleep 10;:' -e 's:--timeout 10 :--timeout 100 :' >"$SCRATCH/commands"
succeeds 'the commands' bash -c 'bash "$1" >"$2"' - "$SCRATCH/commands" "$SCRATCH/printed"
is "$(($(wc -l <"$SCRATCH/commands") > 30))" 1 'there are commands'
# without the empty line that ends what getfattr prints
is "$(sed '/^$/d' "$SCRATCH/printed")" "$(expected)" 'they print what the tour shows'

# typed ROW COLUMN: prints the command in that row and column of the table, with the reader's places replaced.
typed() {
	sed -n '/^## What one types/,/^## Two commands/p' "$TEST_DIR/../README.md" | grep '^| [A-Z]' | sed -n "$(($1 + 1))p" |
		sed 's/\\|/\x01/g' | cut -d '|' -f $(($2 + 1)) | sed -e 's/^[^`]*`//' -e 's/`.*//' -e 's/\x01/|/g' -e "s:/xen\b:$MNT:g"
}
# runs ROW COLUMN: prints what it prints.
runs() {
	bounded bash -c "$(typed "$1" "$2")" 2>&1
}
# reports ROW COLUMN: prints what it prints until it has told twice of the key that is written meanwhile.
reports() {
	local command pid i=0
	command=$(typed "$1" "$2")
	: >"$SCRATCH/reported"
	# timeout ends all of the pipeline when it is ended.
	timeout --kill-after=2 "$XSFS_TEST_PATIENCE" bash -c "$command" >"$SCRATCH/reported" 2>&1 &
	pid=$!
	PIDS+=("$pid")
	until [[ $(<"$SCRATCH/reported") == */tool/job*turn*turn* ]] || ((++i > XSFS_TEST_PATIENCE * 10)); do
		xenstore-write /tool/job "turn$i"
		sleep 0.1
	done
	kill "$pid"
	wait "$pid" || true
	cat "$SCRATCH/reported"
}
export XENSTORED_PATH=$MNT/.xsfs/xenbus
is "$(runs 1 2)" $'Domain-0\nweb\ndb' 'a key of every domain: xenstore-read'
is "$(runs 1 3)" "$(runs 1 2)" 'with cat'
is "$(runs 2 2)" $'/local/domain/0/backend/vif/1/0/state = "4"\n/local/domain/0/backend/vif/2/0/state = "4"' 'the states: xenstore-ls'
is "$(runs 2 3)" "$MNT/local/domain/0/backend/vif/1/0/state:4"$'\n'"$MNT/local/domain/0/backend/vif/2/0/state:4" 'with grep'
like "$(reports 3 2)" '*/tool/job: turn*' 'each change: xenstore-watch'
like "$(reports 3 3)" '* /tool/job "turn*" -> "turn*"*' 'with xsfs watch'
xenstore-write /tool/job 'done'
succeeds 'waiting: xenstore-read' bash -c "$(typed 4 2)"
succeeds 'with xsfs wait' bash -c "$(typed 4 3)"
transactions() {
	stat_of requests_TRANSACTION_START
}
before=$(transactions)
runs 5 2
is "$(cd "$MNT/tool" && cat a b) $(($(transactions) - before))" $'1\n2 1' 'several keys at once, in one transaction: xenstore-write'
xenstore-rm /tool/a
xenstore-rm /tool/b
before=$(transactions)
runs 5 3
is "$(cd "$MNT/tool" && cat a b) $(($(transactions) - before))" $'1\n2 1' 'with xsfs set'
runs 6 3
is "$(<"$MNT/tool/a")" 2 'counting, with xsfs tx'
runs 7 3
is "$(xenstore-ls -fp /tool/saved | sed s:/tool/saved:/local/domain/1: | sort)" "$(xenstore-ls -fp /local/domain/1 | sort)" \
	'a copy with permissions, with cp'
is "$(timeout "$XSFS_TEST_PATIENCE" xenstore-watch -n 1 /tool/quiet)" /tool/quiet 'xenstore-watch tells of a key without a change'
unset XENSTORED_PATH

# example NUMBER: prints that display of the man page's section.
example() {
	sed -n '/^\.Sh EVENTS/,/^\.Sh CACHING/p' "$TEST_DIR/../man/xsfs.5" |
		awk -v wanted="$1" '/^\.Bd/ { shown = ++n == wanted; next } /^\.Ed/ { shown = 0 } shown' |
		sed -e 's/\\e/\\/g' -e "s:/xen/:$MNT/:g"
}

# The first is a program that prints what a key comes to, until it is done.
XENSTORED_PATH=$(echo "$TMPDIR"/xsfs-embedded.*/socket)
export XENSTORED_PATH
xenstore-write /tool/job start
example 1 | bounded python3 -u - >"$SCRATCH/printed" 2>&1 &
pid=$!
PIDS+=("$pid")
said() {
	[[ $(<"$SCRATCH/printed") == *"$1"* ]]
}
for value in start next; do
	xenstore-write /tool/job "$value"
	wait_for "$XSFS_TEST_PATIENCE" said "$value" || true
done
xenstore-write /tool/job 'done'
wait_for "$XSFS_TEST_PATIENCE" dead "$pid" || true
is "$(uniq "$SCRATCH/printed")" "b'start\\n'
b'next\\n'" 'xsfs(5): a key is polled'
xenstore-rm /tool/job
# The third is for the shell.
bounded bash -c "$(example 3 | sed -n 's/^# //p')" >"$SCRATCH/printed" 2>&1 || true
is "$(<"$SCRATCH/printed")" "$(example 3 | grep -v '^# ')" 'xsfs(5): a stream is read'
like "$(<"$SCRATCH/printed")" 'changed /tool/job*' 'it tells of something'
# The second prints each value of a key, in an event loop.
xenstore-write /tool/job start
streams=$(stat_of streams)
example 2 | timeout $((5 * XSFS_TEST_PATIENCE)) python3 -u - >"$SCRATCH/printed" 2>&1 &
pid=$!
PIDS+=("$pid")
wait_for "$XSFS_TEST_PATIENCE" eval "((\$(stat_of streams) > $streams))" || not_ok 'xsfs(5): the event loop opens a stream'
for value in next 'done'; do
	xenstore-write /tool/job "$value"
	wait_for "$XSFS_TEST_PATIENCE" said "$value" || true
done
# It may also have been told of the start, if that event was still under way.
is "$(grep -v start "$SCRATCH/printed")" "b'next\\n'
b'done\\n'" 'xsfs(5): values are read in an event loop'
end_process "$pid"
unset XENSTORED_PATH
umount_xsfs
