#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The loopback library against the unmodified servers: sockets, rings of domains and of domain 0, crashes.
. "${0%/*}/functions.sh"
requires xenstore-write xenstore-watch

RINGCAT=$BUILD/tests/loop/ringcat
EVTCHNCHECK=$BUILD/tests/loop/evtchncheck
MANAGECHECK=$BUILD/tests/loop/managecheck
has_config HAVE_XEN || skip 'built without the Xen libraries'

REQUESTS=10000
[[ -z $XSFS_TEST_QUICK ]] || REQUESTS=1000
RUN_BEFORE=$(find /var/run/xenstored 2>/dev/null) || true

# in_domain DOMID CMD...: runs CMD as a process of that domain; what it measures goes to the log.
in_domain() {
	local domid=$1
	shift
	(
		eval "$(loop_env "$domid")"
		exec timeout --kill-after=2 "$XSFS_TEST_PATIENCE" "$@"
	)
}

# in_ring NAME DOMID ARGS...: one ring client.
in_ring() {
	local name=$1 domid=$2 output
	shift 2
	if output=$(in_domain "$domid" "$RINGCAT" -d "$domid" -n "$REQUESTS" "$@" 2>&1); then
		ok "$name"
		note "$output"
	else
		not_ok "$name" "$output"
	fi
}

# new_world: an empty one, for servers that are started by the test.
new_world() {
	SERVER_DIR=$(mktemp -d "$SCRATCH/world.XXXXXX")
	SERVER_SOCKET=$SERVER_DIR/socket
	"$XSLOOP" init "$SERVER_DIR"
}

# refuses PATTERN NAME CMD...: CMD fails and says something like PATTERN.
refuses() {
	local pattern=$1 name=$2 output
	shift 2
	if output=$("$@" 2>&1); then
		not_ok "$name" 'it succeeded'
	else
		like "$output" "$pattern" "$name"
	fi
}

# make_domain DOMID GFN: with a home directory that is its own.
make_domain() {
	"$XSLOOP" domain "$SERVER_DIR" "$1" "$2"
	xs write "/local/domain/$1" ''
	xs chmod "/local/domain/$1" "n$1"
}

test_evtchn() {
	local output
	new_world
	if output=$(in_domain 0 "$EVTCHNCHECK" 2>&1); then
		ok 'event channels and pages keep the promises of their headers'
		note "$output"
	else
		not_ok 'event channels and pages keep the promises of their headers' "$output"
	fi
	is "$("$XSLOOP" ports "$SERVER_DIR")" '   1: domain 0, handle 0, idle, waits for domain 0' \
		'processes that ended leave no ports behind'
	is "$(find "$SERVER_DIR" -type p)" '' '... and no FIFOs'
}

# Servers from Xen 4.21 on need it; none of Debian's does.
test_manage() {
	local output
	new_world
	if output=$(in_domain 0 "$MANAGECHECK" "$XSLOOP" 2>&1); then
		ok 'the calls of libxenmanage tell which domains come and go'
		note "$output"
	else
		not_ok 'the calls of libxenmanage tell which domains come and go' "$output"
	fi
	succeeds '... to domain 0 only' in_domain 7 "$MANAGECHECK"
}

test_command() {
	new_world
	succeeds 'init of a world that exists' "$XSLOOP" init "$SERVER_DIR"
	refuses '*No such file*' 'a directory that is not there' "$XSLOOP" server "$SERVER_DIR/nothing" c
	refuses '*the server is c*or o*' 'an unknown kind of server' "$XSLOOP" server "$SERVER_DIR" x
	refuses '*no loopback world*xsloop init*' 'a directory without a world' "$XSLOOP" server "$SCRATCH" c
	refuses '*no domain 5*' 'no such domain' "$XSLOOP" kill-domain "$SERVER_DIR" 5
	refuses '*does not answer*' 'no server to wait for' "$XSLOOP" wait "$SERVER_DIR" 0
	local bins=(/usr/lib/xen-*/bin) bin
	if [[ ${XSFS_TEST_NAMESPACE:-} && -d ${bins[0]} ]]; then
		for bin in "${bins[@]}"; do
			mount -t tmpfs none "$bin"
		done
		refuses '*install*xen-utils-*' 'where no server is installed' "$XSLOOP" server "$SERVER_DIR" c
		umount "${bins[@]}"
	fi
}

test_socket() {
	local first
	start_server "$1"
	xs write /tool/greeting hello
	is "$(xs read /tool/greeting)" hello 'write and read over the socket'
	like "$(xs ls /tool)" '*greeting = "hello"*' 'ls over the socket'

	# A second one beside it, of the same kind.
	first=$SERVER_SOCKET
	SERVER_DIR=
	start_server "$1"
	refuses '*couldn'\''t read*' 'a second server has a store of its own' xs read /tool/greeting
	xs write /tool/greeting other
	is "$(XENSTORED_PATH=$first xenstore-read /tool/greeting)" hello '... and the first one its own'
	is "$(find /var/run/xenstored 2>/dev/null || true)" "$RUN_BEFORE" 'nothing new in /var/run/xenstored'
}

test_rings() {
	local options=() count round
	[[ $1 == o ]] || options=(--priv-domid 8)
	start_server "$1" "${options[@]}"
	make_domain 7 4711
	in_ring 'ring of an unprivileged domain' 7 -g 4711 introduce
	in_ring '... introduced again' 7 -g 4711 introduce
	if [[ $1 == c ]]; then
		make_domain 8 1
		in_ring 'ring of a privileged domain' 8 -p -g 1 introduce
	fi
	in_ring 'ring of domain 0, announced by introducing it' 0 -p introduce
	in_ring '... and by its next owner' 0 -p introduce
	count=$(find "/proc/$SERVER_PID/fd" -type l | wc -l)
	for ((round = 0; round < 20; round++)); do
		in_domain 0 "$RINGCAT" -n 1 -p introduce >/dev/null
	done
	is "$(find "/proc/$SERVER_PID/fd" -type l | wc -l)" "$count" 'clients that end leave no descriptors'
	refuses '*page 0 of domain 0: Operation not permitted*' "another domain's page" \
		in_domain 7 "$RINGCAT" -d 0 introduce
}

# The owner of domain 0's ring is there first and outlives its server.
test_domain0() {
	local port line round status=0
	new_world
	SERVER_KIND=$1
	coproc OWNER { in_domain 0 "$RINGCAT" -n "$REQUESTS" -p announce announce 2>&1; }
	local owner=$OWNER_PID to=${OWNER[1]} from
	exec {from}<&"${OWNER[0]}"
	for round in started 'killed and started again'; do
		read -r -t "$XSFS_TEST_PATIENCE" port <&"$from"
		printf '%s' "$port" >"$SERVER_DIR/xsd_port"
		start_server "$1"
		echo go >&"$to"
		read -r -t "$XSFS_TEST_PATIENCE" line <&"$from" || true
		like "$line" 'read of 10 bytes*' "ring of domain 0, its server $round"
		is "$(<"$SERVER_DIR/xsd_port")" "$port" '... which took the announced port'
		kill_server
	done
	exec {from}<&-
	wait "$owner" || status=$?
	is "$status" 0 'the owner ends well'
	start_server "$1"
	is "$(<"$SERVER_DIR/xsd_port")" 1 "without an owner the server gets the kernel's port"
}

test_crash() {
	local round
	start_server "$1"
	for round in 1 2 3; do
		make_domain 7 4711
		in_ring "ring before crash $round" 7 -g 4711 -n 100 introduce
		xs write /tool/round "$round"
		kill_server
		start_server "$1"
		refuses '*couldn'\''t read*' "a new store after crash $round" xs read /tool/round
		xs write /tool/round again
		is "$(xs read /tool/round)" again "socket after crash $round"
	done
	make_domain 7 4711
	in_ring 'ring after three crashes' 7 -g 4711 introduce
}

test_domain_death() {
	local watcher
	start_server "$1"
	make_domain 7 4711
	make_domain 8 4712
	in_ring 'ring of the domain that will die' 7 -g 4711 -n 100 introduce
	rm -f "$SCRATCH/watch"
	xs watch -n 2 @releaseDomain >"$SCRATCH/watch" &
	watcher=$!
	PIDS+=("$watcher")
	# The initial event says that the watch is set.
	wait_for "$XSFS_TEST_PATIENCE" test -s "$SCRATCH/watch"
	"$XSLOOP" kill-domain "$SERVER_DIR" 7
	if wait_for "$XSFS_TEST_PATIENCE" dead "$watcher"; then
		is "$(grep -c '^@releaseDomain' "$SCRATCH/watch")" 2 'the death of a domain fires @releaseDomain'
	else
		not_ok 'the death of a domain fires @releaseDomain'
	fi
	refuses '*page 4711 of domain 7: No such process*' 'its page is gone' \
		in_domain 7 "$RINGCAT" -d 7 -g 4711 introduce
	in_ring 'another domain is not touched' 8 -g 4712 -n 100 introduce
	make_domain 7 4711
	in_ring 'a new domain of the same number' 7 -g 4711 -n 100 introduce
}

test_evtchn
test_manage
test_command
for server in $XSFS_TEST_SERVER; do
	if ! server_binary "$server" >/dev/null; then
		skip_one "server $server" 'it is not installed (xen-utils)'
		continue
	fi
	for scenario in socket rings domain0 crash domain_death; do
		PREFIX="[$server] "
		SERVER_DIR='' SERVER_KIND=''
		"test_$scenario" "$server"
		for pid in "${PIDS[@]}"; do
			end_process "$pid" KILL
		done
		PIDS=()
	done
	PREFIX=
done
