# SPDX-License-Identifier: MIT
"""What a read of .next gives, and when there is something to read."""
import os
import subprocess
import sys
import threading

from next_common import PATIENCE, mnt, next_of, opened, store, sync, write
from store_client import check, refused

server = sys.argv[2]
write('/n/key', 'one')
key = opened(next_of('/n/key'))
check((key.ready(), key.now()), (False, 'EAGAIN'), 'nothing is told of what was before')
write('/n/key', 'two')
check(key.read(), b'two\n', 'a change: it reads the value')
check((key.ready(), key.now()), (False, 'EAGAIN'), 'which is told once')
for value in 'a', 'b', 'c':
    write('/n/key', value)
sync()
check(key.until(b'c\n')[-1], b'c\n', 'changes that were not read are one, with the last value')
sync()
check(key.ready(), False, 'and then there is nothing to read')
write('/n/key', 'c')
check(key.read(), b'c\n', 'the same value again is a change')
write('/n/key/child', 'x')
write('/n/other', 'x')
sync()
check(key.ready(), False, 'a key below it or beside it is none')
for value in '', 'two\nlines', 'end\n', 'x' * 1500:
    write('/n/key', value)
    check(key.read(), value.encode() + b'\n', f'a value is a line, whatever it is: {value[:10]!r}')
write('/n/key', 'piece')
check((key.read(2), key.ready(), key.now(2)), (b'pi', True, b'ec'), 'it can be read in pieces')
write('/n/key', 'another')
check(key.until(b'another\n'), [b'e\n', b'another\n'], 'and is not mixed with the next')

# Others who look.
same = opened(next_of('/n/key'))
write('/n/key', 'for both')
check((key.read(), same.read()), (b'for both\n', b'for both\n'), 'each open file is told')
same.close()
with open(mnt + '/.xsfs/nodes/n/key/.value', 'w') as f:
    f.write('by the mount')
check(key.until(b'by the mount\n')[-1], b'by the mount\n', 'a write through the mount')
tx = store.start()
store.write('/n/key', b'inside', tx)
sync()
check(key.ready(), False, 'nothing is told of what is done in a transaction')
store.commit(tx)
check(key.read(), b'inside\n', 'but of its commit')

# Gone and back.
store.remove('/n/key')
check(key.read(), 'ENOENT', 'its removal is told by ENOENT')
sync()
check((key.ready(), key.now()), (False, 'EAGAIN'), 'once')
write('/n/key', 'back')
check(key.read(), b'back\n', 'it comes back')
store.remove('/n')
check(key.read(), 'ENOENT', 'what is above it is removed')
write('/n/key', 'value')
check(key.read(), b'value\n', 'and comes back with it')
os.rename(mnt + '/n', mnt + '/moved')
check(key.until('ENOENT')[-1], 'ENOENT', 'moved away')
os.rename(mnt + '/moved', mnt + '/n')
check(key.until(b'value\n')[-1], b'value\n', 'and back')
key.close()

# Where it is.
write('/n/dir', 'of a directory')
write('/n/dir/child', '')
directory = opened(mnt + '/n/dir/.next')
write('/n/dir', 'changed')
check(directory.read(), b'changed\n', 'every directory has one')
directory.close()
refused('EACCES', 'it cannot be written', lambda: os.open(next_of('/n/dir'), os.O_RDWR))
refused('ENOENT', 'none of what is not there', lambda: os.open(next_of('/n/none'), os.O_RDONLY))
refused('EPERM', 'it cannot be removed', lambda: os.unlink(next_of('/n/dir')))
check(sorted(os.listdir(mnt + '/n/dir')), ['.value', 'child'], 'it is not listed')
tx = os.open(mnt + '/.xsfs/transaction', os.O_RDWR)
inside = mnt + '/.xsfs/tx/' + os.read(tx, 100).decode().strip()
refused('ENOENT', 'there is none in a transaction', lambda: os.open(inside + '/n/dir/.next', os.O_RDONLY))
os.close(tx)
if server == 'c': # oxenstored has no event for the root's own value
    root = opened(mnt + '/.next')
    write('/', 'root')
    check(root.read(), b'root\n', 'the root has one too')
    write('/', '')
    root.close()

# Reads that wait.
waiting = opened(next_of('/n/dir'), 0)
got = []
def reads():
    while got[-1:] != [b'last\n']:
        got.append(os.read(waiting.fd, 65536))
thread = threading.Thread(target=reads, daemon=True)
thread.start()
for value in 'first', 'last':
    write('/n/dir', value)
thread.join(PATIENCE)
check(got[-1:], [b'last\n'], 'a read that waits gets the value')
waiting.close()

def streams():
    with open(mnt + '/.xsfs/stats') as f:
        return int(dict(line.split(' ', 1) for line in f)['streams'])

cat = subprocess.Popen(['cat', next_of('/n/dir')], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
while streams() < 2 and cat.poll() is None:
    pass
write('/n/dir', 'to cat')
line = cat.stdout.readline()
while line and line != b'to cat\n':
    line = cat.stdout.readline()
check(line, b'to cat\n', 'cat prints each value')
store.remove('/n/dir')
check((cat.stdout.read(), b'No such file' in cat.stderr.read()), (b'', True), 'until the node is removed')
cat.wait()
