# SPDX-License-Identifier: MIT
"""What costs nothing stays so; in a mount without inotify, whose teller asks the store by itself."""
import os

from removed_common import known, mnt, mode, put, stat_number, store, watched
from store_client import check

def requests():
    return [stat_number('requests_' + kind) for kind in ('READ', 'WRITE', 'TRANSACTION_START', 'DIRECTORY')]
store.write('/c/k', b'v')
store.write('/c/d/below', b'v')
put(mnt + '/c/k', 'v')
known()
for path in '/c/k', '/c/d/.value', '/.xsfs/nodes/c/k/.value':
    fd = os.open(mnt + path, os.O_RDWR | os.O_TRUNC | os.O_CREAT)
    os.write(fd, b'v')
    known()
    before = requests()
    for i in range(100):
        os.pwrite(fd, b'w%d' % i, 0)
    spent = [after - b for after, b in zip(requests(), before)]
    check(spent[1:], [100, 0, 0], f'{mode}: {path}: a write is one XS_WRITE')
    check(spent[0] <= 2 or not watched, True, f'{mode}: {path}: and no XS_READ')
    os.close(fd)
before = requests()
for i in range(10):
    put(mnt + '/c/k', f'v{i}\n')
spent = [after - b for after, b in zip(requests(), before)]
check(spent[1:3], [10, 0], f'{mode}: open, write, close: one XS_WRITE')
