#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# As t_history, while in the middle of each history the server is replaced or killed, or a mount's daemon is killed
# and the next one mounts at its place. What was acknowledged holds; what failed because of
# that may have happened or not, as a whole.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/histories.sh"
requires "$BUILD/tests/histories" xenstore-write

# Histories with each disaster under each server and transport, without a cache and with cache=meta (300 for a full run).
# In one of four somebody surely waits for the one that dies.
: "${XSFS_HISTORIES_CRASHED:=4}"
: "${XSFS_HISTORY_SEED:=$((EPOCHSECONDS * 100000))}"
# Of update, anew, mount (history/disaster.c) these only.
: "${XSFS_HISTORY_DISASTERS:=update anew mount}"

REFUSED=${XSFS_HISTORY_DIR:-$SCRATCH/refused}
mkdir -p "$REFUSED"

# Each mount's place and process; number 0 comes over the transport, 1 over the socket.
DIRS=() DAEMONS=()

# mount_number N: mounts it where it was before.
mount_number() {
	local number=$1 by=socket:$SERVER_SOCKET
	[[ $STORE/$number != ring/0 ]] || by=ring:domid=0,gfn=0
	: >"$SCRATCH/mount.$number.log"
	(
		[[ $by != ring* ]] || eval "$(loop_env)"
		# shellcheck disable=SC2086 # the wrapper may have arguments
		exec $XSFS_TEST_WRAPPER "$XSFS" "$by" "${DIRS[number]}" -f -o "threads=$((4 - 3 * number)),cache=$CACHE,timeout=600"
	) >>"$SCRATCH/mount.$number.log" 2>&1 </dev/null &
	DAEMONS[number]=$!
	PIDS+=("$!")
	disown "$!"
	wait_for "$XSFS_TEST_PATIENCE" grep -q ' mounted on ' "$SCRATCH/mount.$number.log"
}

# all_connected: each mount uses the server that there is.
all_connected() {
	grep -q '^state connected$' "${DIRS[0]}/.xsfs/stats" && grep -q '^state connected$' "${DIRS[1]}/.xsfs/stats"
}

# both_reconnected COUNT COUNT: since they had made so many connections anew.
both_reconnected() {
	(($(stat_of reconnects "${DIRS[0]}") > $1 && $(stat_of reconnects "${DIRS[1]}") > $2)) && all_connected
}

# restart: another server begins when this one, which has got its signal, has ended. It has no nodes, as neither keeps
# any beyond its life, but for an update. (oxenstored would read with --restart what it wrote at SIGTERM, but does not
# live long where clients were connected before.)
restart() {
	local before=("$(stat_of reconnects "${DIRS[0]}")" "$(stat_of reconnects "${DIRS[1]}")")
	wait_for "$XSFS_TEST_PATIENCE" dead "$SERVER_PID" || return 1
	start_server "$SERVER_KIND" && wait_for "$XSFS_TEST_PATIENCE" both_reconnected "${before[@]}"
}

# victim DISASTER MOUNT: prints the process that is to get a signal.
victim() {
	if [[ $1 == mount ]]; then
		echo "${DAEMONS[$2]}"
	else
		echo "$SERVER_PID"
	fi
}

# strike DISASTER MOUNT: it happens, or has begun by that signal, and all come back.
strike() {
	case $1 in
	update)
		XENSTORED_PATH=$SERVER_SOCKET timeout --kill-after=2 "$XSFS_TEST_PATIENCE" \
			"${SERVER_PROGRAM%/*}/xenstore-control" live-update "$SERVER_PROGRAM"
		;;
	anew) restart ;;
	mount)
		wait_for "$XSFS_TEST_PATIENCE" dead "${DAEMONS[$2]}" && mount_number "$2"
		;;
	esac >>"$SCRATCH/strikes" 2>&1
}

# record ARGS...: sets SAID.
record() {
	local line in out disaster number answer
	coproc HISTORIES { exec "$BUILD/tests/histories" "$@" run 2>&1; }
	PIDS+=("$HISTORIES_PID")
	exec {in}<&"${HISTORIES[0]}" {out}>&"${HISTORIES[1]}"
	SAID=
	while read -r -t "$((2 * XSFS_TEST_PATIENCE))" line <&"$in"; do
		if [[ $line == victim\ * ]]; then
			read -r _ disaster number <<<"$line"
			answer="pid $(victim "$disaster" "$number")"
		elif [[ $line == strike\ * ]]; then
			read -r _ disaster number <<<"$line"
			if strike "$disaster" "$number"; then
				STRUCK=$((STRUCK + 1))
				answer='done'
			else
				answer="failed: $(tail -n 3 "$SCRATCH/strikes" "$SCRATCH"/mount.*.log | paste -sd ' ')"
			fi
		else
			SAID+=$line$'\n'
			continue
		fi
		# It may have ended meanwhile, and said why.
		(echo "$answer" >&"$out") || true
	done
	exec {in}<&- {out}>&-
}

# crashes DISASTER: so many histories with it.
crashes() {
	local disaster=$1 cached=() allowed=()
	[[ $CACHE != meta ]] || cached=(-c)
	[[ $SERVER_KIND == c ]] || allowed=(-a skew)
	STRUCK=0
	# Names of its own: mounts remember what they made.
	record -d "$disaster" -b "/history-$disaster" -m "${DIRS[0]}" -m "${DIRS[1]}" -s "$SERVER_SOCKET" -o "$REFUSED" -S "$XSFS_HISTORY_SEED" \
		-n "$XSFS_HISTORIES_CRASHED" "${cached[@]}" "${allowed[@]}" -R 3
	are_linearizable "$disaster, cache=$CACHE" -eq "$XSFS_HISTORIES_CRASHED"
	is "$STRUCK" "$XSFS_HISTORIES_CRASHED" "$disaster, cache=$CACHE: it happened in each"
	# What the kernel answers is not lost.
	[[ $CACHE == meta ]] || at_least "$(word met)" 1 "$disaster: operations were under way"
	[[ $CACHE/$disaster == meta/* || $disaster == update ]] ||
		at_least "$(word lost)" 1 "$disaster: and were lost"
}

test_crashes() {
	local disaster number
	SERVER_PROGRAM=$(server_binary "$SERVER_KIND")
	for CACHE in off meta; do
		for number in 0 1; do
			DIRS[number]=$(mktemp -d "$SCRATCH/mnt.XXXXXX")
			MOUNTS+=("${DIRS[number]}")
			mount_number "$number"
		done
		for disaster in $XSFS_HISTORY_DISASTERS; do
			case $disaster/$STORE in
			# A ring does not tell that its server has died, and the mount may never know: t_kills has that.
			anew/ring) continue ;;
			update/*)
				[[ -x ${SERVER_PROGRAM%/*}/xenstore-control ]] || {
					skip_one update "no ${SERVER_PROGRAM%/*}/xenstore-control"
					continue
				}
				;;
			esac
			crashes "$disaster"
		done
		for number in 0 1; do
			umount "${DIRS[number]}"
			wait_for "$XSFS_TEST_PATIENCE" dead "${DAEMONS[number]}"
		done
	done
}

for_each_store test_crashes
