# SPDX-License-Identifier: MIT
"""What each system call that writes makes of a value."""
import os
import sys

from store_client import Store, check, refused

mnt = sys.argv[1]
second = sys.argv[2]
store = Store()
key, path = '/calls/k', f'{mnt}/calls/k'
store.write(key, b'')

def value():
    os.stat(mnt + '/calls')
    return store.read(key)

def case(name, before, do, after, flags=os.O_RDWR):
    store.write(key, before)
    fd = os.open(path, flags)
    try:
        do(fd)
    finally:
        os.close(fd)
    check(value(), after, name)

case('pwrite in the middle', b'hello world', lambda fd: os.pwrite(fd, b'XX', 2), b'heXXo world')
case('pwrite over the end', b'hello', lambda fd: os.pwrite(fd, b'p!\n', 3), b'help!')
case('pwrite of the newline', b'hello', lambda fd: os.pwrite(fd, b'!', 5), b'hello!')
case('pwrite behind the end leaves zeros', b'ab', lambda fd: os.pwrite(fd, b'z', 5), b'ab\n\0\0z')
case('pwrite into an empty value', b'', lambda fd: os.pwrite(fd, b'z\n', 0), b'z')
case('ftruncate shorter', b'hello', lambda fd: os.ftruncate(fd, 3), b'hel')
case('ftruncate by the newline', b'hello', lambda fd: os.ftruncate(fd, 5), b'hello')
case('ftruncate longer', b'hello', lambda fd: os.ftruncate(fd, 8), b'hello\n\0\0')
case('ftruncate to nothing, then longer', b'hello', lambda fd: (os.ftruncate(fd, 0), os.ftruncate(fd, 3)), b'\0\0\0')
case('ftruncate to nothing', b'hello', lambda fd: os.ftruncate(fd, 0), b'')
case('ftruncate, then write', b'hello', lambda fd: (os.ftruncate(fd, 2), os.pwrite(fd, b'y\n', 2)), b'hey')
case('two writes', b'hello', lambda fd: (os.write(fd, b'one\n'), os.write(fd, b'two\n')), b'one\ntwo',
     os.O_WRONLY | os.O_TRUNC)
case('O_TRUNC and O_APPEND', b'old', lambda fd: (os.write(fd, b'a\n'), os.write(fd, b'b\n')), b'a\nb',
     os.O_WRONLY | os.O_TRUNC | os.O_APPEND)
case('O_APPEND', b'old', lambda fd: (os.write(fd, b'a\n'), os.write(fd, b'b\n')), b'old\na\nb',
     os.O_WRONLY | os.O_APPEND)
case('write, ftruncate to nothing, close', b'old', lambda fd: (os.write(fd, b'a\n'), os.ftruncate(fd, 0)), b'',
     os.O_WRONLY | os.O_TRUNC)
case('write, ftruncate, write', b'old',
     lambda fd: (os.write(fd, b'abcdef\n'), os.ftruncate(fd, 0), os.pwrite(fd, b'g\n', 0)), b'g',
     os.O_WRONLY | os.O_TRUNC)
os.truncate(path, 0)
check(store.read(key), b'', 'truncate(2) to nothing is there at once')
store.write(key, b'hello')
os.truncate(path, 4)
check(store.read(key), b'hell', 'truncate(2)')

# The modes of Python.
store.write(key, b'hello')
with open(path, 'r+') as f:
    check(f.read(), 'hello\n', 'r+ reads')
    f.seek(0)
    f.write('J')
check(value(), b'Jello', 'r+ writes in place')
with open(path, 'a+') as f:
    f.write('more\n')
    f.seek(0)
    check(f.read(), 'Jello\nmore\n', 'a+ appends and reads')
with open(path, 'w+') as f:
    f.write('anew\n')
    f.seek(0)
    check(f.read(), 'anew\n', 'w+ reads what it wrote')
check(value(), b'anew', 'w+ replaces')
refused('EEXIST', 'x refuses what exists', open, path, 'x')
with open(path + '2', 'x') as f:
    check(store.read(key + '2'), b'', 'x makes the node when it opens')
    f.write('v\n')
check((value(), store.read(key + '2'))[1], b'v', 'x writes')
for mode in 'x', 'w':
    if store.exists(key + '3'):
        store.remove(key + '3')
    with open(path + '3', mode) as f:
        f.write('v\n')
        f.flush()
        f.truncate(0)
    os.stat(path)
    check(store.read(key + '3'), b'', f'{mode}, written, truncated to nothing, closed')

# O_TRUNC is nobody's business until there is something to write.
store.write(key, b'old')
fd = os.open(path, os.O_RDWR | os.O_TRUNC)
check(store.read(key), b'old', 'O_TRUNC alone changes nothing in the store')
check(os.pread(fd, 9, 0), b'', 'but this open file reads nothing')
os.write(fd, b'new\n')
check(store.read(key), b'new', 'the write replaces')
os.close(fd)
fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
os.close(fd)
check(value(), b'', 'O_TRUNC and nothing more empties at release')

# A new file before its first write.
new = mnt + '/calls/new'
fd = os.open(new, os.O_CREAT | os.O_WRONLY)
check(store.exists('/calls/new'), False, 'O_CREAT alone makes no node')
check(os.stat(new).st_size, 0, 'this mount shows it')
check('new' in os.listdir(mnt + '/calls'), True, 'and lists it')
check('new' in os.listdir(second + '/calls'), False, 'another mount does not')
check(open(new).read(), '', 'it reads as empty')
os.fsync(fd)
check(store.exists('/calls/new'), True, 'fsync makes it')
os.close(fd)
check(store.read('/calls/new'), b'', 'it is empty')
os.unlink(new)
fd = os.open(new, os.O_CREAT | os.O_WRONLY)
os.close(fd)
os.stat(mnt + '/calls')
check(store.exists('/calls/new'), True, 'closing makes it')
os.unlink(new)
for flag in 'O_RDONLY', 'O_WRONLY', 'O_RDWR':
    fd = os.open(new, os.O_CREAT | getattr(os, flag))
    store.write('/calls/new', b'precious')
    os.close(fd)
    check(open(new).read(), 'precious\n', f'{flag}: closing a file that somebody else has made leaves it alone')
    check(store.read('/calls/new'), b'precious', f'{flag}: in the store, too')
    os.unlink(new)
fd = os.open(new, os.O_CREAT | os.O_WRONLY)
os.unlink(new)
check(os.path.exists(new), False, 'a new file that is removed is gone')
os.close(fd)
os.stat(mnt + '/calls')
check(store.exists('/calls/new'), False, 'also after it was closed')
store.write('/calls/new', b'v')
fd = os.open(new, os.O_WRONLY | os.O_TRUNC)
os.unlink(new)
os.close(fd)
os.stat(mnt + '/calls')
check(store.exists('/calls/new'), False, 'the same of one that was truncated')
store.write('/calls/moved', b'precious')
fd = os.open(new, os.O_CREAT | os.O_WRONLY)
os.rename(mnt + '/calls/moved', new)
os.close(fd)
os.stat(mnt + '/calls')
check(store.read('/calls/new'), b'precious', 'closing what was renamed over takes nothing from the new file')
os.unlink(new)
refused('EISDIR', 'truncate a directory', os.truncate, mnt + '/calls', 0)

# The same of a directory's value.
os.mkdir(mnt + '/calls/d')
own = mnt + '/calls/d/.value'
fd = os.open(own, os.O_CREAT | os.O_RDWR)
os.write(fd, b'hello world\n')
os.ftruncate(fd, 5)
check(os.fstat(fd).st_size, 6, '.value: the size after ftruncate')
check(store.read('/calls/d'), b'hello', '.value: ftruncate')
os.pwrite(fd, b'J', 0)
check(os.pread(fd, 20, 0), b'Jello\n', '.value: pwrite')
os.close(fd)
os.truncate(own, 4)
check(store.read('/calls/d'), b'Jell', '.value: truncate')
with open(own, 'a') as f:
    f.write('y\n')
check((os.stat(own).st_size, store.read('/calls/d')), (7, b'Jell\ny'), '.value: append')
refused('EFBIG', '.value: too large', lambda: os.truncate(own, 5000))
check(store.read('/calls/d'), b'Jell\ny', '.value: it loses nothing')

# A read at offset 0 takes a snapshot.
store.write(key, b'abcdefgh')
fd = os.open(path, os.O_RDONLY)
check(os.pread(fd, 2, 0), b'ab', 'a read')
store.write(key, b'01234567890')
check(os.pread(fd, 99, 2), b'cdefgh\n', 'the next part is of the same value')
check(os.pread(fd, 99, 0), b'01234567890\n', 'from the start again: the new one')
check(os.pread(fd, 99, 99), b'', 'behind the end')
os.close(fd)
store.write(key, b'x' * 2000)
fd = os.open(path, os.O_RDONLY)
data = b''
while part := os.read(fd, 7):
    data += part
    store.write(key, b'y' * len(data))
check(data, b'x' * 2000 + b'\n', 'a value read in small parts while it changes')
os.close(fd)
