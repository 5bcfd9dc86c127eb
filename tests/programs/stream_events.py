# SPDX-License-Identifier: MIT
"""What streams tell of, and what not."""
import os
import subprocess
import sys
import time

from store_client import PATIENCE, check, refused
from stream_common import Stream, comes_true, final, mnt, stat, store, sync, write

domain, gfn, xsloop, ringcat, world = sys.argv[2:7]
write('/s/a/b', '1')
tree = Stream('/s/.watch')
check(tree.quiet(), [], 'nothing is told of what was before')
write('/s/a/b', '2')
check(tree.until('changed /s/a/b'), ['changed /s/a/b'], 'a change below')
write('/s', '2')
check(tree.until('changed /s'), ['changed /s'], 'a change of the node itself')
write('/other', '2')
check(tree.quiet(), [], 'nothing of what is elsewhere')
write('/s/new/way/down', '')
check(final(tree.until('changed /s/new/way/down')), {'/s/new/way/down': 'changed'}, 'a new one')
store.remove('/s/a')
check(final(tree.until('deleted /s/a'))['/s/a'], 'deleted', 'a removal')
tx = store.start()
store.write('/s/t1', b'1', tx)
store.write('/s/t2', b'1', tx)
check(tree.quiet(), [], 'nothing of what is done in a transaction')
store.commit(tx)
got = tree.until('changed /s/t1') + tree.quiet()
check(final(got), {'/s/t1': 'changed', '/s/t2': 'changed'}, 'but of its commit')
refused('EACCES', '.watch cannot be written', lambda: os.open(mnt + '/s/.watch', os.O_WRONLY))
refused('ENOENT', '.watch of what is not there', lambda: os.open(mnt + '/s/none/.watch', os.O_RDONLY))

# Paths that are written.
some = Stream('/.xsfs/watch', os.O_RDWR)
refused('EAGAIN', 'O_NONBLOCK: EAGAIN', lambda: os.read(os.open(mnt + '/.xsfs/watch', os.O_RDWR | os.O_NONBLOCK), 10))
some.subscribe('/s/x', '/s/y')
check(some.quiet(), [], 'what is not there can be watched, and is not told of')
write('/s/x', '1')
check(some.until('changed /s/x'), ['changed /s/x'], 'its creation')
write('/s/y/below', '1')
check(some.until('changed /s/y/below'), ['changed /s/y/below'], 'what is made below')
some.subscribe('/s/x')
some.subscribe('/s/x', '/s/x')
write('/s/x', '2')
check(some.until('changed /s/x') + some.quiet(), ['changed /s/x'], 'a path twice is no error, and told of once')
some.subscribe('-/s/x')
write('/s/x', '3')
check(some.quiet(), [], 'a path that was taken away')
refused('ENOENT', 'and cannot be again', lambda: some.subscribe('-/s/x'))
for bad in 'relative', '/s//x', '/s/', '/a.b', '@a.b', '/s x', '-', '/\0', '/x/' + 'y' * 4000:
    refused('EINVAL', f'a path that cannot be: {bad[:10]!r}', lambda: some.subscribe('/s/x', bad))
write('/s/x', '4')
check(some.quiet(), [], 'with a bad line the others are not done either')
store.remove('/s')
check(final(some.until('deleted /s/y'))['/s/y'], 'deleted', 'what is above is removed')
write('/s/y', 'again')
check(final(some.until('changed /s/y'))['/s/y'], 'changed', 'and made again')
tree.quiet()
for n in range(200):
    write('/s/y', str(n))
store.remove('/s/y')
deadline = time.monotonic() + PATIENCE
lines = []
while 'deleted /s/y' not in lines[-1:] and time.monotonic() < deadline:
    lines += [some.line() or '']
check(final(lines + some.quiet())['/s/y'], 'deleted', 'the last line describes the final state')
check(len(lines) <= 201, True, 'there are not more lines than changes')
write('/s/y', '1')
sync()
for n in range(500):
    write('/s/y', str(n))
check(len(some.quiet()) <= 2, True, 'what nobody reads is one line for each path')

# Paths above and below each other, and beside with the same beginning.
nest = Stream('/.xsfs/watch', os.O_RDWR)
nest.subscribe('/n/a/b/c/d', '/n/a/b', '/n/ab', '/n/a/b2/c')
write('/n/a', '1')
check(sorted(nest.quiet()),
      ['deleted /n/a/b', 'deleted /n/a/b/c/d', 'deleted /n/a/b2/c'], 'an event above: all below, and nothing beside')
nest.subscribe('-/n/a/b')
write('/n/a/b', '1')
check(nest.quiet(), ['deleted /n/a/b/c/d'], 'a path between two others is taken away: not the one below')
nest.subscribe('/n/a/b', '-/n/a/b/c/d')
write('/n/a/b/c/d', '1')
check(nest.quiet(), ['changed /n/a/b/c/d'], 'one below is taken away: it is told of by the one above')
nest.subscribe('-/n/a/b', '-/n/ab', '-/n/a/b2/c')
store.remove('/n')
check(nest.quiet(), [], 'all are taken away')

# What an event costs does not grow with the paths that it does not concern.
for first in range(0, 10000, 100):
    nest.subscribe(*(f'/n/{n}/state' for n in range(first, first + 100)))
for n in range(2000):
    write(f'/n/{n % 500}')
write('/n/9999/state')
check('changed /n/9999/state' in nest.until('changed /n/9999/state'), True,
      '2000 events above 10,000 paths of one stream')
nest.close()
store.remove('/n')

# Reading byte by byte, as a shell does.
write('/s/y', '1')
write('/s/long-name-of-a-key', '1')
tree2 = Stream('/s/.watch')
write('/s/long-name-of-a-key', '2')
check(tree2.ready(PATIENCE), True, 'POLLIN')
text = os.read(tree2.fd, 1)
store.remove('/s/long-name-of-a-key')
time.sleep(0.1)
while not text.endswith(b'\n'):
    text += os.read(tree2.fd, 1)
check(text, b'changed /s/long-name-of-a-key\n', 'a line once begun is delivered as it was')
check(tree2.until('deleted /s/long-name-of-a-key')[-1:], ['deleted /s/long-name-of-a-key'], 'the next says more')

# Domains come and go.
domains = Stream('/.xsfs/watch', os.O_RDWR)
before = stat('watches')
domains.subscribe('@introduceDomain', '@releaseDomain')
check(stat('watches'), before + 2, 'special paths have server watches of their own')
subprocess.run([xsloop, 'domain', world, domain, gfn], check=True, stdout=subprocess.DEVNULL)
subprocess.run(['bash', '-c', 'eval "$("$1" env "$2" "$3")"; "$4" -d "$3" -g "$5" -n 1 introduce || true', '-',
                xsloop, world, domain, ringcat, gfn], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
check('changed @introduceDomain' in domains.until('changed @introduceDomain'), True, 'a domain is introduced')
domains.quiet()
subprocess.run([xsloop, 'kill-domain', world, domain], check=True, stdout=subprocess.DEVNULL)
check('changed @releaseDomain' in domains.until('changed @releaseDomain'), True, 'a domain is gone')
domains.subscribe('-@introduceDomain')
check(stat('watches'), before + 1, 'the server watch goes with the path')
domains.close()
comes_true('and with the stream', lambda: stat('watches') == before)
for s in tree, tree2, some:
    s.close()
