# SPDX-License-Identifier: MIT
"""rename_inside.py MOUNT: who stands in a directory, or has a file in it open, finds all that is in it while the
directory is renamed again and again. For `checked` of functions.sh."""
import errno
import os
import stat
import sys
import threading

from store_client import check

RENAMES = 60

mount = sys.argv[1]
top = mount + '/inside'
names = [top + '/a', top + '/b']
os.makedirs(names[0] + '/empty')
with open(names[0] + '/key', 'w') as file:
    file.write('v\n')
directory = os.open(names[0], os.O_RDONLY)
key = os.open(names[0] + '/key', os.O_RDONLY)
over = threading.Event()
wrong = {}


def look():
    check_is('a file', stat.S_ISREG(os.stat('key', dir_fd=directory).st_mode))
    check_is('an empty directory', stat.S_ISDIR(os.stat('empty', dir_fd=directory).st_mode))


def read():
    check_is('a value', os.pread(key, 100, 0) == b'v\n')


def names_inside():
    fd = os.open('.', os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
    try:
        check_is('a list of names', {'key', 'empty'} <= set(os.listdir(fd)))
    finally:
        os.close(fd)


def check_is(what, right):
    if not right:
        wrong[what] = wrong.get(what, 0) + 1


def again_and_again(function):
    while not over.is_set():
        try:
            function()
        except OSError as e:
            what = f'{function.__name__}: {errno.errorcode[e.errno]}'
            wrong[what] = wrong.get(what, 0) + 1


threads = [threading.Thread(target=again_and_again, args=[function]) for function in (look, read, names_inside)]
for thread in threads:
    thread.start()
for i in range(RENAMES):
    os.rename(names[i % 2], names[1 - i % 2])
over.set()
for thread in threads:
    thread.join()
check(str(wrong), '{}', 'what is in a directory that is renamed is there all the time')
