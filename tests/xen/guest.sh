# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For the scripts that run in a guest of a real Xen (tests/xen/dom0.sh starts them): what every end-to-end test
# has. What they print goes to the console, and so to domain 0's log.

export top_builddir=/build
: "${XSFS_TEST_PATIENCE:=300}"
. /tests/functions.sh
. /tests/xen/words.sh

# guest_begins: to be called once something is mounted. Sets HOME_PATH, this domain's directory in the store,
# and home, the same in the mount. Its "data" is empty at first, so a file: only the view in which all nodes are
# directories can make the first key below it.
guest_begins() {
	HOME_PATH=$(readlink "$MNT/.xsfs/self")
	HOME_PATH=${HOME_PATH#..}
	home=$MNT$HOME_PATH
	mkdir -p "$MNT/.xsfs/nodes$HOME_PATH/data/begin"
}

# did STEP: tells domain 0 how far we are.
did() {
	echo "$1" >"$home/data/step"
}

# go STEP: waits until domain 0 says so.
go() {
	/build/src/xsfs-wait -m "$MNT" "$HOME_PATH/data/go" "$1" --timeout "$XSFS_TEST_PATIENCE"
}
