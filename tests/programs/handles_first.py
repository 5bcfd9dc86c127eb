# SPDX-License-Identifier: MIT
"""File handles of the mount that gave them out."""
import os
import sys
import time

from handles_common import KEYS, content, handle_of, save
from store_client import PATIENCE, Store, check

mnt, saved = sys.argv[1:3]
store = Store()
for key in KEYS:
    store.write('/h/' + key, key.encode())
held = [os.open(f'{mnt}/h/{key}', os.O_RDONLY) for key in KEYS]
handles = [handle_of(f'{mnt}/h/{key}') for key in KEYS]
check([content(mnt, h) for h in handles], [key + '\n' for key in KEYS], 'handles of keys that are open lead to them')
check(content(mnt, handle_of(mnt + '/h')), ' '.join(KEYS), 'that of a directory')
os.rename(mnt + '/h/k0', mnt + '/h/moved')
check(content(mnt, handles[0]), 'k0\n', 'after a rename through the mount: to the key at its new place')
os.rename(mnt + '/h/moved', mnt + '/h/k0')
os.close(held[1])
os.unlink(mnt + '/h/k1')
check(content(mnt, handles[1]), 'ESTALE', 'of a key that was removed through the mount: nowhere')
with open(mnt + '/h/k1', 'w') as f:
    f.write('made again')
check(content(mnt, handles[1]), 'ESTALE', 'nor to the one that is made at its place')
os.close(held[2])
store.remove('/h/k2')
# The kernel is told that the name is gone, and forgets it; with cache=full it has the value until then.
deadline = time.monotonic() + PATIENCE
while content(mnt, handles[2]) != 'ESTALE' and time.monotonic() < deadline:
    try:
        os.stat(mnt + '/h/k2')
    except FileNotFoundError:
        pass
    time.sleep(0.01)
check(content(mnt, handles[2]) in ('ESTALE', 'ENOENT'), True, 'of a key that somebody else removed: nowhere')
store.write('/h/k2', b'again')
check(content(mnt, handles[2]) in ('ESTALE', 'again\n'), True, 'nor to another key when it is made again')
for n, handle in enumerate(handles):
    save(handle, f'{saved}/{n}')
