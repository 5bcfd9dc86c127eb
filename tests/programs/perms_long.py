# SPDX-License-Identifier: MIT
"""Lists of permissions around the longest that the store takes."""
import errno
import os
import sys

from store_client import Store, check

mnt, store = sys.argv[1], Store()
PATH, ATTR, LIMIT = '/p/long', 'user.xenstore.perms', int(sys.argv[2])
store.write(PATH + '/child', b'')
def text(length):
    """A list of that many bytes as text."""
    entries = ['n0'] + ['r1'] * ((length - 2) // 3)
    rest = length - len(','.join(entries))
    entries[-1] += '0' * rest
    return ','.join(entries).encode()
def outcome(function, *args):
    try:
        function(*args)
        return 0
    except OSError as e:
        return errno.errorcode[e.errno]
def get():
    with open(mnt + PATH + '/.perms', 'rb') as f:
        line = f.read()
    size = os.stat(mnt + PATH + '/.perms').st_size
    attribute = os.getxattr(mnt + PATH, ATTR)
    return line == attribute + b'\n' and size == len(line) and attribute
def set_file(what):
    fd = os.open(mnt + PATH + '/.perms', os.O_WRONLY)
    try:
        if os.write(fd, what) != len(what):
            raise OSError(errno.EIO, 'short write')
    finally:
        os.close(fd)
def set_attribute(what):
    os.setxattr(mnt + PATH, ATTR, what)
same = lambda list: get().replace(b'0', b'') == list.replace(b'0', b'')
# The path, a NUL, and a NUL behind each entry.
most = LIMIT - len(PATH) - 2
for name, function, newline, too_long in (('setxattr', set_attribute, b'', 'E2BIG'), ('.perms', set_file, b'\n', 'EFBIG')):
    function(b'n0' + newline)
    for length in 1000, most - 1, most:
        list = text(length)
        check((outcome(function, list + newline), same(list)), (0, True), f'{name}: a list of {length} bytes')
    for length in most + 1, LIMIT, LIMIT + 1, 3 * LIMIT, 60000:
        check((outcome(function, text(length) + newline), same(list)), (too_long, True), f'{name}: one of {length} bytes')
    check((outcome(function, text(60000) + b',x'), same(list)), ('EINVAL', True), f'{name}: a long one that is wrong')
    check(outcome(function, b'n0' + newline), 0, f'{name}: a short one again')
fd = os.open(mnt + PATH + '/.perms', os.O_RDONLY)
set_attribute(text(most))
pieces = [os.read(fd, 100)]
while pieces[-1]:
    pieces.append(os.read(fd, 100))
check(b''.join(pieces).replace(b'0', b''), text(most).replace(b'0', b'') + b'\n', '.perms read in pieces')
os.close(fd)
# To a longer path it cannot go, and stays what it is.
check((outcome(os.rename, mnt + PATH, mnt + PATH + 'er'), os.path.exists(mnt + PATH), os.path.exists(mnt + PATH + 'er')),
      ('E2BIG', True, False), 'a rename to a path with which the list is too long')
set_attribute(b'n0')
