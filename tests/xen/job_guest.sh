# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Runs in a PV guest with the usual kernel: what an unprivileged domain can do over the kernel's device. Domain
# 0 (job_dom0.sh) follows it step by step, by keys below the guest's "data".
. /tests/xen/guest.sh
PREFIX="[$XSFS_XEN_STORE/guest] "

WAIT=/build/src/xsfs-wait
WATCHERS=/build/tests/watchers

XSFS_TEST_CACHE=meta
mount_xsfs xenbus
MINE=$MNT/.xsfs/self
like "$(readlink "$MINE")" '../local/domain/[1-9]*' '.xsfs/self is the own domain'
guest_begins
is "$(cat "$MINE/name")" one 'the own name'
did mounted

# --- what it may read and write -------------------------------------------------------------------

fails EACCES ls "$MNT"
fails EACCES ls "$MNT/local/domain"
succeeds 'ancestors that may not be listed can be searched' test -d "$MNT/local/domain"
is "$(stat -c %a "$MNT/local")" 111 'and look so'
like " $(ls "$home" | tr '\n' ' ')" '* control *' 'the own directory can be listed'
fails EACCES cat "$MNT/local/domain/0/name"
# shellcheck disable=SC2016 # the inner shell's
fails EACCES bash -c 'echo other >"$1"' - "$home/name"
fails EACCES mkdir "$home/x"
mkdir "$home/data/d"
echo 1 >"$home/data/d/k"
is "$(cat "$home/data/d/k")" 1 'own keys can be made, written and read'
succeeds 'and renamed, in a transaction' mv "$home/data/d" "$home/data/e"
is "$(cat "$home/data/e/k")" 1 'the subtree has moved'
fails ENOTEMPTY rmdir "$home/data/e"
succeeds 'and removed' rm -r "$home/data/e"

# --- what changes elsewhere -----------------------------------------------------------------------

go secret
fails EACCES cat "$home/secret"
is "$(cat "$home/secret/shared")" 1 'a key that it may read below one that it may not'
timeout "$XSFS_TEST_PATIENCE" "$WATCHERS" key "$home/secret/shared" '(gone)' >"$SCRATCH/gone" 2>&1 &
poller=$!
wait_for "$XSFS_TEST_PATIENCE" is_open "$home/secret/shared" || true
did watching
wait "$poller" || true
# xenstored says EACCES of what is not there, below what may not be read.
like "$(<"$SCRATCH/gone")" '@(ok *|read: Permission denied)' 'a poll wakes up when it is removed'
did gone
go there
is "$(cat "$home/data/there")" 1 'a new key'
did cached
go removed
if wait_for "$XSFS_TEST_PATIENCE" test ! -e "$home/data/there"; then
	ok 'a cached name that was removed is gone'
else
	not_ok 'a cached name that was removed is gone'
fi

# --- quotas ---------------------------------------------------------------------------------------

head -c 3000 /dev/zero | tr '\0' x >"$SCRATCH/large"
too_large=EDQUOT
[[ $XSFS_XEN_STORE == c ]] || too_large=EFBIG
fails "$too_large" cp "$SCRATCH/large" "$home/data/large"
# Many keys have one owner, this domain (oxenstored), or one directory (xenstored, whose limit is the size of a
# node: long names).
did filled
go filled
status=0
for ((n = 100; n < 400; n++)); do
	{ echo 1 >"$home/data/q/a-name-as-long-as-they-hardly-ever-are-in-the-store-$n"; } 2>"$SCRATCH/why" || {
		status=1
		break
	}
done
is "$status" 1 'a guest may not have any number of nodes'
like "$(<"$SCRATCH/why")" "*${ERRNO_TEXT[EDQUOT]}*" 'the error says that a quota is full'
is "$((n > 100))" 1 'some there were before'
note "$((n - 100)) were made"
did full
go emptied
echo 1 >"$home/data/after"
is "$(cat "$home/data/after")" 1 'and when it is empty there is room again'
did quotas

# --- commands -------------------------------------------------------------------------------------

go control
# The kernel reads this key too and ignores what it does not know.
"$WAIT" -m "$MNT" "$HOME_PATH/control/shutdown" xsfs --timeout "$XSFS_TEST_PATIENCE" &
waiter=$!
did listening
status=0
wait "$waiter" || status=$?
is "$status" 0 'a watcher wakes up when domain 0 gives a command'
did commanded
go finish
is "$(stat_of reconnects)" 0 'one connection served all of it'
umount_xsfs
