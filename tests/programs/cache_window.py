# SPDX-License-Identifier: MIT
"""How long what somebody else changed stays visible as it was: each kind of change, many times."""
import os
import stat
import sys
import time

from store_client import PATIENCE, Store, check

mnt, rounds = sys.argv[1], int(sys.argv[2])
store = Store()

def kind(path):
    try:
        st = os.lstat(mnt + path)
    except (FileNotFoundError, NotADirectoryError):
        return 'nothing'
    return 'directory' if stat.S_ISDIR(st.st_mode) else f'file of {st.st_size}'

def listed(path):
    return sorted(os.listdir(mnt + path))

times, slow = [], []
def until(function, expected, name):
    begin = time.monotonic()
    while (got := function()) != expected:
        if time.monotonic() > begin + PATIENCE:
            slow.append((name, got, expected))
            return
    times.append(time.monotonic() - begin)

for n in range(rounds):
    store.write('/k/a/leaf', b'1')
    until(lambda: kind('/k/a/leaf'), 'file of 2', 'creation')
    store.write('/k/a/leaf', b'12345')
    until(lambda: kind('/k/a/leaf'), 'file of 6', 'size')
    check_value = open(mnt + '/k/a/leaf').read()
    if check_value != '12345\n':
        slow.append(('value', check_value))
    until(lambda: listed('/k/a'), ['leaf'], 'listing')
    store.write('/k/a/leaf/child', b'1')
    until(lambda: kind('/k/a/leaf'), 'directory', 'a leaf that becomes a directory')
    until(lambda: listed('/k/a/leaf'), ['.value', 'child'], 'its listing')
    store.remove('/k/a/leaf')
    until(lambda: kind('/k/a/leaf'), 'nothing', 'removal of a subtree')
    until(lambda: kind('/k/a/leaf/child'), 'nothing', 'removal of a subtree, below')
    store.write('/k/a/leaf', b'12')
    until(lambda: kind('/k/a/leaf'), 'file of 3', 'a directory that becomes a leaf')
    store.write('/k/p/q/r/s', b'')
    until(lambda: kind('/k/p/q/r'), 'directory', 'parents made on the way')
    until(lambda: listed('/k/p/q'), ['r'], 'their listing')
    until(lambda: listed('/k'), ['a', 'p'], 'the listing above')
    store.remove('/k/p')
    until(lambda: listed('/k'), ['a'], 'the listing above, after the removal')
    until(lambda: kind('/k/p/q'), 'nothing', 'all gone')
    store.write('/k/p', b'123')
    until(lambda: kind('/k/p'), 'file of 4', 'a parent that comes back as a leaf')
    tx = store.start()
    store.remove('/k/a', tx)
    store.write('/k/a', b'', tx)
    store.remove('/k/p', tx)
    store.commit(tx)
    until(lambda: (kind('/k/a'), kind('/k/p')), ('file of 0', 'nothing'), 'a transaction')
    store.remove('/k/a')
    until(lambda: kind('/k/a'), 'nothing', 'removal')
times.sort()
check(slow[:1], [], 'every change is seen')
print('window:', *(f'{name} {times[int((len(times) - 1) * part)] * 1e6:.0f} us,'
                   for name, part in (('p50', .5), ('p99', .99), ('max', 1))), len(times), 'changes', flush=True)
