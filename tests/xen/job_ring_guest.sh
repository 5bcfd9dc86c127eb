# shellcheck shell=bash
# shellcheck disable=SC2034 # what functions.sh reads
# SPDX-License-Identifier: MIT
# Runs in a guest whose kernel leaves the ring alone: xsfs takes it in every way that there is. Domain 0
# (job_ring.sh) follows it step by step, by keys below the guest's "data".
. /tests/xen/guest.sh
. /tests/load.sh

WAIT=/build/src/xsfs-wait
TYPE=pv
[[ ! -e /sys/hypervisor/guest_type ]] || TYPE=$(</sys/hypervisor/guest_type)
PREFIX="[$TYPE $(uname -r | grep -o '^[0-9]*\.[0-9]*')] "

# ring WORDS: mounts it.
ring() {
	mount_xsfs "ring${1:+:$1}" -o timeout=20
	HOME_DIR=$MNT$(readlink "$MNT/.xsfs/self" | sed 's/^\.\.//')
}

# step NAME: domain 0 sees it by a write of ours, and we see its answer by an event.
step() {
	echo "$1" >"$HOME_DIR/data/step"
	"$WAIT" -m "$MNT" "${HOME_DIR#"$MNT"}/data/go" "${2-$1}" --timeout "$XSFS_TEST_PATIENCE"
}

# is_there: the ring answers.
is_there() {
	[[ $(timeout 10 cat "$MNT/.xsfs/self/name") == ring-* ]]
}

# works NAME: files, a listing, a transaction, and an event of domain 0's doing.
works() {
	like "$(cat "$HOME_DIR/name")" 'ring-*' "$1: read"
	fails EACCES ls "$MNT/local/domain"
	like " $(ls "$HOME_DIR" | tr '\n' ' ')" '* data *' "$1: listed"
	mkdir "$HOME_DIR/data/d"
	echo 1 >"$HOME_DIR/data/d/k"
	mv "$HOME_DIR/data/d" "$HOME_DIR/data/e"
	is "$(cat "$HOME_DIR/data/e/k")" 1 "$1: written and renamed"
	rm -r "$HOME_DIR/data/e"
	succeeds "$1: domain 0 sees it, and is seen" step "$1"
}

# again WORDS: another xsfs on the same ring.
refused() {
	local mnt=$MNT pid=$MOUNT_PID status=0
	mount_xsfs "ring${1:+:$1}" >/dev/null || status=$?
	is "$status" 1 "two at once, ${1:-found}: refused"
	like "$(<"$MOUNT_LOG")" "*process $pid has it already*" "two at once, ${1:-found}: says so"
	MNT=$mnt MOUNT_PID=$pid
	is "$(cat "$HOME_DIR/data/step")" found "two at once, ${1:-found}: the first goes on"
}

# killed: as by kill -9, in the middle of requests that somebody makes.
killed() {
	local dead=$MNT pids=()
	for _ in 1 2 3 4 5 6; do
		timeout 60 bash -c 'while cat "$1"; do :; done' - "$HOME_DIR/name" >/dev/null 2>&1 &
		pids+=("$!")
	done
	wait_for "$XSFS_TEST_PATIENCE" was_busy "$(stat_of completed)" || true
	kill -s KILL "$MOUNT_PID"
	wait "$MOUNT_PID" 2>/dev/null || true
	umount -l "$dead"
	wait "${pids[@]}" || true
}

was_busy() {
	(($(stat_of completed) > $1 + 100))
}

wakes_up() {
	awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$MOUNT_PID/status"
}

fails ENOENT ls /dev/xen/xenbus

# --- found, and bound in whatever way works -------------------------------------------------------

ring ''
note "found: port $(stat_of transport_port)"
works found
PLACE=$(cat "$HOME_DIR/data/place")
is "$(stat_of transport_port)" "${PLACE#*port=}" 'found: the port that the toolstack made'
# What such a guest has no device for.
like "$(XENSTORED_PATH=$MNT/.xsfs/xenbus timeout "$XSFS_TEST_PATIENCE" xenstore-read name)" 'ring-*' \
	'found: the xenstore tools work through .xsfs/xenbus'
refused ''
refused events=poll
killed
ring ''
is "$(stat_of unknown_replies)" 0 'after a predecessor that was killed: no reply of its requests'
succeeds 'after a predecessor that was killed: read' is_there
umount_xsfs

# --- each way by its name -------------------------------------------------------------------------

status=0
mount_xsfs ring:events=static -o timeout=20 >/dev/null || status=$?
if ((status == 0)); then
	umount_xsfs
	ring events=static
	works static
	umount_xsfs
else
	# Linux before 6.6.
	like "$(<"$MOUNT_LOG")" '*events=static*Function not implemented*' 'static: this kernel has no such thing'
	ring ''
	step static
	umount_xsfs
fi

ring events=poll
works poll
# By how often it wakes up: ten times a second. How much time that takes says nothing on an emulated processor.
before=$(wakes_up)
sleep 10
before=$(($(wakes_up) - before))
note "polled, idle for 10 s: woken up $before times"
at_most "$before" 400 'polled: seldom while nothing happens'
umount_xsfs

ring "$PLACE"
works said

# --- paused while it is busy ----------------------------------------------------------------------

echo busy >"$HOME_DIR/data/step"
bad=0 count=0
until [[ $(cat "$HOME_DIR/data/go") == paused ]] || ((++count > 100000)); do
	[[ $(cat "$HOME_DIR/data/step") == busy ]] || bad=$((bad + 1))
done
is "$bad" 0 'paused and unpaused: no read failed'
umount_xsfs

# --- a port that domain 0 has to tell the server --------------------------------------------------

mount_xsfs ring:events=unbound -o timeout=5
like "$(<"$MOUNT_LOG")" '*waiting for XS_INTRODUCE*echo introduce*' 'unbound: says what to do'
echo "# waiting with port $(stat_of transport_port)"
comes_true "$XSFS_TEST_PATIENCE" 'unbound, introduced: it works' is_there
HOME_DIR=$MNT$(readlink "$MNT/.xsfs/self" | sed 's/^\.\.//')
like "$(cat "$HOME_DIR/name")" 'ring-*' 'unbound: read'
echo unbound >"$HOME_DIR/data/step"
is "$(cat "$HOME_DIR/data/step")" unbound 'unbound: written'
umount_xsfs
