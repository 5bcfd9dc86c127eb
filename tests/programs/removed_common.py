# SPDX-License-Identifier: MIT
"""What the programs about removed names share."""
import errno
import os
import sys

from store_client import Store

mnt, mode = sys.argv[1:3]
store = Store()
serial = 0

watched = 'unwatched' not in mode
# What the mount has read when it says that the barrier was written, it has read all that came before.
if watched:
    stream = os.open(mnt + '/.xsfs/watch', os.O_RDWR)
    os.write(stream, b'/barrier\n')

def known():
    """Waits until the mount has got the events of all that the store has done."""
    global serial
    if not watched:
        return
    serial += 1
    store.write('/barrier', b'%d' % serial)
    while b'/barrier' not in os.read(stream, 65536):
        pass

def result(function, *args, **named):
    """What it returns, or the name of the error."""
    try:
        return function(*args, **named)
    except OSError as e:
        return errno.errorcode[e.errno]

def failed(function, *args, **named):
    """The error's name, or "nothing"."""
    value = result(function, *args, **named)
    return value if isinstance(value, str) and value in errno.errorcode.values() else 'nothing'

def stat_number(name):
    for line in open(mnt + '/.xsfs/stats'):
        word, value = line.split()
        if word == name:
            return int(value)
    return 0

def put(path, text, **named):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, **named)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
