#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A guest whose kernel leaves the ring alone: xsfs finds page and port, binds the port in every way, shares the
# ring with nobody, takes it up after a predecessor, and follows it when the domain goes on elsewhere.
# shellcheck source=tests/functions.sh
# shellcheck disable=SC2034 # what functions.sh reads
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires xenstore-write xenstore-exists
has_config HAVE_XEN || skip 'built without the Xen libraries'
has_config HAVE_XENCALL || skip 'built without libxencall'

PORT=

# make_guest GFN [VALUE]: as the toolstack makes domain 7, and introduces it. Sets PORT.
make_guest() {
	PORT=$("$XSLOOP" guest "$SERVER_DIR" 7 "$1")
	xs write /local/domain/7/x "${2-value}"
	xs chmod -r /local/domain/7 n7
	"$XSLOOP" introduce "$SERVER_DIR" 7 "$1" "$PORT"
}

# remove_guest: the server forgets it.
remove_guest() {
	"$XSLOOP" release "$SERVER_DIR" 7
}

# mount_guest WORDS [ARGS]: by a process of domain 7. ring:server=0 says no more than ring.
mount_guest() {
	local words=$1
	shift
	XSFS_TEST_DOMID=7 mount_xsfs "ring:${words:-server=0}" -o root=/local/domain/7 "$@"
}

# refused PATTERN NAME WORDS: xsfs ends with that message.
refused() {
	local mnt=$MNT pid=$MOUNT_PID status=0
	mount_guest "$3" >/dev/null || status=$?
	is "$status" 1 "$2: refused"
	like "$(<"$MOUNT_LOG")" "$1" "$2: says so"
	MNT=$mnt MOUNT_PID=$pid
}

# works NAME: files and events, from both sides.
works() {
	local line
	is "$(cat "$MNT/x")" value "$1: read"
	echo new >"$MNT/y"
	is "$(xs read -R /local/domain/7/y)" new "$1: written"
	exec 4<>"$MNT/.xsfs/watch"
	echo /local/domain/7/z >&4
	xs write /local/domain/7/z 1
	read -r -t "$XSFS_TEST_PATIENCE" line <&4 || line=none
	is "$line" 'changed /local/domain/7/z' "$1: an event comes"
	exec 4>&-
}

test_ways() {
	local way
	make_guest 4711
	for way in '' events=static events=poll "gfn=4711,port=$PORT" "gfn=4711,port=$PORT,events=poll"; do
		mount_guest "$way"
		works "${way:-found}"
		is "$(stat_of transport_port)" "$PORT" "${way:-found}: the toolstack's port"
		refused '*process '"$MOUNT_PID"' has it already*' "two at once, ${way:-found}" "$way"
		is "$(cat "$MNT/x")" value "two at once, ${way:-found}: the first one goes on"
		umount_xsfs
	done
	# What an older kernel, or one without hypercalls for user space, leaves.
	XSLOOP_WITHOUT=static mount_guest ''
	works 'without static'
	like "$(<"$MOUNT_LOG")" '*events=static*Function not implemented*' 'without static: says so'
	umount_xsfs
	XSLOOP_WITHOUT='static call' refused '*HVM parameters*say them*' 'without hypercalls' ''
	XSLOOP_WITHOUT=static refused '*events=static*not implemented*' 'static or nothing' events=static

	touch "$SERVER_DIR/xenbus"
	refused '*this domain'*'s kernel uses it*xenbus*' "the kernel's ring, found" ''
	refused '*this domain'*'s kernel uses it*xenbus*' "the kernel's ring, said" "gfn=4711,port=$PORT"
	rm "$SERVER_DIR/xenbus"
}

# ticks_in SECONDS: processor time of the mount, in ticks, while nothing happens for so long.
ticks_in() {
	local before after
	before=$(awk '{ print $14 + $15 }' "/proc/$MOUNT_PID/stat")
	sleep "$1"
	after=$(awk '{ print $14 + $15 }' "/proc/$MOUNT_PID/stat")
	echo $((after - before))
}

# Looking at the ring by timer costs next to nothing while nothing happens.
test_poll_is_cheap() {
	make_guest 4711
	mount_guest events=poll
	works 'polled'
	# It is less than 1; who never slept would have 300.
	at_most "$(ticks_in 3)" 30 'polled, idle for 3 s: next to no processor time'
	umount_xsfs
}

# A new port: somebody in domain 0 has to tell the server.
test_unbound() {
	local port
	make_guest 4711
	# So that the ring is no new one.
	mount_guest ''
	works 'first'
	umount_xsfs
	mount_guest events=unbound -o timeout=2
	like "$(<"$MOUNT_LOG")" '*waiting for XS_INTRODUCE*echo introduce*>/xen/.xsfs/control*' \
		'unbound: says what to do'
	port=$(stat_of transport_port)
	"$XSLOOP" introduce "$SERVER_DIR" 7 4711 "$port"
	comes_true 20 'unbound, introduced: it works' timeout 5 cat "$MNT/x"
	works 'unbound'
	umount_xsfs
}

# index OFFSET: of domain 7's page, see xen/io/xs_wire.h.
index() {
	od -An -tu4 -j "$1" -N 4 "$SERVER_DIR/page.7.4711" | tr -d ' '
}

# A predecessor's replies are still in the ring.
replies_lie_there() {
	(($(index 2060) != $(index 2056)))
}

test_stale_replies() {
	local i dead_mount
	make_guest 4711
	mount_guest '' -o threads=2
	dead_mount=$MNT
	is "$(cat "$MNT/x")" value 'first'
	kill -s STOP "$SERVER_PID"
	for ((i = 0; i < 8; i++)); do
		timeout 60 cat "$MNT/x" >/dev/null 2>&1 &
		PIDS+=("$!")
	done
	comes_true 20 'requests of the first wait' sees_in_flight "$dead_mount"
	kill -s KILL "$MOUNT_PID"
	wait "$MOUNT_PID" 2>/dev/null || true
	umount -l "$dead_mount"
	kill -s CONT "$SERVER_PID"
	comes_true 20 'their replies lie in the ring' replies_lie_there
	mount_guest '' -d
	if [[ $SERVER_KIND == c ]]; then
		like "$(<"$MOUNT_LOG")" '*threw away*' 'the second throws them away'
	else
		is "$(($(index 2060) < 100))" 1 'the second has the ring cleared'
	fi
	works 'the second'
	is "$(stat_of unknown_replies)" 0 'the second: nothing unknown comes'
	umount_xsfs
}

# ring_is_full: of requests.
ring_is_full() {
	(($(index 2052) - $(index 2048) == 1024))
}

# A predecessor was killed when a part of its request was in the ring, as the other part did not fit.
test_half_a_request() {
	local i fd fds=() dead_mount name
	name=$(printf '%0150d' 7)
	make_guest 4711
	xs write "/local/domain/7/$name" value
	mount_guest '' -o threads=2
	dead_mount=$MNT
	for ((i = 0; i < 12; i++)); do
		exec {fd}<"$MNT/$name"
		fds+=("$fd")
	done
	kill -s STOP "$SERVER_PID"
	for fd in "${fds[@]}"; do
		timeout 60 cat <&"$fd" >/dev/null 2>&1 &
		PIDS+=("$!")
	done
	comes_true 20 'the ring is full' ring_is_full
	kill -s KILL "$MOUNT_PID"
	wait "$MOUNT_PID" 2>/dev/null || true
	for fd in "${fds[@]}"; do
		exec {fd}<&-
	done
	umount -l "$dead_mount"
	kill -s CONT "$SERVER_PID"
	mount_guest ''
	[[ $SERVER_KIND != c ]] || like "$(<"$MOUNT_LOG")" '*sending the rest*' 'the second finishes its request'
	works 'the second'
	is "$(stat_of unknown_replies)" 0 'the second: nothing unknown comes'
	umount_xsfs
}

sees_in_flight() {
	(($(stat_of in_flight "$1") >= 1))
}

# Save and restore, or migration: the domain has another page and another port.
test_moves() {
	make_guest 4711
	mount_guest '' -o timeout=1
	works 'before'
	exec 5<"$MNT/x"
	remove_guest
	# A restore clears the old page; that is how it is noticed at once.
	dd if=/dev/zero of="$SERVER_DIR/page.7.4711" bs=4096 count=1 conv=notrunc status=none
	make_guest 4712
	comes_true 20 'restored: it works again' timeout 5 cat "$MNT/x"
	is "$(stat_of transport_moves)" 1 'restored: the ring was followed'
	is "$(stat_of transport_port)" "$PORT" 'restored: to its new port'
	is "$(cat <&5)" value 'restored: an open file stays valid'
	works 'restored'
	exec 5<&-

	# Nothing of the old page tells: silence does, after three deadlines.
	remove_guest
	make_guest 4713
	comes_true 30 'restored silently: it works again' timeout 5 cat "$MNT/x"
	is "$(stat_of transport_moves)" 2 'restored silently: the ring was followed'
	works 'restored silently'
	umount_xsfs
}

XSFS_TEST_TRANSPORT=ring
for_each_store test_ways
for_each_store test_poll_is_cheap
for_each_store test_unbound
for_each_store test_stale_replies
for_each_store test_half_a_request
for_each_store test_moves
