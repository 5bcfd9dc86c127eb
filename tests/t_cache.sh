#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# cache=meta: what the kernel remembers costs the store nothing, and is dropped when the store changes.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 xenstore-write

# Random changes in all rounds of one server and transport (100000 for a full run).
: "${XSFS_CACHE_CHANGES:=6000}"
[[ -z $XSFS_TEST_QUICK ]] || XSFS_CACHE_CHANGES=1000

cat >"$SCRATCH/cache.py" <<'END'
import os, random, stat, sys, time
from store_client import DIRECTORY, MKDIR, Store, check
mnt, changes = sys.argv[1], int(sys.argv[2])
store = Store()

def kind(path):
    """What the mount shows, and its content."""
    try:
        st = os.stat(mnt + path)
        if stat.S_ISDIR(st.st_mode):
            return 'dir', tuple(sorted(os.listdir(mnt + path)))
        return 'file', open(mnt + path, 'rb').read()
    except (FileNotFoundError, NotADirectoryError):
        return 'none', None

def becomes(name, path, expected):
    """One assertion; returns after how long it was true, in seconds."""
    begin = time.monotonic()
    while kind(path) != expected and time.monotonic() - begin < 5:
        pass
    took = time.monotonic() - begin
    check(kind(path), expected, name)
    return took

def window():
    """From an outside change to its visibility, for each kind of change."""
    took = []
    for i in range(40):
        base = f'/cache/w{i}'
        store.write(base, b'v')
        took.append(becomes(f'{i}: made', base, ('file', b'v\n')))
        store.write(base, b'longer value')
        check(open(mnt + base, 'rb').read(), b'longer value\n', f'{i}: a value is seen at once')
        took.append(becomes(f'{i}: its size', base, ('file', b'longer value\n')))
        store.write(base + '/a/b', b'x')
        took.append(becomes(f'{i}: a leaf gets children', base, ('dir', ('.value', 'a'))))
        took.append(becomes(f'{i}: with implicit parents', base + '/a', ('dir', ('b',))))
        store.remove(base + '/a/b')
        took.append(becomes(f'{i}: a child goes', base + '/a/b', ('none', None)))
        kind(base + '/a')
        store.remove(base)
        took.append(becomes(f'{i}: a subtree goes', base + '/a', ('none', None)))
        store.write(base, b'again')
        took.append(becomes(f'{i}: it comes back as a leaf', base, ('file', b'again\n')))
    took = sorted(1e6 * t for t in took)
    print('# seen after p50 %.0f us, p99 %.0f us, max %.0f us' %
          (took[len(took) // 2], took[len(took) * 99 // 100], took[-1]))

def from_store(path, depth=0):
    """The tree that the store has below a path, as the mount is to show it."""
    names = [n for n in store.call(DIRECTORY, path.encode() + b'\0').decode().split('\0') if n]
    tree = {n: from_store(f'{path}/{n}', depth + 1) for n in names}
    return store.read(path), tree

def from_mount(path):
    st = os.lstat(mnt + path)
    if not stat.S_ISDIR(st.st_mode):
        data = open(mnt + path, 'rb').read()
        return data[:-1], {}
    names = os.listdir(mnt + path)
    value = open(mnt + path + '/.value', 'rb').read()[:-1] if '.value' in names else b''
    return value, {n: from_mount(f'{path}/{n}') for n in names if n != '.value'}

def rounds():
    rng = random.Random(1)
    wrong = 0
    for _ in range(10):
        for i in range(changes // 10):
            path = '/cache/r' + ''.join(f'/{rng.choice("abcd")}' for _ in range(rng.randint(1, 4)))
            what = rng.random()
            try:
                if what < .6:
                    store.write(path, str(i).encode())
                elif what < .7:
                    store.call(MKDIR, path.encode() + b'\0')
                else:
                    store.remove(path)
            except OSError:
                pass
            if i % 7 == 0:
                kind(path)
            if i % 50 == 0:
                os.path.exists(mnt + '/cache/r') and from_mount_safe()
        store.write('/cache/r/last', b'1')
        deadline = time.monotonic() + 3
        while (same := from_mount_safe() == from_store('/cache/r')) is False and time.monotonic() < deadline:
            time.sleep(.02)
        wrong += not same
    check(wrong, 0, f'{changes} random changes: after a quiet moment nothing is stale')

def from_mount_safe():
    try:
        return from_mount('/cache/r')
    except OSError:
        return None

store.write('/cache', b'')
window()
rounds()
END

requests() {
	awk '/^requests_/ { n += $2 } END { print n + 0 }' "$MNT/.xsfs/stats"
}

test_cache() {
	local before cwd
	mount_xsfs "$STORE" -o cache=meta
	xs write /t/a 1 /t/b/c 2 /t/b/d 3 /t/e/f/g 4 /t/e ''
	find "$MNT/t" -ls >/dev/null
	comes_true 5 'it settles' same_twice
	before=$(requests)
	find "$MNT" >/dev/null
	find "$MNT/t" -ls >/dev/null
	is "$(requests)" "$before" 'to walk the tree again asks the store nothing'
	touch -d '1 hour ago' "$SCRATCH/old"
	xs write /t/b/c new
	comes_true 5 'a changed key is newer' newer "$MNT/t/b/c" "$MNT/t/a"
	# Who stands in a directory stays there, whatever is written to it.
	cwd=$(cd "$MNT/t/e" && xs write /t/e value && stat . >/dev/null && sleep 0.1 && /bin/pwd)
	is "$cwd" "$MNT/t/e" 'the directory where somebody stands keeps its name'
	succeeds 'rm -r of a tree that was cached' rm -r "$MNT/t"
	absent /t 'it is gone from the store'
	checked python3 "$SCRATCH/cache.py" "$MNT" "$XSFS_CACHE_CHANGES"
	umount_xsfs
}

same_twice() {
	local first
	first=$(requests)
	find "$MNT" -ls >/dev/null
	[[ $(requests) == "$first" ]]
}

newer() {
	[[ $(find "$1" -newer "$2") == "$1" ]]
}

for_each_store test_cache
