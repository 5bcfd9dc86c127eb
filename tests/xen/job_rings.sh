# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Runs in domain 0 and makes guests that own their rings (job_ring.sh), of the kinds and with the ways to bind
# events that the kernel can (xsfs.guests=pv:static:poll,pvh:...); pauses, unpauses and destroys them.
. /tests/xen/dom0.sh
start_store "$XSFS_XEN_STORE"

XSFS_TEST_CACHE=meta
mount_xsfs socket
IFS=, read -ra guests <<<"$(boot_word guests pv:poll)"

# announced NAME: sets ANNOUNCED to the frame and port that the guest asks to be announced.
announced() {
	ANNOUNCED=$(tr -d '\r' <"$GUEST_LOGS/guest-$1.log" | sed -n 's/^announce //p')
	[[ $ANNOUNCED ]]
}

for guest in "${guests[@]}"; do
	kind=${guest%%:*}
	ways=${guest#*:}
	name=$kind
	PREFIX="[$kind/dom0] "
	guest_start "$name" job_ring.sh "$kind" \
		"initcall_blacklist=xenbus_init xsfs.name=$name xsfs.ways=${ways//:/,}"
	home=local/domain/$GUEST_ID
	succeeds 'the guest has found its ring' guest_did found
	[[ -d $MNT/$home ]] || continue
	is "$(value "/$home/data/polled")" 2 'what it wrote is in the store'
	echo 1 >"$MNT/$home/data/outside"
	guest_go poll
	succeeds 'the guest polls a key' guest_did polling
	echo changed >"$MNT/$home/data/outside"
	succeeds 'the guest is at work' guest_did paused
	for _ in 1 2 3; do
		xl pause "$name"
		seen=$(value "/$home/data/n" 2>/dev/null) || seen=
		sleep 1
		[[ $(value "/$home/data/n" 2>/dev/null) == "$seen" ]] || not_ok 'a paused guest stands still'
		xl unpause "$name"
	done
	ok 'paused and unpaused three times'
	guest_go resumed
	if wait_for $((4 * XSFS_TEST_PATIENCE)) announced "$name"; then
		# shellcheck disable=SC2086 # two numbers
		succeeds 'its new port is announced' introduce "$GUEST_ID" $ANNOUNCED
	else
		not_ok 'its new port is announced' 'it named none'
	fi
	status=0
	guest_finish "$name" || status=$?
	is "$status" 0 'what the guest tests is right'
	gone "$MNT/$home" 'its keys are gone'

	PREFIX="[$kind/destroy] "
	guest_start busy job_busy.sh "$kind" 'initcall_blacklist=xenbus_init xsfs.transport=ring'
	home=local/domain/$GUEST_ID
	succeeds 'a guest is busy on its ring' guest_did busy
	succeeds 'xl destroys it' timeout "$XSFS_TEST_PATIENCE" xl destroy busy
	gone "$MNT/$home" 'its keys are gone'
	is "$(cat "$MNT/local/domain/0/name")" Domain-0 'the store goes on'
done
