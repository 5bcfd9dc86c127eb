# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Runs in a guest whose kernel leaves the store's ring alone (initcall_blacklist=xenbus_init): xsfs owns it, with
# real event channels. The kernel's command line has the ways to bind events that this guest can use
# (xsfs.ways=static,poll,...); domain 0 (job_rings.sh) follows step by step.
. /tests/xen/guest.sh
. /tests/load.sh

WATCHERS=/build/tests/watchers
name=$(boot_word name ring)
IFS=, read -ra ways <<<"$(boot_word ways static)"

# ring_mount SPEC: mounts it.
ring_mount() {
	mount_xsfs "$@" || return 1
	guest_begins
}

# works: what every way of binding has to do.
works() {
	local n pids=() bad=0 got
	is "$(cat "$home/name")" "$name" 'the own name'
	fails EACCES ls "$MNT/local"
	fails EACCES cat "$MNT/local/domain/0/name"
	# A value of 1999 bytes: oxenstored and xenstored allow a guest about 2000.
	printf '%01999d\n' 7 >"$SCRATCH/2000"
	cp "$SCRATCH/2000" "$home/data/large"
	same "$SCRATCH/2000" "$home/data/large" 'a value that is larger than the ring goes both ways'
	mkdir "$home/data/d"
	echo 1 >"$home/data/d/k"
	succeeds 'rename, in a transaction' mv "$home/data/d" "$home/data/e"
	is "$(cat "$home/data/e/k")" 1 'the subtree has moved'
	rm -r "$home/data/e" "$home/data/large"
	for n in {1..16}; do
		(
			for round in {1..20}; do
				echo "$n.$round" >"$home/data/p$n"
				[[ $(<"$home/data/p$n") == "$n.$round" ]] || exit 1
			done
		) &
		pids+=("$!")
	done
	for n in "${pids[@]}"; do
		wait "$n" || bad=$((bad + 1))
	done
	is "$bad" 0 '16 processes write and read in parallel'
	rm "$home"/data/p*
	echo 1 >"$home/data/polled"
	timeout "$XSFS_TEST_PATIENCE" "$WATCHERS" key "$home/data/polled" 2 >"$SCRATCH/polled" 2>&1 &
	n=$!
	echo 2 >"$home/data/polled"
	wait "$n" || true
	got=$(<"$SCRATCH/polled")
	like "$got" 'ok *' 'a poll wakes up'
}

# refused WHAT: while it is mounted another xsfs must not touch the ring.
refused() {
	local status=0
	mkdir -p "$SCRATCH/second"
	timeout "$XSFS_TEST_PATIENCE" "$XSFS" "$1" "$SCRATCH/second" -f >"$SCRATCH/second.log" 2>&1 || status=$?
	if ((status != 0 && status != 124)) && ! mounted "$SCRATCH/second"; then
		ok "a second xsfs is refused ($1)"
		sed 's/^/# /' "$SCRATCH/second.log"
	else
		not_ok "a second xsfs is refused ($1)" "status $status" "$(<"$SCRATCH/second.log")"
	fi
}

is "$(ls /dev/xen | grep -c '^xenbus')" 0 'this kernel has no xenbus'

# It finds the ring by itself, and then its keys say what it found.
PREFIX="[$name ring] "
ring_mount ring
sed 's/^/# /' "$MOUNT_LOG"
works
gfn=$(<"$home/store/ring-ref")
port=$(<"$home/store/port")
refused ring
did found

# Events come from outside too.
PREFIX="[$name events] "
go poll
timeout "$XSFS_TEST_PATIENCE" "$WATCHERS" key "$home/data/outside" changed >"$SCRATCH/outside" 2>&1 &
poller=$!
did polling
wait "$poller" || true
like "$(<"$SCRATCH/outside")" 'ok *' 'a poll wakes up for what domain 0 changes'

# Domain 0 pauses us in the middle of this, more than once.
PREFIX="[$name pause] "
did paused
bad=0
for ((n = 0; n < 400; n++)); do
	echo "$n" >"$home/data/n"
	[[ $(<"$home/data/n") == "$n" ]] || bad=$((bad + 1))
done
is "$bad" 0 'a guest that is paused loses nothing'
is "$(stat_of reconnects)" 0 'nor its connection'
go resumed
umount_xsfs

# An xsfs that was killed with requests in flight leaves replies in the ring.
PREFIX="[$name again] "
ring_mount ring
for n in 1 2 3 4; do
	while :; do
		echo "$RANDOM" >"$home/data/k$n" || break
	done 2>/dev/null &
	PIDS+=("$!")
done
wait_for "$XSFS_TEST_PATIENCE" test -s "$home/data/k4"
kill -KILL "$MOUNT_PID"
wait "$MOUNT_PID" 2>/dev/null || true
umount -l "$MNT"
ring_mount ring
for n in 1 2 3; do
	bad=0
	[[ $(<"$home/name") == "$name" ]] || bad=1
	is "$bad" 0 "another xsfs takes over a ring with stale replies, read $n"
done
works
umount_xsfs

for way in "${ways[@]}"; do
	PREFIX="[$name $way] "
	ring_mount "ring:events=$way"
	works
	umount_xsfs
done

# With parameters instead of looking for them.
PREFIX="[$name gfn,port] "
ring_mount "ring:gfn=$gfn,port=$port"
works
umount_xsfs

# A port of its own, which domain 0 has to announce to the server.
PREFIX="[$name unbound] "
ring_mount ring:events=unbound
line=$(grep -o 'gfn [0-9]*, port [0-9]*' "$MOUNT_LOG")
line=${line//[a-z,]/}
# shellcheck disable=SC2086 # two numbers
printf 'announce %s %s\n' $line
comes_true "$XSFS_TEST_PATIENCE" 'it is connected once domain 0 has announced the port' state_is connected
guest_begins
works
umount_xsfs
