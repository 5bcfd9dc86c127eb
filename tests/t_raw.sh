#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Raw clients: .xsfs/xenbus is to a program what the server's own socket is, with as many clients as there are.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 xenstore-ls xenstore-watch xenstore-control

# Clients that are killed in the middle of what they do (1000 for a full run).
: "${XSFS_RAW_KILLED:=24}"
# Commands at once.
: "${XSFS_RAW_TOOLS:=32}"

# --- the xenstore-* commands ------------------------------------------------------------------------

# say CMD...: prints its output and how it ends.
say() {
	local status=0
	printf '$ %s\n' "$*"
	timeout --kill-after=2 "$XSFS_TEST_PATIENCE" "$@" 2>&1 || status=$?
	printf '= %d\n' "$status"
}

# short_session DIR: each kind of request once.
short_session() {
	local dir=$1
	say xenstore-write "$dir/a" 1 "$dir/b/c" 'two words'
	say xenstore-chmod "$dir/a" n1 r2
	say xenstore-ls -fp "$dir"
	say xenstore-rm "$dir/b"
	say xenstore-read "$dir/a" "$dir/b/c"
	say xenstore-exists "$dir"
	say xenstore-rm "$dir"
}

# session DIR: runs the commands one after the other, and prints their results.
session() {
	local dir=$1 command
	say xenstore-exists "$dir/a"
	say xenstore-write "$dir/a" 1 "$dir/b/c" 'two words' "$dir/b/empty" ''
	say xenstore-write -R "$dir/raw" $'\x01\xff%'
	say xenstore-exists "$dir/a"
	say xenstore-read "$dir/a" "$dir/b/c"
	say xenstore-read -p "$dir/a" "$dir/b/empty"
	say xenstore-read "$dir/raw"
	say xenstore-read -R "$dir/raw"
	say xenstore-read "$dir/none"
	say xenstore-list "$dir"
	say xenstore-list -p "$dir/b"
	say xenstore-list "$dir/none"
	say xenstore-chmod "$dir/a" n1 r2 w3
	say xenstore-chmod -r "$dir/b" b4
	say xenstore-chmod "$dir/none" n0
	say xenstore-chmod "$dir/a" x9
	say xenstore-ls -p "$dir"
	say xenstore-ls -fp "$dir"
	say xenstore-ls -f /
	say xenstore-rm "$dir/b/c" "$dir/raw"
	say xenstore-rm "$dir/none/at/all"
	say xenstore-rm -t "$dir/b/empty"
	say xenstore-write /bad//path x
	say xenstore-write "$dir/$(printf 'x%.0s' {1..4000})" x
	say xenstore-write "$dir/long" "$(printf 'v%.0s' {1..1900})"
	say xenstore-read "$dir/long"
	say xenstore-write "$dir/longer" "$(printf 'v%.0s' {1..5000})"
	say xenstore-write --
	say xenstore-ls "$dir"
	for command in help 'log off' 'print x' check logfile 'no such command'; do
		# shellcheck disable=SC2086 # words are wanted
		say xenstore-control $command
	done
	say xenstore-rm "$dir"
}

# via PATH CMD...: with that as the store.
via() {
	local path=$1
	shift
	XENSTORED_PATH=$path "$@"
}

test_tools() {
	local i jobs=()
	mount_xsfs "$STORE"
	via "$SERVER_SOCKET" session /t >"$SCRATCH/direct"
	via "$MNT/.xsfs/xenbus" session /t >"$SCRATCH/mounted"
	at_least "$(grep -c '^= 0' "$SCRATCH/direct")" 15 'the session does something'
	same "$SCRATCH/direct" "$SCRATCH/mounted" 'the commands say the same, byte for byte'
	# Many at once, each in a place of its own.
	via "$SERVER_SOCKET" short_session /t >"$SCRATCH/direct"
	for ((i = 0; i < XSFS_RAW_TOOLS; i++)); do
		via "$MNT/.xsfs/xenbus" short_session "/t$i" >"$SCRATCH/many.$i" &
		jobs+=("$!")
	done
	wait "${jobs[@]}"
	for ((i = 0; i < XSFS_RAW_TOOLS; i++)); do
		sed "s:/t$i\\b:/t:g" "$SCRATCH/many.$i" | diff "$SCRATCH/direct" - || echo "session $i"
	done >"$SCRATCH/other"
	is "$(<"$SCRATCH/other")" '' "$XSFS_RAW_TOOLS sessions at once say the same"

	# The same listing by all, of a tree that needs many requests.
	for i in {1..300}; do
		printf '%s\n' "/big/$((i % 7))/key$i" "value $i"
	done | xargs -d '\n' timeout "$XSFS_TEST_PATIENCE" env XENSTORED_PATH="$SERVER_SOCKET" xenstore-write
	xs ls -fp >"$SCRATCH/direct"
	jobs=()
	for ((i = 0; i < XSFS_RAW_TOOLS; i++)); do
		via "$MNT/.xsfs/xenbus" timeout "$XSFS_TEST_PATIENCE" xenstore-ls -fp >"$SCRATCH/many.$i" &
		jobs+=("$!")
	done
	wait "${jobs[@]}"
	for ((i = 0; i < XSFS_RAW_TOOLS; i++)); do
		cmp -s "$SCRATCH/direct" "$SCRATCH/many.$i" || echo "$i"
	done >"$SCRATCH/other"
	is "$(<"$SCRATCH/other")" '' "$XSFS_RAW_TOOLS xenstore-ls at once print the same"

	# xenstore-watch, on both; each ends after the same changes.
	for i in "$SERVER_SOCKET" "$MNT/.xsfs/xenbus"; do
		xs rm /w 2>/dev/null || true
		via "$i" timeout "$XSFS_TEST_PATIENCE" xenstore-watch -n 4 /w /w/below >"$SCRATCH/watch" 2>&1 &
		wait_for "$XSFS_TEST_PATIENCE" eval '(($(wc -l <"$SCRATCH/watch") == 2))'
		xs write /w/below/x 1
		wait "$!"
		mv "$SCRATCH/watch" "$SCRATCH/watch.$([[ $i == "$SERVER_SOCKET" ]] && echo direct || echo mounted)"
	done
	is "$(wc -l <"$SCRATCH/watch.direct")" 4 'xenstore-watch sees what it waits for'
	is "$(sort "$SCRATCH/watch.mounted")" "$(sort "$SCRATCH/watch.direct")" 'xenstore-watch says the same'
	comes_true "$XSFS_TEST_PATIENCE" 'no client is left' stat_is raw_clients 0
	comes_true 5 'no request is left' at_rest
	umount_xsfs
}

# --- every message type -----------------------------------------------------------------------------

test_types() {
	local main
	has_config HAVE_XEN || skip 'built without the ring transport: no guest'
	mount_xsfs "$STORE"
	main=$MNT
	xs write /local/domain/7 '' /local/domain/8 ''
	"$XSLOOP" domain "$SERVER_DIR" 8 4712
	XSFS_TEST_DOMID=8 mount_xsfs ring:domid=8,gfn=4712,events=unbound
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	"$XSLOOP" domain "$SERVER_DIR" 9 4713
	# Not that of the store before.
	rm -f "$SCRATCH/port"
	(
		eval "$(loop_env 9)"
		ASAN_OPTIONS=detect_leaks=0 exec python3 "$TEST_DIR/programs/raw_port.py" >"$SCRATCH/port"
	) &
	PIDS+=("$!")
	wait_for "$XSFS_TEST_PATIENCE" test -s "$SCRATCH/port"
	checked python3 "$TEST_DIR/programs/raw_kinds.py" "$main" "$SERVER_SOCKET" "$SERVER_KIND" 4713 \
		"$(<"$SCRATCH/port")" "$MNT"
}

# --- the same as the server -------------------------------------------------------------------------

test_same() {
	mount_xsfs "$STORE"
	xs write /s x
	checked python3 "$TEST_DIR/programs/raw_same.py" "$MNT" "$SERVER_SOCKET" "$SERVER_KIND"
	comes_true 5 'no client is left' stat_is raw_clients 0
	umount_xsfs
}

# --- a file of its own kind -------------------------------------------------------------------------

test_device() {
	mount_xsfs "$STORE" -o allow_other,uid=12345,gid=12345,umask=0
	checked python3 "$TEST_DIR/programs/raw_device.py" "$MNT" "$SERVER_SOCKET" "$SERVER_PID"
	not_for_others "$MNT/.xsfs/xenbus"
	comes_true 5 'no client is left' stat_is raw_clients 0
	comes_true 5 'nothing is left in flight' at_rest
	umount_xsfs
}

# --- libxenstore ------------------------------------------------------------------------------------

test_library() {
	mount_xsfs "$STORE"
	checked env XENSTORED_PATH="$MNT/.xsfs/xenbus" python3 "$TEST_DIR/programs/raw_library.py" "$SERVER_SOCKET" 4
	comes_true 5 'no client is left' stat_is raw_clients 0
	umount_xsfs
}

# --- death ------------------------------------------------------------------------------------------

test_killed() {
	start_traced
	mount_xsfs "$STORE" -o threads=4
	xs write /v/x 1
	checked python3 "$TEST_DIR/programs/raw_killer.py" "$MNT" "$XSFS_RAW_KILLED"
	comes_true "$XSFS_TEST_PATIENCE" 'no client is left' stat_is raw_clients 0
	comes_true "$XSFS_TEST_PATIENCE" 'nothing is left in flight' at_rest
	comes_true "$XSFS_TEST_PATIENCE" 'no transaction is left open' no_transaction_open
	at_least "$(transactions_seen)" "$XSFS_RAW_KILLED" 'of many'
	note "$(transactions_seen) transactions, $(stat_of abandoned) abandoned, $(stat_of raw_messages) messages"
	is "$(stat_of late_replies)" "$(stat_of abandoned)" 'a late reply for each abandoned request'
	is "$(stat_of raw_watches) $(stat_of raw_transactions)" '0 0' 'no watch, no transaction of a client'
	is "$(stat_of watches)" 0 'no watch in the server'
	is "$(stat_of reconnects)$(stat_of unknown_replies)$(stat_of timeouts)" 000 'the connection was never lost'
	umount_xsfs
}

test_guest() {
	has_config HAVE_XEN || skip 'built without the ring transport'
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7/domid 7
	xs chmod -r /local/domain/7 n7 >/dev/null
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	checked python3 "$TEST_DIR/programs/raw_quota.py" "$MNT" "$SERVER_KIND"
	is "$(via "$MNT/.xsfs/xenbus" timeout "$XSFS_TEST_PATIENCE" xenstore-read domid)" 7 'a relative path is below the own domain'
	is "$(via "$MNT/.xsfs/xenbus" timeout "$XSFS_TEST_PATIENCE" xenstore-write /local/domain/0/x 1 2>&1 || true)" \
		'xenstore-write: could not write path /local/domain/0/x' 'a guest stays one'
	umount_xsfs
}

# --- the server's death -----------------------------------------------------------------------------

test_reconnect() {
	local client status=0
	mount_xsfs "$STORE" -o timeout=10
	xs write /local/x 1
	rm -f "$SCRATCH/reconnect.log"
	PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 timeout "$XSFS_TEST_PATIENCE" \
		python3 "$TEST_DIR/programs/raw_reconnect.py" "$MNT" >"$SCRATCH/reconnect.log" 2>&1 &
	client=$!
	wait_for "$XSFS_TEST_PATIENCE" grep -q ready "$SCRATCH/reconnect.log"
	kill_server
	start_server "$SERVER_KIND"
	wait "$client" || status=$?
	checked cat "$SCRATCH/reconnect.log"
	is "$status" 0 'the client ends well'
	umount_xsfs
}

# --- a mount on a mount -----------------------------------------------------------------------------

test_nested() {
	local outer inner
	mount_xsfs "$STORE"
	outer=$MNT
	mount_xsfs "xenbus:$outer/.xsfs/xenbus"
	inner=$MNT
	is "$(stat_of raw_clients "$outer")" 17 'the transport opens it for each request in flight, and once for watches'
	mkdir "$inner/n"
	echo value >"$inner/n/key"
	is "$(value /n/key)" value 'written through both'
	for i in {1..50}; do echo "$i" >"$outer/n/k$i"; done
	is "$(cd "$inner" && grep -r . n | sort)" "$(cd "$outer" && grep -r . n | sort)" 'both show the same'
	mv "$inner/n" "$inner/moved"
	is "$(ls "$outer/moved" | wc -l)" 51 'a rename, in a transaction'
	fails ENOENT cat "$inner/n/key"
	exec 3<"$inner/moved/.watch"
	echo new >"$outer/moved/key"
	read -r -t "$XSFS_TEST_PATIENCE" line <&3
	is "$line" 'changed /moved/key' 'events come through both'
	exec 3<&-
	via "$SERVER_SOCKET" session /t >"$SCRATCH/direct"
	via "$inner/.xsfs/xenbus" session /t >"$SCRATCH/nested"
	same "$SCRATCH/direct" "$SCRATCH/nested" 'raw clients of the inner one are none the wiser'
	is "$(stat_of reconnects "$inner")$(stat_of unknown_replies "$inner")" 00 'the inner connection was never lost'
	umount_xsfs "$inner"
	MNT=$outer
	comes_true 5 'no client is left' stat_is raw_clients 0
	comes_true 5 'nothing is left in flight' at_rest
}

for_each_store test_tools
for_each_store test_types
for_each_store test_same
for_each_store test_device
for_each_store test_library
for_each_store test_killed
XSFS_TEST_TRANSPORT=socket for_each_store test_guest
XSFS_TEST_TRANSPORT=socket for_each_store test_reconnect
for_each_store test_nested
