# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Helpers of the tests under load: the counters of a mount, open transactions as the server saw them, and
# the processes of hold.c. Sourced after functions.sh.

# Both ways to read /dev/fuse, unless the one who runs the test wants one.
: "${XSFS_TEST_THREADS:=1 4}"

# stat_is NAME VALUE [MOUNT]
stat_is() {
	[[ $(stat_of "$1" "${3:-$MNT}") == "$2" ]]
}

# state_is STATE: of the connection.
state_is() {
	grep -q "^state $1\$" "$MNT/.xsfs/stats"
}

# at_rest: nothing is in flight, and no operation under way but the read that asks.
at_rest() {
	stat_is in_flight 0 && stat_is queued 0 && stat_is fuse_operations_now 1
}

# requests: those sent to the store so far, asking for which needs none.
requests() {
	awk '/^requests_/ { n += $2 } END { print n + 0 }' "$MNT/.xsfs/stats"
}

# kernel_memory: what changes when the kernel forgets something, because memory is short, or because it is told that
# it is stale, perhaps once more.
kernel_memory() {
	awk '$1 == "inodes" || $1 == "invalidations"' "$MNT/.xsfs/stats"
}

# remembers CMD...: runs what makes the kernel remember the names and attributes that it needs for asks().
remembers() {
	REMEMBERS=("$@")
	"$@" >/dev/null 2>&1
	KERNEL_MEMORY=$(kernel_memory)
}

# asks NUMBER NAME CMD...: CMD takes so many requests to the store, after remembers(). If it takes more because the
# kernel has forgotten something since, all of that is done again.
asks() {
	local number=$1 name=$2 before count
	shift 2
	for _ in {1..20}; do
		before=$(requests)
		"$@" >/dev/null 2>&1 || true
		count=$(($(requests) - before))
		((count > number)) && [[ $(kernel_memory) != "$KERNEL_MEMORY" ]] || break
		remembers "${REMEMBERS[@]}"
	done
	is "$count" "$number" "$name"
}

# asks_nothing CMD...: CMD takes no request.
asks_nothing() {
	local before
	before=$(requests)
	"$@" >/dev/null 2>&1
	[[ $(requests) == "$before" ]]
}

# comes_true SECONDS NAME CMD...: an assertion that CMD succeeds before the time is over.
comes_true() {
	local seconds=$1 name=$2
	shift 2
	if wait_for "$seconds" "$@"; then
		ok "$name"
	else
		not_ok "$name" "$(timeout 5 cat "$MNT/.xsfs/stats" 2>&1)"
	fi
}

# at_least NUMBER MINIMUM NAME and at_most NUMBER MAXIMUM NAME
at_least() {
	if ((${1:-0} >= $2)); then
		ok "$3"
	else
		not_ok "$3" "${1:-nothing}, which is less than $2"
	fi
}

at_most() {
	if [[ $1 ]] && (($1 <= $2)); then
		ok "$3"
	else
		not_ok "$3" "${1:-nothing}, which is more than $2"
	fi
}

# ask REQUEST [MOUNT]: prints the answer to what is written to .xsfs/control.
ask() {
	local fd
	exec {fd}<>"${2:-$MNT}/.xsfs/control"
	echo "$1" >&"$fd"
	timeout "$XSFS_TEST_PATIENCE" cat <&"$fd"
	exec {fd}>&-
}

# start_traced: starts the server of for_each_store anew, so that it writes down what it does.
start_traced() {
	TRACE=$SERVER_DIR/trace
	stop_server
	if [[ $SERVER_KIND == c ]]; then
		start_server c -T "$TRACE"
	else
		start_server o -T "$TRACE" --set access-log-transactions-ops=true \
			--set access-log-read-ops=true --set access-log-nb-lines=100000000
	fi
}

# xenstored_started: how many transactions xenstored has made, by its trace. That of Xen 4.17 has only its answers,
# with the number; that of later ones a line that begins with "obj: ".
xenstored_started() {
	local made
	made=$(grep -c -E '^(obj: )?CREATE transaction' "$TRACE") || made=$(grep -c ' TRANSACTION_START ([0-9]' "$TRACE") || made=0
	printf '%s\n' "$made"
}

# transactions_open: how many the server of start_traced has, by its trace. xenstored writes a line for
# each that it drops, for whatever reason. oxenstored plays a transaction again before it commits it, as
# "r(ID):CONNECTION"; if it finds a conflict then, its line of that start is followed by none of the end.
transactions_open() {
	if [[ $SERVER_KIND == c ]]; then
		echo $(($(xenstored_started) - $(grep -c -E '^(obj: )?DESTROY transaction' "$TRACE")))
	else
		grep -v ' r([0-9]*):' "$TRACE" | awk '/ t start/ { n++ } / t end/ { n-- } END { print n + 0 }'
	fi
}

transactions_seen() {
	if [[ $SERVER_KIND == c ]]; then
		xenstored_started
	else
		grep -c ' t start' "$TRACE"
	fi
}

no_transaction_open() {
	[[ $(transactions_open) == 0 ]]
}

# stutter_start: the server stops again and again, longer than an interrupted operation is waited for.
stutter_start() {
	(
		trap - ERR
		while kill -s STOP "$SERVER_PID"; sleep 0.014; kill -s CONT "$SERVER_PID"; do
			sleep 0.003
		done
	) 2>/dev/null &
	STUTTER_PID=$!
	PIDS+=("$STUTTER_PID")
}

stutter_stop() {
	end_process "$STUTTER_PID"
	kill -s CONT "$SERVER_PID"
}

# cpu_ms PID: the processor time that all its threads have used, in milliseconds.
cpu_ms() {
	cat "/proc/$1/task/"*/schedstat | awk '{ ns += $1 } END { printf "%d\n", ns / 1000000 }'
}

# flood PATH WRITES KEYS: see watchers.c.
flood() {
	local output
	output=$(XENSTORED_PATH=$SERVER_SOCKET timeout --kill-after=2 300 "$BUILD/tests/watchers" flood "$@" 2>&1) ||
		{ note "flood: $output"; return 1; }
}

# hold_start RENAMERS UNLINKERS READERS: starts hold.c below the mount and waits until it is at work.
hold_start() {
	local answer
	# The last one has said its last word, but bash wants to see its end.
	[[ ! ${HOLD_WAS:-} ]] || end_process "$HOLD_WAS"
	coproc HOLD { exec "$BUILD/tests/hold" "$MNT/hold" "$@" 2>&1; }
	HOLD_WAS=$HOLD_PID
	PIDS+=("$HOLD_PID")
	read -r -t "$XSFS_TEST_PATIENCE" answer <&"${HOLD[0]}"
	[[ $answer == ready ]] || { note "hold: $answer"; return 1; }
}

# hold_say COMMAND...: sets ANSWER.
hold_say() {
	printf '%s\n' "$*" >&"${HOLD[1]}"
	ANSWER='no answer'
	read -r -t "$XSFS_TEST_PATIENCE" ANSWER <&"${HOLD[0]}" || true
}

# of_answer NAME: a number of ANSWER.
of_answer() {
	sed -n "s/.*\\b$1 \\([0-9]*\\).*/\\1/p" <<<"$ANSWER"
}

# hold_timed COMMAND...: sets TOOK too, in milliseconds.
hold_timed() {
	local begin=${EPOCHREALTIME/[.,]/}
	hold_say "$@"
	# shellcheck disable=SC2034 # who calls it reads it
	TOOK=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
}

# hold_inside RENAMERS READERS: returns whether that many are inside their system call.
hold_inside() {
	local inside
	hold_say blocked
	read -r -a inside <<<"$ANSWER"
	((inside[0] >= $1 && inside[2] >= $2))
}

# not_for_others FILE: assertions that nobody but root can open it, on a mount with allow_other,uid=12345.
not_for_others() {
	chmod 711 "$SCRATCH"
	fails EACCES setpriv --reuid=12345 --clear-groups bash -c ': <>"$1"' - "$1"
	fails EACCES setpriv --reuid=54321 --clear-groups bash -c ': <"$1"' - "$1"
}
