# SPDX-License-Identifier: MIT
"""A mount is never busy because of what xsfs itself does there, so umount(8) is not refused by chance.

MNT_EXPIRE (umount(2)) says so without unmounting: EBUSY if it is in use, else EAGAIN the first time after a use."""
import collections
import ctypes
import errno
import os
import sys
import time

from inotify_reader import CLOSE_WRITE, Reader, gather
from store_client import Store, check

MNT_EXPIRE = 4
# More than are changed in 50 ms: a key that changes again before that is told later.
KEYS = 20
mnt, changes = sys.argv[1], int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
place = os.fsencode(mnt)
answers = collections.Counter()


def keys(events):
    return {path for path, mask in events if mask & CLOSE_WRITE}


store = Store()
for key in range(KEYS):
    store.write(f'/busy/{key}', b'')
reader = Reader()
reader.know(f'{mnt}/busy')

writer = os.fork()
if writer == 0:
    store = Store()
    for n in range(changes):
        store.write(f'/busy/{n % KEYS}', b'%d' % n)
        # The teller goes to sleep, and has to enter the mount again.
        time.sleep(0.005)
    os._exit(0)
ended = (0, 0)
while ended == (0, 0):
    os.path.exists(mnt)
    answers[errno.errorcode[ctypes.get_errno()] if libc.umount2(place, MNT_EXPIRE) < 0 else 'unmounted'] += 1
    ended = os.waitpid(writer, os.WNOHANG)
check(ended, (writer, 0), 'the writer ends well')
check(set(answers), {'EAGAIN'}, 'the mount is not busy while readers are told')
told = gather(lambda: reader.read(0.1), lambda events: len(keys(events)) == KEYS)
check(len(keys(told)), KEYS, 'of every key')
