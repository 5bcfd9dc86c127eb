#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# .xsfs/metrics: others' parsers read it, it says what happened, and it has the figures of .xsfs/stats. The recipes
# that use it are in t_monitoring.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/metrics.sh"
requires perl xenstore-write

# metric NAME [LABEL=VALUE]...: prints that sample of the mount, as sample() does.
metric() {
	bounded cat "$MNT/.xsfs/metrics" >"$SCRATCH/metrics"
	sample "$SCRATCH/metrics" "$@"
}

# metric_is NAME VALUE [LABEL=VALUE]...
metric_is() {
	[[ $(metric "$1" "${@:3}") == "$2" ]]
}

# requests_wait: some were sent and not answered.
requests_wait() {
	(($(metric xsfs_requests_in_flight) > 0))
}

# grows_by NUMBER NAME METRIC [LABEL=VALUE]... -- CMD...: CMD may fail.
grows_by() {
	local number=$1 name=$2 what=() before after
	shift 2
	while [[ $1 != -- ]]; do
		what+=("$1")
		shift
	done
	before=$(metric "${what[@]}")
	bounded "${@:2}" >"$SCRATCH/output" 2>&1 || true
	after=$(metric "${what[@]}")
	# Events that never happened have no sample.
	is "$((${after/none/0} - ${before/none/0}))" "$number" "$name"
}

# The parser sees all that stats has, each with a help line, and the same numbers.
same_as_stats() {
	local name value found
	bounded cat "$MNT/.xsfs/metrics" >"$SCRATCH/metrics"
	like "$("$PYTHON" "$TEST_DIR/openmetrics.py" "$SCRATCH/metrics" 2>&1)" \
		"xsfs_mount info*xsfs_reconnects counter*xsfs_request_duration_seconds histogram*" \
		'the parser finds every family in order, and with a help line'
	while read -r name value; do
		case $name in
		# Each look is an operation with an open file, and the loop looks for answers.
		fuse_operations | fuse_operations_now | open_files | inodes | transport_recv_calls) continue ;;
		root | transport | state | latency_*) continue ;;
		transport_*) found=$(sample "$SCRATCH/metrics" xsfs_transport "figure=${name#transport_}") ;;
		requests_*) found=$(sample "$SCRATCH/metrics" xsfs_requests_total "type=${name#requests_}") ;;
		errors) found=$(sample "$SCRATCH/metrics" xsfs_request_errors_total) ;;
		*)
			found=$(sample "$SCRATCH/metrics" "xsfs_$(metric_of "$name")")
			[[ $found != none ]] || found=$(sample "$SCRATCH/metrics" "xsfs_$(metric_of "$name")_total")
			;;
		esac
		is "$found" "$value" "the same as $name of stats"
	done <"$MNT/.xsfs/stats"
	is "$(metric xsfs_mount_info root=/ "transport=$(sed -n 's/^transport //p' "$MNT/.xsfs/stats")")" 1 \
		'what is mounted, over what'
	is "$(metric xsfs_connection_state xsfs_connection_state=connected)$(metric xsfs_connection_state)" 11 \
		'one state, which is connected'
}

# metric_of STAT: prints its name in the metrics.
metric_of() {
	case $1 in
	bytes_sent) echo sent_bytes ;;
	bytes_received) echo received_bytes ;;
	completed | refused | abandoned | in_flight | queued) echo "requests_$1" ;;
	in_flight_high | queued_high) echo "requests_${1}est" ;;
	timeouts) echo request_timeouts ;;
	events) echo watch_events ;;
	fuse_interrupted) echo operations_interrupted ;;
	*) echo "$1" ;;
	esac
}

# Each read of the metrics is two reads of a file: text, and its end.
own_reads() {
	local before
	before=$(metric xsfs_operations_total operation=read)
	echo $(($(metric xsfs_operations_total operation=read) - before))
}

operations() {
	local own
	xs write /tool/key value
	own=$(own_reads)
	grows_by $((own + 5)) 'operations are counted by kind' xsfs_operations_total operation=read -- \
		perl -e 'for (1 .. 5) { open(my $f, "<", $ARGV[0]) or die; sysread($f, my $x, 100) or die }' "$MNT/tool/key"
	grows_by 5 'and how long the store took for them' xsfs_operation_duration_seconds_count operation=read -- \
		perl -e 'for (1 .. 5) { open(my $f, "<", $ARGV[0]) or die; sysread($f, my $x, 100) or die }' "$MNT/tool/key"
	grows_by 1 'requests, by type' xsfs_requests_total type=WRITE -- bash -c 'echo x >"$1"' - "$MNT/tool/key"
	grows_by 1 'and their latency' xsfs_request_duration_seconds_count type=WRITE -- \
		bash -c 'echo x >"$1"' - "$MNT/tool/key"
	grows_by 1 'errors of operations, by errno' xsfs_operation_errors_total errno=ENOENT -- cat "$MNT/tool/none"
	grows_by 2 'errors of the store' xsfs_request_errors_total errno=ENOENT -- cat "$MNT/tool/none"
	grows_by 0 'and no others' xsfs_operation_errors_total errno=EACCES -- cat "$MNT/tool/none"
	grows_by 1 'an error that the store is not asked for' xsfs_operation_errors_total errno=EPERM -- \
		rmdir "$MNT/.xsfs"
	grows_by 1 'refused transactions' xsfs_transaction_conflicts_total -- conflict
	is "$open" 1 'open transactions'
}

conflict() {
	local fd name
	exec {fd}<>"$MNT/.xsfs/transaction"
	read -r name <&"$fd"
	[[ $(<"$MNT/.xsfs/tx/$name/tool/key") ]]
	# Looked at below: what is said here is not seen.
	open=$(metric xsfs_transactions)
	xs write /tool/key other
	echo mine >"$MNT/.xsfs/tx/$name/tool/key"
	echo commit >&"$fd"
	exec {fd}>&-
}

# A waiting operation is counted while it waits, and its wait is not counted as latency of the store.
waiting() {
	local pid count
	metric_is xsfs_polls 0 || not_ok 'no poll yet' "$(metric xsfs_polls)"
	timeout "$XSFS_TEST_PATIENCE" "$BUILD/src/xsfs-wait" -m "$MNT" /tool/key last &
	pid=$!
	PIDS+=("$pid")
	comes_true 20 'a poll that waits' metric_is xsfs_polls 1
	xs write /tool/key last
	wait "$pid"
	is "$(metric xsfs_polls)" 0 'and no longer does'
	at_least "$(metric xsfs_poll_notifications_total)" 1 'as it was notified'

	count=$(metric xsfs_operation_duration_seconds_count operation=read)
	# shellcheck disable=SC2016 # the dollars are the inner shell's
	timeout "$XSFS_TEST_PATIENCE" bash -c 'read -r line <"$1"; echo "$line"' - "$MNT/tool/.watch" >"$SCRATCH/line" &
	pid=$!
	PIDS+=("$pid")
	comes_true 20 'a stream' metric_is xsfs_streams 1
	# One operation is the read of the metrics themselves.
	comes_true 20 'whose reader waits' metric_is xsfs_operations_in_flight 2
	xs write /tool/key event
	wait "$pid"
	is "$(<"$SCRATCH/line")" 'changed /tool/key' 'it has an event'
	is "$(metric xsfs_operation_duration_seconds_count operation=read)" "$count" \
		'and what it waited for is not counted as the time of the store'
}

# Operations that hang can be seen while they do.
silent() {
	local pid
	kill -s STOP "$SERVER_PID"
	cat "$MNT/tool/key" >/dev/null 2>"$SCRATCH/error" &
	pid=$!
	PIDS+=("$pid")
	comes_true 20 'a store that says nothing: requests in flight' requests_wait
	wait "$pid" || true
	like "$(<"$SCRATCH/error")" "*${ERRNO_TEXT[ETIMEDOUT]}*" 'its operation times out'
	is "$(metric xsfs_request_errors_total errno=ETIMEDOUT)" "$(metric xsfs_request_timeouts_total)" \
		'and is counted as that'
	at_least "$(metric xsfs_operation_errors_total errno=ETIMEDOUT)" 1 'with the operation'
	kill -s CONT "$SERVER_PID"
	comes_true 20 'nothing is left in flight' metric_is xsfs_requests_in_flight 0
}

lost() {
	kill_server
	comes_true 20 'a connection that is lost' metric_is xsfs_connection_state 1 xsfs_connection_state=connecting
	start_server "$SERVER_KIND"
	comes_true 20 'and made again' metric_is xsfs_reconnects_total 1
	is "$(metric xsfs_connection)$(metric xsfs_connection_state xsfs_connection_state=connected)" 21 \
		'is the second one'
}

# Prometheus itself reads it, if it is told when the samples were taken.
prometheus() {
	if [[ ! -x $PROMTOOL ]]; then
		skip_one 'Prometheus reads it' 'no promtool'
		return 0
	fi
	bounded cat "$MNT/.xsfs/metrics" >"$SCRATCH/metrics"
	sed '/^#/!s/$/ 1700000000/' "$SCRATCH/metrics" >"$SCRATCH/timed"
	mkdir -p "$SCRATCH/blocks"
	succeeds 'Prometheus reads it' "$PROMTOOL" tsdb create-blocks-from openmetrics "$SCRATCH/timed" "$SCRATCH/blocks"
	# That it would say what is wrong:
	sed -i '$d' "$SCRATCH/timed"
	if bounded "$PROMTOOL" tsdb create-blocks-from openmetrics "$SCRATCH/timed" "$SCRATCH/blocks" >/dev/null 2>&1; then
		not_ok 'and would not without its end'
	else
		ok 'and would not without its end'
	fi
}

test_metrics() {
	mount_xsfs "$STORE" -o timeout=2
	comes_true 20 'it is at rest' at_rest
	operations
	waiting
	comes_true 20 'it is at rest again' at_rest
	same_as_stats
	prometheus
	fails EACCES bash -c 'echo x >"$1"' - "$MNT/.xsfs/metrics"
	is "$(stat -c '%A %s' "$MNT/.xsfs/metrics" | cut -c 1-11)" '-r-------- ' 'a file that is only read'
	silent
	[[ $STORE != socket ]] || lost
	umount_xsfs
}
for_each_store test_metrics
