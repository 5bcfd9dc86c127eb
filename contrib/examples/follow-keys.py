#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints each new value of the keys that are given, in an event loop that may do anything else meanwhile.
The mount is $XSFS_MOUNT, or /xen.

A key itself is always ready for add_reader(), as it can always be read, and the loop would spin. Its .next is ready
only after a change, and reading it gives the value. Changes that come faster than they are read are one."""
import asyncio
import os
import re
import sys

USAGE = 'usage: follow-keys.py KEY...    (the mount: $XSFS_MOUNT, or /xen)'
MOUNT = os.environ.get('XSFS_MOUNT', '/xen')


def fail(why, status=1):
    print(why, file=sys.stderr)
    raise SystemExit(status)


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


async def main(keys):
    loop = asyncio.get_running_loop()
    for key in keys:
        # Below nodes/ every key is a directory, and stays one whatever a guest does to it.
        try:
            file = os.open(f'{MOUNT}/.xsfs/nodes{key}/.next', os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            fail(f'follow-keys.py: {key}: {error.strerror}')
        loop.add_reader(file, changed, key, file)
    await asyncio.Event().wait()


if sys.argv[1:2] in (['-h'], ['--help']):
    print(USAGE)
    sys.exit()
if len(sys.argv) < 2 or not all(re.fullmatch('(/[A-Za-z0-9@_-]+)+', key) for key in sys.argv[1:]):
    fail(USAGE, 2)
try:
    asyncio.run(main(sys.argv[1:]))
except KeyboardInterrupt:
    pass
