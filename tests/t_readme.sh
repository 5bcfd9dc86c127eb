#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tour of README.md prints what it says there.
. "${0%/*}/functions.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires_fuse
requires getfattr python3 xenstore-ls
server_binary c >/dev/null || skip 'no xenstored (xen-utils)'

# The embedded store's socket is below this directory.
export TMPDIR=$SCRATCH/tmp
mkdir "$TMPDIR"

# The lines of the tour that are indented: commands behind "# " and "> ", what they print.
sed -n '/^## A short tour/,/^## On a Xen host/s/^    //p' "$TEST_DIR/../README.md" >"$SCRATCH/tour"
commands() {
	sed -n -e '/^# file: /d' -e 's/^[#>] //p' "$SCRATCH/tour"
}
expected() {
	sed -e '/^# file: /b' -e '/^[#>] /d' "$SCRATCH/tour"
}

XSFS_TEST_CACHE=meta mount_xsfs embedded
export XSFS_MOUNT=$MNT
# The places of the reader are others: the mount, the store's directory, the examples, the saved file, the tools.
commands | sed -e "s:/xen\\b:$MNT:g" -e "s:/run/xsfs:$TMPDIR/xsfs:g" -e "s:/tmp/web.tar:$SCRATCH/web.tar:g" \
	-e "s:/usr/local/share/doc/xsfs/examples:$TEST_DIR/../contrib/examples:g" \
	-e "s:^xsfs-wait:$BUILD/src/xsfs-wait:" >"$SCRATCH/commands"
succeeds 'the commands' bash -c 'bash "$1" >"$2"' - "$SCRATCH/commands" "$SCRATCH/printed"
is "$(($(wc -l <"$SCRATCH/commands") > 30))" 1 'there are commands'
# without the empty line that ends what getfattr prints
is "$(sed '/^$/d' "$SCRATCH/printed")" "$(expected)" 'they print what the tour shows'
umount_xsfs
