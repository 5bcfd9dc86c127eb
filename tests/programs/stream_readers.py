# SPDX-License-Identifier: MIT
"""Those who read streams: blocked, interrupted, several at once, slow."""
import os
import signal
import sys
import threading

from store_client import PATIENCE, check
from stream_common import Stream, comes_true, final, mnt, stat, write

threads = int(sys.argv[2])
write('/w/a', '1')

# One descriptor, one thread blocked in read, another writes: as libxenstore does it.
s = Stream('/.xsfs/watch', os.O_RDWR)
got = []
def reader():
    while not any('stop' in line for line in got):
        got.append(s.line() or 'stop')
t = threading.Thread(target=reader)
t.start()
for n in range(50):
    s.subscribe(f'/w/n{n}')
    write(f'/w/n{n}')
comes_true('one thread reads, another writes to the same descriptor', lambda: len(got) >= 50)
check(final(got), {f'/w/n{n}': 'changed' for n in range(50)}, 'every path is told of')
s.subscribe('/w/stop')
write('/w/stop')
t.join(PATIENCE)
check(t.is_alive(), False, 'and the reader ends')

# Many readers, also of one descriptor: no line is lost, or torn, and none gets an end of file.
streams = [Stream('/w/.watch') for _ in range(20)]
blocked = [0]
lines, wrong = [], []
def one(fd):
    while True:
        text = os.read(fd, 4096)
        if not text.endswith(b'\n'):
            wrong.append(text)
        if text == b'' or b'/w/end' in text:
            break
        lines.extend(text.decode().splitlines())
shared = os.open(mnt + '/w/.watch', os.O_RDONLY)
readers = [threading.Thread(target=one, args=(shared,), daemon=True) for _ in range(8)]
for r in readers:
    r.start()
for n in range(1000):
    write(f'/w/m{n}')
comes_true('eight readers of one descriptor take every line', lambda: len(set(lines)) >= 1000)
check(wrong[:1], [], 'none gets an end of file, or half a line')
comes_true('all of them end', lambda: write('/w/end') or not any(r.is_alive() for r in readers))
for n, each in enumerate(streams):
    if set(f'changed /w/m{n}' for n in range(1000)) - set(each.until('changed /w/end')):
        break
check(n, 19, 'twenty other streams, read only now, have every line')
os.close(shared)

# Readers of single bytes that take the last one from each other.
shared = os.open(mnt + '/w/.watch', os.O_RDONLY)
pids = []
for n in range(6):
    pid = os.fork()
    if pid == 0:
        for _ in range(1 << 30):
            if os.read(shared, 1) == b'':
                os._exit(1)
    pids.append(pid)
for n in range(600):
    write(f'/w/{n % 10}')
check([os.waitpid(p, os.WNOHANG)[0] for p in pids], [0] * 6, 'who comes too late for a byte waits for the next')
for p in pids:
    os.kill(p, signal.SIGKILL)
    os.waitpid(p, 0)
os.close(shared)

# A reader that is killed, and one that gets a signal.
pids = []
streams[0].quiet()
for n in range(10):
    pid = os.fork()
    if pid == 0:
        os.read(streams[0].fd if n % 2 else os.open(mnt + '/w/.watch', os.O_RDONLY), 1)
        os._exit(0)
    pids.append(pid)
comes_true('readers are blocked', lambda: all('fuse' in open(f'/proc/{p}/wchan').read() or
                                             'request' in open(f'/proc/{p}/wchan').read() for p in pids))
for p in pids:
    os.kill(p, signal.SIGKILL)
status = [os.waitpid(p, 0)[1] for p in pids]
check(status, [signal.SIGKILL] * 10, 'blocked readers are killable')
write('/w/alive')
check('changed /w/alive' in streams[0].until('changed /w/alive'), True, 'and the others go on')
class Alarm(Exception):
    pass
def alarm(*_):
    raise Alarm
signal.signal(signal.SIGALRM, alarm)
streams[1].quiet()
try:
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    os.read(streams[1].fd, 100)
    check('read', 'EINTR', 'a signal ends a read')
except Alarm:
    check('EINTR', 'EINTR', 'a signal ends a read')
write('/w/alive2')
check('changed /w/alive2' in streams[1].until('changed /w/alive2'), True, 'after which nothing is lost')

# Who opens or writes while the store is silent and gives up leaves nothing behind.
for each in streams:
    each.close()
s.close()
comes_true('all streams are closed', lambda: stat('streams') == 0)
server = int(sys.argv[3])
s = Stream('/.xsfs/watch', os.O_RDWR)
watches = stat('watches')
os.kill(server, signal.SIGSTOP)
for path in '@introduceDomain', '@releaseDomain':
    pid = os.fork()
    if pid == 0:
        s.subscribe(path)
        os._exit(0)
    comes_true('a write waits for its watch', lambda: 'fuse' in open(f'/proc/{pid}/wchan').read() or
               'request' in open(f'/proc/{pid}/wchan').read())
    os.kill(pid, signal.SIGKILL)
    check(os.waitpid(pid, 0)[1], signal.SIGKILL, 'and is killable')
os.kill(server, signal.SIGCONT)
s.subscribe('@introduceDomain', '/w/later', '@releaseDomain')
write('/w/later')
check('changed /w/later' in s.until('changed /w/later'), True, 'the same paths are no error then')
s.close()
comes_true('and nothing is left', lambda: (stat('streams'), stat('watches')) == (0, watches))
