# SPDX-License-Identifier: MIT
"""rename_new.py MOUNT: a new file that somebody else writes before this mount does, and that is renamed then,
keeps what is in it. For `checked` of functions.sh. No child process may have the file open: its end would be a
close(2), which settles whose the file is."""
import os
import sys

from store_client import Store, check

mount, store = sys.argv[1], Store()


def renamed(flags):
    """Creates a file, has it written by another client, and renames it. Returns the open file."""
    file = os.open(mount + '/new', os.O_WRONLY | os.O_CREAT | flags)
    store.write('/new', b'theirs')
    os.rename(mount + '/new', mount + '/renamed')
    return file


file = renamed(os.O_TRUNC)
os.close(file)
check(store.read('/renamed'), b'theirs', 'a file that is closed without a write')
file = renamed(os.O_TRUNC)
os.fsync(file)
check(store.read('/renamed'), b'theirs', 'a file that is synced without a write')
os.close(file)
file = renamed(os.O_APPEND)
os.write(file, b'ours\n')
os.close(file)
check(store.read('/renamed'), b'theirs\nours', 'a file to which something is appended')
file = renamed(os.O_TRUNC)
os.write(file, b'ours\n')
os.close(file)
check(store.read('/renamed'), b'ours', 'a file that is written')
