# SPDX-License-Identifier: MIT
"""Many keys of a domain that is not privileged are polled at once."""
import os
import resource
import select
import sys
import time

from store_client import PATIENCE, Store, check

resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 2000))
mnt, store = sys.argv[1], Store()
def stat(name):
    return dict(l.split(' ', 1) for l in open(mnt + '/.xsfs/stats'))[name].strip()
def polled(paths):
    fds = [os.open(mnt + p, os.O_RDONLY) for p in paths]
    epoll = select.epoll()
    for fd in fds:
        epoll.register(fd, select.EPOLLPRI | select.EPOLLET)
    # A watch that is set only now makes its key ready once more.
    while (events := epoll.poll(0.3)) or stat('in_flight') != '0' or stat('queued') != '0':
        for fd, _ in events:
            os.pread(fd, 100, 0)
    return fds, epoll
def woken(fds, epoll, path, i, name):
    store.write(f'{path}{i}', b'new')
    got = epoll.poll(PATIENCE)
    check([fd for fd, _ in got], [fds[i]], name)
    check(os.pread(fds[i], 100, 0), b'new\n', name + ', and reads')
home = polled(f'/local/domain/7/k{i}' for i in range(200))
check(stat('watches'), '1', '200 polled keys in its own directory: one server watch')
woken(*home, '/local/domain/7/k', 199, 'a change of one of them wakes up')
some = polled(f'/shared/k{i}' for i in range(20))
check(stat('watches'), '21', '20 polled keys elsewhere: a server watch of each')
woken(*some, '/shared/k', 3, 'a change of one of these wakes up')
more = polled(f'/shared/k{i % 20}' for i in range(100))
check(stat('watches'), '21', 'the same keys again: no other')
for fd in more[0] + some[0]:
    os.close(fd)
deadline = time.monotonic() + PATIENCE
while stat('watches') != '1' and time.monotonic() < deadline:
    time.sleep(0.02)
check(stat('watches'), '1', 'they go with their files')
all = polled(f'/shared/k{i}' for i in range(150))
check(int(stat('watches')) in (101, 102, 128, 129), True, 'as many as the quota lets it have: ' + stat('watches'))
check(open(mnt + '/shared/k149').read(), '0\n', 'what cannot be watched can be read')
