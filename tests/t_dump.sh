#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# .dump is what xenstore-ls -f prints, .json the same as a document; both are made while they are read.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires xenstore-ls python3 cmp

BIG=14000
# The nodes of another tree, half of them, but no more than 20000, in one directory.
: "${XSFS_DUMP_NODES:=4000}"

# trees COMMAND...: see trees.py.
trees() {
	XENSTORED_PATH=$SERVER_SOCKET PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 \
		timeout --kill-after=2 $((10 * XSFS_TEST_PATIENCE)) python3 "$TEST_DIR/trees.py" "$@"
}

# list PATH: prints the expected .dump.
list() {
	XENSTORED_PATH=$SERVER_SOCKET timeout --kill-after=2 $((10 * XSFS_TEST_PATIENCE)) xenstore-ls -f "$1"
}

# same_dump PATH NAME
same_dump() {
	list "$1" >"$SCRATCH/expected"
	cat "$MNT${1%/}/.dump" >"$SCRATCH/got"
	same "$SCRATCH/got" "$SCRATCH/expected" "$2"
}

# peak_kib: the most memory that the mount ever had.
peak_kib() {
	awk '/^VmHWM/ { print $2 }' "/proc/$MOUNT_PID/status"
}

texts() {
	trees bytes /bytes
	trees random /random 1 500
	xs write /empty '' /own/value '' /own both
	same_dump /bytes 'each byte and each pair of bytes'
	same_dump /random 'random nodes'
	same_dump /own 'a node without children'
	same_dump / 'all of the store'
	checked python3 "$TEST_DIR/trees.py" compare "$MNT" /bytes /random /own
	is "$(<"$MNT/own/.json")" $'{\n  ".value": "both",\n  "value": ""\n}' 'a document in full'
	is "$(<"$MNT/.xsfs/nodes/empty/.json")$(wc -c <"$MNT/.xsfs/nodes/empty/.dump")" '{}0' 'a node with nothing'
	same "$MNT/.xsfs/nodes/random/.dump" <(list /random) 'in .xsfs/nodes'
	is "$(ls -A "$MNT/own")" $'.value\nvalue' 'they are not listed'
	is "$(stat --format='%s %F' "$MNT/own/.dump" "$MNT/own/.json" | sort -u)" '0 regular empty file' 'their size is not known'
	fails EACCES bash -c 'echo x >"$1"' - "$MNT/own/.dump"
	fails EPERM rm "$MNT/own/.dump"
	cp "$MNT/random/.dump" "$SCRATCH/copy"
	same "$SCRATCH/copy" <(list /random) 'cp copies it'
	is "$(grep -c . "$MNT/random/.dump")" "$(list /random | wc -l)" 'grep reads it'
	is "$(tail -n 2 "$MNT/random/.dump")" "$(list /random | tail -n 2)" 'tail reads it'
	restore
	xs rm /own
	fails ENOENT cat "$MNT/own/.dump"
}

# A document makes the same tree somewhere else.
restore() {
	local example=$TEST_DIR/../contrib/examples/restore-json document
	succeeds 'restore-json' python3 "$example" "$MNT/copy/random" <"$MNT/random/.json"
	succeeds 'restore-json in a directory that is there' python3 "$example" "$MNT/own/own" <"$MNT/own/.json"
	is "$(list /copy/random | sed 's:^/copy::' | sort | md5sum)" "$(list /random | sort | md5sum)" 'the copy is the same'
	is "$(list /own/own)$(value /own/own)" '/own/own/value = ""both' 'values of directories too'
	like "$(python3 "$example" "$MNT/copy" <"$MNT/own/.json" 2>&1 || true)" 'restore-json: */copy is not empty' 'nothing is replaced'
	for document in '' '"value"' '[]' '{"a": 1}' '{"a/b": "x"}' '{"..": {"x": "1"}}' '{"a": {".base64": "x"}}' \
		'{"b": "1", "a": {".base64": "eA==", "c": ""}}' '{".value": {}}'; do
		like "$(python3 "$example" "$MNT/none" <<<"$document" 2>&1 || true)" 'restore-json: *' "restore-json: no tree: $document"
	done
	absent /none 'and nothing is made'
	xs rm /copy
	restore_at_once "$example"
	xs rm /copy
}

# The same in a transaction, which is tried again as somebody else changes what it has read.
# shellcheck disable=SC2016
restore_at_once() {
	cat "$MNT/random/.json" >"$SCRATCH/document"
	succeeds 'restore-json in a transaction' "$BUILD/src/xsfs-tx" -m "$MNT" sh -ec 'seen=$(cat "$XSFS/own/value")
		python3 "$1" "$XSFS/copy/random" <"$2"
		[ ! -e "$3/copy" ]
		[ "$seen" ] || echo again >"$3/own/value"' - "$1" "$SCRATCH/document" "$MNT"
	is "$(list /copy/random | sed 's:^/copy::' | sort | md5sum)" "$(list /random | sort | md5sum)" 'all of it is there'
	is "$(value /own/value)" again 'at the second try'
	echo '{"a": "1", "b c": "no name"}' >"$SCRATCH/document"
	like "$("$BUILD/src/xsfs-tx" -m "$MNT" sh -c 'python3 "$1" "$XSFS/copy/none" <"$2"' - "$1" "$SCRATCH/document" 2>&1 || true)" \
		'restore-json: *Invalid argument*' 'what fails half way'
	absent /copy/none 'leaves nothing'
}

# A program that seeks.
places() {
	local first rest lines=0
	{
		first=$(head -n 1)
		rest=$(cat)
	} <"$MNT/random/.dump"
	is "$first"$'\n'"$rest" "$(list /random)" 'head, and what is behind it'
	while read -r; do
		lines=$((lines + 1))
	done <"$MNT/random/.dump"
	is "$lines" "$(list /random | wc -l)" 'a shell reads line by line'
	is "$(tail -c +1001 "$MNT/random/.dump" | md5sum)" "$(list /random | tail -c +1001 | md5sum)" 'from the middle on'
	python3 "$TEST_DIR/programs/dump_places.py" "$MNT/big/.dump" "$MNT/new/.dump" >"$SCRATCH/places"
	is "$(<"$SCRATCH/places")" "True b''
Illegal seek
Illegal seek
True True
b'' b''
b'/new/k = \"1\"\\n'
b'' 0 b'/new/k = \"2\"\\n'" 'back for a while, to the start, and forward'
}

# Of two reads at a time, of one open file, both are answered: that far on as well when the other begins anew.
both_wait() {
	PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 timeout "$((2 * XSFS_TEST_PATIENCE))" \
		python3 "$TEST_DIR/programs/dump_both.py" \
		"$MNT" "$SCRATCH/big" "$SERVER_PID" >"$SCRATCH/both" || true
	kill -s CONT "$SERVER_PID"
	is "$(<"$SCRATCH/both")" $'True\nTrue' 'two reads at a time are both answered'
}

# reads: how many nodes the store was asked for.
reads() {
	stat_of requests_READ
}

# The walk goes only as far as somebody reads.
streaming() {
	local before after fd
	before=$(reads)
	exec {fd}<"$MNT/big/.dump"
	head -c 1000 <&"$fd" >"$SCRATCH/first"
	is "$(wc -c <"$SCRATCH/first")" 1000 'the first bytes come'
	comes_true 20 'the walk stops when nobody reads on' at_rest
	after=$(reads)
	at_most $((after - before)) 5000 'long before the last node'
	cat <&"$fd" >"$SCRATCH/rest"
	# head has read more than it printed, and said so by a seek.
	cat "$SCRATCH/first" "$SCRATCH/rest" >"$SCRATCH/both"
	same "$SCRATCH/both" "$SCRATCH/big" 'and goes on when somebody does'
	at_least $(($(reads) - before)) "$BIG" 'to the last node'
	exec {fd}<&-
	before=$(reads)
	is "$(head -n 1 "$MNT/big/.dump")" "$(head -n 1 "$SCRATCH/big")" 'head -n 1'
	comes_true 20 'and then nothing is under way' at_rest
	at_most $(($(reads) - before)) 5000 'nor was all of it asked for'
	is "$(stat_of open_files)" 1 'no file is left open'
}

several() {
	local i pids=()
	for i in 1 2 3 4; do
		cat "$MNT/big/.dump" >"$SCRATCH/several.$i" &
		pids+=("$!")
	done
	cat "$MNT/big/.json" >"$SCRATCH/json"
	wait "${pids[@]}"
	for i in 1 2 3 4; do
		same "$SCRATCH/several.$i" "$SCRATCH/big" 'one of several readers at once'
	done
	is "$(python3 -c 'import json, sys
def count(node): return sum(1 + count(child) for child in node.values()) if isinstance(node, dict) else 0
print(count(json.load(open(sys.argv[1]))))' "$SCRATCH/json")" "$BIG" 'beside them the document'
}

killed() {
	local pid signal
	for signal in KILL INT; do
		kill -s STOP "$SERVER_PID"
		# A shell starts background jobs with SIGINT ignored.
		python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp("cat", ["cat", sys.argv[1]])' "$MNT/.xsfs/nodes/.dump" >"$SCRATCH/none" &
		pid=$!
		PIDS+=("$pid")
		# Nobody wants to read that it was killed.
		disown "$pid"
		comes_true 20 "SIG$signal: a reader waits" stat_above in_flight 0
		kill -s "$signal" "$pid"
		comes_true 5 "SIG$signal: it ends at once" dead "$pid"
		comes_true 5 "SIG$signal: no operation is left" stat_is fuse_operations_now 1
		kill -s CONT "$SERVER_PID"
		comes_true 20 "SIG$signal: nothing is left in flight" at_rest
		comes_true 5 "SIG$signal: no file is left open" stat_is open_files 1
	done
}

stat_above() {
	(($(stat_of "$1") > $2))
}

# Nodes come and go under the walk; what stays is always there.
vanishing() {
	local pid i
	XENSTORED_PATH=$SERVER_SOCKET PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 \
		python3 "$TEST_DIR/trees.py" busy /busy 30 &
	pid=$!
	PIDS+=("$pid")
	wait_for "$XSFS_TEST_PATIENCE" exists /busy/goes29
	: >"$SCRATCH/busy"
	for ((i = 0; i < 25; i++)); do
		cat "$MNT/busy/.dump" >>"$SCRATCH/busy" || not_ok 'a dump of what changes'
		cat "$MNT/busy/.json" >"$SCRATCH/json.$i" || not_ok 'a document of what changes'
	done
	end_process "$pid"
	succeeds 'each document is valid' python3 -c 'import json, sys
for name in sys.argv[1:]: json.load(open(name))' "$SCRATCH"/json.*
	is "$(grep -c '^/busy/stays[0-9]*/[ab] = "[12]"$' "$SCRATCH/busy")" 1500 'what stays is in every dump'
	at_least "$(grep -c '^/busy/.*goes' "$SCRATCH/busy")" 1 'what comes and goes, in some'
	is "$(grep -v '^/busy/[a-z0-9/]* = "[12]\?"$' "$SCRATCH/busy" || true)" '' 'each line is whole'
	xs rm /busy
}

# A directory that does not fit into one reply, and memory.
large() {
	local before wide=$((XSFS_DUMP_NODES / 2))
	# A server writes all names of a directory for each that comes.
	((wide <= 20000)) || wide=20000
	mount_xsfs "$STORE"
	trees build /large "$XSFS_DUMP_NODES" "$wide" 20
	before=$(peak_kib)
	if [[ $SERVER_KIND$STORE == oring ]]; then
		# This server cannot report that many names over a ring.
		fails E2BIG cat "$MNT/large/.dump"
		fails E2BIG cat "$MNT/large/.json"
		like "$(<"$MOUNT_LOG")" '*/large/wide: too large to be listed*' 'the log says which'
	else
		# Nor can xenstore-ls read this server's reply.
		[[ $SERVER_KIND == o ]] || same_dump /large 'thousands of nodes in one directory'
		is "$(grep -c '^/large/' "$MNT/large/.dump")" "$XSFS_DUMP_NODES" 'a line for each'
		cat "$MNT/large/.json" >"$SCRATCH/json"
		is "$(python3 -c 'import json, sys; print(len(json.load(open(sys.argv[1]))["wide"]))' "$SCRATCH/json")" "$wide" \
			'and in the document'
	fi
	note "$XSFS_DUMP_NODES nodes: at most $(peak_kib) KiB, $before KiB before"
	[[ $(<"$BUILD/config.log") == *fsanitize* ]] ||
		at_most $(($(peak_kib) - before)) 8192 'in 8 MiB more than before'
	umount_xsfs
}

guest() {
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7 '' /local/domain/7/name guest /local/domain/7/secret/x 1 /local/domain/7/secret2 2 \
		/local/domain/7/zz/last 3
	xs chmod -r /local/domain/7 n0 r7
	xs chmod -r /local/domain/7/secret n0
	xs chmod /local/domain/7/secret2 n0
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	is "$(sort "$MNT/local/domain/7/.dump")" '/local/domain/7/name = "guest"
/local/domain/7/zz = ""
/local/domain/7/zz/last = "3"' 'what a guest cannot read is left out'
	is "$(python3 -c 'import json, sys; print(sorted(json.load(open(sys.argv[1])).items()))' "$MNT/local/domain/7/.json")" \
		"[('name', 'guest'), ('zz', {'last': '3'})]" 'of the document too'
	is "$(grep -c '2 nodes below /local/domain/7 could not be read and are left out of its ' "$MOUNT_LOG")" 2 \
		'the log says how many, once for each'
	fails EACCES cat "$MNT/.dump"
	umount_xsfs
}

test_dump() {
	mount_xsfs "$STORE"
	texts
	trees build /big "$BIG" 0 120
	xs write /new/k 1
	list /big >"$SCRATCH/big"
	cat "$MNT/big/.dump" >"$SCRATCH/got"
	same "$SCRATCH/got" "$SCRATCH/big" "a tree of $BIG nodes"
	places
	both_wait
	streaming
	several
	killed
	vanishing
	umount_xsfs
	mount_xsfs "$STORE" -o root=/random
	is "$(md5sum <"$MNT/.dump")" "$(list /random | md5sum)" 'root=: the whole paths'
	umount_xsfs
	xs rm /big /random /bytes
	large
	[[ $STORE != ring ]] || guest
}
for_each_store test_dump
