#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# .next, the stream of a node's values, and event loops that know only "readable": asyncio, GLib, libuv, Go's. None
# of them spins, or misses the last value.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
requires python3 xenstore-write "$BUILD/tests/fakestore"

export XSFS_TEST_PATIENCE
cat >"$SCRATCH/follow.py" <<'END'
"""What the programs below share."""
import errno, os, select, subprocess, sys, threading
from store_client import Store, check, refused
mnt = sys.argv[1]
store = Store()
PATIENCE = int(os.environ['XSFS_TEST_PATIENCE'])

def write(path, value):
    store.write(path, value.encode())

def next_of(path):
    return f'{mnt}/.xsfs/nodes{path}/.next'

class Next:
    """An open .next."""
    def __init__(self, file, flags=os.O_NONBLOCK):
        self.fd = os.open(file, os.O_RDONLY | flags)

    def ready(self, seconds=0):
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        return bool(poller.poll(1000 * seconds))

    def now(self, size=65536):
        """What a read gives that does not wait."""
        try:
            return os.read(self.fd, size)
        except OSError as e:
            return errno.errorcode[e.errno]

    def read(self, size=65536):
        """What the next read gives once there is something, or None after a long time."""
        return self.now(size) if self.ready(PATIENCE) else None

    def until(self, last):
        """What the reads give up to `last`."""
        got = []
        while not got or got[-1] not in (last, None):
            got.append(self.read())
        return got

    def close(self):
        os.close(self.fd)

write('/marker', '0')
marker, marks = Next(next_of('/marker')), 0

def sync():
    """Returns when the events of all that was done so far have been taken: they come in order."""
    global marks
    marks += 1
    write('/marker', f'm{marks}')
    if marker.until(b'm%d\n' % marks)[-1] is None:
        check('no event', 'an event', 'a change of another key is told')

def opened(file, flags=os.O_NONBLOCK):
    """An open .next that has nothing to tell yet: not what was done before it was opened."""
    it = Next(file, flags)
    sync()
    while it.ready():
        os.read(it.fd, 65536)
        sync()
    return it
END

cat >"$SCRATCH/values.py" <<'END'
from follow import *
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
END

# Each loop: add(fd, callback), and turn(), which waits until something is ready, and calls back.
cat >"$SCRATCH/loops.py" <<'END'
from follow import *
import asyncio, ctypes
name = sys.argv[2]

class Asyncio:
    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.called = None

    def add(self, fd, callback):
        def call():
            callback()
            if self.called and not self.called.done():
                self.called.set_result(None)
        self.loop.add_reader(fd, call)

    def turn(self):
        self.called = self.loop.create_future()
        self.loop.run_until_complete(self.called)

class Edge:
    """As Go's runtime does it: for both directions, edge-triggered."""
    def __init__(self):
        self.epoll = select.epoll()
        self.callbacks = {}

    def add(self, fd, callback):
        self.callbacks[fd] = callback
        self.epoll.register(fd, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)

    def turn(self):
        for fd, what in self.epoll.poll():
            if what & select.EPOLLIN:
                self.callbacks[fd]()

class Glib:
    IN = 1
    CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)

    def __init__(self):
        self.lib = ctypes.CDLL('libglib-2.0.so.0')
        self.kept = []

    def add(self, fd, callback):
        def call(*_):
            callback()
            return 1
        self.kept.append(self.CALLBACK(call))
        self.lib.g_unix_fd_add(fd, self.IN, self.kept[-1], None)

    def turn(self):
        self.lib.g_main_context_iteration(None, 1)

class Libuv:
    READABLE, ONCE = 1, 1
    CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)

    def __init__(self):
        self.lib = ctypes.CDLL('libuv.so.1')
        self.lib.uv_default_loop.restype = ctypes.c_void_p
        self.loop = ctypes.c_void_p(self.lib.uv_default_loop())
        self.kept = []

    def add(self, fd, callback):
        handle = ctypes.create_string_buffer(4096) # larger than any uv_poll_t
        call = self.CALLBACK(lambda *_: callback())
        self.kept += handle, call
        if self.lib.uv_poll_init(self.loop, handle, fd) or self.lib.uv_poll_start(handle, self.READABLE, call):
            raise OSError('libuv does not take it')

    def turn(self):
        self.lib.uv_run(self.loop, self.ONCE)

class Follower:
    """A key in a loop: how often it was called back, and what it has read then."""
    def __init__(self, loop, path):
        self.path, self.calls, self.values = path, 0, []
        self.next = opened(next_of(path))
        loop.add(self.next.fd, self.called)

    def called(self):
        self.calls += 1
        self.values.append(self.next.now())

def run_until(loop, follower, last):
    """Lets the loop run until that was read and nothing is left to be read."""
    while follower.values[-1:] != [last]:
        loop.turn()
    # A read gives the value as it is, so the last may have been seen before its own event came.
    sync()
    while follower.next.ready():
        loop.turn()

def follow(loop, follower, values):
    """Writes them at once, and lets the loop run until the last is seen. Returns the number of callbacks."""
    follower.calls, follower.values = 0, []
    for value in values:
        write(follower.path, value)
    run_until(loop, follower, values[-1].encode() + b'\n')
    return follower.calls

for path in '/loop/key', '/loop/busy':
    write(path, '')
loop = {'asyncio': Asyncio, 'edge': Edge, 'glib': Glib, 'libuv': Libuv}[name]()
key, busy = Follower(loop, '/loop/key'), Follower(loop, '/loop/busy')
follow(loop, key, ['first'])
follow(loop, busy, ['first'])
key.calls = 0
most = max(follow(loop, busy, [f'turn {n}']) for n in range(50))
check((key.calls, most), (0, 1), f'{name}: 50 turns for one key, each with one callback, and none for the other')
for n in 1, 2, 10, 100:
    calls = follow(loop, key, [f'{n}: {i}' for i in range(n)])
    check(1 <= calls <= n, True, f'{name}: {n} changes: {calls} callbacks, and the last value')
busy.calls = 0
follow(loop, key, ['last'])
check(busy.calls, 0, f'{name}: none for the other')
store.remove('/loop/key')
key.values = []
run_until(loop, key, 'ENOENT')
check(key.values, ['ENOENT'], f'{name}: its removal')
key.calls = 0
for n in range(10):
    follow(loop, busy, [f'after that {n}'])
check(key.calls, 0, f'{name}: which is told once')
check(follow(loop, key, ['again']), 1, f'{name}: it comes back')
END

cat >"$SCRATCH/raw.py" <<'END'
import os, sys
from store_client import Store, check
mnt, store = sys.argv[1], Store()
fd = os.open(mnt + '/.xsfs/nodes/key/.next', os.O_RDONLY)
for value in b'', b'raw':
    store.write('/r/key', value)
    got = None
    while got != value + b'\n':
        got = os.read(fd, 100)
    check(got, value + b'\n', f'format=raw, root=: a line all the same, {value}')
END

test_values() {
	local cache
	for cache in off meta; do
		mount_xsfs "$STORE" -o "cache=$cache"
		PREFIX="$PREFIX$cache: "
		checked python3 "$SCRATCH/values.py" "$MNT" "$SERVER_KIND"
		wait_for 10 stat_is streams 0 || true
		is "$(stat_of watches) $(stat_of streams)" '1 0' 'one server watch does it all, and no stream is left'
		umount_xsfs
		PREFIX=${PREFIX%"$cache: "}
		xs rm /n
	done
	xs write /r/key 1
	mount_xsfs "$STORE" -o format=raw,root=/r
	checked python3 "$SCRATCH/raw.py" "$MNT"
	umount_xsfs
}

has_library() {
	python3 -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null
}

test_loops() {
	local loop library
	mount_xsfs "$STORE"
	while read -r loop library; do
		if [[ ! $library ]] || has_library "$library"; then
			checked python3 "$SCRATCH/loops.py" "$MNT" "$loop"
		else
			skip_one "$loop" "there is no $library"
		fi
	done <<-'END'
		asyncio
		edge
		glib libglib-2.0.so.0
		libuv libuv.so.1
	END
	umount_xsfs
}

# value_comes FD VALUE: reads values until that one comes; prints the last that came, or the error.
value_comes() {
	# The shell's own limit of time does not hold for these files.
	timeout "$XSFS_TEST_PATIENCE" bash -c \
		'while IFS= read -r line; do [[ $line != "$1" ]] || break; done; echo "$line"' - "$2" <&"$1" 2>&1
}

# What may have been missed is told as a change, with the value as it is then.
test_gaps() {
	mount_xsfs "$STORE" -o "timeout=$XSFS_TEST_PATIENCE"
	xs write /g/key 1
	exec 5<"$MNT/.xsfs/nodes/g/key/.next"
	kill -s STOP "$MOUNT_PID"
	kill -s CONT "$MOUNT_PID"
	is "$(value_comes 5 1)" 1 'after a stop: the value, in case that it changed'
	if [[ $STORE == socket ]]; then
		kill_server
		start_server "$SERVER_KIND" 5<&-
		xs write /g/key 2
		is "$(value_comes 5 2)" 2 'after a restart of the server: what was written meanwhile'
		xs write /g/key 3
		is "$(value_comes 5 3)" 3 'and what is written then'
	fi
	exec 5<&-
	umount_xsfs
}

# reads: what a read gives of descriptor 5, once it is readable.
reads() {
	python3 - <<-'END'
		import errno, os, select
		poller = select.poll()
		poller.register(5, select.POLLIN)
		poller.poll(1000 * int(os.environ['XSFS_TEST_PATIENCE']))
		try:
		    print(os.read(5, 100))
		except OSError as e:
		    print(errno.errorcode[e.errno])
	END
}

# What the store's faults come to.
test_faults() {
	PREFIX='faults: '
	fake_start -o cache=meta,timeout=1
	fake 'set /f/key 1'
	exec 5<"$MNT/.xsfs/nodes/f/key/.next"
	fake 'silent 1'
	fake 'set /f/key 2'
	is "$(reads)" ETIMEDOUT 'the store does not tell the value'
	is "$(reads)" "b'2\n'" 'that is not lost'
	fake 'error 1 EACCES'
	fake 'set /f/key 3'
	is "$(reads)" EACCES 'the store refuses it'
	fake 'set /f/key 4'
	is "$(reads)" "b'4\n'" 'which is told once: then there is the next'
	exec 5<&-
	fake_end
	PREFIX=
}

test_faults
for_each_store test_values
for_each_store test_loops
for_each_store test_gaps
