# SPDX-License-Identifier: MIT
"""libxenstore with its thread that reads, on the file: a watch, and requests of several threads beside it."""
import ctypes
import sys
import threading

from store_client import PATIENCE, Store, check

socket_path, threads = sys.argv[1], int(sys.argv[2])
store = Store(socket_path)
lib = ctypes.CDLL('libxenstore.so.4', use_errno=True)
P, S, U, C = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint, ctypes.c_char
lib.xs_open.restype, lib.xs_open.argtypes = P, [ctypes.c_ulong]
lib.xs_watch.restype, lib.xs_watch.argtypes = ctypes.c_bool, [P, S, S]
lib.xs_unwatch.restype, lib.xs_unwatch.argtypes = ctypes.c_bool, [P, S, S]
lib.xs_read_watch.restype, lib.xs_read_watch.argtypes = ctypes.POINTER(S), [P, ctypes.POINTER(U)]
lib.xs_read.restype, lib.xs_read.argtypes = S, [P, ctypes.c_uint32, S, ctypes.POINTER(U)]
lib.xs_write.restype, lib.xs_write.argtypes = ctypes.c_bool, [P, ctypes.c_uint32, S, S, U]
lib.xs_transaction_start.restype, lib.xs_transaction_start.argtypes = ctypes.c_uint32, [P]
lib.xs_transaction_end.restype, lib.xs_transaction_end.argtypes = ctypes.c_bool, [P, ctypes.c_uint32, ctypes.c_bool]
lib.xs_close.argtypes = [P]
h = lib.xs_open(0)
check(bool(h), True, 'xs_open')
store.write('/lib/count', b'0')
check(lib.xs_watch(h, b'/lib', b'token'), True, 'xs_watch: from now on a thread of the library reads')
events = []
def read_watch():
    while True:
        n = U()
        event = lib.xs_read_watch(h, ctypes.byref(n))
        if not event:
            return
        events.append((event[0], event[1]))
        if event[0] == b'/lib/end':
            return
reader = threading.Thread(target=read_watch)
reader.start()
wrong = []
def work(n):
    path = b'/lib/of%d' % n
    for i in range(50):
        value = b'%d' % i
        if not lib.xs_write(h, 0, path, value, len(value)) or lib.xs_read(h, 0, path, None) != value:
            wrong.append((n, i, ctypes.get_errno()))
def count():
    done = 0
    while done < 20:
        tx = lib.xs_transaction_start(h)
        value = b'%d' % (int(lib.xs_read(h, tx, b'/lib/count', None)) + 1)
        lib.xs_write(h, tx, b'/lib/count', value, len(value))
        done += lib.xs_transaction_end(h, tx, False)
workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)] + [threading.Thread(target=count) for _ in range(2)]
for w in workers:
    w.start()
for w in workers:
    w.join()
check(wrong, [], 'writes and reads of several threads')
check(store.read('/lib/count'), b'40', 'transactions of two threads count right')
store.write('/lib/end', b'')
reader.join(PATIENCE)
check(reader.is_alive(), False, 'xs_read_watch in a thread of its own gets its events')
check({e[1] for e in events}, {b'token'}, 'with their token')
check({b'/lib', b'/lib/of0', b'/lib/count', b'/lib/end'} <= {e[0] for e in events}, True, 'of all that changed')
check(lib.xs_unwatch(h, b'/lib', b'token'), True, 'xs_unwatch')
lib.xs_close(h)
