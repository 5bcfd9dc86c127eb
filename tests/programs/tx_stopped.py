# SPDX-License-Identifier: MIT
"""A transaction that is open, and polled, when the mount ends, while others go on and on."""
import errno
import os
import select
import sys

fd = os.open(sys.argv[1] + '/.xsfs/transaction', os.O_RDWR)
log = os.open(sys.argv[1] + '/w/leaf', os.O_WRONLY | os.O_APPEND)
children = [os.fork() for _ in range(4)]
while 0 in children:
    try:
        os.write(log, b'x')
    except OSError as e:
        if e.errno in (errno.ENOTCONN, errno.ECONNABORTED):
            os._exit(0)
poller = select.epoll()
poller.register(fd, select.EPOLLHUP)
poller.poll(0.1)
open(sys.argv[2], 'w').close()
sys.stdout.write('' if poller.poll(60) else 'the poll hears nothing\n')
for child in children:
    os.waitpid(child, 0)
