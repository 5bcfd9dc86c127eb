# SPDX-License-Identifier: MIT
"""Polls where the server refuses a watch."""
import os
import resource
import select
import sys
import time

from store_client import PATIENCE, Store, check

resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 2000))
mnt, store = sys.argv[1], Store()
KEYS = 150

def stat(name):
    for line in open(mnt + '/.xsfs/stats'):
        if line.startswith(name + ' '):
            return int(line.split()[1])
    return -1

def comes_true(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()

class Key:
    def __init__(self, path):
        self.fd = os.open(mnt + path, os.O_RDONLY)
        self.poller = select.poll()
        self.poller.register(self.fd, select.POLLPRI)

    def ready(self, ms):
        return bool(self.poller.poll(ms))

    def read(self):
        return os.pread(self.fd, 100, 0)

    def wakes(self, times):
        """Waits until it was told so often.  Returns whether it was, and for how many seconds that took."""
        begin = time.monotonic()
        told = [self.ready(1000 * PATIENCE) and self.read() for _ in range(times)]
        return all(told), time.monotonic() - begin

    def gets(self, value):
        """Waits in poll until it reads so."""
        deadline = time.monotonic() + PATIENCE
        while self.read() != value and (left := deadline - time.monotonic()) > 0:
            self.ready(left * 1000)
        return self.read() == value

    def settles(self, ms=200):
        """Reads until nothing comes for that long."""
        deadline = time.monotonic() + PATIENCE
        while self.ready(ms) and time.monotonic() < deadline:
            self.read()
        return time.monotonic() < deadline

# A file that is moved takes its poll along.
key = Key('/shared/old')
key.settles()
os.rename(mnt + '/shared/old', mnt + '/shared/new')
check(key.settles(), True, 'a key that was moved while it was polled: not ready for ever')
store.write('/shared/new', b'moved')
check((key.ready(1000 * PATIENCE), key.read()), (True, b'moved\n'), 'and woken up by changes of its new place')
os.rename(mnt + '/shared/new', mnt + '/shared/old')
check(key.settles(), True, 'and again when it was moved back')
store.write('/shared/old', b'back')
check((key.ready(1000 * PATIENCE), key.read()), (True, b'back\n'), 'where changes wake it up, too')
os.close(key.fd)
check(comes_true(lambda: stat('watches') == 1), True, 'its watches are gone with it')

keys = [Key(f'/shared/k{i}') for i in range(KEYS)]
for key in keys:
    key.ready(0)
    key.read()
# The last was answered, and so were all before it.
store.write(f'/shared/k{KEYS - 1}', b'1')
check(comes_true(lambda: stat('polls_unwatched') > 0), True, f'{KEYS} polled keys use up the quota of watches')
last = keys[-1]
check(last.gets(b'1\n'), True, 'what is not watched is told all the same, a second later')
# The first may be told late, right before the second.
told, seconds = last.wakes(4)
check((told, seconds > 1.9), (True, True), 'once a second, again and again')
store.write(f'/shared/k{KEYS - 1}', b'2')
check(last.gets(b'2\n'), True, 'a change is not missed')
epoll = select.epoll()
epoll.register(last.fd, select.EPOLLPRI | select.EPOLLET)
store.write(f'/shared/k{KEYS - 1}', b'3')
woken = epoll.poll(PATIENCE)
while last.read() != b'3\n' and woken:
    woken = epoll.poll(PATIENCE)
check((bool(woken), last.read()), (True, b'3\n'), 'nor by an edge-triggered epoll')
epoll.close()
check(stat('polls_unwatched') > 0, True, 'the quota is still used up')

# There is room again: for one only, then for all.
before = stat('polls_unwatched')
os.close(keys[0].fd)
def fewer():
    for key in keys[-before:]:
        if key.ready(0):
            key.read()
    return stat('polls_unwatched') == before - 1
check(comes_true(fewer), True, 'one watch goes: another key that is polled gets it')
for key in keys[1:KEYS // 2]:
    os.close(key.fd)
def none():
    for key in keys[KEYS // 2:]:
        if key.ready(0):
            key.read()
    return stat('polls_unwatched') == 0
check(comes_true(none), True, 'half of them go: all that are left are watched')
check(last.settles(1300), True, 'and nobody is told every second any more')
store.write(f'/shared/k{KEYS - 1}', b'4')
check((last.ready(1000 * PATIENCE), last.read()), (True, b'4\n'), 'but of a change')
for key in keys[KEYS // 2:]:
    os.close(key.fd)
