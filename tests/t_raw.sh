#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Raw clients: .xsfs/xenbus is to a program what the server's own socket is, with as many clients as there are.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 xenstore-ls xenstore-watch xenstore-control

# Clients that are killed in the middle of what they do (1000 for a full run).
: "${XSFS_RAW_KILLED:=24}"
# Commands at once.
: "${XSFS_RAW_TOOLS:=32}"

# --- the xenstore-* commands ------------------------------------------------------------------------

# say CMD...: what it says, and how it ends.
say() {
	local status=0
	printf '$ %s\n' "$*"
	timeout --kill-after=2 "$XSFS_TEST_PATIENCE" "$@" 2>&1 || status=$?
	printf '= %d\n' "$status"
}

# short_session DIR: each kind of request once.
short_session() {
	local dir=$1
	say xenstore-write "$dir/a" 1 "$dir/b/c" 'two words'
	say xenstore-chmod "$dir/a" n1 r2
	say xenstore-ls -fp "$dir"
	say xenstore-rm "$dir/b"
	say xenstore-read "$dir/a" "$dir/b/c"
	say xenstore-exists "$dir"
	say xenstore-rm "$dir"
}

# session DIR: what the commands say and do, one after the other.
session() {
	local dir=$1 command
	say xenstore-exists "$dir/a"
	say xenstore-write "$dir/a" 1 "$dir/b/c" 'two words' "$dir/b/empty" ''
	say xenstore-write -R "$dir/raw" $'\x01\xff%'
	say xenstore-exists "$dir/a"
	say xenstore-read "$dir/a" "$dir/b/c"
	say xenstore-read -p "$dir/a" "$dir/b/empty"
	say xenstore-read "$dir/raw"
	say xenstore-read -R "$dir/raw"
	say xenstore-read "$dir/none"
	say xenstore-list "$dir"
	say xenstore-list -p "$dir/b"
	say xenstore-list "$dir/none"
	say xenstore-chmod "$dir/a" n1 r2 w3
	say xenstore-chmod -r "$dir/b" b4
	say xenstore-chmod "$dir/none" n0
	say xenstore-chmod "$dir/a" x9
	say xenstore-ls -p "$dir"
	say xenstore-ls -fp "$dir"
	say xenstore-ls -f /
	say xenstore-rm "$dir/b/c" "$dir/raw"
	say xenstore-rm "$dir/none/at/all"
	say xenstore-rm -t "$dir/b/empty"
	say xenstore-write /bad//path x
	say xenstore-write "$dir/$(printf 'x%.0s' {1..4000})" x
	say xenstore-write "$dir/long" "$(printf 'v%.0s' {1..1900})"
	say xenstore-read "$dir/long"
	say xenstore-write "$dir/longer" "$(printf 'v%.0s' {1..5000})"
	say xenstore-write --
	say xenstore-ls "$dir"
	for command in help 'log off' 'print x' check logfile 'no such command'; do
		# shellcheck disable=SC2086 # words are wanted
		say xenstore-control $command
	done
	say xenstore-rm "$dir"
}

# via PATH CMD...: with that as the store.
via() {
	local path=$1
	shift
	XENSTORED_PATH=$path "$@"
}

test_tools() {
	local i jobs=()
	mount_xsfs "$STORE"
	via "$SERVER_SOCKET" session /t >"$SCRATCH/direct"
	via "$MNT/.xsfs/xenbus" session /t >"$SCRATCH/mounted"
	at_least "$(grep -c '^= 0' "$SCRATCH/direct")" 15 'the session does something'
	same "$SCRATCH/direct" "$SCRATCH/mounted" 'the commands say the same, byte for byte'
	# Many at once, each in a place of its own.
	via "$SERVER_SOCKET" short_session /t >"$SCRATCH/direct"
	for ((i = 0; i < XSFS_RAW_TOOLS; i++)); do
		via "$MNT/.xsfs/xenbus" short_session "/t$i" >"$SCRATCH/many.$i" &
		jobs+=("$!")
	done
	wait "${jobs[@]}"
	for ((i = 0; i < XSFS_RAW_TOOLS; i++)); do
		sed "s:/t$i\\b:/t:g" "$SCRATCH/many.$i" | diff "$SCRATCH/direct" - || echo "session $i"
	done >"$SCRATCH/other"
	is "$(<"$SCRATCH/other")" '' "$XSFS_RAW_TOOLS sessions at once say the same"

	# The same listing by all, of a tree that needs many requests.
	for i in {1..300}; do
		printf '%s\n' "/big/$((i % 7))/key$i" "value $i"
	done | xargs -d '\n' timeout "$XSFS_TEST_PATIENCE" env XENSTORED_PATH="$SERVER_SOCKET" xenstore-write
	xs ls -fp >"$SCRATCH/direct"
	jobs=()
	for ((i = 0; i < XSFS_RAW_TOOLS; i++)); do
		via "$MNT/.xsfs/xenbus" timeout "$XSFS_TEST_PATIENCE" xenstore-ls -fp >"$SCRATCH/many.$i" &
		jobs+=("$!")
	done
	wait "${jobs[@]}"
	for ((i = 0; i < XSFS_RAW_TOOLS; i++)); do
		cmp -s "$SCRATCH/direct" "$SCRATCH/many.$i" || echo "$i"
	done >"$SCRATCH/other"
	is "$(<"$SCRATCH/other")" '' "$XSFS_RAW_TOOLS xenstore-ls at once print the same"

	# xenstore-watch, on both; each ends after the same changes.
	for i in "$SERVER_SOCKET" "$MNT/.xsfs/xenbus"; do
		xs rm /w 2>/dev/null || true
		via "$i" timeout "$XSFS_TEST_PATIENCE" xenstore-watch -n 4 /w /w/below >"$SCRATCH/watch" 2>&1 &
		wait_for "$XSFS_TEST_PATIENCE" eval '(($(wc -l <"$SCRATCH/watch") == 2))'
		xs write /w/below/x 1
		wait "$!"
		mv "$SCRATCH/watch" "$SCRATCH/watch.$([[ $i == "$SERVER_SOCKET" ]] && echo direct || echo mounted)"
	done
	is "$(wc -l <"$SCRATCH/watch.direct")" 4 'xenstore-watch sees what it waits for'
	is "$(sort "$SCRATCH/watch.mounted")" "$(sort "$SCRATCH/watch.direct")" 'xenstore-watch says the same'
	comes_true "$XSFS_TEST_PATIENCE" 'no client is left' stat_is raw_clients 0
	comes_true 5 'no request is left' at_rest
	umount_xsfs
}

# --- every message type -----------------------------------------------------------------------------

cat >"$SCRATCH/kinds.py" <<'END'
import sys
from raw_client import *
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
END

# An event channel port of domain 9, with nobody at its other end yet: a domain before it is introduced.
cat >"$SCRATCH/port.py" <<'END'
import ctypes, signal
lib = ctypes.CDLL(None)
lib.xenevtchn_open.restype = ctypes.c_void_p
lib.xenevtchn_bind_unbound_port.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
print(lib.xenevtchn_bind_unbound_port(lib.xenevtchn_open(None, 0), 0), flush=True)
signal.pause()
END

test_types() {
	local main
	has_config HAVE_XEN || skip 'built without the ring transport: no guest'
	mount_xsfs "$STORE"
	main=$MNT
	xs write /local/domain/7 '' /local/domain/8 ''
	"$XSLOOP" domain "$SERVER_DIR" 8 4712
	XSFS_TEST_DOMID=8 mount_xsfs ring:domid=8,gfn=4712,events=unbound
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	"$XSLOOP" domain "$SERVER_DIR" 9 4713
	# Not that of the store before.
	rm -f "$SCRATCH/port"
	(
		eval "$(loop_env 9)"
		ASAN_OPTIONS=detect_leaks=0 exec python3 "$SCRATCH/port.py" >"$SCRATCH/port"
	) &
	PIDS+=("$!")
	wait_for "$XSFS_TEST_PATIENCE" test -s "$SCRATCH/port"
	checked python3 "$SCRATCH/kinds.py" "$main" "$SERVER_SOCKET" "$SERVER_KIND" 4713 "$(<"$SCRATCH/port")" "$MNT"
}

# --- the same as the server -------------------------------------------------------------------------

cat >"$SCRATCH/same.py" <<'END'
import sys
from raw_client import *
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
END

test_same() {
	mount_xsfs "$STORE"
	xs write /s x
	checked python3 "$SCRATCH/same.py" "$MNT" "$SERVER_SOCKET" "$SERVER_KIND"
	comes_true 5 'no client is left' stat_is raw_clients 0
	umount_xsfs
}

# --- a file of its own kind -------------------------------------------------------------------------

cat >"$SCRATCH/device.py" <<'END'
import fcntl, signal, sys, threading, time, stat as stat_module
from raw_client import *
from store_client import Store, check, refused
mnt, socket_path, server_pid = sys.argv[1], sys.argv[2], int(sys.argv[3])
file = mnt + '/.xsfs/xenbus'
store = Store(socket_path)
store.write('/d/a', b'value')
store.write('/d/big', b'x' * 2000)

def stat(name):
    with open(mnt + '/.xsfs/stats') as f:
        return int(dict(line.split(' ', 1) for line in f)[name])

def comes_true(name, function, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not function() and time.monotonic() < deadline:
        time.sleep(0.01)
    check(bool(function()), True, name)

st = os.stat(file)
check((oct(st.st_mode), st.st_uid, st.st_gid), (oct(stat_module.S_IFREG | 0o600), 0, 0), 'it is root\'s, whatever uid= and umask= say')
check((os.stat(file).st_ino, 'xenbus' in os.listdir(mnt + '/.xsfs')), (st.st_ino, True), 'it has one number, and is listed')
before = stat('inodes')
for _ in range(200):
    os.stat(file)
check(stat('inodes') - before < 20, True, 'each look makes an inode, but none that stays')

# Pieces.
one = Raw(file)
for byte in message(WRITE, b'/d/w\0piece by piece', 3):
    os.write(one.fd, bytes([byte]))
check(one.get(), (WRITE, 3, 0, b'OK\0'), 'a message byte by byte')
check(store.read('/d/w'), b'piece by piece', 'is one')
one.write(b''.join(message(READ, b'/d/a\0', n) for n in range(100, 110)))
check([one.get() for _ in range(10)], [(READ, n, 0, b'value') for n in range(100, 110)], 'ten in one write, in one go')
one.send(READ, b'/d/a\0')
comes_true('select says when there is an answer', lambda: one.ready())
got = b''
while len(got) < 21:
    got += os.read(one.fd, 1)
check(got, struct.pack('<IIII', READ, 1, 0, 5) + b'value', 'read byte by byte')

# Too large a message.
refused('E2BIG', 'a message that the protocol does not allow', lambda: os.write(one.fd, struct.pack('<IIII', WRITE, 1, 0, 4097)))
check(one.read('/d/a'), b'value', 'is refused whole: the next one is understood')

# O_NONBLOCK and poll.
two = Raw(file, os.O_NONBLOCK)
refused('EAGAIN', 'nothing to read', lambda: os.read(two.fd, 100))
poll = select.poll()
poll.register(two.fd, select.POLLIN | select.POLLOUT)
check(poll.poll(0), [(two.fd, select.POLLOUT)], 'poll: it can be written')
epoll = select.epoll()
epoll.register(two.fd, select.EPOLLIN | select.EPOLLET)
check(epoll.poll(0), [], 'epoll: nothing yet')
two.send(READ, b'/d/a\0')
check(epoll.poll(PATIENCE), [(two.fd, select.EPOLLIN)], 'epoll: an answer came')
check(two.get(), (READ, 1, 0, b'value'), 'it is there')
two.send(READ, b'/d/a\0')
check(epoll.poll(PATIENCE), [(two.fd, select.EPOLLIN)], 'epoll: edge by edge')
two.get()

# A blocked read blocks nobody: not a write on the same descriptor, nor another reader.
got = []
readers = [threading.Thread(target=lambda: got.append(os.read(one.fd, 21))) for _ in range(2)]
for r in readers:
    r.start()
watcher = Raw(file)
blocked = threading.Thread(target=lambda: got.append(os.read(watcher.fd, 21)))
blocked.start()
comes_true('three reads wait', lambda: stat('fuse_operations_now') >= 4)
watcher.send(READ, b'/d/a\0')
blocked.join(PATIENCE)
check(got, [struct.pack('<IIII', READ, 1, 0, 5) + b'value'], 'a read that waits does not hold up the write that it waits for')
got.clear()
one.send(READ, b'/d/a\0', 1)
one.send(READ, b'/d/a\0', 2)
for r in readers:
    r.join(PATIENCE)
check(sorted(struct.unpack('<IIII', g[:16])[1] for g in got), [1, 2], 'two readers get one each')

# Signals.
def alarm(signum, frame):
    raise InterruptedError(errno.EINTR, 'interrupted')
signal.signal(signal.SIGALRM, alarm)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.2)
refused('EINTR', 'a read that waits is interrupted', lambda: os.read(one.fd, 16))
check(one.read('/d/a'), b'value', 'and nothing is lost')
pid = os.fork()
if pid == 0:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.read(one.fd, 16)
    os._exit(0)
comes_true('a child waits in read', lambda: stat('fuse_operations_now') >= 2)
os.kill(pid, signal.SIGKILL)
check(os.waitpid(pid, 0)[1], signal.SIGKILL, 'it can be killed there')
check(one.read('/d/a'), b'value', 'its parent goes on')

# One that does not read.
greedy = Raw(file)
flags = fcntl.fcntl(greedy.fd, fcntl.F_GETFL)
fcntl.fcntl(greedy.fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)
ask, asked, partial = message(READ, b'/d/big\0'), 0, b''
deadline = time.monotonic() + PATIENCE
idle = False
while time.monotonic() < deadline:
    try:
        n = os.write(greedy.fd, (partial or ask))
        partial = (partial or ask)[n:]
        asked += not partial
        idle = False
    except BlockingIOError:
        # No answer was on its way any more when this was tried.
        if idle:
            break
        idle = stat('in_flight') + stat('queued') == 0
check(asked < 200, True, 'who does not read cannot ask for ever: EAGAIN')
poll = select.poll()
poll.register(greedy.fd, select.POLLOUT | select.POLLIN)
check(poll.poll(0), [(greedy.fd, select.POLLIN)], 'poll: it can be read, not written')
fcntl.fcntl(greedy.fd, fcntl.F_SETFL, flags)
def write_more():
    os.write(greedy.fd, ask)
waiting = threading.Thread(target=write_more)
waiting.start()
comes_true('a write waits for that', lambda: stat('fuse_operations_now') >= 2)
check(Raw(file).read('/d/a'), b'value', 'that holds up no other client')
check(one.call(WRITE, b'/d/c\0' + b'1'), b'OK\0', 'nor one that was there before')
check(store.read('/d/c'), b'1', 'nor the store')
for _ in range(asked):
    assert greedy.get()[3] == b'x' * 2000
waiting.join(PATIENCE)
check(waiting.is_alive(), False, 'when it reads, the write goes on')
check(greedy.get()[:3], (READ, 1, 0), 'and nothing was lost')
# Full once more, and killed in write().
pid = os.fork()
if pid == 0:
    while True:
        os.write(greedy.fd, ask)
comes_true('a child waits in write', lambda: stat('fuse_operations_now') >= 2 and stat('in_flight') == 0)
time.sleep(0.1)
os.kill(pid, signal.SIGKILL)
check(os.waitpid(pid, 0)[1], signal.SIGKILL, 'it can be killed there')
greedy.close()

# Events that nobody reads.
lazy = Raw(file)
lazy.watch('/d', 'lazy')
keen = Raw(file)
keen.watch('/d', 'keen')
merged = stat('raw_events_merged')
told = set()
for n in range(1000):
    store.write('/d/same', b'%d' % n)
    store.write('/d/%0200d' % n, b'')
    while keen.ready():
        told.add(keen.event()[0])
store.write('/d/last', b'')
while '/d/last' not in told:
    told.add(keen.event()[0])
check(len(told), 1002, 'who reads hears of everything while another does not read')
check(stat('raw_events_merged') - merged > 500, True, 'whose events are merged')
events = []
while (event := lazy.event(0.3)):
    events.append(event)
check(events[0], ('/d/same', 'lazy'), 'what came first is told first')
check(100 < len(events) < 1000, True, 'their number is bounded')
check(events[-1], ('/d', 'lazy'), 'and the last says that there was more')
store.write('/d/same', b'now')
check(lazy.event(), ('/d/same', 'lazy'), 'then it goes on as before')

# What is under way is shown, on a line of its own whatever it is called.
os.kill(server_pid, signal.SIGSTOP)
shown = Raw(file)
shown.send(MKDIR, b'/d/two\nlines\x1b\0')
with open(mnt + '/.xsfs/requests') as f:
    lines = [line.split(' ', 4)[3:] for line in f]
check(['tx=0', 'MKDIR /d/two?lines?\n'] in lines, True, 'its requests are in .xsfs/requests')
shown.send(START, b'\0')
shown.send(READ, b'/d/a\0')
check(shown.ready(), False, 'a store that is silent is waited for in read, not in write')
shown.close()
os.kill(server_pid, signal.SIGCONT)
comes_true('what it asked is given up', lambda: stat('in_flight') == 0 and stat('late_replies') == stat('abandoned') == 2)

# fork and dup share a client.
tx = one.start()
pid = os.fork()
if pid == 0:
    try:
        ok = one.call(WRITE, b'/d/child\0yes', tx) == b'OK\0'
    finally:
        os._exit(0 if ok else 1)
check(os.waitpid(pid, 0)[1], 0, 'a child uses the transaction of its parent')
check(one.read('/d/child', tx), b'yes', 'which goes on with it')
copy = os.dup(one.fd)
os.close(one.fd)
one.fd = copy
check(one.call(END, b'T\0', tx), b'OK\0', 'the client lives as long as a descriptor of it')
check(store.read('/d/child'), b'yes', 'it is committed')

# Clients are strangers to each other.
a, b = Raw(file), Raw(file)
ta, tb = a.start(), b.start()
t2 = a.start()
check((ta, tb), (1, 1), 'transaction ids are a client\'s own')
a.call(WRITE, b'/d/of-a\0x', ta)
refused('ENOENT', 'another\'s is not to be had', lambda: b.read('/d/of-a', t2))
refused('ENOENT', 'one with the same number is one\'s own', lambda: b.read('/d/of-a', tb))
a.watch('/d', 't')
b.watch('/d', 't')
check(b.call(RESET_WATCHES), b'OK\0', 'RESET_WATCHES')
refused('ENOENT', 'drops one\'s own transactions', lambda: b.read('/d/a', tb))
check(a.call(END, b'T\0', ta), b'OK\0', 'not another\'s')
check(a.event(), ('/d/of-a', 't'), 'nor its watches')
check(b.quiet(), [], 'but one\'s own')
refused('ENOENT', 'they are gone', lambda: b.call(UNWATCH, b'/d\0t\0'))
refused('EEXIST', 'the other\'s is there', lambda: a.call(WATCH, b'/d\0t\0'))
before = stat('watches')
for n in range(50):
    a.watch('/d/many', str(n))
check(stat('watches'), before + 1, 'fifty watches on a path are one of the server\'s')
a.close()
b.close()
END

test_device() {
	mount_xsfs "$STORE" -o allow_other,uid=12345,gid=12345,umask=0
	checked python3 "$SCRATCH/device.py" "$MNT" "$SERVER_SOCKET" "$SERVER_PID"
	not_for_others "$MNT/.xsfs/xenbus"
	comes_true 5 'no client is left' stat_is raw_clients 0
	comes_true 5 'nothing is left in flight' at_rest
	umount_xsfs
}

# --- libxenstore ------------------------------------------------------------------------------------

cat >"$SCRATCH/library.py" <<'END'
"""libxenstore with its thread that reads, on the file: a watch, and requests of several threads beside it."""
import ctypes, os, sys, threading
from store_client import Store, check
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
reader.join(20)
check(reader.is_alive(), False, 'xs_read_watch in a thread of its own gets its events')
check({e[1] for e in events}, {b'token'}, 'with their token')
check({b'/lib', b'/lib/of0', b'/lib/count', b'/lib/end'} <= {e[0] for e in events}, True, 'of all that changed')
check(lib.xs_unwatch(h, b'/lib', b'token'), True, 'xs_unwatch')
lib.xs_close(h)
END

test_library() {
	mount_xsfs "$STORE"
	checked env XENSTORED_PATH="$MNT/.xsfs/xenbus" python3 "$SCRATCH/library.py" "$SERVER_SOCKET" 4
	comes_true 5 'no client is left' stat_is raw_clients 0
	umount_xsfs
}

# --- death ------------------------------------------------------------------------------------------

cat >"$SCRATCH/victim.py" <<'END'
"""A client that does everything at once until it is killed."""
import random, sys
from raw_client import *
raw = Raw(sys.argv[1] + '/.xsfs/xenbus')
n = int(sys.argv[2])
random.seed(n)
raw.call(WATCH, b'/v\0%d\0' % n)
raw.call(WATCH, b'/v/%d\0own\0' % n)
open_now = []
print('started', flush=True)
while True:
    batch = message(START, b'\0', 1) + message(READ, b'/v/x\0', 2) + message(WRITE, b'/v/%d\0%d' % (n, random.random() * 1000), 3)
    if open_now:
        batch += message(WRITE, b'/v/t\0x', 4, open_now[0])
    if len(open_now) > 2:
        batch += message(END, random.choice((b'T\0', b'F\0')), 5, open_now.pop(0))
    cut = random.randrange(len(batch))
    raw.write(batch[:cut])
    raw.write(batch[cut:])
    wait = random.choice((True, False))
    while wait or raw.ready():
        kind, req, tx, body = raw.get()
        if kind == START:
            open_now.append(int(body[:-1]))
            wait = False
END
cat >"$SCRATCH/killer.py" <<'END'
import os, random, signal, subprocess, sys, time
from store_client import check
mnt, total = sys.argv[1], int(sys.argv[2])
running, killed, started = [], 0, 0
deadline = time.monotonic() + 600
while killed < total and time.monotonic() < deadline:
    while len(running) < 12 and started < total:
        running.append(subprocess.Popen([sys.executable, os.path.dirname(sys.argv[0]) + '/victim.py', mnt, str(started)], stdout=subprocess.PIPE))
        started += 1
    victim = running.pop(0)
    victim.stdout.readline()
    time.sleep(random.random() * 0.02)
    victim.send_signal(signal.SIGKILL)
    killed += victim.wait() == -signal.SIGKILL
check(killed, total, f'{total} clients were killed in the middle')
END

test_killed() {
	start_traced
	mount_xsfs "$STORE" -o threads=4
	xs write /v/x 1
	checked python3 "$SCRATCH/killer.py" "$MNT" "$XSFS_RAW_KILLED"
	comes_true "$XSFS_TEST_PATIENCE" 'no client is left' stat_is raw_clients 0
	comes_true "$XSFS_TEST_PATIENCE" 'nothing is left in flight' at_rest
	comes_true "$XSFS_TEST_PATIENCE" 'no transaction is left open' no_transaction_open
	at_least "$(transactions_seen)" "$XSFS_RAW_KILLED" 'of many'
	note "$(transactions_seen) transactions, $(stat_of abandoned) abandoned, $(stat_of raw_messages) messages"
	is "$(stat_of late_replies)" "$(stat_of abandoned)" 'a late reply for each abandoned request'
	is "$(stat_of raw_watches) $(stat_of raw_transactions)" '0 0' 'no watch, no transaction of a client'
	is "$(stat_of watches)" 0 'no watch in the server'
	is "$(stat_of reconnects)$(stat_of unknown_replies)$(stat_of timeouts)" 000 'the connection was never lost'
	umount_xsfs
}

# The quotas of a guest say what the server still holds: ten transactions, a hundred watches.
cat >"$SCRATCH/quota.py" <<'END'
import os, signal, sys, time
from raw_client import *
from store_client import check
file, word = sys.argv[1] + '/.xsfs/xenbus', {'c': 'E2BIG', 'o': 'EQUOTA'}[sys.argv[2]]
def fill():
    raw = Raw(file)
    txs = watches = 0
    try:
        while txs < 100:
            raw.start()
            txs += 1
    except OSError as e:
        tx_word = e.strerror
    try:
        while watches < 300:
            raw.call(WATCH, b'/local/domain/7/w%d\0t\0' % watches)
            watches += 1
    except OSError as e:
        watch_word = e.strerror
    return txs, tx_word, watches, watch_word
pid = os.fork()
if pid == 0:
    fill()
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(pid, 0)
def empty():
    with open(sys.argv[1] + '/.xsfs/stats') as f:
        stats = dict(line.split(' ', 1) for line in f)
    return int(stats['raw_clients']) == 0 and int(stats['in_flight']) == 0
while not empty():
    time.sleep(0.01)
first = fill()
check(first[0] >= 10 and first[2] >= 100, True, 'what a killed client had is free again')
check(first[1] in ('ENOSPC', 'EQUOTA'), True, 'the quota of transactions, in the server\'s word')
check(first[3], word, 'the quota of watches, in the server\'s word')
END

test_guest() {
	has_config HAVE_XEN || skip 'built without the ring transport'
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7/domid 7
	xs chmod -r /local/domain/7 n7 >/dev/null
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	checked python3 "$SCRATCH/quota.py" "$MNT" "$SERVER_KIND"
	is "$(via "$MNT/.xsfs/xenbus" timeout "$XSFS_TEST_PATIENCE" xenstore-read domid)" 7 'a relative path is below the own domain'
	is "$(via "$MNT/.xsfs/xenbus" timeout "$XSFS_TEST_PATIENCE" xenstore-write /local/domain/0/x 1 2>&1 || true)" \
		'xenstore-write: could not write path /local/domain/0/x' 'a guest stays one'
	umount_xsfs
}

# --- the server's death -----------------------------------------------------------------------------

cat >"$SCRATCH/reconnect.py" <<'END'
import sys
from raw_client import *
from store_client import check, refused
raw = Raw(sys.argv[1] + '/.xsfs/xenbus')
raw.watch('/local', 't')
raw.watch('@introduceDomain', 'i')
tx = raw.start()
print('ready', flush=True)
got = sorted((raw.event(), raw.event()))
check(got, [('/local', 't'), ('@introduceDomain', 'i')], 'after a new start of the server each watch has an event')
refused('ENOENT', 'the transaction is gone', lambda: raw.read('/local', tx))
refused('ENOENT', 'and cannot be committed', lambda: raw.call(END, b'T\0', tx))
raw.call(WRITE, b'/local/new\0x')
check(raw.event(), ('/local/new', 't'), 'the watches go on')
check(raw.start() != tx, True, 'a new transaction is another')
END

test_reconnect() {
	local client status=0
	mount_xsfs "$STORE" -o timeout=10
	xs write /local/x 1
	rm -f "$SCRATCH/reconnect.log"
	PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 timeout "$XSFS_TEST_PATIENCE" \
		python3 "$SCRATCH/reconnect.py" "$MNT" >"$SCRATCH/reconnect.log" 2>&1 &
	client=$!
	wait_for "$XSFS_TEST_PATIENCE" grep -q ready "$SCRATCH/reconnect.log"
	kill_server
	start_server "$SERVER_KIND"
	wait "$client" || status=$?
	checked cat "$SCRATCH/reconnect.log"
	is "$status" 0 'the client ends well'
	umount_xsfs
}

# --- a mount on a mount -----------------------------------------------------------------------------

test_nested() {
	local outer inner
	mount_xsfs "$STORE"
	outer=$MNT
	mount_xsfs "xenbus:$outer/.xsfs/xenbus"
	inner=$MNT
	is "$(stat_of raw_clients "$outer")" 17 'the transport opens it for each request in flight, and once for watches'
	mkdir "$inner/n"
	echo value >"$inner/n/key"
	is "$(value /n/key)" value 'written through both'
	for i in {1..50}; do echo "$i" >"$outer/n/k$i"; done
	is "$(cd "$inner" && grep -r . n | sort)" "$(cd "$outer" && grep -r . n | sort)" 'both show the same'
	mv "$inner/n" "$inner/moved"
	is "$(ls "$outer/moved" | wc -l)" 51 'a rename, in a transaction'
	fails ENOENT cat "$inner/n/key"
	exec 3<"$inner/moved/.watch"
	echo new >"$outer/moved/key"
	read -r -t "$XSFS_TEST_PATIENCE" line <&3
	is "$line" 'changed /moved/key' 'events come through both'
	exec 3<&-
	via "$SERVER_SOCKET" session /t >"$SCRATCH/direct"
	via "$inner/.xsfs/xenbus" session /t >"$SCRATCH/nested"
	same "$SCRATCH/direct" "$SCRATCH/nested" 'raw clients of the inner one are none the wiser'
	is "$(stat_of reconnects "$inner")$(stat_of unknown_replies "$inner")" 00 'the inner connection was never lost'
	umount_xsfs "$inner"
	MNT=$outer
	comes_true 5 'no client is left' stat_is raw_clients 0
	comes_true 5 'nothing is left in flight' at_rest
}

for_each_store test_tools
for_each_store test_types
for_each_store test_same
for_each_store test_device
for_each_store test_library
for_each_store test_killed
XSFS_TEST_TRANSPORT=socket for_each_store test_guest
XSFS_TEST_TRANSPORT=socket for_each_store test_reconnect
for_each_store test_nested
