# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Runs in a PV guest with the usual kernel, while domain 0 (job_dom0.sh) saves and restores it: what was mounted,
# waited for, cached and under way before is there, wakes up, is dropped or fails afterwards, as it should.
. /tests/xen/guest.sh
. /tests/load.sh
PREFIX="[$XSFS_XEN_STORE/saved] "

WAIT=/build/src/xsfs-wait
WATCHERS=/build/tests/watchers

XSFS_TEST_CACHE=meta
mount_xsfs xenbus
guest_begins
before=$HOME_PATH
is "$(cat "$MNT/tool/saved")" before 'before: what everybody may read'

# One waits for a line of a stream, for what is there before and after; one on a value, for what goes with the old
# domain. Both in epoll_wait(2): see xsfs(8).
"$WAIT" -m "$MNT" /tool/saved after --timeout "$XSFS_TEST_PATIENCE" &
waiter=$!
echo 1 >"$home/data/old"
timeout "$XSFS_TEST_PATIENCE" "$WATCHERS" key "$home/data/old" '(gone)' >"$SCRATCH/gone" 2>&1 &
poller=$!
comes_true "$XSFS_TEST_PATIENCE" 'before: somebody waits for a value' is_open "$home/data/old"
exec 3<>"$MNT/.xsfs/transaction"
read -r t <&3
echo 1 >"$MNT/.xsfs/tx/$t$HOME_PATH/data/tx"
did ready

status=0
wait "$waiter" || status=$?
is "$status" 0 'xsfs-wait, begun before, sees what is written after'
is "$(cat "$MNT/tool/saved")" after 'after: what everybody may read'
wait "$poller" || true
# xenstored says EACCES of what is not there, below what may not be read.
like "$(<"$SCRATCH/gone")" '@(ok *|read: Permission denied)' 'who waits for a value wakes up, as the old domain is gone'
status=0
output=$({ echo commit >&3; } 2>&1) || status=$?
is "$status" 1 'a transaction that was open cannot be committed'
like "$output" "*${ERRNO_TEXT[ECANCELED]}*" 'and says so as after a lost connection'
exec 3>&-

guest_begins
succeeds '.xsfs/self is another domain' test "$HOME_PATH" != "$before"
is "$(cat "$MNT/.xsfs/self/name")" saved 'with the same name'
like "$(cat "$MNT$before/data/old" 2>&1 || true)" '*: @(No such file or directory|Permission denied)' \
	'what was cached of the old domain is gone'
echo 1 >"$home/data/key"
is "$(cat "$home/data/key")" 1 'own keys can be written'
did restored
succeeds 'an event of what domain 0 does now' go further
is "$(stat_of reconnects)" 0 'one connection served all of it'
umount_xsfs
