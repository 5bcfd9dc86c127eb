#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Somebody dies: the server, the daemon, a client. The others hear of it in time, and nothing stays behind.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires "$BUILD/tests/hold" xenstore-write

# The timeout= of the mounts, in seconds: where a deadline has to pass, and where nobody may wait for it.
TIMEOUT=4
LONG_TIMEOUT=600

# The most that `at once` and `in time` may be on a machine that is busy with other things, in milliseconds.
AT_ONCE=$((XSFS_TEST_PATIENCE * 1000))
LATE=$((XSFS_TEST_PATIENCE * 1000))

# timed CMD...: sets TOOK, in milliseconds, and OUTPUT.
timed() {
	local begin=${EPOCHREALTIME/[.,]/}
	OUTPUT=$(bounded "$@" 2>&1) || true
	TOOK=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
}

# fails_in_time ERRNO MINIMUM MAXIMUM NAME CMD...: it fails so after that many milliseconds.
fails_in_time() {
	local text=${ERRNO_TEXT[$1]} minimum=$2 maximum=$3 name=$4
	shift 4
	timed "$@"
	like "$OUTPUT" "*$text*" "$name: $text"
	at_least "$TOOK" "$minimum" "$name: not before $minimum ms"
	at_most "$TOOK" "$maximum" "$name: not later than $maximum ms"
}

# silent_with_waiting NAME RENAMERS UNLINKERS READERS: of hold.c, in the middle of what they do.
silent_with_waiting() {
	WAITING=$(($2 + $3 + $4))
	hold_start "$2" "$3" "$4"
	kill -s STOP "$SERVER_PID"
	hold_say read
	comes_true 20 "$1: $WAITING operations wait" stat_is fuse_operations_now $((WAITING + 1))
}

# all_end_with WORD MAXIMUM NAME: not later than after that many milliseconds. Path walks to the
# same place fail one after the other, as the kernel lets only one at a time look a name up. After some
# deadlines a ring that can begin anew does so; waiting programs then get EIO.
all_end_with() {
	local count
	hold_timed reap
	note "$ANSWER"
	count=$(of_answer "$1")
	if [[ $SERVER_KIND/$STORE/$1 == o/ring/timedout ]]; then
		at_least "$count" $((WAITING / 2)) "$3: most"
		count=$((count + $(of_answer eio)))
	fi
	is "$count" "$WAITING" "$3: all who waited"
	at_most "$TOOK" "$2" "$3: not later than $2 ms"
}

# The server is there and does not answer: each request has its time.
test_timeout() {
	mount_xsfs "$STORE" -o "timeout=$TIMEOUT"
	xs write /tool/x value
	exec 9<"$MNT/tool/x"
	silent_with_waiting 'silent' 3 3 30
	fails_in_time ETIMEDOUT $((TIMEOUT * 1000 - 100)) $((TIMEOUT * 1000 + LATE)) 'silent' cat <&9
	all_end_with timedout $((TIMEOUT * 8000 + LATE)) 'silent: ETIMEDOUT'
	at_least "$(stat_of timeouts)" $((WAITING + 1)) 'silent: counted'
	kill -s CONT "$SERVER_PID"
	comes_true 10 'silent: all late replies come' at_rest
	# A ring that can begin anew may have done so by now, or be at it: nothing is on its way then. The
	# state is asked first, as it may be over in between.
	if ! state_is connecting && ((! $(stat_of reconnects))); then
		is "$(stat_of late_replies)" "$(stat_of abandoned)" 'silent: and are swallowed'
	else
		is "$SERVER_KIND/$STORE" o/ring 'silent: only such a ring begins anew'
	fi
	is "$(cat <&9)" value 'silent: then all is as before'
	exec 9<&-
	umount_xsfs
}

# A socket tells at once, and leads to the next server.
test_socket() {
	local lister patient
	mount_xsfs "$STORE" -o "timeout=$LONG_TIMEOUT"
	silent_with_waiting 'socket, killed' 0 0 36
	kill_server
	all_end_with eio "$AT_ONCE" 'socket, killed: EIO'
	comes_true 5 'socket, killed: .xsfs/stats says so' state_is connecting
	umount_xsfs
	start_server "$SERVER_KIND"

	mount_xsfs "$STORE" -o "timeout=$LONG_TIMEOUT"
	patient=$MNT
	mount_xsfs "$STORE" -o "timeout=$TIMEOUT"
	xs write /tool/x value
	exec 9<"$MNT/tool/x"
	kill_server 9<&-
	# What is asked before it has noticed fails at once.
	wait_for 5 state_is connecting || true
	fails_in_time EIO $((TIMEOUT * 1000 - 100)) $((TIMEOUT * 1000 + LATE)) 'socket, no server' \
		cat <&9

	timeout "$XSFS_TEST_PATIENCE" ls "$patient" >"$SCRATCH/ls" 2>&1 &
	lister=$!
	PIDS+=("$lister")
	start_server "$SERVER_KIND" 9<&-
	comes_true 20 'socket, restarted: who waited for it is answered' dead "$lister"
	is "$(cat "$SCRATCH/ls")" "$(ls "$patient")" 'socket, restarted: who waited for it goes on'
	umount_xsfs "$patient"
	comes_true 5 'socket, restarted: used without remounting' state_is connected
	is "$(stat_of reconnects)" 1 'socket, restarted: one connection more'
	xs write /tool/x again
	is "$(cat <&9)" again 'socket, restarted: an open file stays valid'
	exec 9<&-
	echo new >"$MNT/tool/y"
	is "$(xs read -R /tool/y)" new 'socket, restarted: writing too'
	comes_true 5 'socket, restarted: nothing is left' at_rest

	# Transactions and path walks, which send more than one request.
	silent_with_waiting 'socket, killed again' 3 3 0
	kill_server
	all_end_with eio $((TIMEOUT * 8000 + LATE)) 'socket, killed again: EIO'
	start_server "$SERVER_KIND"
	comes_true 5 'socket, restarted again: used' state_is connected
	umount_xsfs
}

# make_domain: domain 7, with a page 4711 and a home of its own.
make_domain() {
	"$XSLOOP" domain "$SERVER_DIR" 7 4711 2>/dev/null || true
	xs write /local/domain/7/x "$1"
	xs chmod -r /local/domain/7 n7
}

# asks_for_a_connection: makes it, after some requests without an answer.
asks_for_a_connection() {
	timeout 10 cat "$MNT/x" >/dev/null 2>&1 || true
	state_is connecting
}

# A ring says nothing when its server dies.  It is used again when the toolstack introduced the domain to
# the next one.
test_ring() {
	local port error=ETIMEDOUT
	make_domain value
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound \
		-o "root=/local/domain/7,timeout=$TIMEOUT"
	exec 9<"$MNT/x"
	silent_with_waiting 'ring, killed' 3 3 30
	port=$("$XSLOOP" ports "$SERVER_DIR" | sed -n 's/^ *\([0-9]*\): domain 7, handle [0-9]*,.*/\1/p')
	kill_server
	all_end_with timedout $((TIMEOUT * 8000 + LATE)) 'ring, killed: ETIMEDOUT'
	if [[ $SERVER_KIND == o ]]; then
		# The next one would go on in the middle of the requests that this one had begun to read,
		# unless it is asked to begin anew.
		comes_true 40 'ring, no server: it is asked to begin anew' asks_for_a_connection
		error=EIO
	fi
	fails_in_time "$error" $((TIMEOUT * 1000 - 100)) $((TIMEOUT * 1000 + LATE)) 'ring, no server' \
		cat <&9
	is "$(bounded cat "$MNT/.xsfs/stats" | sed -n 's/^transport //p')" ring \
		'ring, no server: .xsfs/stats can be read'

	start_server "$SERVER_KIND" 9<&-
	make_domain again
	"$XSLOOP" introduce "$SERVER_DIR" 7 4711 "$port"
	comes_true 20 'ring, introduced again: it is used' timeout 5 cat "$MNT/x"
	is "$(cat <&9)" again 'ring, introduced again: an open file stays valid'
	exec 9<&-
	is "$(stat_of reconnects)" 1 'ring, introduced again: it is known to be another connection'
	comes_true 5 'ring, introduced again: nothing stays in flight' at_rest
	echo new >"$MNT/x"
	is "$(xs read -R /local/domain/7/x)" new 'ring, introduced again: writing works too'
	umount_xsfs
}

# reads VALUE: the file x has it.
reads() {
	[[ $(timeout 5 cat "$MNT/x" 2>/dev/null) == "$1" ]]
}

# size_is SIZE: that of the file x.
size_is() {
	[[ $(stat -c %s "$MNT/x") == "$1" ]]
}

# A ring's server dies, and one of the other kind has taken the ring over before anything was asked: it answers,
# but does not have our watches.
test_replaced() {
	local port
	make_domain value
	XSFS_TEST_CACHE=meta XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound \
		-o "root=/local/domain/7,timeout=$LONG_TIMEOUT"
	comes_true 5 'ring, replaced: the watch is set' stat_is watches 1
	port=$("$XSLOOP" ports "$SERVER_DIR" | sed -n 's/^ *\([0-9]*\): domain 7, handle [0-9]*,.*/\1/p')
	kill_server
	# In the same world.
	SERVER_KIND=o
	start_server o
	make_domain another
	"$XSLOOP" introduce "$SERVER_DIR" 7 4711 "$port"
	comes_true 20 'ring, replaced: the next one answers' reads another
	comes_true 20 'ring, replaced: it is known to be another one' stat_is reconnects 1
	comes_true 5 'ring, replaced: its answers are kept' size_is 8
	comes_true 5 'ring, replaced: the watch is set again' at_rest
	xs write /local/domain/7/x longer-than-before
	comes_true 5 'ring, replaced: a change is seen' size_is 19
	umount_xsfs
}

# page_set OFFSET BYTES: into domain 0's shared page.
page_set() {
	local file
	file=$(find "$SERVER_DIR" -maxdepth 1 -name xsd_kva -o -maxdepth 1 -name 'page.0.*' | head -n 1)
	# shellcheck disable=SC2059 # the bytes are escapes
	printf "$2" | dd of="$file" bs=1 seek="$1" conv=notrunc status=none
}

# xenstored gives a ring up for good by its error word (xen/io/xs_wire.h), and nobody is kept waiting.
test_dead_ring() {
	mount_xsfs "$STORE" -o "timeout=$LONG_TIMEOUT"
	xs write /tool/x value
	exec 9<"$MNT/tool/x"
	silent_with_waiting 'dead ring' 3 3 30
	page_set 2072 '\003\000\000\000'
	# The server need not signal it: it is noticed with the next request.
	fails_in_time EIO 0 "$AT_ONCE" 'dead ring, the first' cat <&9
	all_end_with eio "$AT_ONCE" 'dead ring: EIO'
	comes_true 5 'dead ring: .xsfs/stats says so' state_is dead
	fails_in_time EIO 0 "$AT_ONCE" 'dead ring, the next' cat <&9
	exec 9<&-
	kill -s CONT "$SERVER_PID"
	umount_xsfs
}

# The daemon is killed: nothing hangs, and the next one takes over.
test_daemon() {
	local dead_mount
	mount_xsfs "$STORE"
	dead_mount=$MNT
	WAITING=36
	hold_start 18 18 0
	kill -s KILL "$MOUNT_PID"
	wait "$MOUNT_PID" 2>/dev/null || true
	all_end_with notconn "$AT_ONCE" 'daemon killed: ENOTCONN or ECONNABORTED'
	fails ENOTCONN stat "$dead_mount/tool"
	succeeds 'daemon killed: umount -l' umount -l "$dead_mount"
	mount_xsfs "$STORE"
	echo value >"$MNT/tool/x"
	is "$(xs read -R /tool/x)" value 'daemon killed: mounted again, it works'
	umount_xsfs
}

# Clients are killed in the middle of what they do.
test_clients() {
	local threads rounds=10 i wrong open_files
	[[ -z $XSFS_TEST_QUICK ]] || rounds=2
	for threads in $XSFS_TEST_THREADS; do
		start_traced
		mount_xsfs "$STORE" -o "threads=$threads"
		hold_start 10 10 0
		hold_say kill 9
		open_files=$(stat_of open_files)
		wrong=0
		# So that some are killed before the store has answered them.
		stutter_start
		for ((i = 1; i < rounds; i++)); do
			hold_start 10 10 0
			hold_say "$( ((i % 3)) && echo kill 9 || echo killall 9)"
			wrong=$((wrong + $(of_answer wrong)))
		done
		stutter_stop
		is "$wrong" 0 "threads=$threads, $((rounds * 20)) clients killed: they die"
		comes_true 10 "threads=$threads, clients killed: nothing is in flight" at_rest
		comes_true 5 "threads=$threads, clients killed: no file is open" \
			stat_is open_files "$open_files"
		comes_true 5 "threads=$threads, clients killed: no transaction is open" no_transaction_open
		at_least "$(transactions_seen)" $((rounds * 20)) \
			"threads=$threads, clients killed: there were many"
		at_least "$(stat_of fuse_interrupted)" $((rounds * 2)) \
			"threads=$threads, clients killed: in the middle of operations"
		[[ $XSFS_TEST_QUICK ]] || at_least "$(stat_of abandoned)" 1 \
			"threads=$threads, clients killed: some before the store had answered"
		is "$(stat_of late_replies)" "$(stat_of abandoned)" \
			"threads=$threads, clients killed: as many late replies as abandoned requests"
		umount_xsfs
	done
}

# In the embedded store everybody knows that the server is dead.
test_embedded() {
	local server
	mount_xsfs embedded -o "timeout=$LONG_TIMEOUT"
	server=$(pgrep -P "$MOUNT_PID" xenstored)
	SERVER_PID=$server silent_with_waiting 'embedded, killed' 3 3 30
	kill -s KILL "$server"
	all_end_with eio "$AT_ONCE" 'embedded, killed: EIO'
	comes_true 5 'embedded, killed: .xsfs/stats says so' state_is dead
	fails_in_time EIO 0 "$AT_ONCE" 'embedded, killed' stat "$MNT/tool"
	umount_xsfs
}

for_each_store test_timeout
MATRIX=$XSFS_TEST_TRANSPORT
if [[ $MATRIX == *socket* ]]; then
	XSFS_TEST_TRANSPORT=socket for_each_store test_socket
fi
if [[ $MATRIX == *ring* ]] && has_config HAVE_XEN; then
	XSFS_TEST_TRANSPORT=ring for_each_store test_ring
	if [[ $XSFS_TEST_SERVER == *c* ]]; then
		# oxenstored offers to begin anew instead.
		XSFS_TEST_SERVER=c XSFS_TEST_TRANSPORT=ring for_each_store test_dead_ring
		! server_binary o >/dev/null || XSFS_TEST_SERVER=c XSFS_TEST_TRANSPORT=ring for_each_store test_replaced
	fi
	test_embedded
fi
for_each_store test_daemon
for_each_store test_clients
