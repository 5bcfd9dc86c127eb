# SPDX-License-Identifier: MIT
"""A process that stands still in the middle of readdir(3), in a page fault that nobody serves yet, and so has the
directory locked.  Prints "locked" then; a line on its standard input lets it go on."""
import ctypes
import fcntl
import mmap
import os
import select
import struct
import sys
import threading

USERFAULTFD, GETDENTS64 = {'x86_64': (323, 217), 'aarch64': (282, 61)}[os.uname().machine]
UFFDIO_API, UFFDIO_REGISTER, UFFDIO_ZEROPAGE = 0xc018aa3f, 0xc020aa00, 0xc020aa04
libc = ctypes.CDLL(None, use_errno=True)
fault = libc.syscall(USERFAULTFD, os.O_CLOEXEC | os.O_NONBLOCK)
if fault < 0:
    print('not here', os.strerror(ctypes.get_errno()), flush=True)
    sys.exit(0)
fcntl.ioctl(fault, UFFDIO_API, bytearray(struct.pack('QQQ', 0xaa, 0, 0)))
page = mmap.mmap(-1, mmap.PAGESIZE)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
fcntl.ioctl(fault, UFFDIO_REGISTER, bytearray(struct.pack('QQQQ', address, mmap.PAGESIZE, 1, 0)))
directory = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
result = []
thread = threading.Thread(target=lambda: result.append(
    libc.syscall(GETDENTS64, directory, ctypes.c_void_p(address), mmap.PAGESIZE)))
thread.start()
select.select([fault], [], [])
print('locked', flush=True)
sys.stdin.readline()
fcntl.ioctl(fault, UFFDIO_ZEROPAGE, bytearray(struct.pack('QQQq', address, mmap.PAGESIZE, 0, 0)))
thread.join()
print('read', result[0] > 0, flush=True)
