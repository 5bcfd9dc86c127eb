# SPDX-License-Identifier: MIT
"""More changes at once than the server queues for a slow client: oxenstored keeps back the events of the last ones
until there is another change, and the readers are told of them all the same."""
import ctypes
import os
import sys
import time

from inotify_reader import CHANGES, CLOSE_WRITE, MOVE_SELF, Reader
from store_client import PATIENCE, Store, check

mnt, daemon = sys.argv[1], int(sys.argv[2])
# More than oxenstored's two queues hold would make it stop serving whoever writes.
KEYS, DIRS = 1600, 16
SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def ptrace(request):
    if libc.ptrace(request, daemon, None, None) < 0:
        raise OSError(ctypes.get_errno(), 'ptrace')


store = Store()
names = [f'{n % DIRS}/k{n}' for n in range(KEYS)]
for number, name in enumerate(names):
    store.write(f'/f/{name}', b'first')
    if number % 100 == 99:
        os.stat(f'{mnt}/f/{name}')  # its answer comes after all events before it
reader = Reader()
for n in range(DIRS):
    os.listdir(f'{mnt}/f/{n}')
    reader.add(f'{mnt}/f/{n}', str(n), CHANGES)
keeper = Reader()  # the kernel does not forget what it watches: only what it knows can be compared
for name in names:
    keeper.add(f'{mnt}/f/{name}', name, MOVE_SELF)
# All that was done before has been told; twice, as what is found below a directory waits for what is known by then.
for n in range(2):
    store.write(f'/f/0/end{n}', b'')
    reader.until(f'0/end{n}', CLOSE_WRITE)

# The thread that reads what the server sends stands still, without the signals by which the daemon would notice.
ptrace(SEIZE)
ptrace(INTERRUPT)
os.waitpid(daemon, WALL)
for number, name in enumerate(names):
    if number % 10 == 9:
        store.remove(f'/f/{name}')
    else:
        store.write(f'/f/{name}', b'second')
ptrace(DETACH)

missing, deadline = set(names), time.monotonic() + PATIENCE
while missing and time.monotonic() < deadline:
    missing -= {path for path, _ in reader.read(1.0)}
check(sorted(missing), [], f'an event of each of {KEYS} keys')
