# SPDX-License-Identifier: MIT
"""Each kind of change, by another client of the store or through the mount, and the events that arrive for it."""
import os
import subprocess
import sys

from inotify_reader import CHANGES, CLOSE_WRITE, MOVE_SELF, Reader, gather, gather_late, has_all, words
from store_client import SET_PERMS, Store, check

mnt, level = sys.argv[1:3]
writable = level != 'ro'
store = Store()
reader = Reader()
keeper = Reader()  # the kernel does not forget what it watches, however short memory may be
count = 0


def perms(path, text):
    store.call(SET_PERMS, path.encode() + b'\0' + text)


def settle():
    """The events of all that was done before.  They come in order, but for what is found below a directory, which
    is looked at after what is known by then: hence twice."""
    global count
    events = []
    for _ in range(2):
        count += 1
        store.write(f'/s/{count}', b'')
        events += reader.until(f's/{count}', CLOSE_WRITE)
    return [f'{path} {words(mask)}' for path, mask in events if not path.startswith('s/')]


def expect(name, *expected):
    check(gather(settle, has_all(*expected)), list(expected), name)


def changed(path):
    return [f'{path} MODIFY', f'{path} CLOSE_WRITE']


def created(path):
    return [f'{path} CREATE'] + changed(path)


store.write('/t/a', b'1')
store.write('/t/d/x', b'1')
store.write('/t/d/y', b'1')
store.write('/t/unseen', b'1')
store.write('/t/e/deep/er', b'1')
store.write('/s/0', b'')
for known in ('s', 't', 't/d', 't/e', 't/e/deep'):
    os.listdir(f'{mnt}/{known}')
    reader.add(f'{mnt}/{known}', known)
for leaf in ('a', 'd/x', 'd/y', 'e/deep/er'):
    keeper.add(f'{mnt}/t/{leaf}', leaf, MOVE_SELF)
gather_late(settle)

# ---- by others ----
store.write('/t/a', b'2')
expect('a changed value', *changed('t/a'))
check(open(f'{mnt}/t/a').read(), '2\n', 'which is read after the event')
store.write('/t/a', b'2')
store.write('/t/a', b'2')
first = gather_late(settle)
check(set(changed('t/a')) <= set(first) <= {*changed('t/a'), 't/a ATTRIB'}, True, f'the same value again: {first}')
perms('/t/a', b'n0\0r5\0')
expect('permissions', 't/a ATTRIB')
store.write('/t/a', b'2')
expect('the same value again, once the permissions are known', *changed('t/a'))
perms('/t/a', b'n0\0')
expect('permissions again', 't/a ATTRIB')
store.write('/t/unseen', b'2')
got = gather(settle, has_all(*changed('t/unseen')))
check(got in (changed('t/unseen'), changed('t/unseen') + ['t/unseen ATTRIB']), True,
      f'a key that was only listed: {got}')
store.write('/t/new', b'1')
expect('a new key', *created('t/new'))
store.remove('/t/new')
expect('it goes', 't/new DELETE')
store.write('/t/new', b'')
expect('it comes back, empty', *created('t/new'))
store.remove('/t/new')
store.write('/t/new', b'other')
got = gather_late(settle)
check(got in (changed('t/new'), changed('t/new') * 2, ['t/new DELETE'] + created('t/new')), True,
      f'removed and made again at once: {got}')
store.remove('/t/new')
expect('and gone', 't/new DELETE')
store.write('/t/p/q/r', b'1')
expect('a subtree', 't/p CREATE,ISDIR')
os.listdir(f'{mnt}/t/p')
reader.add(f'{mnt}/t/p', 't/p')
store.write('/t/p/s', b'1')
expect('a key in it', *created('t/p/s'))
keeper.add(f'{mnt}/t/p/q/r', 'r', MOVE_SELF)
keeper.add(f'{mnt}/t/p/s', 's', MOVE_SELF)
store.remove('/t/p')
gone = ['t/p/s DELETE', 't/p/q DELETE,ISDIR', 't/p DELETE_SELF', 't/p IGNORED', 't/p DELETE,ISDIR']
check(sorted(gather(settle, has_all(*gone))), sorted(gone), 'the subtree goes, with what is in it')
store.remove('/t/d')
gone = ['t/d/x DELETE', 't/d/y DELETE', 't/d DELETE_SELF', 't/d IGNORED', 't/d DELETE,ISDIR']
got = gather(settle, has_all(*gone))
check(sorted(got), sorted(gone), 'another one, whose files were looked at')
check(got[-1], 't/d DELETE,ISDIR', 'from the bottom up')
store.write('/t/d/x', b'1')
expect('it comes back', 't/d CREATE,ISDIR')
os.listdir(f'{mnt}/t/d')
reader.add(f'{mnt}/t/d', 't/d')
keeper.add(f'{mnt}/t/d/x', 'x', MOVE_SELF)
store.remove('/t/d')
store.write('/t/d/z', b'1')
def again(events):
    """Both are told; where somebody was quicker again and again, which a busy machine brings about, a second later."""
    return 't/d/x DELETE' in events and ('t/d/z CREATE' in events or 't/d CREATE,ISDIR' in events)
got = gather_late(settle)
got += [] if again(got) else gather(settle, lambda events: again(got + events))
check(again(got), True, f'a directory removed and made again at once: {got}')
store.write('/t/a/child', b'1')
expect('a file becomes a directory', 't/a DELETE', 't/a CREATE,ISDIR')
store.remove('/t/a')
expect('and goes', 't/a DELETE,ISDIR')
store.write('/t/a', b'1')
expect('and is a file', *created('t/a'))
tx = store.start()
store.write('/t/a', b'in', tx)
store.write('/t/tx', b'in', tx)
expect('a transaction: nothing')
store.commit(tx)
got = gather(settle, has_all(*changed('t/a'), *created('t/tx')))
check(sorted(got, key=lambda event: event.split()[0]), changed('t/a') + created('t/tx'), 'its commit: each of its keys')
store.remove('/t/tx')
expect('and a removal', 't/tx DELETE')
for n in range(3):
    store.write('/t/e/deep/er', b'value %d' % n)
got = gather_late(settle)
check(set(got), set(changed('t/e/deep/er')), 'several changes of a key further down')
store.write('/t/e/deep', b'value')
expect('the value of a directory', *changed('t/e/deep/.value'))
me = Reader()
me.add(f'{mnt}/t/a', 'a', CHANGES)
store.remove('/t/a')
gather(settle, has_all('t/a DELETE'))
store.write('/t/a/child', b'1')
gather(settle, has_all('t/a CREATE,ISDIR'))
got = [f'{path} {words(mask)}' for path, mask in me.read()]
check(got, ['a ATTRIB', 'a DELETE_SELF', 'a IGNORED'], 'a watch of the file itself')

# ---- through the mount ----
def run(*command):
    return subprocess.run(command, capture_output=True, check=False).returncode


if writable:
    with open(f'{mnt}/t/own', 'w', encoding='ascii') as file:
        file.write('1')
    expect('own: a new file', *created('t/own'))
    run('sh', '-c', f'echo 2 >>"{mnt}/t/own"')
    expect('own: an append', *changed('t/own'))
    os.rename(f'{mnt}/t/own', f'{mnt}/t/moved')
    expect('own: a rename', 't/own MOVED_FROM', 't/moved MOVED_TO')
    os.unlink(f'{mnt}/t/moved')
    expect('own: a removal', 't/moved DELETE')
    os.mkdir(f'{mnt}/t/dir')
    expect('own: a directory', 't/dir CREATE,ISDIR')
    os.rmdir(f'{mnt}/t/dir')
    expect('own: its removal', 't/dir DELETE,ISDIR')
    os.setxattr(f'{mnt}/t/e/deep/er', 'user.xenstore.perms', b'n0,r7')
    expect('own: permissions', 't/e/deep/er ATTRIB')
else:
    check(run('sh', '-c', f'echo 2 >"{mnt}/t/a/child"') != 0, True, 'nothing can be written')
    check(run('mkdir', f'{mnt}/t/dir') != 0 and not store.exists('/t/dir'), True, 'nothing can be made')
    check(run('rm', f'{mnt}/t/a/child') != 0 and store.exists('/t/a/child'), True, 'nothing can be removed')
