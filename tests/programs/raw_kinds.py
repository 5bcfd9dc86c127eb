# SPDX-License-Identifier: MIT
"""Every type of message, through the file as on the socket."""
import sys

from raw_client import (CONTROL, DIRECTORY, DIRECTORY_PART, END, ERROR, EVENT, GET_DOMAIN_PATH, GET_PERMS, INTRODUCE, IS_INTRODUCED,
    MKDIR, READ, RELEASE, RESET_WATCHES, RESUME, RM, Raw, SET_PERMS, SET_TARGET, START, UNWATCH, WATCH, WRITE)
from store_client import Store, check, refused

mnt, socket_path, kind = sys.argv[1:4]
direct = Store(socket_path)
raw = Raw(mnt + '/.xsfs/xenbus')
other = Raw(mnt + '/.xsfs/xenbus')
seen = set()

def call(kind, *strings, tx=0, tail=b''):
    seen.add(kind)
    return raw.call(kind, b''.join(s.encode() + b'\0' for s in strings) + tail, tx)

# What it does is seen by the server's socket, and what that does is seen here.
check(call(WRITE, '/r/key', tail=b'v\0\xff'), b'OK\0', 'WRITE')
check(direct.read('/r/key'), b'v\0\xff', 'it is in the store')
direct.write('/r/key', b'other')
check(call(READ, '/r/key'), b'other', 'READ')
call(MKDIR, '/r/dir')
check(direct.read('/r/dir'), b'', 'MKDIR')
check(sorted(call(DIRECTORY, '/r').split(b'\0')), [b'', b'dir', b'key'], 'DIRECTORY')
call(SET_PERMS, '/r/key', 'n7', 'r8')
check(direct.call(GET_PERMS, b'/r/key\0'), b'n7\0r8\0', 'SET_PERMS')
check(call(GET_PERMS, '/r/key'), b'n7\0r8\0', 'GET_PERMS')
call(RM, '/r/dir')
check(direct.exists('/r/dir'), False, 'RM')
if kind == 'c':
    gen, *names = call(DIRECTORY_PART, '/r', '0').split(b'\0')
    check((gen.isdigit(), names), (True, [b'key', b'', b'']), 'DIRECTORY_PART')
else:
    refused('ENOSYS', 'DIRECTORY_PART, as oxenstored says', lambda: call(DIRECTORY_PART, '/r', '0'))

# Watches.
check(call(WATCH, '/r', 'token'), b'OK\0', 'WATCH')
check(raw.event(), ('/r', 'token'), 'its initial event (WATCH_EVENT)')
direct.write('/r/key', b'1')
check(raw.event(), ('/r/key', 'token'), 'WATCH_EVENT of a change')
check(call(UNWATCH, '/r', 'token'), b'OK\0', 'UNWATCH')
direct.write('/r/key', b'2')
check(raw.quiet(), [], 'no event after UNWATCH')
seen.add(EVENT)

# Transactions.
tx = int(call(START, '')[:-1])
call(WRITE, '/r/in', tail=b'1', tx=tx)
check(direct.exists('/r/in'), False, 'TRANSACTION_START: what is done in it is not seen outside')
check(call(READ, '/r/in', tx=tx), b'1', 'but inside')
check(call(END, 'T', tx=tx), b'OK\0', 'TRANSACTION_END')
check(direct.read('/r/in'), b'1', 'and then outside')
tx = raw.start()
call(RM, '/r/in', tx=tx)
call(END, 'F', tx=tx)
check(direct.exists('/r/in'), True, 'TRANSACTION_END F: nothing was done')
tx = raw.start()
call(READ, '/r/key', tx=tx)
call(WRITE, '/r/in', tail=b'2', tx=tx)
direct.write('/r/key', b'conflict')
refused('EAGAIN', 'TRANSACTION_END: a conflict', lambda: call(END, 'T', tx=tx))
refused('EBUSY', 'TRANSACTION_START in a transaction', lambda: call(START, '', tx=raw.start()))

check(call(RESET_WATCHES, ''), b'OK\0', 'RESET_WATCHES')
refused('ENOENT', 'the transactions are gone with it', lambda: call(READ, '/', tx=tx + 1))
try:
    call(READ, '/r/none')
except OSError as e:
    check(e.strerror, 'ENOENT', 'ERROR')
    seen.add(ERROR)

# Domains.
check(call(GET_DOMAIN_PATH, '7'), b'/local/domain/7\0', 'GET_DOMAIN_PATH')
def introduced(domid):
    return direct.call(IS_INTRODUCED, domid.encode() + b'\0')
check((call(IS_INTRODUCED, '7'), introduced('7')), (b'T\0', b'T\0'), 'IS_DOMAIN_INTRODUCED: the guest is')
check(call(IS_INTRODUCED, '6'), b'F\0', 'IS_DOMAIN_INTRODUCED: none of that number')
gfn, port, guest = sys.argv[4:7]

# What the other domain owns its stub domain may read, once it is its target.
direct.write('/r/of8', b'secret')
direct.call(SET_PERMS, b'/r/of8\0n8\0')
def guest_reads():
    with open(guest + '/r/of8') as f:
        return f.read()
refused('EACCES', 'a guest may not read what another owns', guest_reads)
check(call(SET_TARGET, '7', '8'), b'OK\0', 'SET_TARGET')
check(guest_reads(), 'secret\n', 'its target\'s it may')
check(call(RESUME, '7'), direct.call(RESUME, b'7\0'), 'RESUME')
refused({'c': 'ENOENT', 'o': 'EINVAL'}[kind], 'RESUME of a domain that is not there', lambda: call(RESUME, '99'))

other.watch('@releaseDomain', 'r')
other.watch('@introduceDomain', 'i')
check(introduced('9'), b'F\0', 'a domain that is not introduced')
check(call(INTRODUCE, '9', gfn, port), b'OK\0', 'INTRODUCE')
check(other.event(), ('@introduceDomain', 'i'), 'the event of that')
check(introduced('9'), b'T\0', 'now it is')
check(call(RELEASE, '9'), b'OK\0', 'RELEASE')
check(other.event(), ('@releaseDomain', 'r'), 'the event of that')
check(introduced('9'), b'F\0', 'now it is not any more')

# CONTROL: what it answers is what it answers directly.
for command in ('help',), ('check',), ('nonsense',):
    body = b''.join(s.encode() + b'\0' for s in command)
    def answer(to):
        try:
            return to(CONTROL, body)
        except OSError as e:
            return e.strerror
    seen.add(CONTROL)
    check(answer(raw.call), answer(direct.call), f'CONTROL {command[0]}')

check(seen, set(range(20)) | {21, 22}, 'every type of the protocol was used')
for unknown in 20, 23, 27, 99, 0xffffffff:
    refused('ENOSYS', f'type {unknown}: there is none', lambda: raw.call(unknown, b'x\0'))
for never in EVENT, ERROR:
    refused('ENOSYS', f'type {never}: not of a client\'s', lambda: raw.call(never, b'x\0'))
