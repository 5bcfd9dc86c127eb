# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Runs in a guest and has requests in flight until the guest is destroyed.
. /tests/xen/guest.sh
mount_xsfs "$(boot_word transport xenbus)"
guest_begins
for n in 1 2 3 4; do
	while :; do
		echo "$RANDOM" >"$home/data/busy$n"
	done &
	PIDS+=("$!")
done
did busy
wait
