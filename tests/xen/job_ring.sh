# shellcheck shell=bash
# shellcheck disable=SC2034 # what functions.sh reads
# SPDX-License-Identifier: MIT
# Runs in domain 0: guests whose kernel leaves the ring to user space (job_ring_guest.sh, job_ring_busy.sh), one
# whose kernel does not (job_ring_refused.sh), and domain 0 itself, which may not have its kernel's ring either.
#
#	tests/xen/boot --pvh [--store c|o] [--kernel V] tests/xen/job_ring.sh tests/xen/job_ring_*.sh \
#		build/tests/loop/xsloop
#
# xsloop is only the toolstack's XS_INTRODUCE here, which no program of Xen's sends by hand.
. /tests/xen/dom0.sh
. /tests/load.sh
start_store "${XSFS_XEN_STORE:-c}"

# The kernel's argument that leaves the ring alone.
ALONE=initcall_blacklist=xenbus_init

# Waiting by watches: what polls with programs has an emulated processor for itself.
XSFS_TEST_CACHE=off mount_xsfs "socket:$SERVER_SOCKET"
DOM0=$MNT

# waits_for STEP: until the guest has come so far.
waits_for() {
	/build/src/xsfs-wait -m "$DOM0" "/local/domain/$GUEST_ID/data/step" "$1" \
		--timeout "$XSFS_TEST_PATIENCE"
}

# go STEP: what the guest waits for.
go() {
	echo "$1" >"$DOM0/local/domain/$GUEST_ID/data/go"
}

# introduce PORT: as the toolstack did it, but with another port.
introduce() {
	local home=/local/domain/$GUEST_ID
	/job/xsloop introduce /run/xenstored "$GUEST_ID" "$(value "$home/store/ring-ref")" "$1"
}

# follow: goes with a guest through job_ring_guest.sh, step by step; gives up when it does not come.
follow() {
	local way
	for way in found static poll said; do
		waits_for "$way" || return 0
		go "$way"
	done
	# It is busy now: a pause is nothing that it would notice.
	waits_for busy || return 0
	xl pause "$GUEST"
	sleep 1
	xl unpause "$GUEST"
	go paused
	# It has another port then, which the console names.
	wait_for "$XSFS_TEST_PATIENCE" says_port || return 0
	introduce "$(port_said)"
}

port_said() {
	tr -d '\r' <"$GUEST_LOGS/guest-$GUEST.log" | sed -n 's/^# waiting with port //p' | tail -n 1
}

# Slowly: see above.
says_port() {
	sleep 1
	[[ $(port_said) ]]
}

# guest TYPE: a guest that has its ring for itself.
guest() {
	GUEST=ring-$1
	guest_start "$GUEST" job_ring_guest.sh "$1" "$ALONE xsfs.store=${XSFS_XEN_STORE:-c}"
	# Where a guest that can not look is told.
	xs write "/local/domain/$GUEST_ID/data/place" \
		"gfn=$(value "/local/domain/$GUEST_ID/store/ring-ref"),port=$(value "/local/domain/$GUEST_ID/store/port")"
	follow
	ends_well guest_finish "$GUEST" "$1: the guest's script ends well"
}

# Nobody in domain 0 suffers when a guest goes away in the middle of it all.
destroyed() {
	GUEST=busy
	guest_start busy job_ring_busy.sh pv "$ALONE"
	# While it has no key "data" is a file.
	xs write "/local/domain/$GUEST_ID/data/place" busy
	succeeds 'destroyed: it was busy' waits_for busy
	is "$(guest_ended busy && guest_wait busy)" '' 'destroyed: and still is'
	succeeds 'destroyed: xl destroy' timeout "$XSFS_TEST_PATIENCE" xl destroy busy
	comes_true "$XSFS_TEST_PATIENCE" 'destroyed: its keys go' gone
	xs write /tool/after 1
	is "$(value /tool/after)" 1 'destroyed: the store works'
}

gone() {
	[[ ! -e $DOM0/local/domain/$GUEST_ID/data ]]
}

# A kernel that uses its ring: xsfs does not, in whatever way it is told of it.
refused() {
	GUEST=usual
	guest_start usual job_ring_refused.sh pv
	ends_well guest_finish usual "the guest's script ends well"
}

PREFIX='[dom0] '
output=$(timeout "$XSFS_TEST_PATIENCE" "$XSFS" ring "$SCRATCH" 2>&1 </dev/null) && status=0 || status=$?
is "$status" 1 "domain 0's ring is its kernel's: refused"
like "$output" "*its kernel's*xenbus driver uses it*" 'says so'
output=$(timeout "$XSFS_TEST_PATIENCE" "$XSFS" ring:gfn=1,port=1 "$SCRATCH" 2>&1 </dev/null) && status=0 || status=$?
is "$status" 1 'said: refused as well'
like "$output" "*this domain's kernel uses it*" 'says so'

PREFIX=
guest pv
refused
destroyed
if xl info | grep -q '^virt_caps.*hvm'; then
	guest pvh
else
	skip_one 'a PVH guest' 'booted without --pvh'
fi
