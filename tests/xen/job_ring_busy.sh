# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Runs in a guest whose kernel leaves the ring alone, and is busy until domain 0 destroys it.
. /tests/xen/guest.sh

mount_xsfs ring
home=$MNT$(readlink "$MNT/.xsfs/self" | sed 's/^\.\.//')
for n in 1 2 3 4; do
	(while :; do echo "$n" >"$home/data/k$n"; done) &
	(while :; do cat "$home/name"; done) >/dev/null &
done
echo busy >"$home/data/step"
wait
