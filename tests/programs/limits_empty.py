# SPDX-License-Identifier: MIT
"""Users who end with many files open that are still to get their empty value: limits_empty.py MOUNT. The kernel sends all
closes of a process that ends at once; what they write must not stand before everybody else's requests."""
import os
import resource
import sys
from time import monotonic, sleep

from limits_users import User, stat
from store_client import PATIENCE, Store, check, heard

SHARE = 32   # of a user
FILES = 900  # many more than are sent to the store before the first is answered

resource.setrlimit(resource.RLIMIT_NOFILE, (FILES + 200, FILES + 200))
MNT, store = sys.argv[1], Store()
os.mkdir(f'{MNT}/many')


def busy():
    return stat('open_files'), stat('fuse_operations_now')


def closed(before):
    """Waits until all that a process had open is closed, and written."""
    end = monotonic() + PATIENCE
    while busy() > before and monotonic() < end:
        sleep(0.01)


def value(n):
    return store.read(f'/many/n{n}').decode() if store.exists(f'/many/n{n}') else 'missing'


def end_with(order, what, left):
    """A user does this to each file, and is killed."""
    user, before, limited = User(54330), busy(), stat('limited_empty')
    check(user.ask_often(order, SHARE), (SHARE, 'ok'), f'{what}: within the share')
    check([left(n) for n in range(SHARE)], [True] * SHARE, f'{what}: the store has what it had')
    check(user.ask_often(order, FILES - SHARE, SHARE), (FILES - SHARE, 'ok'), f'{what}: beyond it')
    check([left(n) for n in range(FILES)], [True] * SHARE + [False] * (FILES - SHARE), f'{what}: those are empty at once')
    check(stat('limited_empty') - limited, FILES - SHARE, f'{what}: they are counted')
    other = User(54331)
    check((other.ask('create /many/other'), store.exists('/many/other')), ('ok', False), f'{what}: others have a share of their own')
    other.end()
    user.end()
    closed(before)
    check({value(n) for n in range(FILES)}, {''}, f'{what}: all are there, and empty')
    os.unlink(f'{MNT}/many/other')


def fill():
    for n in range(FILES):
        store.write(f'/many/n{n}', b'old')
        if n % 100 == 0:
            heard(MNT)
    heard(MNT)


end_with('create /many/n#', 'created', lambda n: not store.exists(f'/many/n{n}'))
fill()
end_with('empty /many/n#', 'O_TRUNC', lambda n: value(n) == 'old')
fill()
end_with('cut /many/n#', 'ftruncate', lambda n: value(n) == 'old')
check(stat('queued_high') < 2 * SHARE, True, f'no more than a share of it waits to be sent: {stat("queued_high")}')

# What was emptied at the open is the writer's: one write is one value.
user, before = User(54330), busy()
user.ask_often('create /many/x#', SHARE + 1)
check((user.ask('write first second'), store.read(f'/many/x{SHARE}')), ('ok', b'first\nsecond'), 'beyond the share: written')
user.ask('close')
heard(MNT)
limited = stat('limited_empty')
check(user.ask_often('empty /many/x#', SHARE), (SHARE, 'ok'), 'what is closed is there again')
check((stat('limited_empty') - limited, store.read(f'/many/x{SHARE}')), (0, b'first\nsecond'), 'and has been written')
user.end()
closed(before)

# The value of a directory.
for n in range(SHARE + 2):
    store.write(f'/dirs/d{n}/below', b'')
heard(MNT)
user, limited = User(54330), stat('limited_empty')
check(user.ask_often('create /dirs/d#/.value', SHARE + 2), (SHARE + 2, 'ok'), '.value: within the share, and beyond it')
check(stat('limited_empty') - limited, 2, '.value: they are counted')
check((user.ask('write v'), store.read(f'/dirs/d{SHARE + 1}')), ('ok', b'v'), '.value: written')
store.write(f'/dirs/d{SHARE}', b'of others')
user.end()
closed(before)
check([store.read(f'/dirs/d{n}') for n in (SHARE, SHARE + 1)], [b'of others', b'v'],
      '.value: beyond the share nothing of others is overwritten')
