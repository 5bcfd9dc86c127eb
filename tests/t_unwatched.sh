#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Polls of keys that the server's quota leaves without a watch: their pollers are told once a second, not all
# the time, and as soon as the quota has room a watch is set again.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 xenstore-write xenstore-chmod

test_unwatched() {
	local dom0=$SERVER_SOCKET log i
	has_config HAVE_XEN || skip 'built without the ring transport'
	"$XSLOOP" domain "$SERVER_DIR" 7 4711 >/dev/null
	xs write /local/domain/7/domid 7 /shared/old 0
	xs chmod -r /local/domain/7 n7 >/dev/null
	for ((i = 0; i < 150; i++)); do
		printf '%s\n' "/shared/k$i" 0
	done | XENSTORED_PATH=$dom0 xargs xenstore-write
	xs chmod -r /shared n7 >/dev/null
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	log=$MOUNT_LOG
	checked python3 "$TEST_DIR/programs/unwatched.py" "$MNT"
	at_most "$(grep -c 'is not watched' "$log" || true)" 50 'the log says once of each what is not watched'
	at_most "$(grep -c 'quota of watches' "$log" || true)" 10 'and of the quota when it is used up'
	umount_xsfs
}

# It has a ring of its own, whatever the matrix says.
XSFS_TEST_TRANSPORT=ring XSFS_TEST_HALF='' for_each_store test_unwatched
