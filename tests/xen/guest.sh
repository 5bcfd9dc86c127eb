# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For the scripts that run in a guest of a real Xen (tests/xen/dom0.sh starts them): what every end-to-end test
# has. What they print goes to the console, and so to domain 0's log.

export top_builddir=/build
: "${XSFS_TEST_PATIENCE:=120}"
. /tests/functions.sh
