#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The demo of the embedded store, on which the tools show something by themselves; and its sample as a document.
. "${0%/*}/functions.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires_fuse
requires pgrep
server_binary c >/dev/null || skip 'no xenstored (xen-utils)'

export TMPDIR=$SCRATCH/tmp XSFS_MOUNT
mkdir "$TMPDIR"
PATH=$BUILD/src:$PATH

# What the demo is to show, sooner or later: on a busy machine changes that come quickly are merged.
PATTERNS=('@introduceDomain happened' '@releaseDomain happened' '/local/domain/1/memory/target "*" -> "*"'
	'/device/vbd/51728/state "[1-6]" -> "[3-6]"' '/local/domain/[0-9]* gone, was ""*')

# all_shown: whether it has.
all_shown() {
	local text pattern
	text=$(<"$SCRATCH/demo.out")
	for pattern in "${PATTERNS[@]}"; do
		# shellcheck disable=SC2053 # a pattern is wanted
		[[ $text == *$pattern* ]] || return 1
	done
}

# Fast, under each server: domains come, change and go, and end with the mount.
for server in c o; do
	server_binary "$server" >/dev/null || { skip_one "demo, $server" 'the server is not installed'; continue; }
	XSFS_DEMO_STEP_MS=30 mount_xsfs "embedded:$server" -o demo
	XSFS_MOUNT=$MNT
	: >"$SCRATCH/demo.out"
	xsfs watch /local/domain @introduceDomain @releaseDomain >"$SCRATCH/demo.out" &
	wait_for 20 all_shown || true
	end_process "$!"
	for pattern in "${PATTERNS[@]}"; do
		like "$(<"$SCRATCH/demo.out")" "*$pattern*" "demo, $server: $pattern"
	done
	demo=$(pgrep -P "$MOUNT_PID" -x xsfs-demo)
	umount_xsfs
	if [[ $demo ]] && wait_for 5 dead "$demo"; then
		ok "demo, $server: it ends with the mount"
	else
		not_ok "demo, $server: it ends with the mount" "$demo"
	fi
	is "$(ls "$TMPDIR")" '' "demo, $server: nothing is left"
done

# A document of one's own.
echo '{"tool": {"own": {".perms": "n0,r1", "key": "value"}}, "local": {"domain": {"1": {"name": "mine"}}}}' >"$SCRATCH/own.json"
XSFS_SAMPLE=$SCRATCH/own.json mount_xsfs embedded
is "$(<"$MNT/tool/own/key") $(perms "$MNT/tool/own/key") $(ls "$MNT/local/domain")" 'value n0,r1 1' 'XSFS_SAMPLE'
umount_xsfs
echo '{"tool": 1}' >"$SCRATCH/own.json"
status=0
output=$(XSFS_SAMPLE=$SCRATCH/own.json bounded "$XSFS" embedded "$SCRATCH/tmp" -f 2>&1) || status=$?
like "$status $output" '1 xsfs: embedded: the sample domains cannot be written: xsfs-demo: /tool: the value must be a string' \
	'XSFS_SAMPLE: a wrong one'
