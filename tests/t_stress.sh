#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Many processes read, write, create, rename and remove through two mounts of one store, while the
# xenstore-* commands do the same: no write is lost, no value is wrong, nothing fails.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires xenstore-read xenstore-write xenstore-rm xenstore-list "$BUILD/tests/stress"

# Under each server and transport; XSFS_STRESS_SECONDS=60 is the full minute.
: "${XSFS_STRESS_SECONDS:=15}"
[[ -z $XSFS_TEST_QUICK ]] || XSFS_STRESS_SECONDS=4

# run_stress THREADS SECONDS
run_stress() {
	local threads=$1 seconds=$2 other other_pid status=0 output
	mount_xsfs socket:"$SERVER_SOCKET" -o "threads=$threads"
	other=$MNT other_pid=$MOUNT_PID
	mount_xsfs "$STORE" -o "threads=$threads"
	output=$(XENSTORED_PATH=$SERVER_SOCKET timeout --kill-after=2 $((seconds + XSFS_TEST_PATIENCE)) \
		"$BUILD/tests/stress" -s "$seconds" -w 14 -c 2 "$MNT/stress" "$other/stress" /stress 2>&1) ||
		status=$?
	is "$status" 0 "threads=$threads: no lost write, no wrong value, no error"
	note "$output"
	local lines
	lines=$(for ((i = 0; i < 64; i++)); do xs read -R "/stress/shared/c$i"; echo; done | grep -c .)
	is "$lines" "$(awk '$1 == "appends" { print $2 }' <<<"$output")" \
		"threads=$threads: the store has every line that was appended"
	if (($(stat_of in_flight_high) >= 4)); then
		ok "threads=$threads: many requests were in flight"
	else
		not_ok "threads=$threads: many requests were in flight" "$(cat "$MNT/.xsfs/stats")"
	fi
	if (($(stat_of transaction_retries) + $(stat_of transaction_retries "$other") > 0)); then
		ok "threads=$threads: there were conflicts"
	else
		not_ok "threads=$threads: there were conflicts" "$(cat "$MNT/.xsfs/stats")"
	fi
	is "$(stat_of reconnects)$(stat_of timeouts)$(stat_of unknown_replies)" 000 \
		"threads=$threads: the connection was one, and in order"
	if wait_for 5 at_rest; then
		ok "threads=$threads: nothing is left open or in flight"
	else
		not_ok "threads=$threads: nothing is left open or in flight" "$(cat "$MNT/.xsfs/stats")"
	fi
	note "$(grep -E '^(in_flight_high|queued_high|transaction_retries|latency|inodes)' "$MNT/.xsfs/stats")"
	umount_xsfs
	umount "$other"
	wait "$other_pid"
}

test_stress() {
	local threads list
	read -r -a list <<<"$XSFS_TEST_THREADS"
	for threads in "${list[@]}"; do
		run_stress "$threads" $(((XSFS_STRESS_SECONDS + ${#list[@]} - 1) / ${#list[@]}))
	done
}
for_each_store test_stress
