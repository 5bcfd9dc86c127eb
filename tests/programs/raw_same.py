# SPDX-License-Identifier: MIT
"""What comes back through the file is what the server says on its socket."""
import sys

from raw_client import (DIRECTORY, END, GET_DOMAIN_PATH, GET_PERMS, INTRODUCE, IS_INTRODUCED, MKDIR, READ, RELEASE, RESET_WATCHES,
    RESUME, RM, Raw, SET_PERMS, SET_TARGET, START, UNWATCH, WATCH, WRITE)
from store_client import check

mnt, socket_path, kind = sys.argv[1:4]

# Each line: messages of one client, one after the other; what comes back is compared with what the server says on
# its socket, ids and bytes, events apart from answers. Not here: where each server has its own way to be
# wrong, see xsfs(5).
def m(kind, body, req=5, tx=0):
    return kind, body, req, tx
scripts = {
    'types that there are not': [m(20, b'x\0'), m(23, b'x\0'), m(99, b'x\0', 0xffffffff), m(15, b'a\0b\0'), m(16, b'ENOENT\0')],
    'ids': [m(READ, b'/s\0', 0), m(READ, b'/s\0', 0), m(READ, b'/none\0', 0xffffffff), m(READ, b'/s\0', 7)],
    'a relative watch': [m(WATCH, b'foo\0tok\0'), m(WRITE, b'foo/bar\0x')],
    'one path in two forms': [m(WATCH, b'foo\0t\0', 1), m(WATCH, b'/local/domain/0/foo\0t\0', 2), m(UNWATCH, b'/local/domain/0/foo\0t\0', 3),
                              m(UNWATCH, b'foo\0t\0', 4)],
    'tokens': [m(WATCH, b'/s\0\0', 1), m(WATCH, b'/s\0a b\xff\x01\0', 2), m(WATCH, b'/s\0' + b'x' * 900 + b'\0', 3)],
    'one watch twice': [m(WATCH, b'/s\0t\0', 1), m(WATCH, b'/s\0t\0', 2), m(UNWATCH, b'/s\0t\0', 3), m(UNWATCH, b'/s\0t\0', 4)],
    'bad watches': [m(WATCH, p, i) for i, p in enumerate((b'/a b\0t\0', b'/a/\0t\0', b'//a\0t\0', b'a/\0t\0', b'\0t\0', b'/x\0', b'/x\0t',
                                                          b'/x\0t\0001\0'))],
    'bad unwatches': [m(UNWATCH, p, i) for i, p in enumerate((b'/x\0', b'/x\0t', b'/x\0t\0x\0', b'/x\0t\0'))],
    'special watches': [m(WATCH, p + b'\0t\0', i) for i, p in enumerate((b'@introduceDomain', b'@releaseDomain', b'@foo', b'@releaseDomain/1'))],
    'missing paths': [m(WATCH, b'/not/there\0t\0'), m(RM, b'/not/there\0'), m(DIRECTORY, b'/not\0'), m(GET_PERMS, b'/not\0')],
    'bad paths': [m(k, b'/s//x\0') for k in (READ, DIRECTORY, MKDIR, RM, GET_PERMS)] + [m(WRITE, b'/s/\0v'), m(SET_PERMS, b'/s x\0n0\0')],
    'bad permissions': [m(SET_PERMS, b'/s\0x1\0'), m(SET_PERMS, b'/s\0')],
    'transactions': [m(START, b'\0'), m(WRITE, b'/s/t\0v', 6, 1), m(READ, b'/s/t\0', 7, 1), m(START, b'\0', 8, 1), m(END, b'X\0', 9, 1),
                     m(END, b'T\0', 10, 1), m(READ, b'/s/t\0', 11)],
    'no transaction': [m(END, b'T\0'), m(END, b'F\0')],
    'relative paths': [m(WRITE, b'rel\0v'), m(READ, b'rel\0'), m(READ, b'/local/domain/0/rel\0')],
    'reset': [m(WATCH, b'/s\0t\0', 1), m(RESET_WATCHES, b'\0', 2), m(WATCH, b'/s\0t\0', 3)],
    'domains': [m(GET_DOMAIN_PATH, b'5\0'), m(GET_DOMAIN_PATH, b'x\0'), m(IS_INTRODUCED, b'0\0'), m(IS_INTRODUCED, b'5\0'), m(RELEASE, b'5\0'),
                m(RESUME, b'5\0'), m(SET_TARGET, b'5\0006\0'), m(SET_TARGET, b'5\0'), m(INTRODUCE, b'5\0')],
    'a value with every byte': [m(WRITE, b'/s/b\0' + bytes(range(256))), m(READ, b'/s/b\0')],
}
def run(path, script):
    client = Raw(path)
    # A transaction of another client, so that ids differ from the server's if they are not the client's own.
    holder = Raw(path)
    if 'xenbus' in path:
        holder.start()
    answers, events = [], set()
    for msg in script:
        client.send(*msg)
        answers.append(client.answer(msg[2]))
    events = client.events + client.quiet(0.2)
    client.close()
    holder.close()
    return answers, sorted(set(events))
for name, script in scripts.items():
    direct, mounted = run(socket_path, script), run(mnt + '/.xsfs/xenbus', script)
    check(len(direct[0]), len(script), f'{name}: the server answers each')
    check(mounted, direct, f'{name}: as on the server\'s socket')
