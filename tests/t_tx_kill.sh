#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Processes are killed in the middle of transactions, at every step: none stays open in the server. By the
# server's own trace, and by what it still grants to a domain that may have ten.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires "$BUILD/tests/killtx" xenstore-write

# How many are killed, under each server and transport.
: "${XSFS_TX_KILLS:=100}"

kill_them() {
	local output
	if output=$(timeout --kill-after=2 $((120 + XSFS_TX_KILLS)) "$BUILD/tests/killtx" "$MNT" "$1" "$XSFS_TX_KILLS" 4 2>&1); then
		ok "$2: nothing else goes wrong"
	else
		not_ok "$2: nothing else goes wrong" "$output"
	fi
	note "$output"
	# On a busy machine most die before they have begun one.
	for _ in {1..20}; do
		(($(transactions_seen) < XSFS_TX_KILLS / 50)) || break
		timeout --kill-after=2 $((120 + XSFS_TX_KILLS)) "$BUILD/tests/killtx" "$MNT" "$1" "$XSFS_TX_KILLS" 4 >/dev/null || true
	done
	note "started $(stat_of requests_TRANSACTION_START), abandoned $(stat_of abandoned), conflicts $(stat_of transaction_conflicts)"
	comes_true "$XSFS_TEST_PATIENCE" "$2: the mount has none" stat_is transactions 0
	comes_true "$XSFS_TEST_PATIENCE" "$2: and is at rest" at_rest
	comes_true "$XSFS_TEST_PATIENCE" "$2: the server has none" no_transaction_open
	at_least "$(transactions_seen)" $((XSFS_TX_KILLS / 50)) "$2: it had some"
}

test_kill() {
	local fd fds=()
	start_traced
	xs write /tx/0 0
	mount_xsfs "$STORE"
	kill_them /tx 'killed'
	# It stops, longer than an interrupted operation is waited for: answers come late.
	stutter_start
	XSFS_TX_KILLS=$((XSFS_TX_KILLS / 4)) kill_them /tx 'killed while the store stutters'
	stutter_stop
	comes_true "$XSFS_TEST_PATIENCE" 'afterwards there is none' no_transaction_open
	umount_xsfs

	[[ $STORE == ring ]] || return 0
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7/tx/0 0
	xs chmod -r /local/domain/7 n7
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound -o root=/local/domain/7
	kill_them /tx 'a guest, killed'
	for _ in {1..10}; do
		exec {fd}<>"$MNT/.xsfs/transaction" || break
		fds+=("$fd")
	done
	is "${#fds[@]}" 10 'a guest: it can have ten then, all that it may'
	for fd in "${fds[@]}"; do
		exec {fd}>&-
	done
	umount_xsfs
}

for_each_store test_kill
