#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A value that grows while a file is open: who has read it to its end and reads on gets what was added, as from
# a log; and what is read in pieces is never a mixture of two values.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 xenstore-write tail

cat >"$SCRATCH/growth.py" <<'END_OF_PYTHON'
import os, select, sys
from store_client import Store, check
mnt, layout = sys.argv[1:3]
store = Store()

def set_value(text):
    store.write('/g/key', text)

def key(flags=os.O_RDONLY):
    return os.open(mnt + '/g/key', flags)

def rest(fd):
    """Reads on, in small pieces, up to the first end of the file."""
    got = b''
    while piece := os.read(fd, 3):
        got += piece
    return got

def reads(name='READ'):
    for line in open(mnt + '/.xsfs/stats'):
        if line.startswith(f'requests_{name} '):
            return int(line.split()[1])
    return 0

set_value(b'one')
fd = key()
check(rest(fd), b'one\n', 'a value is read to its end')
check((rest(fd), rest(fd)), (b'', b''), 'and has nothing more, however often it is asked')
set_value(b'one\ntwo')
check(rest(fd), b'two\n', 'a line is added by another client: it is read')
check(rest(fd), b'', 'and then is the end again')
with open(mnt + '/g/key', 'a') as f:
    f.write('three\n')
check(rest(fd), b'three\n', 'a line is appended through the mount')
set_value(b'one\ntwo\nthree\n' + b'x' * 1500)
check(rest(fd), b'x' * 1500 + b'\n', 'a long one')
os.close(fd)

# What is no continuation.
set_value(b'a')
fd = key()
check(rest(fd), b'a\n', 'a value of one letter')
check(rest(fd), b'', 'nothing more')
set_value(b'ab')
check((rest(fd), rest(fd)), (b'', b''), 'a letter more does not continue the line that was read: the end')
set_value(b'b\nc')
check((rest(fd), rest(fd)), (b'', b''), 'another value, longer: the end')
set_value(b'')
check((rest(fd), rest(fd)), (b'', b''), 'an empty one: the end')
store.remove('/g/key')
check((rest(fd), rest(fd)), (b'', b''), 'no such key any more: the end')
set_value(b'a\nback')
check(rest(fd), b'back\n', 'a value that continues what was read, after all that')
set_value(b'new')
check(os.pread(fd, 99, 0), b'new\n', 'from the start: whatever there is')
check(rest(fd), b'', 'its snapshot is shorter than what was read before: the end')
os.close(fd)

# In pieces, with changes in between.
set_value(b'0123456789')
fd = key()
check(os.read(fd, 4), b'0123', 'a piece of a value')
set_value(b'0123456789\nmore')
check(rest(fd), b'456789\n', 'the rest is of that value, although it has grown meanwhile')
check(rest(fd), b'more\n', 'what was added comes after its end')
os.close(fd)
fd = key()
check(os.read(fd, 4), b'0123', 'a piece again')
set_value(b'ABCDEFGHIJKLMNOPQRSTUVWXYZ')
check(rest(fd), b'456789\nmore\n', 'the rest is of that value, although there is another')
check((rest(fd), rest(fd)), (b'', b''), 'of which nothing is read before the start is')
check(os.pread(fd, 99, 5000), b'', 'nor far behind the end')
os.close(fd)

# An open file of its own for each reader; a dup shares.
set_value(b'1')
one, two = key(), key()
same = os.dup(one)
rest(one), rest(one), rest(two)
set_value(b'1\n2')
check((rest(one), rest(same)), (b'2\n', b''), 'a dup shares the place and what was read')
check((rest(two), rest(two)), (b'2\n', b''), 'another open file reads for itself')

# poll: ready until all of the present value was read.
poller = select.poll()
poller.register(one, select.POLLPRI)
while poller.poll(150):
    os.pread(one, 99, 0)
rest(one)
set_value(b'1\n2\n3')
check(bool(poller.poll(5000)), True, 'poll tells of the growth')
check(rest(one), b'3\n', 'it is read from where the reader stands')
rest(one)
while poller.poll(150) and rest(one):
    pass
check(poller.poll(0), [], 'which counts as read')
set_value(b'other')
check(bool(poller.poll(5000)), True, 'poll tells of another value')
check((rest(one), rest(one), bool(poller.poll(0))), (b'', b'', True), 'which reading on does not get, and does not count')
check(os.pread(one, 99, 0), b'other\n', 'but from the start')
for f in one, two, same:
    os.close(f)

# In a transaction, which sees its own changes.
set_value(b'1')
tx = os.open(mnt + '/.xsfs/transaction', os.O_RDWR)
inside = f'{mnt}/.xsfs/tx/{os.read(tx, 99).decode().strip()}/g/key'
fd = os.open(inside, os.O_RDONLY)
check((rest(fd), rest(fd)), (b'1\n', b''), 'in a transaction: read to the end')
with open(inside, 'a') as f:
    f.write('2\n')
check(rest(fd), b'2\n', 'and on')
os.close(fd)
os.close(tx)

# .value, here and in the uniform view.
store.write('/g/dir/child', b'')
store.write('/g/dir', b'1')
for path in '/g/dir/.value', '/.xsfs/nodes/g/dir/.value':
    store.write('/g/dir', b'1')
    fd = os.open(mnt + path, os.O_RDONLY)
    rest(fd), rest(fd)
    store.write('/g/dir', b'1\n2')
    check(rest(fd), b'2\n', path)
    os.close(fd)

# Who reads to the end once asks the store once.
set_value(b'text')
fd = key()
before = reads()
check((rest(fd), reads() - before), (b'text\n', 1), 'a value in pieces to its end: one request')
check((rest(fd), reads() - before), (b'', 2), 'each further look at the end: another')
os.close(fd)
END_OF_PYTHON

# The same without the newline: bytes continue bytes.
cat >"$SCRATCH/raw.py" <<'END_OF_PYTHON'
import os, sys
from store_client import Store, check
store = Store()
store.write('/g/key', b'a')
fd = os.open(sys.argv[1] + '/g/key', os.O_RDONLY)
check((os.read(fd, 9), os.read(fd, 9), os.read(fd, 9)), (b'a', b'', b''), 'format=raw: read to the end')
store.write('/g/key', b'a\0b')
check((os.read(fd, 9), os.read(fd, 9)), (b'\0b', b''), 'format=raw: what was added')
store.write('/g/key', b'b')
check((os.read(fd, 9), os.read(fd, 9)), (b'', b''), 'format=raw: another value')
END_OF_PYTHON

# printed TEXT: what tail has printed.
printed() {
	[[ $(<"$SCRATCH/followed") == "$1" ]]
}

follow() {
	local tail
	xs write /g/log $'first\nsecond'
	: >"$SCRATCH/followed"
	tail -f ---disable-inotify -s 0.05 "$MNT/g/log" >"$SCRATCH/followed" 2>&1 &
	tail=$!
	PIDS+=("$tail")
	comes_true 10 'tail -f without inotify shows what there is' printed $'first\nsecond'
	xs write /g/log $'first\nsecond\nthird'
	comes_true 10 'and what another client adds' printed $'first\nsecond\nthird'
	echo fourth >>"$MNT/g/log"
	comes_true 10 'and what is appended through the mount' printed $'first\nsecond\nthird\nfourth'
	end_process "$tail"
}

# one_request NAME COMMAND...: it reads the value of $MNT/g/key at the cost of one request.
one_request() {
	local name=$1
	shift
	is "$("$@" | wc -c)" 11 "$name reads"
	remembers stat "$MNT/g/key"
	asks 1 "$name asks the store once" into_a_pipe "$@"
}

# into_a_pipe CMD...: grep reads less when it prints to /dev/null.
into_a_pipe() {
	"$@" | cat
}

test_growth() {
	local cache
	for cache in off meta; do
		mount_xsfs "$STORE" -o "cache=$cache"
		PREFIX="$PREFIX$cache: "
		checked python3 "$SCRATCH/growth.py" "$MNT" tree
		follow
		umount_xsfs
		PREFIX=${PREFIX%"$cache: "}
	done
	mount_xsfs "$STORE" -o cache=meta
	xs write /g/key 0123456789
	# The watch that lets the kernel remember is set when this is over.
	comes_true 10 'the kernel remembers' asks_nothing stat "$MNT/g/key"
	one_request cat cat "$MNT/g/key"
	# shellcheck disable=SC2016
	one_request '$(<f)' bash -c 'printf "%s\n" "$(<"$1")"' - "$MNT/g/key"
	one_request 'python read()' python3 -c 'import sys; sys.stdout.write(open(sys.argv[1]).read())' "$MNT/g/key"
	one_request 'dd bs=1' dd bs=1 status=none if="$MNT/g/key"
	one_request 'grep' grep . "$MNT/g/key"
	one_request 'sed' sed p -n "$MNT/g/key"
	one_request 'cp' cp "$MNT/g/key" /dev/stdout
	umount_xsfs
	mount_xsfs "$STORE" -o format=raw
	checked python3 "$SCRATCH/raw.py" "$MNT"
	umount_xsfs
}

for_each_store test_growth
