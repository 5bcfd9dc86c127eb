# SPDX-License-Identifier: MIT
"""More changes at once than the server queues for a slow client: oxenstored keeps back the events of the last ones
until there is another change. Those who poll are woken all the same, those who read events are told, and nothing of
what was remembered stays."""
import ctypes
import os
import resource
import select
import sys
import time

from store_client import PATIENCE, Store, check

mnt, daemon = sys.argv[1], int(sys.argv[2])
# More than oxenstored's two queues hold would make it stop serving whoever writes.
KEYS, DIRS = 1600, 16
SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def ptrace(request):
    if libc.ptrace(request, daemon, None, None) < 0:
        raise OSError(ctypes.get_errno(), 'ptrace')


def size_of(name):
    try:
        return os.stat(f'{mnt}/f/{name}').st_size
    except FileNotFoundError:
        return None


def still_wrong(names, wanted, what):
    """The names of which something else than that is seen after some time."""
    wrong, deadline = set(names), time.monotonic() + PATIENCE
    while wrong and time.monotonic() < deadline:
        wrong = {name for name in wrong if what(name) != wanted(name)}
        time.sleep(0.05)
    return sorted(wrong)


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
store = Store()
names = [f'{n % DIRS}/k{n}' for n in range(KEYS)]
removed = set(names[9::10])
for number, name in enumerate(names):
    store.write(f'/f/{name}', b'first')
    if number % 100 == 99:
        size_of(name)  # its answer comes after all events before it
poll = select.epoll()
files = {}
for name in names:
    fd = os.open(f'{mnt}/f/{name}', os.O_RDONLY)
    files[fd] = name
    os.pread(fd, 100, 0)
    poll.register(fd, select.EPOLLPRI | select.EPOLLET)
for name in names:
    size_of(name)
poll.poll(0, KEYS)
stream = os.open(f'{mnt}/f/.watch', os.O_RDONLY)
lines = select.poll()
lines.register(stream, select.POLLIN)

# The thread that reads what the server sends stands still, without the signals by which the daemon would notice.
ptrace(SEIZE)
ptrace(INTERRUPT)
os.waitpid(daemon, WALL)
for name in names:
    if name in removed:
        store.remove(f'/f/{name}')
    else:
        store.write(f'/f/{name}', b'longer than first')
ptrace(DETACH)

asleep, deadline = set(names), time.monotonic() + PATIENCE
while asleep and time.monotonic() < deadline:
    asleep -= {files[fd] for fd, _ in poll.poll(1.0, KEYS)}
check(sorted(asleep), [], f'all who poll {KEYS} keys are woken')
untold, deadline = {f'/f/{name}' for name in names}, time.monotonic() + PATIENCE
while untold and time.monotonic() < deadline:
    if lines.poll(1000):
        told = {line.split(' ', 1)[1] for line in os.read(stream, 1 << 16).decode().splitlines()}
        # Of the top: anything below may have changed.
        untold = set() if '/f' in told else untold - told
check(sorted(untold), [], 'a stream tells of all of them')
check(still_wrong(names, lambda name: None if name in removed else len('longer than first\n'), size_of), [],
      'and their sizes are those that the store has')
