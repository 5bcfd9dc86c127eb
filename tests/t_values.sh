#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Values as the contents of files: text and raw, of every size, written in every way that programs write.
. "${0%/*}/functions.sh"
requires python3 xenstore-read getfattr setfattr dd truncate

# Key -> file -> key for every kind of value, in one format; the largest, and one byte more.
cat >"$SCRATCH/exact.py" <<'END'
import fcntl, os, subprocess, sys
from store_client import *
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
END

# What single system calls do to the text, and what other clients see of it.
cat >"$SCRATCH/calls.py" <<'END'
import os, sys
from store_client import *
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
END

# Exclusive creation against everybody; appending together.
cat >"$SCRATCH/race.py" <<'END'
import multiprocessing, os, sys
from store_client import *
mounts, rounds = sys.argv[1:3], 25

def through(mount, path, who):
    fd = os.open(mount + path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.write(fd, who + b'\n')
    os.close(fd)

def racer(number, barrier, results):
    store = Store()
    who = b'racer-%d' % number
    for i in range(rounds):
        path = f'/race/k{i}'
        barrier.wait(30)
        try:
            if number < 6:
                through(mounts[number % 2], path, who)
            else:
                store.create(path, who)
            results.put((i, who, None))
        except FileExistsError:
            results.put((i, who, 'exists'))
        except OSError as e:
            results.put((i, who, str(e)))

def appender(number, barrier):
    barrier.wait(30)
    for i in range(20):
        with open(mounts[number % 2] + '/race/log', 'a') as f:
            f.write(f'{number}.{i}\n')

store = Store()
store.write('/race/first', b'')
barrier, results = multiprocessing.Barrier(8), multiprocessing.Queue()
racers = [multiprocessing.Process(target=racer, args=(n, barrier, results)) for n in range(8)]
for r in racers:
    r.start()
outcome = [results.get(timeout=50) for _ in range(8 * rounds)]
for r in racers:
    r.join()
check(sorted({o for _, _, o in outcome if o and o != 'exists'}), [], '8 racing creators: no other error than EEXIST')
winners = {i: [w for j, w, o in outcome if i == j and o is None] for i in range(rounds)}
check([i for i in winners if len(winners[i]) != 1], [], 'exactly one wins each of the rounds')
check([i for i in winners if [store.read(f'/race/k{i}')] != winners[i]], [], 'and the value is its own')
check(len({w for ws in winners.values() for w in ws}) > 1, True, 'not always the same one')

barrier = multiprocessing.Barrier(4)
writers = [multiprocessing.Process(target=appender, args=(n, barrier)) for n in range(4)]
for w in writers:
    w.start()
for w in writers:
    w.join()
lines = store.read('/race/log').decode().split('\n')
check(sorted(lines), sorted(f'{n}.{i}' for n in range(4) for i in range(20)), '4 appenders: no line is lost')
END

# What shells do.
shell_writes() {
	local k=$MNT/sh/k fd
	mkdir "$MNT/sh"
	echo hello >"$k"
	is "$(value /sh/k)" hello 'echo'
	printf '%s\n' a b c >"$k"
	is "$(value /sh/k)" $'a\nb\nc' 'printf of lines'
	printf 'no newline' >"$k"
	is "$(value /sh/k)" 'no newline' 'printf without newline'
	is "$(<"$k")" 'no newline' '$(<key)'
	read -r line <"$k"
	is "$line" 'no newline' 'read'
	echo d >>"$k"
	is "$(value /sh/k)" $'no newline\nd' '>> appends a line'
	echo new >>"$MNT/sh/n"
	is "$(value /sh/n)" new '>> makes a key'
	printf 'NO' 1<>"$k"
	is "$(value /sh/k)" $'NO newline\nd' '1<> writes in place'
	printf 'xyz' | dd of="$k" conv=notrunc bs=1 seek=3 status=none
	is "$(value /sh/k)" $'NO xyzline\nd' 'dd conv=notrunc seek=3, byte by byte'
	printf 'all new\n' | dd of="$k" status=none
	is "$(value /sh/k)" 'all new' 'dd'
	is "$(dd if="$k" bs=1 skip=4 count=3 status=none)" new 'dd skip='
	truncate -s 3 "$k"
	is "$(value /sh/k)" all 'truncate'
	: >"$k"
	succeeds ': > empties, at the latest when the file is released' wait_for 5 is_value /sh/k ''
	: >"$MNT/sh/empty"
	succeeds ': > makes an empty key' wait_for 5 exists /sh/empty
	touch "$MNT/sh/touched"
	succeeds 'touch makes one at once' xs exists /sh/touched
	echo v >"$k"
	touch "$k"
	is "$(value /sh/k)" v 'touch of what exists changes nothing'
	exec {fd}>"$k"
	echo one >&"$fd"
	is "$(value /sh/k)" one 'the first line of an open file is there'
	echo two >&"$fd"
	is "$(value /sh/k)" $'one\ntwo' 'and the second'
	exec {fd}>&-
	(set -o noclobber && ! echo x >"$k") 2>/dev/null && is "$(value /sh/k)" $'one\ntwo' 'noclobber'
	echo big | tee "$k" "$MNT/sh/k2" >/dev/null
	is "$(value /sh/k)$(value /sh/k2)" bigbig 'tee'
	setfattr -n user.xenstore.value -v 0x00ff0a "$k"
	is "$(value /sh/k | od -An -tx1)" ' 00 ff 0a' 'setfattr'
	is "$(getfattr --absolute-names --only-values -n user.xenstore.value "$k" | od -An -tx1)" ' 00 ff 0a' 'getfattr'
	is "$(getfattr --absolute-names -d -m - "$k" | grep -c '^user')" 1 'of the attributes one is listed'
	fails EPERM setfattr -x user.xenstore.value "$k"
	is "$({ setfattr -x user.other "$k" 2>&1 || true; } | sed 's/.*: //')" 'No such attribute' 'no other attribute is there'
	fails ENOTSUP setfattr -n user.other -v x "$k"
}

# is_value PATH VALUE
is_value() {
	[[ $(value "$1") == "$2" ]]
}

test_exact() {
	local format
	for format in text raw; do
		mount_xsfs "$STORE" -o "format=$format"
		checked python3 "$SCRATCH/exact.py" "$MNT" "$format" "$SERVER_KIND"
		is "$(stat_of reconnects)" 0 "$format: one connection all the time"
		umount_xsfs
	done
}

test_calls() {
	local first
	mount_xsfs socket
	first=$MNT
	mount_xsfs "$STORE"
	shell_writes
	checked python3 "$SCRATCH/calls.py" "$MNT" "$first"
	checked python3 "$SCRATCH/race.py" "$MNT" "$first"
	is "$(stat_of reconnects)" 0 'one connection all the time'
	umount_xsfs
}

# test_late_close: a close that the store does not answer in time fails; what is due is made all the same when it answers.
test_late_close() {
	mount_xsfs "$STORE" -o timeout=1
	is "$(bounded python3 -c '
import errno, os, signal, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
os.kill(int(sys.argv[2]), signal.SIGSTOP)
try:
    os.close(fd)
    print("ok")
except OSError as e:
    print(errno.errorcode[e.errno])
finally:
    os.kill(int(sys.argv[2]), signal.SIGCONT)' "$MNT/tool/late" "$SERVER_PID")" ETIMEDOUT 'a close that nobody answers'
	succeeds 'and the key is made' wait_for 10 exists /tool/late
	umount_xsfs
}

for_each_store test_exact
for_each_store test_calls
for_each_store test_late_close
