#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Nobody notifies the kernel, or waits in poll(), while holding a lock: whatever has to wait for that lock would wait
# for the system call as well. Replies are sent under the lock of the filesystem, and no other. A library that is
# preloaded looks at each (replies.c).
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 xenstore-write

cat >"$SCRATCH/locks.py" <<'END_OF_PYTHON'
import os, select, signal, subprocess, sys, threading, time
from raw_client import *
from store_client import Store, check
mnt, pid = sys.argv[1], int(sys.argv[2])
store = Store()

def stat(name):
    for line in open(mnt + '/.xsfs/stats'):
        if line.startswith(name + ' '):
            return int(line.split()[1])
    return 0

def comes_true(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()

class Waiting:
    """Reads of a thread each that have to wait, and what they got."""
    def __init__(self, *fds):
        self.got = [None] * len(fds)
        self.threads = [threading.Thread(target=self.read, args=pair, daemon=True) for pair in enumerate(fds)]
        for thread in self.threads:
            thread.start()
        # Reading the statistics is one operation more.
        comes_true(lambda: stat('fuse_operations_now') == len(fds) + 1)

    def read(self, n, fd):
        self.got[n] = os.read(fd, 999)

    def ended(self):
        for thread in self.threads:
            thread.join(PATIENCE)
        return self.got

store.write('/l/key', b'1')
key = os.open(mnt + '/l/key', os.O_RDONLY)
poller = select.poll()
poller.register(key, select.POLLPRI)
while poller.poll(100):
    os.pread(key, 99, 0)

# A raw client and a stream that wait in read(), a raw client that waits in poll(): everything is looked at anew.
raws = [Raw(mnt + '/.xsfs/xenbus') for _ in range(2)]
for raw in raws:
    raw.call(WATCH, b'/l/key\0token\0')
    raw.event()
stream = os.open(mnt + '/l/.watch', os.O_RDONLY)
event = message(EVENT, b'/l/key\0token\0', 0)
polled = select.epoll()
polled.register(raws[1].fd, select.EPOLLIN | select.EPOLLET)
waiting = Waiting(raws[0].fd, stream)
os.kill(pid, signal.SIGCONT)
check(waiting.ended(), [event, b'resync\n'], 'everything is looked at anew: a raw client and a stream that wait hear of it')
check((bool(polled.poll(PATIENCE)), bool(poller.poll(1000 * PATIENCE))), (True, True), 'and polls')

# A change, with all of them waiting.
raws[1].get()
while poller.poll(50):
    os.pread(key, 99, 0)
polled.poll(0.05)
waiting = Waiting(raws[0].fd, stream)
store.write('/l/key', b'2')
check(waiting.ended(), [event, b'changed /l/key\n'], 'a change: a raw client and a stream that wait hear of it')
check((bool(polled.poll(PATIENCE)), bool(poller.poll(1000 * PATIENCE))), (True, True), 'and polls')
for raw in raws:
    raw.close()

# Waits that are interrupted.
for path, how in ('/l/.watch', os.O_RDONLY), ('/.xsfs/xenbus', os.O_RDWR):
    waited = os.open(mnt + path, how)
    check(subprocess.run(['timeout', '0.1', 'cat'], stdin=waited, stdout=subprocess.DEVNULL).returncode, 124, path + ': a read that is interrupted')
    os.close(waited)

# Transactions.
for end in 'commit', 'abort':
    tx = os.open(mnt + '/.xsfs/transaction', os.O_RDWR)
    name = os.read(tx, 99).decode().strip()
    for n in range(5):
        os.makedirs(f'{mnt}/.xsfs/tx/{name}/l/{end}{n}')
        with open(f'{mnt}/.xsfs/tx/{name}/l/{end}{n}/f', 'a') as f:
            f.write('x\n')
    os.write(tx, end.encode())
    os.close(tx)

# The rest.
for n in range(20):
    os.makedirs(f'{mnt}/l/tree/{n}/sub')
    with open(f'{mnt}/l/tree/{n}/sub/key', 'a') as f:
        f.write('line\n')
    os.setxattr(f'{mnt}/l/tree/{n}', 'user.xenstore.perms', b'n0')
os.rename(mnt + '/l/tree', mnt + '/l/moved')
check(open(mnt + '/l/moved/.dump').read().count('\n'), 60, '.dump')
check(open(mnt + '/l/moved/.json').read()[0], '{', '.json')
control = os.open(mnt + '/.xsfs/control', os.O_RDWR)
os.write(control, b'domain-path 0\n')
os.close(control)
subprocess.run(['rm', '-r', mnt + '/l/moved'], check=True)
os.close(stream)
os.close(key)
END_OF_PYTHON

# count_of WHAT: how many of these the library has seen.
count_of() { awk -v what="$1" '$1 == what { print $2 }' "$SCRATCH/replies"; }

test_locks() {
	local threads what
	for threads in 1 4; do
		: >"$SCRATCH/replies"
		XSFS_TEST_WRAPPER=${LOOK_ON:-$XSFS_TEST_WRAPPER} mount_xsfs "$STORE" -o "threads=$threads,cache=meta"
		checked python3 "$SCRATCH/locks.py" "$MNT" "$MOUNT_PID"
		umount_xsfs
		xs rm /l
		[[ $LOOK_ON ]] || continue
		for what in 'a reply' 'a notification' 'poll()'; do
			is "$(grep -F "$what under" "$SCRATCH/replies" || true)" '' "threads=$threads: $what: no lock that must not be held"
		done
		is "$(count_of unlocked)" 0 "threads=$threads: no reply without the lock of the filesystem"
		at_least "$(count_of replies)" 200 "threads=$threads: the replies were looked at"
		at_least "$(count_of notifications)" 4 "threads=$threads: and the notifications"
		at_least "$(count_of waits)" 1 "threads=$threads: and the waits"
	done
}

# look_on CMD...: runs xsfs with replies.c, behind the library that plays Xen.
cat >"$SCRATCH/look_on" <<-END
	#!/bin/bash
	export XSFS_REPLIES=$SCRATCH/replies
	LD_PRELOAD="\${LD_PRELOAD:+\$LD_PRELOAD:}$BUILD/tests/.libs/libreplies.so" exec "\$@"
END
chmod +x "$SCRATCH/look_on"

# The sanitizers look at locks themselves, and valgrind.
LOOK_ON=$SCRATCH/look_on
[[ ! $XSFS_TEST_WRAPPER && $(<"$BUILD/config.log") != *fsanitize=* ]] || LOOK_ON=
for_each_store test_locks
