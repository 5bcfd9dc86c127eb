# shellcheck shell=bash
# shellcheck disable=SC2034 # what functions.sh reads
# SPDX-License-Identifier: MIT
# Runs in a guest with the usual kernel: its ring is the kernel's.
. /tests/xen/guest.sh
PREFIX='[usual] '

for words in ring ring:events=poll ring:gfn=1,port=1; do
	status=0
	output=$(timeout "$XSFS_TEST_PATIENCE" "$XSFS" "$words" "$SCRATCH" 2>&1 </dev/null) || status=$?
	is "$status" 1 "$words: refused"
	like "$output" "*this domain's kernel uses it*xenbus*" "$words: says so"
done
mount_xsfs xenbus
is "$(cat "$MNT/.xsfs/self/name")" usual 'the kernel has not lost it'
umount_xsfs
