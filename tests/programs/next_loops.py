# SPDX-License-Identifier: MIT
"""Event loops follow a key. Each has add(fd, callback), and turn(), which waits for something and calls back."""
import asyncio
import ctypes
import select
import sys

from next_common import next_of, opened, store, sync, write
from store_client import check

name = sys.argv[2]

class Asyncio:
    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.called = None

    def add(self, fd, callback):
        def call():
            callback()
            if self.called and not self.called.done():
                self.called.set_result(None)
        self.loop.add_reader(fd, call)

    def turn(self):
        self.called = self.loop.create_future()
        self.loop.run_until_complete(self.called)

class Edge:
    """As Go's runtime does it: for both directions, edge-triggered."""
    def __init__(self):
        self.epoll = select.epoll()
        self.callbacks = {}

    def add(self, fd, callback):
        self.callbacks[fd] = callback
        self.epoll.register(fd, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)

    def turn(self):
        for fd, what in self.epoll.poll():
            if what & select.EPOLLIN:
                self.callbacks[fd]()

class Glib:
    IN = 1
    CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)

    def __init__(self):
        self.lib = ctypes.CDLL('libglib-2.0.so.0')
        self.kept = []

    def add(self, fd, callback):
        def call(*_):
            callback()
            return 1
        self.kept.append(self.CALLBACK(call))
        self.lib.g_unix_fd_add(fd, self.IN, self.kept[-1], None)

    def turn(self):
        self.lib.g_main_context_iteration(None, 1)

class Libuv:
    READABLE, ONCE = 1, 1
    CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)

    def __init__(self):
        self.lib = ctypes.CDLL('libuv.so.1')
        self.lib.uv_default_loop.restype = ctypes.c_void_p
        self.loop = ctypes.c_void_p(self.lib.uv_default_loop())
        self.kept = []

    def add(self, fd, callback):
        handle = ctypes.create_string_buffer(4096) # larger than any uv_poll_t
        call = self.CALLBACK(lambda *_: callback())
        self.kept += handle, call
        if self.lib.uv_poll_init(self.loop, handle, fd) or self.lib.uv_poll_start(handle, self.READABLE, call):
            raise OSError('libuv does not take it')

    def turn(self):
        self.lib.uv_run(self.loop, self.ONCE)

class Follower:
    """A key in a loop: how often it was called back, and what it has read then."""
    def __init__(self, loop, path):
        self.path, self.calls, self.values = path, 0, []
        self.next = opened(next_of(path))
        loop.add(self.next.fd, self.called)

    def called(self):
        self.calls += 1
        self.values.append(self.next.now())

def run_until(loop, follower, last):
    """Lets the loop run until that was read and nothing is left to be read."""
    while follower.values[-1:] != [last]:
        loop.turn()
    # A read gives the value as it is, so the last may have been seen before its own event came.
    sync()
    while follower.next.ready():
        loop.turn()

def follow(loop, follower, values):
    """Writes them at once, and lets the loop run until the last is seen. Returns the number of callbacks."""
    follower.calls, follower.values = 0, []
    for value in values:
        write(follower.path, value)
    run_until(loop, follower, values[-1].encode() + b'\n')
    return follower.calls

for path in '/loop/key', '/loop/busy':
    write(path, '')
loop = {'asyncio': Asyncio, 'edge': Edge, 'glib': Glib, 'libuv': Libuv}[name]()
key, busy = Follower(loop, '/loop/key'), Follower(loop, '/loop/busy')
follow(loop, key, ['first'])
follow(loop, busy, ['first'])
key.calls = 0
most = max(follow(loop, busy, [f'turn {n}']) for n in range(50))
check((key.calls, most), (0, 1), f'{name}: 50 turns for one key, each with one callback, and none for the other')
for n in 1, 2, 10, 100:
    calls = follow(loop, key, [f'{n}: {i}' for i in range(n)])
    check(1 <= calls <= n, True, f'{name}: {n} changes: {calls} callbacks, and the last value')
busy.calls = 0
follow(loop, key, ['last'])
check(busy.calls, 0, f'{name}: none for the other')
store.remove('/loop/key')
key.values = []
run_until(loop, key, 'ENOENT')
check(key.values, ['ENOENT'], f'{name}: its removal')
key.calls = 0
for n in range(10):
    follow(loop, busy, [f'after that {n}'])
check(key.calls, 0, f'{name}: which is told once')
check(follow(loop, key, ['again']), 1, f'{name}: it comes back')
