# SPDX-License-Identifier: MIT
"""Signals with handlers while operations run that the store answers at once: none fails."""
import collections
import ctypes
import errno
import os
import signal
import sys
import time

from store_client import Store, check

mnt = sys.argv[1].encode()
store = Store()
libc = ctypes.CDLL(None, use_errno=True)
failed, signals = collections.Counter(), 0

def handler(number, frame):
    global signals
    signals += 1

# An interrupted operation has this many seconds to end by itself (fs/op/op.c).
GRACE = 0.01

# Python itself would try again after EINTR; the C library does not. What follows a failure proves nothing.
def call(name, *args):
    begin = time.monotonic()
    result = getattr(libc, name)(*args)
    if result < 0:
        error = ctypes.get_errno()
        if error == errno.EINTR and time.monotonic() - begin < GRACE:
            failed['EINTR before its time'] += 1
        raise OSError(error, name)
    return result

def round(i):
    path, other = mnt + b'/signals/k%d' % i, mnt + b'/signals/other%d' % i
    line = b'%d\n' % i
    fd = call('open', path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        call('write', fd, line, len(line))
        if call('pread', fd, buf, 100, 0) != len(line):
            failed['short read'] += 1
    finally:
        os.close(fd)
    call('access', path, os.R_OK)
    call('rename', path, other)
    call('mkdir', path, 0o700)
    call('rmdir', path)
    if store.read('/signals/other%d' % i) != line[:-1]:
        failed['lost write'] += 1
    call('unlink', other)

store.write('/signals/k0', b'')
signal.signal(signal.SIGALRM, handler)
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
buf = ctypes.create_string_buffer(100)
rounds = 150
for i in range(rounds):
    try:
        round(i)
    except OSError as e:
        failed[errno.errorcode[e.errno]] += 1
signal.setitimer(signal.ITIMER_REAL, 0, 0)
# A store that answers does so long before; on a machine that is busy with other things it may not.
interrupted = failed.pop('EINTR', 0)
check(dict(failed), {}, f'no other error than EINTR, and none before its time ({interrupted} of {rounds})')
check(signals > 100, True, 'there were signals')
