# SPDX-License-Identifier: MIT
"""Waits for changes of many keys at once: pollers.py DIR COUNT. Prints a line when it waits, and waits for ever."""
import itertools
import os
import resource
import select
import sys


def keys(directory):
    for parent, _, names in os.walk(directory):
        for name in names:
            yield os.path.join(parent, name)


def main():
    directory, count = sys.argv[1], int(sys.argv[2])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    poll = select.epoll()
    for path in itertools.islice(keys(directory), count):
        fd = os.open(path, os.O_RDONLY)
        os.read(fd, 4096)
        poll.register(fd, select.EPOLLPRI)
        count -= 1
    if count:
        sys.exit(f'{directory} has {count} keys too few')
    print('waiting', flush=True)
    while True:
        poll.poll()


main()
