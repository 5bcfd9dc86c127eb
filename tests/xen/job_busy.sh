# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Runs in a guest and has requests in flight until the guest is destroyed.
. /tests/xen/guest.sh
mount_xsfs "${1:-xenbus}"
home=$MNT/.xsfs/self
for n in 1 2 3 4; do
	while :; do
		echo "$RANDOM" >"$home/data/busy$n"
	done &
	PIDS+=("$!")
done
echo busy >"$home/data/step"
wait
