#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints each new value of the keys that are given, in an event loop that may do anything else meanwhile.
find-mount, beside this, says of which store, if -m does not.

A key itself is always ready for add_reader(), as it can always be read, and the loop would spin. Its .next is ready
only after a change, and reading it gives the value. Changes that come faster than they are read are one."""
import asyncio
import os
import re
import subprocess
import sys

USAGE = 'usage: follow-keys.py [-m MOUNT] KEY...    (keys like /tool/job, or files in the mount)'


def fail(why, status=1):
    print(why, file=sys.stderr)
    raise SystemExit(status)


def find_mount(word):
    """Where the store is mounted. Says itself why it is not known."""
    found = subprocess.run([os.path.dirname(os.path.realpath(__file__)) + '/find-mount', word], stdout=subprocess.PIPE, text=True)
    if found.returncode:
        raise SystemExit(1)
    return found.stdout[:-1]


def key_of(word, mount):
    """The key that a word means: itself, or what a file in the mount stands for."""
    path, top = os.path.abspath(word), os.path.abspath(mount)
    return path[len(top):] if path.startswith(top + '/') else word


def printable(value):
    """A guest may write anything to its keys."""
    return re.sub('[^ -~]', '?', value.decode('ascii', 'replace'))


def changed(key, file):
    """The loop calls this when there is something to read."""
    try:
        value = os.read(file, 65536)
    except BlockingIOError:
        return
    except FileNotFoundError:
        # Told once; the next thing to read will be its value when somebody makes it again.
        print(key, 'is gone', flush=True)
    except OSError as error:
        fail(f'follow-keys.py: {key}: {error.strerror}')
    else:
        print(key, '=', printable(value[:-1]), flush=True)


async def main(mount, keys):
    loop = asyncio.get_running_loop()
    for key in keys:
        # Below nodes/ every key is a directory, and stays one whatever a guest does to it.
        try:
            file = os.open(f'{mount}/.xsfs/nodes{key}/.next', os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            fail(f'follow-keys.py: {key}: {error.strerror}')
        loop.add_reader(file, changed, key, file)
    await asyncio.Event().wait()


if sys.argv[1:2] in (['-h'], ['--help']):
    print(USAGE)
    sys.exit()
words, mount = sys.argv[1:], None
if words[:1] == ['-m'] and len(words) > 1:
    mount, words = words[1], words[2:]
if not words:
    fail(USAGE, 2)
mount = mount or find_mount(words[0])
keys = [key_of(word, mount) for word in words]
if not all(re.fullmatch('(/[A-Za-z0-9@_-]+)+', key) for key in keys):
    fail(USAGE, 2)
try:
    asyncio.run(main(mount, keys))
except KeyboardInterrupt:
    pass
