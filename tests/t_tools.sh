#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The verbs ls, devices, watch, set and restore: what they print and do, for people and as JSON, and how they
# fail. xsfs-wait and xsfs-tx have tests of their own.
. "${0%/*}/functions.sh"
requires xenstore-write python3 script

BIN=$BUILD/src
export XSFS_MOUNT
unset NO_COLOR

# ends STATUS PATTERN NAME CMD...: its status, and all that it prints.
ends() {
	local status=0 output
	output=$(bounded "${@:4}" 2>&1 </dev/null) || status=$?
	like "$status $output" "$1 $2" "$3"
}

# json PROGRAM CMD...: what a Python expression makes of the JSON that CMD prints, as `d`.
json() {
	bounded "${@:2}" | python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

# on_terminal CMD...: prints its output on a terminal.
on_terminal() {
	TERM=xterm script -qec "$(printf '%q ' "$@")" /dev/null </dev/null | tr -d '\r'
}

populate() {
	xs write /local/domain/0/name Domain-0 /local/domain/0/memory/target 2097152 \
		/local/domain/1/name web /local/domain/1/memory/target 1048576 /local/domain/1/memory/static-max 2097152 \
		/local/domain/1/vm /vm/0000-1 /local/domain/1/cpu/0/availability online \
		/local/domain/1/cpu/1/availability offline /libxl/1/type pvh \
		/local/domain/10/name $'evil\e[2J\n' \
		/local/domain/0/backend/vif/1/0/frontend /local/domain/1/device/vif/0 \
		/local/domain/0/backend/vif/1/0/state 4 /local/domain/1/device/vif/0/state 3 \
		/local/domain/1/device/vif/0/backend /local/domain/0/backend/vif/1/0 \
		/local/domain/3/backend/vbd/1/51712/state 2 \
		/local/domain/3/backend/vbd/1/51712/frontend $'/../etc\e[2J' \
		/local/domain/10/device/vkbd/0/backend /nowhere /local/domain/10/device/vkbd/0/state 99 \
		/local/domain/10/device/suspend/event-channel ''
}

lists() {
	populate
	is "$("$XSFS" ls | sed 's/ *$//')" \
		'ID  NAME           MEMORY/MiB  VCPUS  DEVICES  TYPE  UUID
 0  Domain-0             2048      -      0/0  -     -
 1  web                  1024      1      1/2  pvh   0000-1
 3  -                       -      -      0/0  -     -
10  evil\x1b[2J\n           -      -      0/0  -     -' 'ls: in the order of numbers, nothing raw'
	is "$("$XSFS" ls web 10 | cut -c 1-7)" $'ID  NAM\n 1  web\n10  evi' 'ls: those that are named'
	ends 1 $'xsfs-ls: there is no domain none\nID *\n 1  web *' 'ls: one is missing' "$XSFS" ls none 1
	is "$(json '[sorted(x.items()) for x in d if x["domid"] == 1]' "$XSFS" ls --json)" \
		"[[('devices', 2), ('devices_connected', 1), ('domid', 1), ('memory_max_kib', 2097152), ('memory_target_kib', 1048576), ('name', 'web'), ('type', 'pvh'), ('uuid', '0000-1'), ('vcpus', 1)]]" \
		'ls --json'
	is "$(json '[x["name"] for x in d]' "$XSFS" ls -j 3 10)" "[None, 'evil\\x1b[2J\\n']" 'ls --json: exactly'
	is "$("$XSFS" devices | sed 's/ *$//')" \
		'ID  NAME           TYPE  HANDLE  FRONTEND     BACKEND    BACKEND PATH
 1  web            vbd   51712   -            InitWait   /local/domain/3/backend/vbd/1/51712
 1  web            vif   0       Initialised  Connected  /local/domain/0/backend/vif/1/0
10  evil\x1b[2J\n  vkbd  0       -            -          -' 'devices: backends anywhere, frontends left over'
	is "$("$XSFS" devices web | wc -l) $("$XSFS" devices 3 | wc -l)" '3 1' 'devices of a domain'
	ends 1 'xsfs-devices: there is no domain 11' 'devices: no such domain' "$XSFS" devices 11
	is "$(json '[x["frontend"] for x in d]' "$XSFS" devices 1 --json)" \
		"['/../etc\\x1b[2J', '/local/domain/1/device/vif/0']" 'devices --json'

	# A terminal gets colours, and nothing else that controls it.
	is "$(on_terminal "$XSFS" ls 10 | grep -c $'\e\\[1mNAME')" 1 'colour on a terminal'
	is "$(on_terminal "$XSFS" ls 10 | sed $'s/\e\\[[0-9]*m//g' | grep -c $'\e')" 0 'and nothing of a guest'
	is "$(on_terminal "$XSFS" ls 10 --json | grep -c $'\e')" 0 'nor as JSON'
	is "$(NO_COLOR=1 on_terminal "$XSFS" ls | grep -c $'\e')" 0 'NO_COLOR'
	is "$(on_terminal env TERM=dumb "$XSFS" ls | grep -c $'\e')" 0 'TERM=dumb'
	is "$("$XSFS" ls | grep -c $'\e')" 0 'no colour in a pipe'

	ends 2 'xsfs-ls: standard output cannot be written' 'a full disk' bash -c '"$1" ls >/dev/full' - "$XSFS"
	is "$(bash -c 'set +o pipefail; "$1" ls | true; echo "${PIPESTATUS[0]}"' - "$XSFS" 2>&1 | tail -n 1 | grep -xcE '0|141')" 1 'a broken pipe'
	ends 2 "xsfs-ls: $SCRATCH: no xenstore is mounted there" 'no mount' "$XSFS" ls -m "$SCRATCH"
	ends 2 '-x: no such option, or without its value; usage: xsfs-ls *' 'a wrong option' sh -c '"$1" ls -x 2>&1 | sed "s/^xsfs-ls: //"; exit 2' - "$XSFS"
	xs rm /libxl
	xs rm /local/domain
	is "$("$XSFS" ls | wc -l) $("$XSFS" ls 2>&1)" "0 xsfs-ls: /local/domain: No such file or directory" 'no domains at all'
}

# A domain comes and goes all the time while others are listed.
vanishing() {
	local stop=$SCRATCH/stop failed=
	xs write /local/domain/1/name web
	(
		until [[ -e $stop ]]; do
			"$XSFS" set /local/domain/5/name come /local/domain/0/backend/vif/5/0/state 4
			xs rm /local/domain/5
			xs rm /local/domain/0/backend
		done
	) &
	local pid=$!
	PIDS+=("$pid")
	for _ in {1..10}; do
		[[ $("$XSFS" ls 1 2>&1 | grep -c web) == 1 && $("$XSFS" devices 2>&1 | grep -c xsfs-) == 0 ]] || failed=yes
	done
	: >"$stop"
	wait "$pid"
	is "$failed" '' 'a domain vanishes while it is looked at'
}

# writing_requests: how many requests that change something there were, with those of transactions.
writing_requests() {
	echo $(($(stat_of requests_WRITE) + $(stat_of requests_MKDIR) + $(stat_of requests_TRANSACTION_START)))
}

sets() {
	xs write /s/leaf v
	succeeds 'set: parents are made' "$XSFS" set /s/a/b/c 1
	is "$(value /s/a/b/c)" 1 'with one value'
	succeeds 'set: below a leaf' "$XSFS" set /s/leaf/child 2
	is "$(value /s/leaf) $(value /s/leaf/child)" 'v 2' 'which keeps its value'
	succeeds 'set: a file in the mount' "$XSFS" set "$MNT/s/x" $'two\nlines'
	is "$(value /s/x)" $'two\nlines' 'as it is'
	(cd "$MNT/s" && "$XSFS" set leaf 3 ./a '' -- -k -v)
	is "$(value /s/leaf) $(value /s/a) $(value /s/-k)" '3  -v' 'set: from the current directory'

	# One WRITE, or one transaction.
	local before
	before=$(writing_requests)
	"$XSFS" set /s/new/deep/key 1
	is "$(writing_requests)" "$((before + 1))" 'set: one request'
	before=$(stat_of requests_TRANSACTION_START)
	"$XSFS" set /s/k1 1 /s/k2 2
	is "$(stat_of requests_TRANSACTION_START)" "$((before + 1))" 'several keys: one transaction'
	xs write /s/both/a 0 /s/both/b 0
	for i in 1 2 3 4; do
		(for n in {1..5}; do "$XSFS" set /s/both/a "$i$n" /s/both/b "$i$n" || exit 1; done) &
		PIDS+=("$!")
		set_pids[i]=$!
	done
	local failed=
	for i in 1 2 3 4; do wait "${set_pids[i]}" || failed=yes; done
	is "$failed $(value /s/both/a)" " $(value /s/both/b)" 'many at a time, each as a whole'

	# In a transaction that is under way.
	xs write /s/tx 0
	# shellcheck disable=SC2016
	is "$("$BIN/xsfs-tx" sh -c '"$1" set /s/tx 1 /s/txnew/deep 1; cat s/tx; cat "$XSFS_MOUNT/s/tx"' - "$XSFS")" $'1\n0' \
		'in a transaction'
	is "$(value /s/tx) $(value /s/txnew/deep)" '1 1' 'which commits it'
	"$BIN/xsfs-tx" sh -c '"$1" set /s/tx 2; exit 3' - "$XSFS" || true
	is "$(value /s/tx)" 1 'or does not'

	ends 2 'xsfs-set: usage: *' 'set: no value' "$XSFS" set /s/key
	ends 2 'xsfs-set: /s/x.y: not the path of a key' 'set: no key' "$XSFS" set /s/x.y 1
	ends 2 'xsfs-set: /s/x: File too large' 'set: too large' "$XSFS" set /s/x "$(head -c 4093 /dev/zero | tr '\0' x)"
	is "$(value /s/x)" $'two\nlines' 'nothing was changed'
}

# restored NAME FILE KEY [OPTIONS]: restores, and compares.
restored() {
	succeeds "$1" "$XSFS" restore "$2" "$3" "${@:4}"
	is "$(cat "$MNT$3/.json")" "$(cat "$2")" 'the same document'
}

restores() {
	local document
	xs write /r/a 1 /r/b/c 'x"\y' /r/b 'own' /r/empty ''
	printf '\377\0\1' >"$MNT/r/binary"
	# "Müll, 1 €", and more than the Basic Multilingual Plane has
	printf 'M\303\274ll, 1 \342\202\254 \360\237\220\247' >"$MNT/r/words"
	cat "$MNT/r/.json" >"$SCRATCH/r.json"
	restored 'restore' "$SCRATCH/r.json" /copy/deep
	like "$(value /copy/deep/binary | od -An -tx1)" ' ff 00 01*' 'bytes'
	is "$(value /copy/deep/words | md5sum)" "$(value /r/words | md5sum)" 'letters beyond ASCII'
	ends 1 'xsfs-restore: /copy/deep: exists; --merge *' 'it exists' "$XSFS" restore "$SCRATCH/r.json" /copy/deep
	xs write /copy/deep/more 1 /copy/deep/a 2
	is "$("$XSFS" restore --merge --dry-run "$SCRATCH/r.json" /copy/deep)" \
		$'change /copy/deep/a = "1"\n7 nodes, 6 of them as they are' '--merge --dry-run'
	is "$(value /copy/deep/a)" 2 'changes nothing'
	succeeds '--merge' "$XSFS" restore --merge "$SCRATCH/r.json" /copy/deep
	is "$(value /copy/deep/a) $(value /copy/deep/more)" '1 1' 'keeps what it does not know'
	is "$("$XSFS" restore -Rn - /copy/deep <<<'{"n": "1"}')" \
		$'remove /copy/deep\nmake   /copy/deep = ""\nmake   /copy/deep/n = "1"\n2 nodes, 0 of them as they are' '--replace --dry-run'
	restored '--replace' "$SCRATCH/r.json" /copy/deep --replace
	restored '--no-transaction' "$SCRATCH/r.json" /copy/other --no-transaction
	# xenstored lets only a domain own nodes that there is
	"$XSLOOP" domain "$SERVER_DIR" 1 1
	succeeds 'permissions' "$XSFS" restore - /copy/perms < <(echo '{".perms": "n0,r1", "x": "1", "y": {".perms": "n1", ".value": "2"}}')
	is "$(perms "$MNT/copy/perms/x") $(perms "$MNT/copy/perms/y") $(value /copy/perms/y)" 'n0,r1 n1 2' 'and values with them'

	# In a transaction that is under way, and by the files.
	is "$("$BIN/xsfs-tx" sh -c '"$1" restore "$2" "$XSFS/copy/tx" && cat copy/tx/a; ls "$XSFS_MOUNT/copy" | grep -c tx; true' - "$XSFS" "$SCRATCH/r.json")" $'1\n0' \
		'restore in a transaction'
	is "$(cat "$MNT/copy/tx/.json")" "$(cat "$SCRATCH/r.json")" 'which commits it'
	# shellcheck disable=SC2016
	ends 1 'xsfs-restore: /copy/tx: exists*' 'it exists there' "$BIN/xsfs-tx" "$XSFS" restore "$SCRATCH/r.json" /copy/tx
	"$BIN/xsfs-tx" "$XSFS" restore --replace "$SCRATCH/r.json" /copy/tx
	is "$(cat "$MNT/copy/tx/.json")" "$(cat "$SCRATCH/r.json")" 'and is replaced'

	while IFS= read -r document; do
		ends 2 "xsfs-restore: ${document##*=>}" "no tree: ${document%%=>*}" \
			"$XSFS" restore <(printf '%s' "${document%%=>*}") /copy/none
	done <<-'END'
		{"a": 1}=>/copy/none/a: the value must be a string
		{"a": [1]}=>/copy/none/a: the value must be a string
		["a"]=>*: the document must be an object
		{"a.b": "1"}=>/copy/none: "a.b" is no name of a node
		{"": "1"}=>/copy/none: "" is no name of a node
		{".base64": "AA=="}=>*: the document must be an object
		{"a": {".base64": "A"}}=>/copy/none/a: no base64
		{"a": {".base64": "A*=="}}=>/copy/none/a: no base64
		{".perms": "everybody"}=>/copy/none: .perms must be like "n0,r1"
		{"a": "1"=>*: line 1: no JSON: it ends too early
		{"a": "1"} more=>*: line 1: no JSON: *
		{"a": "1", "a": "2"}=>*: line 1: no JSON: *
		{"a": "1",}=>*: line 1: no JSON: *
		{"a": "1" /* one */}=>*: line 1: no JSON: *
		=>*: line 1: no JSON: it ends too early
	END
	absent /copy/none 'nothing was made'
	ends 2 'xsfs-restore: /nowhere: No such file or directory' 'no document' "$XSFS" restore /nowhere /copy/none
	ends 2 'xsfs-restore: usage: *' 'no key' "$XSFS" restore "$SCRATCH/r.json"
	ends 2 'xsfs-restore: usage: *' 'merge and replace' "$XSFS" restore -MR "$SCRATCH/r.json" /x
	ends 2 'xsfs-restore: /: all of the mount cannot be replaced' 'all of it' "$XSFS" restore --replace "$SCRATCH/r.json" /
}

# watching ARGS...: starts xsfs-watch, and returns when it waits.
watching() {
	# The kernel closes files of a process that has ended a little later.
	wait_for "$XSFS_TEST_PATIENCE" streams_are 0 || not_ok 'no stream is open'
	"$BIN/xsfs-watch" "$@" >"$SCRATCH/watch.out" 2>&1 </dev/null &
	WATCHER=$!
	PIDS+=("$WATCHER")
	wait_for "$XSFS_TEST_PATIENCE" streams_are 1 || not_ok 'it opens a stream'
	wait_for "$XSFS_TEST_PATIENCE" waits_for_events || not_ok 'it waits'
}

streams_are() {
	[[ $(stat_of streams) == "$1" ]]
}

waits_for_events() {
	local number rest
	read -r number rest <"/proc/$WATCHER/syscall" || return 1
	[[ $number == 232 || $number == 281 || $number == 22 ]]
}

# says NAME LINES: all that it has printed, without times, as soon as it is that.
says() {
	wait_for "$XSFS_TEST_PATIENCE" said "$2" || true
	is "$(sed 's/^[0-9:.]* //' "$SCRATCH/watch.out")" "$2" "$1"
}

said() {
	[[ $(sed 's/^[0-9:.]* //' "$SCRATCH/watch.out") == "$1" ]]
}

# events_are NUMBER: returns whether at least that many have reached the mount.
events_are() {
	(($(stat_of events) >= $1))
}

# has_said NUMBER: returns whether it has printed that many lines.
has_said() {
	(($(wc -l <"$SCRATCH/watch.out") == $1))
}

watches() {
	local events
	xs write /a/key old /a/dir/x 1 /a/dir/y 2
	watching /a @introduceDomain
	xs write /a/key new
	says 'watch: old and new' '/a/key "old" -> "new"'
	xs write /a/key $'evil\e[2J' /a/new 1
	says 'watch: nothing raw' $'/a/key "old" -> "new"\n/a/key "new" -> "evil\\x1b[2J"\n/a/new made "1"'
	# One after the other: what comes close together is one line.
	xs write /a/new 1
	says 'watch: again' $'/a/key "old" -> "new"\n/a/key "new" -> "evil\\x1b[2J"\n/a/new made "1"\n/a/new again "1"'
	xs rm /a/new
	says 'watch: gone' $'/a/key "old" -> "new"\n/a/key "new" -> "evil\\x1b[2J"\n/a/new made "1"\n/a/new again "1"\n/a/new gone, was "1"'
	xs rm /a/dir
	says 'watch: a tree is gone' $'/a/key "old" -> "new"\n/a/key "new" -> "evil\\x1b[2J"\n/a/new made "1"
/a/new again "1"\n/a/new gone, was "1"\n/a/dir gone, was "" (and 2 below it)'
	like "$(head -n 1 "$SCRATCH/watch.out")" '[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9] /a/key *' 'with the time'
	end_process "$WATCHER"

	# Quick changes are merged: while it is stopped they cannot be told one by one.
	xs write /a/key 0
	watching /a
	kill -STOP "$WATCHER"
	wait_for "$XSFS_TEST_PATIENCE" grep -q '^State:.T' "/proc/$WATCHER/status"
	events=$(stat_of events)
	xs write /a/key 1
	xs write /a/key 2
	xs write /a/back 1
	xs rm /a/back
	wait_for "$XSFS_TEST_PATIENCE" events_are $((events + 4)) || not_ok 'the events come'
	kill -CONT "$WATCHER"
	says 'watch: merged changes' $'/a/key "0" -> "2"\n/a/back passed'
	kill -STOP "$MOUNT_PID"
	kill -CONT "$MOUNT_PID"
	says 'watch: resync' $'/a/key "0" -> "2"\n/a/back passed\nresync: changes may be missing above, all differences follow'
	end_process "$WATCHER"

	watching --json --count 3 /a /nothing
	xs write /a/key 3
	wait_for "$XSFS_TEST_PATIENCE" has_said 1 || true
	xs write /nothing $'x\e'
	wait_for "$XSFS_TEST_PATIENCE" has_said 2 || true
	xs rm /a
	wait_for "$XSFS_TEST_PATIENCE" dead "$WATCHER" || true
	is "$(wait "$WATCHER"; echo $?)" 0 'watch --count ends'
	is "$(python3 -c '
import json, sys
for line in sys.stdin:
    d = json.loads(line)
    assert d.pop("time").endswith("Z")
    print(sorted(d.items()))' <"$SCRATCH/watch.out")" \
		"[('event', 'changed'), ('new', '3'), ('old', '2'), ('path', '/a/key')]
[('event', 'made'), ('new', 'x\\x1b'), ('path', '/nothing')]
[('below', 1), ('event', 'gone'), ('old', ''), ('path', '/a')]" 'watch --json'

	ends 2 'xsfs-watch: usage: *' 'watch: no key' "$BIN/xsfs-watch"
	ends 2 'xsfs-watch: --count x: must be a number from 1' 'watch: no number' "$BIN/xsfs-watch" --count x /a
}

# Many changes while it is stopped: the stream overflows, and all differences are told. There are few in each directory:
# a large one cannot be listed by oxenstored over a ring, and then xsfs-watch ends with that error.
overflows() {
	local names=() i events
	xs write /o/key 1
	watching /o
	events=$(stat_of events)
	kill -STOP "$WATCHER"
	for i in {1..1200}; do
		names+=("/o/$((i / 10))/$(printf '%0200d' "$i")" 1)
		((${#names[@]} < 400)) || { xs write "${names[@]}" && names=(); }
	done
	wait_for "$XSFS_TEST_PATIENCE" eval '(($(stat_of stream_overflows) > 0))' || true
	xs write /o/key 2
	wait_for "$XSFS_TEST_PATIENCE" events_are $((events + 1201)) || not_ok 'the events come'
	kill -CONT "$WATCHER"
	wait_for "$XSFS_TEST_PATIENCE" grep -q ' /o/key "1" -> "2"' "$SCRATCH/watch.out" || true
	# The others come behind it.
	wait_for "$XSFS_TEST_PATIENCE" eval '(($(grep -c " made \"1\"" "$SCRATCH/watch.out") >= 1200))' || true
	is "$(grep -c ' overflow: ' "$SCRATCH/watch.out") $(grep -c ' made "1"' "$SCRATCH/watch.out")" '1 1200' \
		'watch: overflow, and nothing is missing'
	end_process "$WATCHER"
	[[ $SERVER_KIND/$STORE == o/ring ]] || return 0
	names=()
	for i in {1..30}; do
		names+=("/large/$(printf '%0200d' "$i")" 1)
	done
	xs write "${names[@]}"
	ends 2 "xsfs-watch: */large/.json: Argument list too long" 'watch: a directory that the server cannot list' \
		"$BIN/xsfs-watch" /large
}

in_root() {
	xs write /p/key v
	umount_xsfs
	mount_xsfs "$STORE" -o root=/p
	XSFS_MOUNT=$MNT
	succeeds 'root=: set a path in the store' "$XSFS" set /p/key/below 1
	succeeds 'root=: set a file' "$XSFS" set "$MNT/x" 2
	is "$(value /p/key/below) $(value /p/x)" '1 2' 'root=: they are there'
	ends 2 "xsfs-ls: /local/domain: $MNT has only what is in /p" 'root=: no domains' "$XSFS" ls
	ends 2 "xsfs-set: /q: $MNT has only what is in /p" 'root=: not elsewhere' "$XSFS" set /q 1
	umount_xsfs
	mount_xsfs "$STORE" -o ro
	XSFS_MOUNT=$MNT
	ends 2 'xsfs-set: *: Read-only file system' 'ro: set' "$XSFS" set /p/key 1
	watching /p/key/below
	xs write /p/other 1
	xs write /p/key/below 2
	says 'ro: watch' '/p/key/below "1" -> "2"'
	end_process "$WATCHER"
}

test_tools() {
	mount_xsfs "$STORE"
	XSFS_MOUNT=$MNT
	"$1"
	umount_xsfs
}

test_all() {
	local part
	for part in lists vanishing sets restores watches overflows in_root; do
		test_tools "$part"
	done
}

requires_fuse
for_each_store test_all

# Two mounts, none, and the only one; and who may not use the protocol's file.
test_mounts() {
	local first
	mount_xsfs "$STORE"
	first=$MNT
	XSFS_MOUNT=
	xs write /local/domain/4/name four /t/key 1
	if (($(mounts_count) == 1)); then
		ends 0 '*four*' 'the only mount' env -C / "$XSFS" ls
	else
		skip_one 'the only mount' 'this machine has others'
	fi
	mount_xsfs "$STORE" -o uid=nobody,allow_other,umask=0
	ends 2 "xsfs-ls: xenstore is mounted on *$MNT*; say which by -m or XSFS_MOUNT, or go there" 'two mounts' env -C / "$XSFS" ls
	ends 0 '*four*' 'two mounts: the one we are on' env -C "$first/t" "$XSFS" ls
	chmod a+x "$SCRATCH"
	if requires_setpriv; then
		# That user may not look into every directory.
		cp "$BIN/xsfs-set" "$BIN/xsfs-restore" "$SCRATCH"
		succeeds 'another user writes by the files' as_nobody "$SCRATCH/xsfs-set" -m "$MNT" /t/new/deep 1 /t/key 2
		is "$(value /t/new/deep) $(value /t/key)" '1 2' 'in one transaction'
		succeeds 'another user restores' as_nobody "$SCRATCH/xsfs-restore" - "$MNT/t/copy" < <(echo '{"x": {"y": "1"}}')
		is "$(value /t/copy/x/y)" 1 'and it is there'
	else
		skip_one 'another user' 'setpriv is not installed'
	fi
	umount_xsfs
	umount "$first"
}

requires_setpriv() {
	command -v setpriv >/dev/null
}

as_nobody() {
	bounded setpriv --reuid nobody --clear-groups "$@"
}

# shellcheck disable=SC2034 # for_each_store reads them
XSFS_TEST_HALF='' XSFS_TEST_SERVER=c XSFS_TEST_TRANSPORT=socket
for_each_store test_mounts
