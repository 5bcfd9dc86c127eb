# SPDX-License-Identifier: MIT
"""cache=full: who seeks to the end of a file holds its lock while the kernel asks for the size; who removes it holds that
of the directory and waits for that one; and so does not wait for ever for the thread that tells the kernel of changes, which
needs the lock of the directory."""
import os
import sys
import threading
import time

from store_client import PATIENCE, Store, check, heard

mnt, seconds = sys.argv[1], float(sys.argv[2])
PATH = '/locked/key'
over, turns = threading.Event(), {}

def soon(function, *args):
    try:
        return function(*args)
    except OSError:
        return None

def write():
    store, n = Store(), 0
    while not over.is_set():
        n += 1
        soon(store.write, PATH, b'x' * (n * 7 % 29 + 1))
        soon(store.write, f'/locked/other{n % 4}', b'')
        if n % 25 == 0:
            heard(mnt)
        turns['writer'] = n
    store.write(PATH, b'last')

def seek():
    n = 0
    while not over.is_set():
        fd = soon(os.open, mnt + PATH, os.O_RDONLY)
        for _ in range(20):
            if fd is not None:
                soon(os.lseek, fd, 0, os.SEEK_END)
            n += 1
        if fd is not None:
            os.close(fd)
        turns['seeker'] = n

def remove():
    n = 0
    while not over.is_set():
        soon(os.stat, mnt + PATH)
        soon(os.unlink, mnt + PATH)
        n += 1
        turns['remover'] = n

Store().write(PATH, b'x')
threads = [threading.Thread(target=function, daemon=True) for function in (write, seek, seek, remove)]
for thread in threads:
    thread.start()
time.sleep(seconds)
over.set()
deadline = time.monotonic() + PATIENCE / 4
for thread in threads:
    thread.join(max(0, deadline - time.monotonic()))
check([thread.is_alive() for thread in threads], [False] * 4, 'nobody waits for ever')
check(min(turns.get(name, 0) for name in ('writer', 'seeker', 'remover')) > 0, True, 'all have had their turn')
sys.stdout.flush()
os._exit(0)
