#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Streams of events, .watch and .xsfs/watch: who is told what, and that nobody is held up by another reader.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
requires python3 xenstore-write xenstore-rm "$BUILD/tests/watchers" "$BUILD/tests/fakestore"

# Events past a reader that stands still (1000000 for a full run).
: "${XSFS_STREAM_EVENTS:=40000}"
[[ -z $XSFS_TEST_QUICK ]] || XSFS_STREAM_EVENTS=20000

cat >"$SCRATCH/streams.py" <<'END'
"""What the programs below share."""
import errno, os, select, signal, sys, threading, time
from store_client import PATIENCE, Store, check, refused
mnt = sys.argv[1]
store = Store()

def write(path, value='x'):
    store.write(path, value.encode())

def stat(name):
    with open(mnt + '/.xsfs/stats') as f:
        return int(dict(line.split(' ', 1) for line in f)[name])

def comes_true(name, function):
    deadline = time.monotonic() + PATIENCE
    while not function() and time.monotonic() < deadline:
        time.sleep(0.01)
    check(bool(function()), True, name)

class Marker:
    """A key of our own, polled: events come in order, so that when its own has come all before it have."""
    def __init__(self):
        write('/marker')
        self.fd = os.open(mnt + '/marker', os.O_RDONLY)
        self.poll = select.poll()
        self.poll.register(self.fd, select.POLLPRI)
        self.seen()

    def seen(self):
        while self.poll.poll(0):
            os.pread(self.fd, 100, 0)

    def sync(self):
        write('/marker')
        if not self.poll.poll(1000 * PATIENCE):
            check('no event', 'an event', 'a change of another key is told')
        self.seen()

marker = None

def sync():
    """Waits until the events of all that was done so far have come."""
    global marker
    marker = marker or Marker()
    marker.sync()

class Stream:
    """An open stream file."""
    def __init__(self, path, flags=os.O_RDONLY):
        self.fd = os.open(mnt + path, flags)
        self.buffer = b''

    def subscribe(self, *paths):
        os.write(self.fd, ''.join(p + '\n' for p in paths).encode())

    def ready(self, seconds=0):
        return bool(select.select([self.fd], [], [], seconds)[0])

    def line(self, seconds=PATIENCE):
        """The next line, or None."""
        while b'\n' not in self.buffer:
            if not self.ready(seconds):
                return None
            self.buffer += os.read(self.fd, 4096)
        line, _, self.buffer = self.buffer.partition(b'\n')
        return line.decode()

    def until(self, last, seconds=PATIENCE):
        """All lines up to `last`, or to the end."""
        lines = []
        while last not in lines:
            line = self.line(seconds)
            if line is None:
                break
            lines.append(line)
        return lines

    def quiet(self):
        """What has come of all that was done so far."""
        lines = []
        sync()
        while (line := self.line(0)) is not None:
            lines.append(line)
        return lines

    def close(self):
        os.close(self.fd)

def final(lines):
    """The last line of each path: its state."""
    return {line.split()[1]: line.split()[0] for line in lines if ' ' in line}
END

cat >"$SCRATCH/events.py" <<'END'
from streams import *
domain, gfn, xsloop, ringcat, world = sys.argv[2:7]
import subprocess
write('/s/a/b', '1')
tree = Stream('/s/.watch')
check(tree.quiet(), [], 'nothing is told of what was before')
write('/s/a/b', '2')
check(tree.until('changed /s/a/b'), ['changed /s/a/b'], 'a change below')
write('/s', '2')
check(tree.until('changed /s'), ['changed /s'], 'a change of the node itself')
write('/other', '2')
check(tree.quiet(), [], 'nothing of what is elsewhere')
write('/s/new/way/down', '')
check(final(tree.until('changed /s/new/way/down')), {'/s/new/way/down': 'changed'}, 'a new one')
store.remove('/s/a')
check(final(tree.until('deleted /s/a'))['/s/a'], 'deleted', 'a removal')
tx = store.start()
store.write('/s/t1', b'1', tx)
store.write('/s/t2', b'1', tx)
check(tree.quiet(), [], 'nothing of what is done in a transaction')
store.commit(tx)
got = tree.until('changed /s/t1') + tree.quiet()
check(final(got), {'/s/t1': 'changed', '/s/t2': 'changed'}, 'but of its commit')
refused('EACCES', '.watch cannot be written', lambda: os.open(mnt + '/s/.watch', os.O_WRONLY))
refused('ENOENT', '.watch of what is not there', lambda: os.open(mnt + '/s/none/.watch', os.O_RDONLY))

# Paths that are written.
some = Stream('/.xsfs/watch', os.O_RDWR)
refused('EAGAIN', 'O_NONBLOCK: EAGAIN', lambda: os.read(os.open(mnt + '/.xsfs/watch', os.O_RDWR | os.O_NONBLOCK), 10))
some.subscribe('/s/x', '/s/y')
check(some.quiet(), [], 'what is not there can be watched, and is not told of')
write('/s/x', '1')
check(some.until('changed /s/x'), ['changed /s/x'], 'its creation')
write('/s/y/below', '1')
check(some.until('changed /s/y/below'), ['changed /s/y/below'], 'what is made below')
some.subscribe('/s/x')
some.subscribe('/s/x', '/s/x')
write('/s/x', '2')
check(some.until('changed /s/x') + some.quiet(), ['changed /s/x'], 'a path twice is no error, and told of once')
some.subscribe('-/s/x')
write('/s/x', '3')
check(some.quiet(), [], 'a path that was taken away')
refused('ENOENT', 'and cannot be again', lambda: some.subscribe('-/s/x'))
for bad in 'relative', '/s//x', '/s/', '/a.b', '@a.b', '/s x', '-', '/\0', '/x/' + 'y' * 4000:
    refused('EINVAL', f'a path that cannot be: {bad[:10]!r}', lambda: some.subscribe('/s/x', bad))
write('/s/x', '4')
check(some.quiet(), [], 'with a bad line the others are not done either')
store.remove('/s')
check(final(some.until('deleted /s/y'))['/s/y'], 'deleted', 'what is above is removed')
write('/s/y', 'again')
check(final(some.until('changed /s/y'))['/s/y'], 'changed', 'and made again')
tree.quiet()
for n in range(200):
    write('/s/y', str(n))
store.remove('/s/y')
deadline = time.monotonic() + PATIENCE
lines = []
while 'deleted /s/y' not in lines[-1:] and time.monotonic() < deadline:
    lines += [some.line() or '']
check(final(lines + some.quiet())['/s/y'], 'deleted', 'the last line describes the final state')
check(len(lines) <= 201, True, 'there are not more lines than changes')
write('/s/y', '1')
sync()
for n in range(500):
    write('/s/y', str(n))
check(len(some.quiet()) <= 2, True, 'what nobody reads is one line for each path')

# Paths above and below each other, and beside with the same beginning.
nest = Stream('/.xsfs/watch', os.O_RDWR)
nest.subscribe('/n/a/b/c/d', '/n/a/b', '/n/ab', '/n/a/b2/c')
write('/n/a', '1')
check(sorted(nest.quiet()),
      ['deleted /n/a/b', 'deleted /n/a/b/c/d', 'deleted /n/a/b2/c'], 'an event above: all below, and nothing beside')
nest.subscribe('-/n/a/b')
write('/n/a/b', '1')
check(nest.quiet(), ['deleted /n/a/b/c/d'], 'a path between two others is taken away: not the one below')
nest.subscribe('/n/a/b', '-/n/a/b/c/d')
write('/n/a/b/c/d', '1')
check(nest.quiet(), ['changed /n/a/b/c/d'], 'one below is taken away: it is told of by the one above')
nest.subscribe('-/n/a/b', '-/n/ab', '-/n/a/b2/c')
store.remove('/n')
check(nest.quiet(), [], 'all are taken away')

# What an event costs does not grow with the paths that it does not concern.
for first in range(0, 10000, 100):
    nest.subscribe(*(f'/n/{n}/state' for n in range(first, first + 100)))
for n in range(2000):
    write(f'/n/{n % 500}')
write('/n/9999/state')
check('changed /n/9999/state' in nest.until('changed /n/9999/state'), True,
      '2000 events above 10,000 paths of one stream')
nest.close()
store.remove('/n')

# Reading byte by byte, as a shell does.
write('/s/y', '1')
write('/s/long-name-of-a-key', '1')
tree2 = Stream('/s/.watch')
write('/s/long-name-of-a-key', '2')
check(tree2.ready(PATIENCE), True, 'POLLIN')
text = os.read(tree2.fd, 1)
store.remove('/s/long-name-of-a-key')
time.sleep(0.1)
while not text.endswith(b'\n'):
    text += os.read(tree2.fd, 1)
check(text, b'changed /s/long-name-of-a-key\n', 'a line once begun is delivered as it was')
check(tree2.until('deleted /s/long-name-of-a-key')[-1:], ['deleted /s/long-name-of-a-key'], 'the next says more')

# Domains come and go.
domains = Stream('/.xsfs/watch', os.O_RDWR)
before = stat('watches')
domains.subscribe('@introduceDomain', '@releaseDomain')
check(stat('watches'), before + 2, 'special paths have server watches of their own')
subprocess.run([xsloop, 'domain', world, domain, gfn], check=True, stdout=subprocess.DEVNULL)
subprocess.run(['bash', '-c', 'eval "$("$1" env "$2" "$3")"; "$4" -d "$3" -g "$5" -n 1 introduce || true', '-',
                xsloop, world, domain, ringcat, gfn], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
check('changed @introduceDomain' in domains.until('changed @introduceDomain'), True, 'a domain is introduced')
domains.quiet()
subprocess.run([xsloop, 'kill-domain', world, domain], check=True, stdout=subprocess.DEVNULL)
check('changed @releaseDomain' in domains.until('changed @releaseDomain'), True, 'a domain is gone')
domains.subscribe('-@introduceDomain')
check(stat('watches'), before + 1, 'the server watch goes with the path')
domains.close()
comes_true('and with the stream', lambda: stat('watches') == before)
for s in tree, tree2, some:
    s.close()
END

cat >"$SCRATCH/readers.py" <<'END'
from streams import *
import subprocess
threads = int(sys.argv[2])
write('/w/a', '1')

# One descriptor, one thread blocked in read, another writes: as libxenstore does it.
s = Stream('/.xsfs/watch', os.O_RDWR)
got = []
def reader():
    while not any('stop' in line for line in got):
        got.append(s.line() or 'stop')
t = threading.Thread(target=reader)
t.start()
for n in range(50):
    s.subscribe(f'/w/n{n}')
    write(f'/w/n{n}')
comes_true('one thread reads, another writes to the same descriptor', lambda: len(got) >= 50)
check(final(got), {f'/w/n{n}': 'changed' for n in range(50)}, 'every path is told of')
s.subscribe('/w/stop')
write('/w/stop')
t.join(PATIENCE)
check(t.is_alive(), False, 'and the reader ends')

# Many readers, also of one descriptor: no line is lost, or torn, and none gets an end of file.
streams = [Stream('/w/.watch') for _ in range(20)]
blocked = [0]
lines, wrong = [], []
def one(fd):
    while True:
        text = os.read(fd, 4096)
        if not text.endswith(b'\n'):
            wrong.append(text)
        if text == b'' or b'/w/end' in text:
            break
        lines.extend(text.decode().splitlines())
shared = os.open(mnt + '/w/.watch', os.O_RDONLY)
readers = [threading.Thread(target=one, args=(shared,), daemon=True) for _ in range(8)]
for r in readers:
    r.start()
for n in range(1000):
    write(f'/w/m{n}')
comes_true('eight readers of one descriptor take every line', lambda: len(set(lines)) >= 1000)
check(wrong[:1], [], 'none gets an end of file, or half a line')
comes_true('all of them end', lambda: write('/w/end') or not any(r.is_alive() for r in readers))
for n, each in enumerate(streams):
    if set(f'changed /w/m{n}' for n in range(1000)) - set(each.until('changed /w/end')):
        break
check(n, 19, 'twenty other streams, read only now, have every line')
os.close(shared)

# Readers of single bytes that take the last one from each other.
shared = os.open(mnt + '/w/.watch', os.O_RDONLY)
pids = []
for n in range(6):
    pid = os.fork()
    if pid == 0:
        for _ in range(1 << 30):
            if os.read(shared, 1) == b'':
                os._exit(1)
    pids.append(pid)
for n in range(600):
    write(f'/w/{n % 10}')
check([os.waitpid(p, os.WNOHANG)[0] for p in pids], [0] * 6, 'who comes too late for a byte waits for the next')
for p in pids:
    os.kill(p, signal.SIGKILL)
    os.waitpid(p, 0)
os.close(shared)

# A reader that is killed, and one that gets a signal.
pids = []
streams[0].quiet()
for n in range(10):
    pid = os.fork()
    if pid == 0:
        os.read(streams[0].fd if n % 2 else os.open(mnt + '/w/.watch', os.O_RDONLY), 1)
        os._exit(0)
    pids.append(pid)
comes_true('readers are blocked', lambda: all('fuse' in open(f'/proc/{p}/wchan').read() or
                                             'request' in open(f'/proc/{p}/wchan').read() for p in pids))
for p in pids:
    os.kill(p, signal.SIGKILL)
status = [os.waitpid(p, 0)[1] for p in pids]
check(status, [signal.SIGKILL] * 10, 'blocked readers are killable')
write('/w/alive')
check('changed /w/alive' in streams[0].until('changed /w/alive'), True, 'and the others go on')
class Alarm(Exception):
    pass
def alarm(*_):
    raise Alarm
signal.signal(signal.SIGALRM, alarm)
streams[1].quiet()
signal.setitimer(signal.ITIMER_REAL, 0.1)
try:
    os.read(streams[1].fd, 100)
    check('read', 'EINTR', 'a signal ends a read')
except Alarm:
    check('EINTR', 'EINTR', 'a signal ends a read')
write('/w/alive2')
check('changed /w/alive2' in streams[1].until('changed /w/alive2'), True, 'after which nothing is lost')

# Who opens or writes while the store is silent and gives up leaves nothing behind.
for each in streams:
    each.close()
s.close()
comes_true('all streams are closed', lambda: stat('streams') == 0)
server = int(sys.argv[3])
s = Stream('/.xsfs/watch', os.O_RDWR)
watches = stat('watches')
os.kill(server, signal.SIGSTOP)
for path in '@introduceDomain', '@releaseDomain':
    pid = os.fork()
    if pid == 0:
        s.subscribe(path)
        os._exit(0)
    comes_true('a write waits for its watch', lambda: 'fuse' in open(f'/proc/{pid}/wchan').read() or
               'request' in open(f'/proc/{pid}/wchan').read())
    os.kill(pid, signal.SIGKILL)
    check(os.waitpid(pid, 0)[1], signal.SIGKILL, 'and is killable')
os.kill(server, signal.SIGCONT)
s.subscribe('@introduceDomain', '/w/later', '@releaseDomain')
write('/w/later')
check('changed /w/later' in s.until('changed /w/later'), True, 'the same paths are no error then')
s.close()
comes_true('and nothing is left', lambda: (stat('streams'), stat('watches')) == (0, watches))
END

# Streams of a domain that is not privileged.
cat >"$SCRATCH/guest.py" <<'END'
from streams import *
s = Stream('/.xsfs/watch', os.O_RDWR)
s.subscribe('/local/domain/7/mine', '/shared/k0')
write('/shared/k0')
check(final(s.until('changed /shared/k0')), {'/shared/k0': 'changed'}, 'outside of its own directory')
check(stat('watches'), 2, 'which takes a server watch')
others = [Stream('/.xsfs/watch', os.O_RDWR) for _ in range(3)]
for o in others:
    o.subscribe('/shared/k0', *(f'/local/domain/7/sub{n}' for n in range(100)))
check(stat('watches'), 2, 'others share it, and those in its directory need none')
for o in others:
    o.close()
s.subscribe('-/shared/k0')
comes_true('it goes with the last', lambda: stat('watches') == 1)
def all_of_them():
    for n in range(200):
        s.subscribe(f'/shared/k{n}')
refused('EDQUOT', 'a write beyond the quota of watches', all_of_them)
watches = stat('watches')
refused('EDQUOT', 'an open beyond it', lambda: os.open(mnt + '/shared/k199/.watch', os.O_RDONLY))
check(stat('watches'), watches, 'leaves nothing')
write('/shared/k50')
check('changed /shared/k50' in s.until('changed /shared/k50'), True, 'the others are told of')
store.write('/local/domain/7/mine', b'1')
check('changed /local/domain/7/mine' in s.until('changed /local/domain/7/mine'), True, 'all of them')
s.close()
comes_true('closing takes them away', lambda: (stat('streams'), stat('watches')) == (0, 1))
s = Stream('/.xsfs/watch', os.O_RDWR)
s.subscribe('/shared/k199')
write('/shared/k199')
check(s.until('changed /shared/k199'), ['changed /shared/k199'], 'and others can be had again')
END

test_events() {
	local threads domid=20
	for threads in $XSFS_TEST_THREADS; do
		mount_xsfs "$STORE" -o "threads=$threads,cache=meta"
		PREFIX="${PREFIX%threads*}threads=$threads: "
		domid=$((domid + 1))
		checked python3 "$SCRATCH/events.py" "$MNT" $domid $((domid + 4700)) "$XSLOOP" \
			"$BUILD/tests/loop/ringcat" "$SERVER_DIR"
		checked python3 "$SCRATCH/readers.py" "$MNT" "$threads" "$SERVER_PID"
		comes_true 5 'no stream and no file is left open' stat_is open_files 1
		comes_true 5 'nothing is in flight' at_rest
		is "$(grep -c -i -e error -e warn "$MOUNT_LOG" || true)" 0 'nothing to complain about'
		umount_xsfs
		xs rm /w /s /other
	done
	PREFIX=${PREFIX%threads*}
}

test_guest() {
	local i
	has_config HAVE_XEN || skip 'built without the ring transport'
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7/domid 7 /local/domain/7/mine 0
	for ((i = 0; i < 200; i++)); do
		xs write "/shared/k$i/below" 0
	done
	xs chmod -r /shared b0 >/dev/null
	xs chmod -r /local/domain/7 n7 >/dev/null
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound -o cache=meta
	checked python3 "$SCRATCH/guest.py" "$MNT"
	like "$(cat "$MOUNT_LOG")" '*cannot watch /shared/k*quota*' 'the log says which quota'
	umount_xsfs
}

rss_kib() {
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"
}

# More events than a reader that stands still can be kept: it hears of that once, and then all is well.
test_flood() {
	local before line events deadline
	mount_xsfs "$STORE" -o cache=meta
	mkdir "$MNT/flood"
	exec 5<"$MNT/flood/.watch" 6<>"$MNT/.xsfs/watch"
	echo /flood/7 >&6
	flood /flood 10000 5000
	before=$(rss_kib "$MOUNT_PID")
	events=$(stat_of events)
	flood /flood "$XSFS_STREAM_EVENTS" 5000
	comes_true 10 'all events are taken' at_rest
	note "$(($(stat_of events) - events)) events, $(($(rss_kib "$MOUNT_PID") - before)) KiB"
	at_least $(($(stat_of events) - events)) $((XSFS_STREAM_EVENTS / 20)) 'there were many events'
	if ! grep -q -e '-fsanitize=' "$BUILD/config.log"; then
		at_most $(($(rss_kib "$MOUNT_PID") - before)) 2048 'its memory is bounded'
	fi
	at_least "$(stat_of stream_overflows)" 1 'the overflow is counted'
	read -r -t "$XSFS_TEST_PATIENCE" line <&5
	is "$line" overflow 'the reader hears of it'
	xs write /flood/9 now
	# The last events of the flood may come only now.
	while read -r -t "$XSFS_TEST_PATIENCE" line <&5 && [[ $line == changed* && $line != 'changed /flood/9' ]]; do
		:
	done
	is "$line" 'changed /flood/9' 'once, and then of what comes after'
	read -r -t "$XSFS_TEST_PATIENCE" line <&6
	is "$line" 'changed /flood/7' 'who waits for less has not lost anything'
	exec 5<&- 6>&-
	umount_xsfs
}

# Gaps.
test_resync() {
	local line
	mount_xsfs "$STORE" -o "timeout=5,cache=meta"
	xs write /g/a 1
	exec 5<"$MNT/g/.watch" 6<>"$MNT/.xsfs/watch" 7<"$MNT/g/a"
	printf '@introduceDomain\n/g/b\n' >&6
	kill -s STOP "$MOUNT_PID"
	kill -s CONT "$MOUNT_PID"
	read -r -t "$XSFS_TEST_PATIENCE" line <&5
	is "$line" resync 'after a stop: resync'
	read -r -t "$XSFS_TEST_PATIENCE" line <&6
	is "$line" resync 'of every stream'
	xs write /g/b 1
	read -r -t "$XSFS_TEST_PATIENCE" line <&6
	is "$line" 'changed /g/b' 'and on it goes'
	read -r -t "$XSFS_TEST_PATIENCE" line <&5
	if [[ $STORE == socket ]]; then
		cat <&7 >/dev/null
		kill_server
		xs read /g/a 2>/dev/null && not_ok 'the server is gone'
		start_server "$SERVER_KIND" 5<&- 6>&- 7<&-
		comes_true 10 'the server is back' state_is connected
		read -r -t "$XSFS_TEST_PATIENCE" line <&5
		is "$line" resync 'after a restart: resync'
		xs write /g/b 2
		until [[ $line == changed* ]]; do
			read -r -t "$XSFS_TEST_PATIENCE" line <&6 || break
		done
		is "$line" 'changed /g/b' 'after a restart: watches are set again'
		python3 - 7 <<-'END' && ok 'after a restart: polls wake up'
			import os, select
			p = select.poll()
			p.register(7, select.POLLPRI)
			assert p.poll(1000 * int(os.environ['XSFS_TEST_PATIENCE']))
		END
		wait_for 10 test -e "$MNT/g/b" && ok 'after a restart: lookups are right'
		is "$(ls "$MNT/g")" "$(xs list /g)" 'after a restart: listings too'
	fi
	exec 5<&- 6>&- 7<&-
	umount_xsfs
}

# refused_again NUMBER: the connection is made anew, and so many times the store refuses a watch then.
refused_again() {
	fake 'refuse on'
	fake close
	fake "error $1 E2BIG"
	fake 'refuse off'
	comes_true "$XSFS_TEST_PATIENCE" "refused $1 times: the store is back" state_is connected
}

# next_line FD: prints the next line of a stream that is not `resync`, or nothing if none comes.
next_line() {
	# The shell's own limit of time does not hold for these files.
	timeout "$XSFS_TEST_PATIENCE" bash -c 'while read -r line && [[ $line == resync ]]; do :; done; echo "$line"' <&"$1" 2>&1
}

# The store does not set a watch again: it is asked once more, and if that is in vain too, who reads hears of
# it instead of waiting for what will never come.
test_lost_watch() {
	local pid fd
	PREFIX='lost watch: '
	fake_start -o cache=meta
	fake 'set /l/key 1'
	exec 5<"$MNT/l/.watch" 6<>"$MNT/.xsfs/watch"
	printf '/l/key\n/l/other\n' >&6
	refused_again 1
	comes_true "$XSFS_TEST_PATIENCE" 'it is set all the same' covered
	fake 'set /l/key 2'
	for fd in 5 6; do
		is "$(next_line $fd)" 'changed /l/key' 'and tells'
	done
	comes_true 5 'names are remembered again' asks_nothing find "$MNT/l"

	timeout "$XSFS_TEST_PATIENCE" cat <&5 >"$SCRATCH/lines" 2>&1 &
	pid=$!
	PIDS+=("$pid")
	comes_true 10 'a reader waits' stat_is fuse_operations_now 2
	refused_again 2
	comes_true "$XSFS_TEST_PATIENCE" 'in vain: a reader ends' dead "$pid"
	is "$(sort -u "$SCRATCH/lines")" "$(printf 'cat: -: Input/output error\nresync')" 'with an error'
	like "$(next_line 6)" '*Input/output error*' 'so do those who read later'
	is "$(timeout "$XSFS_TEST_PATIENCE" python3 -c 'import select; p = select.poll(); p.register(6); print(p.poll(0)[0][1] & 9)')" 9 \
		'a poll says that there is an error to be read'
	like "$(<"$MOUNT_LOG")" '*watch on / is lost*' 'the log says so'
	echo /l/key >&6
	fake 'set /l/key 3'
	is "$(next_line 6)" 'changed /l/key' 'a path can be subscribed to again'
	exec 5<&-
	exec 5<"$MNT/l/.watch"
	fake 'set /l/other 3'
	is "$(next_line 5)" 'changed /l/other' 'and a stream be opened'
	is "$(stat -c %s "$MNT/l/key")" 2 'nothing is cached, and all is right'
	exec 5<&- 6>&-
	comes_true "$XSFS_TEST_PATIENCE" 'no watch is left' stat_is watches 0
	refused_again 0
	ls "$MNT/l" >/dev/null
	comes_true "$XSFS_TEST_PATIENCE" 'on the next connection it is tried for again' covered
	comes_true 5 'and names are remembered' asks_nothing find "$MNT/l"
	fake 'set /l/third 3'
	comes_true 5 'for as long as they are right' test -e "$MNT/l/third"
	fake_end
	PREFIX=
}

# Who opens a stream while the first watch cannot be set, and gives up, leaves nothing behind.
test_given_up() {
	local pid
	mount_xsfs "$STORE" -o cache=off
	stat "$MNT" >/dev/null
	kill -s STOP "$SERVER_PID"
	cat "$MNT/.watch" >/dev/null 2>&1 &
	pid=$!
	PIDS+=("$pid")
	comes_true 10 'an open waits for its watch' stat_is fuse_operations_now 2
	disown "$pid"
	kill -s KILL "$pid"
	comes_true 2 'and is killable' dead "$pid"
	comes_true 2 'no stream is left open' stat_is streams 0
	comes_true 2 'and no file' stat_is open_files 1
	kill -s CONT "$SERVER_PID"
	comes_true 5 'nothing is in flight' at_rest
	umount_xsfs
}

# The end of the mount, with readers and those who wait for watches.
test_end() {
	local threads status pid
	for threads in $XSFS_TEST_THREADS; do
		mount_xsfs "$STORE" -o "threads=$threads,cache=meta"
		xs write /e/x 1
		timeout "$XSFS_TEST_PATIENCE" cat "$MNT/e/.watch" >/dev/null 2>"$SCRATCH/reader" &
		PIDS+=("$!")
		pid=$!
		(exec 5<>"$MNT/.xsfs/watch"; read -r _ <&5) 2>/dev/null &
		PIDS+=("$!")
		comes_true 10 "threads=$threads: two wait" stat_is streams 2
		# The last of the three is the one who asks.
		comes_true 10 "threads=$threads: in the daemon" stat_is fuse_operations_now 3
		like "$(umount "$MNT" 2>&1 || true)" '*busy*' "threads=$threads: umount: busy"
		kill -s TERM "$MOUNT_PID"
		status=0
		wait_for 5 dead "$MOUNT_PID" && wait "$MOUNT_PID" || status=$?
		is "$status" 0 "threads=$threads: SIGTERM ends it"
		is "$(wait_for 5 dead "$pid" && echo gone)" gone "threads=$threads: and who waits"
		like "$(cat "$SCRATCH/reader")" '*error*' "threads=$threads: with an error"
		umount -l "$MNT" 2>/dev/null || true
	done
}

# The shell's ways.
test_shell() {
	local event path
	mount_xsfs "$STORE"
	mkdir "$MNT/sh"
	exec 3<>"$MNT/.xsfs/watch"
	echo /sh/key >&3
	echo 1 >"$MNT/sh/key"
	read -r -t "$XSFS_TEST_PATIENCE" event path <&3
	is "$event $path" 'changed /sh/key' 'a shell reads words'
	rm "$MNT/sh/key"
	while read -r -t "$XSFS_TEST_PATIENCE" event path <&3; do
		[[ $event != deleted ]] || break
	done
	is "$event $path" 'deleted /sh/key' 'and hears of the removal'
	exec 3>&-
	fails EINVAL bash -c 'echo nonsense >"$1"' - "$MNT/.xsfs/watch"
	umount_xsfs
}

test_lost_watch
for_each_store test_shell
for_each_store test_events
for_each_store test_guest
for_each_store test_flood
for_each_store test_resync
for_each_store test_given_up
for_each_store test_end
