#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Signals that a program handles and goes on, as shells do with SIGCHLD and others with timers, do not make
# operations fail that the store answers at once. (That a silent store can be interrupted: t_silent.sh.)
. "${0%/*}/functions.sh"
requires python3

cat >"$SCRATCH/signals.py" <<'END'
import collections, ctypes, errno, os, signal, sys
from store_client import *
mnt = sys.argv[1].encode()
store = Store()
libc = ctypes.CDLL(None, use_errno=True)
failed, signals = collections.Counter(), 0

def handler(number, frame):
    global signals
    signals += 1

# Python itself would try again after EINTR; the C library does not.
def call(name, *args):
    result = getattr(libc, name)(*args)
    if result < 0:
        failed[f'{name}: {errno.errorcode[ctypes.get_errno()]}'] += 1
    return result

store.write('/signals/k0', b'')
signal.signal(signal.SIGALRM, handler)
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
buf = ctypes.create_string_buffer(100)
for i in range(400):
    path, other = mnt + b'/signals/k', mnt + b'/signals/other'
    fd = call('open', path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    line = b'%d\n' % i
    call('write', fd, line, len(line))
    if call('pread', fd, buf, 100, 0) != len(line):
        failed['short'] += 1
    call('close', fd)
    call('access', path, os.R_OK)
    if i % 4 == 0:
        call('rename', path, other)
        call('mkdir', path, 0o700)
        call('rmdir', path)
        call('unlink', other)
signal.setitimer(signal.ITIMER_REAL, 0, 0)
check(dict(failed), {}, 'no operation fails')
check(signals > 100, True, 'there were signals')
check(store.read('/signals/k'), b'399', 'the last write is there')
END

test_signals() {
	mount_xsfs "$STORE"
	checked python3 "$SCRATCH/signals.py" "$MNT"
	is "$(($(stat_of fuse_interrupted) > 0))" 1 'some met operations under way'
	umount_xsfs
}
for_each_store test_signals
