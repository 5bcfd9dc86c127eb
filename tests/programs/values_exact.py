# SPDX-License-Identifier: MIT
"""Values as files, byte by byte."""
import fcntl
import os
import subprocess
import sys

from store_client import Store, check, refused

mnt, fmt, kind = sys.argv[1:]
store = Store()
text = fmt == 'text'

def content(value):
    return value + b'\n' if text and value else value

def slurp(path):
    with open(path, 'rb', buffering=0) as f:
        return f.read()

def spill(path, data):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        return os.write(fd, data)
    finally:
        os.close(fd)

store.write('/val', b'')
src, dst = f'{mnt}/val/in', f'{mnt}/val/out'
# oxenstored limits the value, xenstored only the message.
most = 2048 if kind == 'o' else 4096 - len('/val/out') - 1
every = bytes(range(256))
values = [b'', b'\n', b'\n\n', b'a', b'a\n', b'a\n\n\n', b'\0', b'\0\n', b'two\nlines', every, every + b'\n',
          every * 7 + b'\n\n', b'x' * most, b'x' * (most - 1) + b'\n', b'\n' * most]
for value in values:
    name = f'{fmt}: {value[:4]!r}... of {len(value)} bytes'
    store.write('/val/in', value)
    check(slurp(src), content(value), f'{name}: the content')
    check(os.stat(src).st_size, len(content(value)), f'{name}: the size')
    spill(dst, content(value))
    # An empty value is committed when the file is released; what this mount does next comes after it.
    os.stat(dst)
    check(store.read('/val/out'), value, f'{name}: key, file, key')
    check(os.getxattr(src, 'user.xenstore.value'), value, f'{name}: the attribute is raw')
    store.write('/val/out', b'other')
    os.setxattr(dst, 'user.xenstore.value', value)
    check(store.read('/val/out'), value, f'{name}: and sets it')
    store.remove('/val/out')
    subprocess.run(['cp', src, dst], check=True)
    os.stat(dst)
    check(store.read('/val/out'), value, f'{name}: cp')

if text:
    for data, value in (b'v', b'v'), (b'\n', b''), (b'v\n\n', b'v\n'):
        spill(dst, data)
        os.stat(dst)
        check(store.read('/val/out'), value, f'one newline is stripped of {data!r}')
    check(spill(dst, b'y' * most + b'\n'), most + 1, 'the newline costs nothing')
else:
    spill(dst, b'v\n')
    check(store.read('/val/out'), b'v\n', 'raw: nothing is stripped')

store.write('/val/out', b'before')
for size in most + 1, 5000, 100000:
    refused('EFBIG', f'{fmt}: a write of {size} bytes', spill, dst, b'z' * size)
    os.stat(dst)
    check(store.read('/val/out'), b'before', f'{fmt}: it loses nothing')
refused('EFBIG', f'{fmt}: the same by attribute', os.setxattr, dst, 'user.xenstore.value', b'z' * (most + 1))
fd = os.open(dst, os.O_WRONLY | os.O_TRUNC)
refused('EFBIG', f'{fmt}: refused behind O_TRUNC', os.write, fd, b'z' * (most + 1))
os.fsync(fd)
check(slurp(dst), content(b'before'), f'{fmt}: what a refused write was to replace stays, after fsync too')
os.close(fd)
fd = os.open(src, os.O_WRONLY | os.O_TRUNC | os.O_APPEND)
os.write(fd, b'a')
os.write(fd, b'b')
fcntl.fcntl(fd, fcntl.F_SETFL, 0)
os.pwrite(fd, b'c', 3 if text else 2)
os.close(fd)
check(store.read('/val/in'), b'a\nbc' if text else b'abc', f'{fmt}: a write after what was appended keeps it')
refused('EFBIG', f'{fmt}: a new key', spill, f'{mnt}/val/new', b'z' * (most + 1))
os.stat(dst)
check(store.exists('/val/new'), False, f'{fmt}: the new key was not made')
refused('EFBIG', f'{fmt}: far behind the end', lambda: os.pwrite(os.open(dst, os.O_RDWR), b'z', 1 << 40))
refused('EFBIG', f'{fmt}: truncate to much', os.truncate, dst, 1 << 40)
store.write('/val/out', b'full' + b'.' * (most - 4))
with open(dst, 'ab', buffering=0) as f:
    refused('EFBIG', f'{fmt}: append to a full value', f.write, b'more')
check(len(store.read('/val/out')), most, f'{fmt}: it is still full')
check(spill(dst, content(b'after')), len(content(b'after')), f'{fmt}: and then it goes on')
check(store.read('/val/out'), b'after', f'{fmt}: with the new value')
