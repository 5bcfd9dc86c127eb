# SPDX-License-Identifier: MIT
"""The file itself: several open at once, poll, signals, pieces of messages, a server that stands still."""
import errno
import fcntl
import os
import select
import signal
import stat as stat_module
import struct
import sys
import threading
import time

from raw_client import END, MKDIR, PATIENCE, READ, RESET_WATCHES, Raw, START, UNWATCH, WATCH, WRITE, message
from store_client import Store, check, refused

mnt, socket_path, server_pid = sys.argv[1], sys.argv[2], int(sys.argv[3])
file = mnt + '/.xsfs/xenbus'
store = Store(socket_path)
store.write('/d/a', b'value')
store.write('/d/big', b'x' * 2000)

def stat(name):
    with open(mnt + '/.xsfs/stats') as f:
        return int(dict(line.split(' ', 1) for line in f)[name])

def comes_true(name, function, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not function() and time.monotonic() < deadline:
        time.sleep(0.01)
    check(bool(function()), True, name)

st = os.stat(file)
check((oct(st.st_mode), st.st_uid, st.st_gid), (oct(stat_module.S_IFREG | 0o600), 0, 0), 'it is root\'s, whatever uid= and umask= say')
check((os.stat(file).st_ino, 'xenbus' in os.listdir(mnt + '/.xsfs')), (st.st_ino, True), 'it has one number, and is listed')
before = stat('inodes')
for _ in range(200):
    os.stat(file)
check(stat('inodes') - before < 20, True, 'each look makes an inode, but none that stays')

# Pieces.
one = Raw(file)
for byte in message(WRITE, b'/d/w\0piece by piece', 3):
    os.write(one.fd, bytes([byte]))
check(one.get(), (WRITE, 3, 0, b'OK\0'), 'a message byte by byte')
check(store.read('/d/w'), b'piece by piece', 'is one')
one.write(b''.join(message(READ, b'/d/a\0', n) for n in range(100, 110)))
check([one.get() for _ in range(10)], [(READ, n, 0, b'value') for n in range(100, 110)], 'ten in one write, in one go')
one.send(READ, b'/d/a\0')
comes_true('select says when there is an answer', lambda: one.ready())
got = b''
while len(got) < 21:
    got += os.read(one.fd, 1)
check(got, struct.pack('<IIII', READ, 1, 0, 5) + b'value', 'read byte by byte')

# Too large a message.
refused('E2BIG', 'a message that the protocol does not allow', lambda: os.write(one.fd, struct.pack('<IIII', WRITE, 1, 0, 4097)))
check(one.read('/d/a'), b'value', 'is refused whole: the next one is understood')

# O_NONBLOCK and poll.
two = Raw(file, os.O_NONBLOCK)
refused('EAGAIN', 'nothing to read', lambda: os.read(two.fd, 100))
poll = select.poll()
poll.register(two.fd, select.POLLIN | select.POLLOUT)
check(poll.poll(0), [(two.fd, select.POLLOUT)], 'poll: it can be written')
epoll = select.epoll()
epoll.register(two.fd, select.EPOLLIN | select.EPOLLET)
check(epoll.poll(0), [], 'epoll: nothing yet')
two.send(READ, b'/d/a\0')
check(epoll.poll(PATIENCE), [(two.fd, select.EPOLLIN)], 'epoll: an answer came')
check(two.get(), (READ, 1, 0, b'value'), 'it is there')
two.send(READ, b'/d/a\0')
check(epoll.poll(PATIENCE), [(two.fd, select.EPOLLIN)], 'epoll: edge by edge')
two.get()

# A blocked read blocks nobody: not a write on the same descriptor, nor another reader.
got = []
readers = [threading.Thread(target=lambda: got.append(os.read(one.fd, 21))) for _ in range(2)]
for r in readers:
    r.start()
watcher = Raw(file)
blocked = threading.Thread(target=lambda: got.append(os.read(watcher.fd, 21)))
blocked.start()
comes_true('three reads wait', lambda: stat('fuse_operations_now') >= 4)
watcher.send(READ, b'/d/a\0')
blocked.join(PATIENCE)
check(got, [struct.pack('<IIII', READ, 1, 0, 5) + b'value'], 'a read that waits does not hold up the write that it waits for')
got.clear()
one.send(READ, b'/d/a\0', 1)
one.send(READ, b'/d/a\0', 2)
for r in readers:
    r.join(PATIENCE)
check(sorted(struct.unpack('<IIII', g[:16])[1] for g in got), [1, 2], 'two readers get one each')

# Signals.
def alarm(signum, frame):
    raise InterruptedError(errno.EINTR, 'interrupted')
signal.signal(signal.SIGALRM, alarm)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.2)
refused('EINTR', 'a read that waits is interrupted', lambda: os.read(one.fd, 16))
check(one.read('/d/a'), b'value', 'and nothing is lost')
pid = os.fork()
if pid == 0:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.read(one.fd, 16)
    os._exit(0)
comes_true('a child waits in read', lambda: stat('fuse_operations_now') >= 2)
os.kill(pid, signal.SIGKILL)
check(os.waitpid(pid, 0)[1], signal.SIGKILL, 'it can be killed there')
check(one.read('/d/a'), b'value', 'its parent goes on')

# One that does not read.
greedy = Raw(file)
flags = fcntl.fcntl(greedy.fd, fcntl.F_GETFL)
fcntl.fcntl(greedy.fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)
ask, asked, partial = message(READ, b'/d/big\0'), 0, b''
deadline = time.monotonic() + PATIENCE
idle = False
while time.monotonic() < deadline:
    try:
        n = os.write(greedy.fd, (partial or ask))
        partial = (partial or ask)[n:]
        asked += not partial
        idle = False
    except BlockingIOError:
        # No answer was on its way any more when this was tried.
        if idle:
            break
        idle = stat('in_flight') + stat('queued') == 0
check(asked < 200, True, 'who does not read cannot ask for ever: EAGAIN')
poll = select.poll()
poll.register(greedy.fd, select.POLLOUT | select.POLLIN)
check(poll.poll(0), [(greedy.fd, select.POLLIN)], 'poll: it can be read, not written')
fcntl.fcntl(greedy.fd, fcntl.F_SETFL, flags)
def write_more():
    os.write(greedy.fd, ask)
waiting = threading.Thread(target=write_more)
waiting.start()
comes_true('a write waits for that', lambda: stat('fuse_operations_now') >= 2)
check(Raw(file).read('/d/a'), b'value', 'that holds up no other client')
check(one.call(WRITE, b'/d/c\0' + b'1'), b'OK\0', 'nor one that was there before')
check(store.read('/d/c'), b'1', 'nor the store')
for _ in range(asked):
    assert greedy.get()[3] == b'x' * 2000
waiting.join(PATIENCE)
check(waiting.is_alive(), False, 'when it reads, the write goes on')
check(greedy.get()[:3], (READ, 1, 0), 'and nothing was lost')
# Full once more, and killed in write().
pid = os.fork()
if pid == 0:
    while True:
        os.write(greedy.fd, ask)
comes_true('a child waits in write', lambda: stat('fuse_operations_now') >= 2 and stat('in_flight') == 0)
time.sleep(0.1)
os.kill(pid, signal.SIGKILL)
check(os.waitpid(pid, 0)[1], signal.SIGKILL, 'it can be killed there')
greedy.close()

# Events that nobody reads.
lazy = Raw(file)
lazy.watch('/d', 'lazy')
keen = Raw(file)
keen.watch('/d', 'keen')
merged = stat('raw_events_merged')
told = set()
for n in range(1000):
    store.write('/d/same', b'%d' % n)
    store.write('/d/%0200d' % n, b'')
    while keen.ready():
        told.add(keen.event()[0])
store.write('/d/last', b'')
while '/d/last' not in told:
    told.add(keen.event()[0])
check(len(told), 1002, 'who reads hears of everything while another does not read')
check(stat('raw_events_merged') - merged > 500, True, 'whose events are merged')
events = []
while (event := lazy.event(0.3)):
    events.append(event)
check(events[0], ('/d/same', 'lazy'), 'what came first is told first')
check(100 < len(events) < 1000, True, 'their number is bounded')
check(events[-1], ('/d', 'lazy'), 'and the last says that there was more')
store.write('/d/same', b'now')
check(lazy.event(), ('/d/same', 'lazy'), 'then it goes on as before')

# What is under way is shown, on a line of its own whatever it is called.
os.kill(server_pid, signal.SIGSTOP)
shown = Raw(file)
shown.send(MKDIR, b'/d/two\nlines\x1b\0')
with open(mnt + '/.xsfs/requests') as f:
    lines = [line.split(' ', 4)[3:] for line in f]
check(['tx=0', 'MKDIR /d/two?lines?\n'] in lines, True, 'its requests are in .xsfs/requests')
shown.send(START, b'\0')
shown.send(READ, b'/d/a\0')
check(shown.ready(), False, 'a store that is silent is waited for in read, not in write')
shown.close()
os.kill(server_pid, signal.SIGCONT)
comes_true('what it asked is given up', lambda: stat('in_flight') == 0 and stat('late_replies') == stat('abandoned') == 2)

# fork and dup share a client.
tx = one.start()
pid = os.fork()
if pid == 0:
    try:
        ok = one.call(WRITE, b'/d/child\0yes', tx) == b'OK\0'
    finally:
        os._exit(0 if ok else 1)
check(os.waitpid(pid, 0)[1], 0, 'a child uses the transaction of its parent')
check(one.read('/d/child', tx), b'yes', 'which goes on with it')
copy = os.dup(one.fd)
os.close(one.fd)
one.fd = copy
check(one.call(END, b'T\0', tx), b'OK\0', 'the client lives as long as a descriptor of it')
check(store.read('/d/child'), b'yes', 'it is committed')

# Clients are strangers to each other.
a, b = Raw(file), Raw(file)
ta, tb = a.start(), b.start()
t2 = a.start()
check((ta, tb), (1, 1), 'transaction ids are a client\'s own')
a.call(WRITE, b'/d/of-a\0x', ta)
refused('ENOENT', 'another\'s is not to be had', lambda: b.read('/d/of-a', t2))
refused('ENOENT', 'one with the same number is one\'s own', lambda: b.read('/d/of-a', tb))
a.watch('/d', 't')
b.watch('/d', 't')
check(b.call(RESET_WATCHES), b'OK\0', 'RESET_WATCHES')
refused('ENOENT', 'drops one\'s own transactions', lambda: b.read('/d/a', tb))
check(a.call(END, b'T\0', ta), b'OK\0', 'not another\'s')
check(a.event(), ('/d/of-a', 't'), 'nor its watches')
check(b.quiet(), [], 'but one\'s own')
refused('ENOENT', 'they are gone', lambda: b.call(UNWATCH, b'/d\0t\0'))
refused('EEXIST', 'the other\'s is there', lambda: a.call(WATCH, b'/d\0t\0'))
before = stat('watches')
for n in range(50):
    a.watch('/d/many', str(n))
check(stat('watches'), before + 1, 'fifty watches on a path are one of the server\'s')
a.close()
b.close()
