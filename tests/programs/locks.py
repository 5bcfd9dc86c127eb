# SPDX-License-Identifier: MIT
"""Everything that is answered in one way or another, for a mount whose replies are looked at."""
import os
import select
import signal
import subprocess
import sys
import threading
import time

from raw_client import EVENT, PATIENCE, Raw, WATCH, message
from store_client import Store, check

mnt, pid = sys.argv[1], int(sys.argv[2])
store = Store()

def stat(name):
    for line in open(mnt + '/.xsfs/stats'):
        if line.startswith(name + ' '):
            return int(line.split()[1])
    return 0

def comes_true(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()

class Waiting:
    """Reads of a thread each that have to wait, and what they got."""
    def __init__(self, *fds):
        self.got = [None] * len(fds)
        self.threads = [threading.Thread(target=self.read, args=pair, daemon=True) for pair in enumerate(fds)]
        for thread in self.threads:
            thread.start()
        # Reading the statistics is one operation more.
        comes_true(lambda: stat('fuse_operations_now') == len(fds) + 1)

    def read(self, n, fd):
        self.got[n] = os.read(fd, 999)

    def ended(self):
        for thread in self.threads:
            thread.join(PATIENCE)
        return self.got

store.write('/l/key', b'1')
key = os.open(mnt + '/l/key', os.O_RDONLY)
poller = select.poll()
poller.register(key, select.POLLPRI)
while poller.poll(100):
    os.pread(key, 99, 0)

# A raw client and a stream that wait in read(), a raw client that waits in poll(): everything is looked at anew.
raws = [Raw(mnt + '/.xsfs/xenbus') for _ in range(2)]
for raw in raws:
    raw.call(WATCH, b'/l/key\0token\0')
    raw.event()
stream = os.open(mnt + '/l/.watch', os.O_RDONLY)
event = message(EVENT, b'/l/key\0token\0', 0)
polled = select.epoll()
polled.register(raws[1].fd, select.EPOLLIN | select.EPOLLET)
waiting = Waiting(raws[0].fd, stream)
os.kill(pid, signal.SIGCONT)
check(waiting.ended(), [event, b'resync\n'], 'everything is looked at anew: a raw client and a stream that wait hear of it')
check((bool(polled.poll(PATIENCE)), bool(poller.poll(1000 * PATIENCE))), (True, True), 'and polls')

# A change, with all of them waiting.
raws[1].get()
while poller.poll(50):
    os.pread(key, 99, 0)
polled.poll(0.05)
waiting = Waiting(raws[0].fd, stream)
store.write('/l/key', b'2')
check(waiting.ended(), [event, b'changed /l/key\n'], 'a change: a raw client and a stream that wait hear of it')
check((bool(polled.poll(PATIENCE)), bool(poller.poll(1000 * PATIENCE))), (True, True), 'and polls')
for raw in raws:
    raw.close()

# Waits that are interrupted.
for path, how in ('/l/.watch', os.O_RDONLY), ('/.xsfs/xenbus', os.O_RDWR):
    waited = os.open(mnt + path, how)
    check(subprocess.run(['timeout', '0.1', 'cat'], stdin=waited, stdout=subprocess.DEVNULL).returncode, 124, path + ': a read that is interrupted')
    os.close(waited)

# Transactions.
for end in 'commit', 'abort':
    tx = os.open(mnt + '/.xsfs/transaction', os.O_RDWR)
    name = os.read(tx, 99).decode().strip()
    for n in range(5):
        os.makedirs(f'{mnt}/.xsfs/tx/{name}/l/{end}{n}')
        with open(f'{mnt}/.xsfs/tx/{name}/l/{end}{n}/f', 'a') as f:
            f.write('x\n')
    os.write(tx, end.encode())
    os.close(tx)

# The rest.
for n in range(20):
    os.makedirs(f'{mnt}/l/tree/{n}/sub')
    with open(f'{mnt}/l/tree/{n}/sub/key', 'a') as f:
        f.write('line\n')
    os.setxattr(f'{mnt}/l/tree/{n}', 'user.xenstore.perms', b'n0')
os.rename(mnt + '/l/tree', mnt + '/l/moved')
check(open(mnt + '/l/moved/.dump').read().count('\n'), 60, '.dump')
check(open(mnt + '/l/moved/.json').read()[0], '{', '.json')
control = os.open(mnt + '/.xsfs/control', os.O_RDWR)
os.write(control, b'domain-path 0\n')
os.close(control)
subprocess.run(['rm', '-r', mnt + '/l/moved'], check=True)
os.close(stream)
os.close(key)
