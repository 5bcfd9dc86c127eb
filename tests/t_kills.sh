#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clients, daemons and the server are killed at random, under load: what was acknowledged is in the store, nothing wrong
# is read, and nothing stays behind.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires "$BUILD/tests/killer" xenstore-write xenstore-watch

# Under all servers and transports together, each kind of death under each at least once; 1800 is the full half hour.
: "${XSFS_KILL_SECONDS:=10}"

# The home of the domain whose ring it is. The other mount shows the same part of the store.
HOME_NODE=/local/domain/7

# What a daemon may have more than at its start, in KiB: what libraries keep, and events that are remembered.
SLACK_KIB=16384

# Each mount's place and process, and the descriptors and memory that this had when it was at rest for the first time.
DIRS=() DAEMONS=() FDS=() RSS=()

# say COMMAND...: to killer.c; sets ANSWER.
say() {
	ANSWER='no answer'
	if [[ ! ${KILLER[1]:-} ]]; then
		note "$(tail -n 5 "$SCRATCH/wrong")"
		return 1
	fi
	printf '%s\n' "$*" >&"${KILLER[1]}"
	read -r -t "$((3 * XSFS_TEST_PATIENCE))" ANSWER <&"${KILLER[0]}" || true
}

# count NAME: of ANSWER.
count() {
	sed -n "s/.*\\b$1 \\([0-9]*\\).*/\\1/p" <<<"$ANSWER"
}

fd_count() {
	find "/proc/$1/fd" -mindepth 1 | wc -l
}

rss_kib() {
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"
}

# make_home: what the toolstack makes for the domain, in a server that has just started.
make_home() {
	xs write "$HOME_NODE" ''
	[[ $STORE == ring ]] || return 0
	"$XSLOOP" domain "$SERVER_DIR" 7 4711 2>/dev/null || true
	xs chmod "$HOME_NODE" n7
}

# mount_number N: mounts it where it was before. The first one comes over the ring, if there is one.
mount_number() {
	local number=$1 by=socket:$SERVER_DIR/public patience=600
	[[ $STORE/$number != ring/0 ]] || by=ring:domid=7,gfn=4711,events=unbound patience=2
	: >"$SCRATCH/mount.$number.log"
	(
		[[ $by != ring* ]] || eval "$(loop_env 7)"
		# shellcheck disable=SC2086 # the wrapper may have arguments
		exec $XSFS_TEST_WRAPPER "$XSFS" "$by" "${DIRS[number]}" -f \
			-o "root=$HOME_NODE,cache=${XSFS_TEST_CACHE:-off},threads=$((1 + 3 * number)),timeout=$patience"
	) >>"$SCRATCH/mount.$number.log" 2>&1 </dev/null &
	DAEMONS[number]=$!
	PIDS+=("$!")
	disown "$!"
	FDS[number]='' RSS[number]=''
	wait_for "$XSFS_TEST_PATIENCE" grep -q ' mounted on ' "$SCRATCH/mount.$number.log" ||
		fault "mount $number did not come back: $(tail -n 5 "$SCRATCH/mount.$number.log")"
	# Whatever was begun on the ring before is forgotten, which the trace of oxenstored does not say. Nor is a
	# transaction counted that somebody begins in the moment before this line.
	[[ $STORE/$number != ring/0 ]] || RING_SINCE=$(wc -l <"$TRACE")
}

# fault TEXT...: something is not as it has to be. They are counted, as the number of rounds is chance.
fault() {
	printf '%s\n' "round $ROUND ($DISASTER): $*" >>"$SCRATCH/faults"
	note "round $ROUND ($DISASTER): $*"
}

# no_faults WORD NAME: an assertion that there was none with that word.
no_faults() {
	is "$(grep -c -- "$1" "$SCRATCH/faults" || true)" 0 "$2"
}

# --- who dies -------------------------------------------------------------------------------------

kill_daemon() {
	say dying "mount$1"
	kill -s KILL "${DAEMONS[$1]}"
	wait_for "$XSFS_TEST_PATIENCE" dead "${DAEMONS[$1]}" || fault "daemon $1 does not die"
	mount_number "$1"
	say back "mount$1"
}

# ring_port: the domain's end of its ring's event channel.
ring_port() {
	"$XSLOOP" ports "$SERVER_DIR" | sed -n 's/^ *\([0-9]*\): domain 7, handle [0-9]*,.*/\1/p' | head -n 1
}

server_dies() {
	say dying store
	kill_server
	# oxenstored would go on in the middle of a request that the dead one had begun to read, and nothing would tell the
	# mount that its watches are gone: it has to ask for a new connection first.
	[[ $STORE/$SERVER_KIND/${1:-} != ring/o/lived ]] || wait_for "$XSFS_TEST_PATIENCE" asks_for_a_connection ||
		fault 'the ring is not given up'
}

# asks_for_a_connection: the mount of the ring does, after some requests without an answer.
asks_for_a_connection() {
	timeout 10 ls "${DIRS[0]}" >/dev/null 2>&1 || true
	grep -q '^state connecting$' "${DIRS[0]}/.xsfs/stats"
}

# server_starts: with nothing of what it had. No mount finds it before the domain has its home, so that nobody else makes
# a part of that.
server_starts() {
	RING_SINCE=0
	rm -f "$SERVER_DIR/trace" "$SERVER_DIR/public"
	start_traced
	make_home
	ln -s socket "$SERVER_DIR/public"
}

# server_returns: to mounts that live.
server_returns() {
	local port
	[[ $STORE != ring ]] || port=$(ring_port)
	server_starts
	[[ $STORE != ring ]] || "$XSLOOP" introduce "$SERVER_DIR" 7 4711 "$port" || fault 'the ring is not introduced'
	wait_for "$XSFS_TEST_PATIENCE" all_connected || fault "not connected: $(timeout 5 cat "${DIRS[0]}/.xsfs/stats" 2>&1)"
	say back store
}

# all_connected: each mount uses the server that there is. A ring has to be asked to notice.
all_connected() {
	local dir
	for dir in "${DIRS[@]}"; do
		timeout 10 ls "$dir" >/dev/null 2>&1 && grep -q '^state connected$' "$dir/.xsfs/stats" || return 1
	done
}

both_dead() {
	dead "${DAEMONS[0]}" && dead "${DAEMONS[1]}"
}

disaster() {
	case $1 in
	clients) ;;
	ring-daemon) kill_daemon 0 ;;
	daemon) kill_daemon 1 ;;
	server)
		server_dies lived
		server_returns
		;;
	server-alone)
		# Whoever waits for it dies when killed.
		server_dies lived
		held
		server_returns
		say go
		;;
	all)
		server_dies
		say dying mount0
		say dying mount1
		kill -s KILL "${DAEMONS[@]}"
		wait_for "$XSFS_TEST_PATIENCE" both_dead || fault 'a daemon does not die'
		server_starts
		mount_number 0
		mount_number 1
		say back mount0
		say back mount1
		say back store
		;;
	esac
}

# --- what has to be true afterwards ---------------------------------------------------------------

held() {
	say hold
	[[ $ANSWER == held* ]] || fault "a client does not die: $ANSWER"
}

# at_rest_in DIR: nothing is open there, but the file that says so.
at_rest_in() {
	awk '$1 ~ /^(in_flight|queued|polls|streams|transactions|raw_clients|raw_watches|raw_transactions)$/ && $2 != 0 ||
		$1 ~ /^(open_files|fuse_operations_now)$/ && $2 != 1 { bad = 1 } END { exit bad }' "$1/.xsfs/stats"
}

# objects STRUCT: how many of these xenstored has, by its report of all memory; nothing if it gives none. Not by its
# trace: that of Xen 4.17 says nothing of a transaction whose number was not sent, because a connection ended or its ring
# was given to the next daemon.
objects() {
	local report=$SERVER_DIR/memory
	rm -f "$report"
	ask "control memreport $report" "${DIRS[1]}" >/dev/null
	! grep -q 'struct connection ' "$report" || grep -c "struct $1 " "$report" || true
}

watches_open() {
	local answer
	if [[ $SERVER_KIND == c ]]; then
		objects watch
	else
		answer=$(ask 'control watches' "${DIRS[1]}") || return
		grep -c '^watch ' <<<"$answer" || true
	fi
}

# Of oxenstored by its trace: what connections that are still there have begun and not ended.
transactions_left() {
	if [[ $SERVER_KIND == c ]]; then
		objects transaction
	else
		awk -v since="$RING_SINCE" '$2 ~ /^D7/ && NR <= since || / r\([0-9]*\):/ { next }
			$3 == "t" && $4 == "start" { open[$2] = $2; sub(/\..*/, "", open[$2]) }
			$3 == "t" && $4 == "end" { delete open[$2] }
			$3 == "endconn" { for (i in open) if (open[i] == $2) delete open[i] }
			END { print length(open) }' "$TRACE"
	fi
}

# held_is_counted: what is held on purpose is found, or counts of nothing say nothing.
held_is_counted() {
	local begun watches
	watches=$(watches_open)
	exec {begun}<>"${DIRS[0]}/.xsfs/transaction"
	read -r _ <&"$begun"
	# Not by a mount, which may have all of its view watched already.
	XENSTORED_PATH=$SERVER_SOCKET xenstore-watch /held >/dev/null &
	PIDS+=("$!")
	is "$(transactions_left)" 1 'a transaction that is held is found in the server'
	succeeds 'and a watch' wait_for "$XSFS_TEST_PATIENCE" watches_are_more_than "$watches"
	exec {begun}<&-
	end_process "$!" TERM
}

watches_are_more_than() {
	(($(watches_open) > $1))
}

no_transaction_left() {
	[[ $(transactions_left) == 0 ]]
}

watches_are_those_of_mounts() {
	[[ $(watches_open) == $(($(stat_of watches "${DIRS[0]}") + $(stat_of watches "${DIRS[1]}"))) ]]
}

# xsfs_mounts DIR: how many there are.
xsfs_mounts() {
	grep -c " $1 .* - fuse\.xsfs " /proc/self/mountinfo || true
}

# nothing_stays: with all clients dead.
nothing_stays() {
	local number dir daemon fds rss
	for number in 0 1; do
		dir=${DIRS[number]} daemon=${DAEMONS[number]}
		wait_for "$XSFS_TEST_PATIENCE" at_rest_in "$dir" || fault "open in mount $number: $(timeout 5 cat "$dir/.xsfs/stats" 2>&1)"
		[[ $(xsfs_mounts "$dir") == 1 ]] || fault "dead mount: $(grep " $dir " /proc/self/mountinfo)"
		fds=$(fd_count "$daemon") rss=$(rss_kib "$daemon")
		# Measured at the end of the first round that it has lived through.
		: "${FDS[number]:=$fds}" "${RSS[number]:=$rss}"
		# The loopback library opens one to each process that it signals.
		((fds <= FDS[number] + 4)) || fault "descriptors: daemon $number has $fds, had ${FDS[number]}"
		has_sanitizer || ((rss <= RSS[number] + SLACK_KIB)) || fault "memory: daemon $number has $rss KiB, had ${RSS[number]}"
	done
	wait_for "$XSFS_TEST_PATIENCE" no_transaction_left || fault "in the server: $(transactions_left) transactions"
	wait_for "$XSFS_TEST_PATIENCE" watches_are_those_of_mounts || fault "in the server: $(watches_open) watches"
}

# --- all ------------------------------------------------------------------------------------------

# under_load MILLISECONDS: the clients work for that long.
under_load() {
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
}

# explain: once, what the mounts say of themselves where something is wrong, as it may be gone in the next round.
explain() {
	local dir
	EXPLAINED=yes
	note "round $ROUND ($DISASTER): $(head -n 40 "$SCRATCH/wrong")"
	for dir in "${DIRS[@]}"; do
		note "$(timeout 5 grep -v ' 0$' "$dir/.xsfs/stats" 2>&1)" "$(timeout 5 cat "$dir/.xsfs/requests" 2>&1)"
	done
	[[ $STORE != ring ]] || note "the page: $(od -An -tu4 -j2048 -N24 "$SERVER_DIR/page.7.4711")" "$("$XSLOOP" ports "$SERVER_DIR")"
	note "$(tail -n 20 "$SCRATCH/mount.0.log")"
	note "$(tail -n 100 "$TRACE" | cut -c1-160)"
}

round() {
	say go
	under_load $((100 + RANDOM % 500))
	disaster "$DISASTER"
	under_load $((RANDOM % 400))
	held
	say check
	[[ $ANSWER == checked* ]] || fault "no answer to the check: $ANSWER"
	[[ ! -s $SCRATCH/wrong || $EXPLAINED ]] || explain
	nothing_stays
}

# kill_them SECONDS: everybody is killed, one kind after the other. Sets ROUND, and ANSWER with the
# counts.
kill_them() {
	local end=$((EPOCHSECONDS + $1)) disasters=(clients ring-daemon server daemon server-alone all)
	[[ $STORE == ring ]] || disasters[1]=daemon
	coproc KILLER {
		exec "$BUILD/tests/killer" "${DIRS[@]}" "$SERVER_SOCKET" "$HOME_NODE/kills" /kills 2>>"$SCRATCH/wrong"
	}
	PIDS+=("$KILLER_PID")
	# Each at least once.
	for ((ROUND = 0; ROUND < ${#disasters[@]} || EPOCHSECONDS < end; ROUND++)); do
		DISASTER=${disasters[ROUND % ${#disasters[@]}]}
		round
	done
	# What does not fit the journal is found out, or all of the above says nothing.
	FOUND=$(count wrong)
	xs write "$HOME_NODE/kills/w0/k" 999999999
	say check store
	FOUND=$(($(count wrong) - FOUND))
	say quit
}

test_kills() {
	local number status=0
	ROUND=0 DISASTER=start EXPLAINED=
	: >"$SCRATCH/faults"
	: >"$SCRATCH/wrong"
	server_starts
	for number in 0 1; do
		DIRS[number]=$(mktemp -d "$SCRATCH/mnt.XXXXXX")
		# Between the death of a daemon and the next one nobody may make anything there.
		mount -t tmpfs -o ro tmpfs "${DIRS[number]}"
		MOUNTS+=("${DIRS[number]}" "${DIRS[number]}")
		mount_number "$number"
	done
	kill_them $((XSFS_KILL_SECONDS / COMBINATIONS))
	note "$ROUND rounds: $ANSWER"
	[[ ! -s $SCRATCH/wrong ]] || note "$(head -n 40 "$SCRATCH/wrong")"
	at_least "$(count killed)" "$ROUND" 'clients were killed'
	at_least "$(count operations)" $((ROUND * 20)) 'and had done something'
	is "$(($(count wrong) - FOUND))" 0 'what was acknowledged is in the store, nothing wrong is read, nothing fails that could not'
	at_least "$FOUND" 1 'what does not fit the journal is found out'
	no_faults 'does not die' 'whoever is killed dies'
	no_faults 'open in mount' 'nothing stays open in the mounts'
	no_faults 'in the server:' 'no transaction and no watch stays in the server'
	no_faults 'descriptors:' 'no descriptor stays'
	no_faults 'memory:' 'no memory stays'
	no_faults 'dead mount:' 'no dead mount stays'
	is "$(wc -l <"$SCRATCH/faults")" 0 'all come back, and nothing else is wrong'
	held_is_counted
	for number in 0 1; do
		kill -s TERM "${DAEMONS[number]}"
		wait_for "$XSFS_TEST_PATIENCE" dead "${DAEMONS[number]}" || status=1
		[[ $(xsfs_mounts "${DIRS[number]}") == 0 ]] || status=1
	done
	is "$status" 0 'the last ones end in good order'
}

# The private stores: a killed xsfs takes its server along, and the next one removes what is left in /run.
test_embedded() {
	local run=$SCRATCH/run place=$SCRATCH/embedded wrong=0 i pid
	has_config HAVE_XEN || { skip_one 'embedded' 'built without the ring transport'; return 0; }
	mkdir "$run" "$place"
	for ((i = 0; i < 6; i++)); do
		# The one before may have left its words, and the next one empties the file only when it runs.
		: >"$SCRATCH/embedded.log"
		# shellcheck disable=SC2086 # the wrapper may have arguments
		TMPDIR=$run $XSFS_TEST_WRAPPER "$XSFS" embedded "$place" -f -o cache=off >"$SCRATCH/embedded.log" 2>&1 </dev/null &
		pid=$!
		PIDS+=("$pid")
		wait_for "$XSFS_TEST_PATIENCE" grep -q ' mounted on ' "$SCRATCH/embedded.log" || wrong=$((wrong + 1))
		echo "$i" >"$place/tool/x" || wrong=$((wrong + 1))
		[[ $(<"$place/tool/x") == "$i" && $(xsfs_mounts "$place") == 1 && $(ls "$run" | wc -l) == 1 ]] || wrong=$((wrong + 1))
		(while echo x >"$place/tool/y"; do :; done) 2>/dev/null &
		((i < 5)) || break
		kill -s KILL "$pid"
		wait "$pid" 2>/dev/null || true
		wait "$!" || true
	done
	is "$wrong" 0 'embedded, killed: each of the next ones works, alone, with an empty store of its own'
	kill -s TERM "$pid"
	wait_for "$XSFS_TEST_PATIENCE" dead "$pid" || true
	is "$(ls "$run")$(xsfs_mounts "$place")$(pgrep -fc "$run" || true)" 00 'the last one leaves no directory, no mount and no server'
}

read -r -a WORDS <<<"$XSFS_TEST_SERVER"
COMBINATIONS=${#WORDS[@]}
read -r -a WORDS <<<"$XSFS_TEST_TRANSPORT"
[[ $XSFS_TEST_HALF ]] || COMBINATIONS=$((COMBINATIONS * ${#WORDS[@]}))
for_each_store test_kills
MOUNTS+=("$SCRATCH/embedded")
test_embedded
