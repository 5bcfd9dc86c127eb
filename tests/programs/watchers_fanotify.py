# SPDX-License-Identifier: MIT
"""Prints the events that fanotify(7) reports for a mark of one sort: of the file system, of the mount, or of a directory."""
import ctypes
import os
import struct
import sys

NOTIF, CLOEXEC, RDONLY = 0, 0x1, 0
ADD, MARK_MOUNT, MARK_FILESYSTEM = 0x1, 0x10, 0x100
MODIFY, CLOSE_WRITE, EVENT_ON_CHILD = 0x2, 0x8, 0x08000000
SORTS = {'filesystem': (MARK_FILESYSTEM, 0), 'mount': (MARK_MOUNT, 0), 'directory': (0, EVENT_ON_CHILD)}
NAMES = {MODIFY: 'MODIFY', CLOSE_WRITE: 'CLOSE_WRITE'}

libc = ctypes.CDLL(None, use_errno=True)
sort, path = sys.argv[1:3]
fd = libc.fanotify_init(NOTIF | CLOEXEC, RDONLY)
flags, more = SORTS[sort]
if fd < 0 or libc.fanotify_mark(fd, ADD | flags, ctypes.c_uint64(MODIFY | CLOSE_WRITE | more), -100, os.fsencode(path)) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print('ready', flush=True)
while True:
    data, at = os.read(fd, 1 << 14), 0
    while at < len(data):
        size, _, _, _, mask, event_fd, pid = struct.unpack_from('=IBBHQii', data, at)
        at += size
        name = os.readlink(f'/proc/self/fd/{event_fd}')
        os.close(event_fd)
        words = ','.join(word for bit, word in NAMES.items() if mask & bit)
        print(words, name, pid, flush=True)
