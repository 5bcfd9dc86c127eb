#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# xsfs-tx: where it runs a command, when it commits, what it does on a conflict, and how it ends.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires xenstore-write

TX=$BUILD/src/xsfs-tx
export XSFS_MOUNT
# Of the counter: processes, and what each adds.
: "${XSFS_TX_PROCESSES:=8}"
: "${XSFS_TX_INCREMENTS:=5}"

# ends STATUS PATTERN NAME ARGS...: xsfs-tx ends with that status; what it says matches.
ends() {
	local output status=0
	output=$(bounded "$TX" "${@:4}" 2>&1 </dev/null) || status=$?
	like "$status $output" "$1 $2" "$3"
}

# shellcheck disable=SC2016 # $XSFS is the command's
commands() {
	xs write /w/key old /w/dir/a 1
	ends 0 '' 'it commits' sh -c 'echo new >$XSFS/w/key'
	is "$(value /w/key)" new 'the value'
	ends 3 '' 'the status of the command' sh -c 'echo never >$XSFS/w/key; exit 3'
	is "$(value /w/key)" new 'it failed: nothing was changed'
	ends 0 'in
new' 'the command sees its changes, nobody else does' sh -c \
		'echo in >$XSFS/w/key; cat $XSFS/w/key '"$MNT/w/key"
	ends 127 'xsfs-tx: no-such-command: No such file or directory' 'no such command' no-such-command
	ends 126 'xsfs-tx: /etc/passwd: Permission denied' 'no command' /etc/passwd
	ends 7 '*' 'what follows the command is the command'"'"'s' sh -c 'exit $1' -r 7
	ends 125 'xsfs-tx: usage: *' 'no command given'
	ends 125 'xsfs-tx: --bogus: no such option, or without its value; usage: *' 'an unknown option' --bogus true
	for word in x -1 '' 1s 1000001; do
		ends 125 "xsfs-tx: --retries $word: must be a number up to 1000000" "retries: $word" -r "$word" true
	done
	ends 143 '*' 'a command that is killed' sh -c 'kill -TERM $$'
	ends 0 '' 'nobody inherits the transaction' sh -c '! ls -l /proc/self/fd | grep -q transaction'
	is "$(ls "$MNT/.xsfs/tx")" '' 'none is left'
	wait_for "$XSFS_TEST_PATIENCE" stat_is transactions 0 || true
	is "$(stat_of transactions)" 0 'by the statistics too'
}

# at DIR NAME EXPECTED: where it runs a command when it is called there.
at() {
	is "$(cd "$1" && "$TX" sh -c 'p=$(pwd -P); echo "${p#"$XSFS"}"')" "$3" "$2"
}

places() {
	xs write /w/dir/a 1
	at "$MNT" 'at the root' ''
	at "$MNT/w/dir" 'the same directory' /w/dir
	at "$MNT/.xsfs/nodes/w/dir/a" 'below nodes' /.xsfs/nodes/w/dir/a
	at "$MNT/.xsfs" 'what is none: the root' ''
	at / 'outside: the root' ''
	is "$(cd "$MNT/w/dir" && "$TX" "$TX" sh -c 'p=$(pwd -P); echo "${p#"$XSFS"}"')" /w/dir \
		'in a transaction: the same directory in one of its own'
	(cd "$MNT/w" && unset XSFS_MOUNT && ends 0 '1' 'the mount that one is on' cat dir/a)
	(cd / && unset XSFS_MOUNT && ends 0 '1' '-m' -m "$MNT" cat w/dir/a)
	(cd / && XSFS_MOUNT=/nowhere ends 0 '1' '-m and not XSFS_MOUNT' --mount="$MNT" cat w/dir/a)
	if (($(mounts_count) == 1)); then
		(cd / && unset XSFS_MOUNT && ends 0 '1' 'the only mount there is' cat w/dir/a)
	else
		skip_one 'the only mount there is' 'this machine has others'
	fi
	ends 125 "xsfs-tx: $SCRATCH: no xenstore is mounted there" 'a wrong mount' -m "$SCRATCH" true
	umount_xsfs
	mount_xsfs "$STORE" -o root=/w
	XSFS_MOUNT=$MNT
	at "$MNT/dir" 'root=: the same directory' /dir
	at "$MNT" 'root=: the root' ''
}

# shellcheck disable=SC2016
retries() {
	local runs=$SCRATCH/runs interfere
	xs write /w/key 0 /w/runs 0
	# The command itself lets somebody else change what it has read, as often as it is told to.
	interfere='read n <$XSFS/w/key; echo x >>'$runs'; [ $(wc -l <'$runs') -gt $1 ] || echo other$(wc -l <'$runs') >'$MNT/w/key'
		echo mine >$XSFS/w/key'
	: >"$runs"
	ends 0 '' 'three conflicts' sh -c "$interfere" - 3
	is "$(wc -l <"$runs") $(value /w/key)" '4 mine' 'then it was committed'
	: >"$runs"
	ends 124 'xsfs-tx: nothing was changed: others changed what sh had read' 'a conflict each time' \
		-r 2 sh -c "$interfere" - 99
	is "$(wc -l <"$runs") $(value /w/key)" '3 other3' 'so often, and nothing was changed'
	: >"$runs"
	ends 124 '*' 'no second try' --retries=0 sh -c "$interfere" - 99
	is "$(wc -l <"$runs")" 1 'as it was told'
	rm "$runs"
}

# signalled SIGNAL STATUS NAME: what the command and xsfs-tx make of it.
signalled() {
	local pid status=0
	rm -f "$SCRATCH/started"
	# A shell starts what it puts into the background with SIGINT ignored; this is about one that is not.
	env --default-signal=INT,QUIT "$TX" sh -c 'echo 1 >"$XSFS/w/key"; echo $$ >"$1"; exec sleep 1000' - "$SCRATCH/started" &
	pid=$!
	PIDS+=("$pid")
	wait_for "$XSFS_TEST_PATIENCE" test -s "$SCRATCH/started" || true
	kill -s "$1" "$pid"
	wait "$pid" || status=$?
	is "$status $(value /w/key)" "$2 0" "$3"
	# Where xsfs-tx itself was killed the command goes on, but not in the transaction.
	kill -s KILL "$(<"$SCRATCH/started")" || true
}

signals() {
	xs write /w/key 0
	signalled TERM 143 'SIGTERM is passed on: nothing was changed' 2>/dev/null
	signalled INT 130 'SIGINT is' 2>/dev/null
	signalled KILL 137 'SIGKILL: the kernel closes the transaction' 2>/dev/null
	wait_for "$XSFS_TEST_PATIENCE" stat_is transactions 0 || true
	is "$(stat_of transactions)" 0 'none is left'
}

# shellcheck disable=SC2016
ended_early() {
	xs write /w/key 0
	ends 125 'xsfs-tx: nothing was changed: the transaction ended before sh did *' 'it was idle for too long' \
		sh -c 'echo 1 >$XSFS/w/key; while grep -q " transaction " '"$MNT"'/.xsfs/requests; do sleep 0.1; done'
	is "$(value /w/key)" 0 'nothing was changed'
}

# shellcheck disable=SC2016
counter() {
	local i pids=()
	xs write /w/counter 0
	cd "$MNT/w"
	for ((i = 0; i < XSFS_TX_PROCESSES; i++)); do
		(
			for ((n = 0; n < XSFS_TX_INCREMENTS; n++)); do
				"$TX" -r 1000 bash -c 'read -r n <counter; echo $((n + 1)) >counter' || echo "failed: $?"
			done
		) >>"$SCRATCH/counters" 2>&1 &
		pids+=("$!")
	done
	wait "${pids[@]}"
	cd /
	is "$(value /w/counter)" $((XSFS_TX_PROCESSES * XSFS_TX_INCREMENTS)) \
		"$XSFS_TX_PROCESSES processes add 1 $XSFS_TX_INCREMENTS times"
	is "$(<"$SCRATCH/counters")" '' 'and none fails'
	note "$(stat_of transaction_conflicts) conflicts"
}

test_all() {
	mount_xsfs "$STORE"
	XSFS_MOUNT=$MNT
	commands
	retries
	signals
	counter
	places
	umount_xsfs
	[[ $STORE == socket ]] || return 0
	mount_xsfs "$STORE" -o tx_idle=5
	XSFS_MOUNT=$MNT
	ended_early
	umount_xsfs
}

is "$("$TX" --version)" "xsfs-tx $("$XSFS" --version | sed -n '1s/^xsfs //p')" 'the version'
like "$("$TX" --help)" 'usage: xsfs-tx *' 'help'
requires_fuse
for_each_store test_all
