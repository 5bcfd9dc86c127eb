# SPDX-License-Identifier: MIT
"""Streams of a domain that is not privileged."""
import os

from store_client import check, refused
from stream_common import Stream, comes_true, final, mnt, stat, store, write

s = Stream('/.xsfs/watch', os.O_RDWR)
s.subscribe('/local/domain/7/mine', '/shared/k0')
write('/shared/k0')
check(final(s.until('changed /shared/k0')), {'/shared/k0': 'changed'}, 'outside of its own directory')
check(stat('watches'), 2, 'which takes a server watch')
others = [Stream('/.xsfs/watch', os.O_RDWR) for _ in range(3)]
for o in others:
    o.subscribe('/shared/k0', *(f'/local/domain/7/sub{n}' for n in range(100)))
check(stat('watches'), 2, 'others share it, and those in its directory need none')
for o in others:
    o.close()
s.subscribe('-/shared/k0')
comes_true('it goes with the last', lambda: stat('watches') == 1)
def all_of_them():
    for n in range(200):
        s.subscribe(f'/shared/k{n}')
refused('EDQUOT', 'a write beyond the quota of watches', all_of_them)
watches = stat('watches')
refused('EDQUOT', 'an open beyond it', lambda: os.open(mnt + '/shared/k199/.watch', os.O_RDONLY))
check(stat('watches'), watches, 'leaves nothing')
write('/shared/k50')
check('changed /shared/k50' in s.until('changed /shared/k50'), True, 'the others are told of')
store.write('/local/domain/7/mine', b'1')
check('changed /local/domain/7/mine' in s.until('changed /local/domain/7/mine'), True, 'all of them')
s.close()
comes_true('closing takes them away', lambda: (stat('streams'), stat('watches')) == (0, 1))
s = Stream('/.xsfs/watch', os.O_RDWR)
s.subscribe('/shared/k199')
write('/shared/k199')
check(s.until('changed /shared/k199'), ['changed /shared/k199'], 'and others can be had again')
