# SPDX-License-Identifier: MIT
"""Each kind of change by another client, in a view in which every node is a directory and its value the file `.value`."""
import os
import sys

from inotify_reader import CLOSE_WRITE, Reader, gather, gather_late, has_all, words
from store_client import SET_PERMS, Store, check

top, name_of_view, server = sys.argv[1:4]
store = Store()
reader = Reader()
count = 0


def settle():
    """The events of all that was done before; twice, as what is found below a directory is looked at afterwards."""
    global count
    events = []
    for _ in range(2):
        count += 1
        store.write('/s/end', b'%d' % count)
        events += reader.until('s/end/.value', CLOSE_WRITE)
    return [f'{path} {words(mask)}' for path, mask in events if not path.startswith('s/')]


def expect(what, *expected):
    check(gather(settle, has_all(*expected)), list(expected), f'{name_of_view}: {what}')


def changed(node):
    return [f'{node}/.value MODIFY', f'{node}/.value CLOSE_WRITE']


store.write('/s/end', b'0')
store.write('/t/a', b'1')
store.write('/t/d/x', b'1')
for node in ('s/end', 't', 't/a', 't/d', 't/d/x'):
    for name in os.listdir(f'{top}/{node}'):
        os.stat(f'{top}/{node}/{name}')
    reader.add(f'{top}/{node}', node)
gather_late(settle)
store.write('/t/a', b'2')
expect('a value', *changed('t/a'))
with open(f'{top}/t/a/.value', encoding='ascii') as file:
    check(file.read(), '2\n', f'{name_of_view}: which is read after the event')
store.write('/t/d', b'of a node with others below')
expect('the value of a node above others', *changed('t/d'))
store.write('/t/d/x', b'2')
expect('a value further down', *changed('t/d/x'))
store.call(SET_PERMS, b'/t/a\0n0\0r5\0')
gather_late(settle)
store.call(SET_PERMS, b'/t/a\0n0\0r6\0')
expect('permissions, to who watches the directory above, and the node itself', 't/a ATTRIB,ISDIR', 't/a ATTRIB,ISDIR')
store.write('/t/new', b'1')
expect('a new node', 't/new CREATE,ISDIR')
store.write('/t/a/child', b'1')
expect('one below a node that had none', 't/a/child CREATE,ISDIR')
store.remove('/t/a/child')
expect('it goes', 't/a/child DELETE,ISDIR')
tx = store.start()
store.write('/t/a', b'in', tx)
store.write('/t/tx', b'in', tx)
expect('a transaction: nothing')
store.commit(tx)
got = gather(settle, has_all(*changed('t/a'), 't/tx CREATE,ISDIR'))
check(sorted(got), sorted(changed('t/a') + ['t/tx CREATE,ISDIR']), f'{name_of_view}: its commit')
store.remove('/t/d')
got = gather(settle, has_all('t/d DELETE,ISDIR'))
check([event for event in got if '.value' not in event and 'd/x' in event and 'SELF' not in event and 'IGNORED' not in event],
      ['t/d/x DELETE,ISDIR'], f'{name_of_view}: a subtree goes, from the bottom up: {got}')
check(got[-1], 't/d DELETE,ISDIR', f'{name_of_view}: and itself last')
store.write('/t/d/x', b'1')
expect('it comes back', 't/d CREATE,ISDIR')
# The root of the view itself.
os.listdir(top)
root = Reader()
root.add(top, 'root')
for value in b'1', b'2':
    store.write('/', value)
    gather_late(settle)
got = [f'{path} {words(mask)}' for path, mask in root.read()]
# oxenstored tells no watch that the root's value was written.
check(got, changed('root') * 2 if server == 'c' else [], f'{name_of_view}: the value of the root')
store.write('/top', b'1')
gather_late(settle)
store.remove('/top')
gather_late(settle)
got = [f'{path} {words(mask)}' for path, mask in root.read()]
check(got, ['root/top CREATE,ISDIR', 'root/top DELETE,ISDIR'], f'{name_of_view}: a node in it')
store.write('/', b'')
