#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# File handles (name_to_handle_at, open_by_handle_at): they lead to their file for as long as the kernel knows it,
# and to no other one afterwards, whatever becomes of the file, the mount and its process.
. "${0%/*}/functions.sh"
requires python3 xenstore-write xenstore-rm

cat >"$SCRATCH/handles.py" <<'END'
import ctypes, errno, os, sys, time
from store_client import PATIENCE, Store, check
libc = ctypes.CDLL(None, use_errno=True)

class Handle(ctypes.Structure):
    _fields_ = [('bytes', ctypes.c_uint), ('type', ctypes.c_int), ('data', ctypes.c_ubyte * 128)]

def handle_of(path):
    handle, mount = Handle(128), ctypes.c_int()
    if libc.name_to_handle_at(-100, path.encode(), ctypes.byref(handle), ctypes.byref(mount), 0):
        raise OSError(ctypes.get_errno(), path)
    return handle

def save(handle, path):
    open(path, 'wb').write(bytes(handle))

def load(path):
    return Handle.from_buffer_copy(open(path, 'rb').read())

def content(mnt, handle):
    """What the file has, or the name of the error."""
    root = os.open(mnt, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fd = libc.open_by_handle_at(root, ctypes.byref(handle), os.O_RDONLY)
        if fd < 0:
            return errno.errorcode[ctypes.get_errno()]
        try:
            return ' '.join(sorted(os.listdir(fd))) if os.path.isdir(f'/proc/self/fd/{fd}') else os.read(fd, 99).decode()
        except OSError as e:
            return errno.errorcode[e.errno]
        finally:
            os.close(fd)
    finally:
        os.close(root)

KEYS = [f'k{n}' for n in range(8)]
END

cat >"$SCRATCH/first.py" <<'END'
from handles import *
mnt, saved = sys.argv[1:3]
store = Store()
for key in KEYS:
    store.write('/h/' + key, key.encode())
held = [os.open(f'{mnt}/h/{key}', os.O_RDONLY) for key in KEYS]
handles = [handle_of(f'{mnt}/h/{key}') for key in KEYS]
check([content(mnt, h) for h in handles], [key + '\n' for key in KEYS], 'handles of keys that are open lead to them')
check(content(mnt, handle_of(mnt + '/h')), ' '.join(KEYS), 'that of a directory')
os.rename(mnt + '/h/k0', mnt + '/h/moved')
check(content(mnt, handles[0]), 'k0\n', 'after a rename through the mount: to the key at its new place')
os.rename(mnt + '/h/moved', mnt + '/h/k0')
os.close(held[1])
os.unlink(mnt + '/h/k1')
check(content(mnt, handles[1]), 'ESTALE', 'of a key that was removed through the mount: nowhere')
with open(mnt + '/h/k1', 'w') as f:
    f.write('made again')
check(content(mnt, handles[1]), 'ESTALE', 'nor to the one that is made at its place')
os.close(held[2])
store.remove('/h/k2')
# The kernel is told that the name is gone, and forgets it.
deadline = time.monotonic() + PATIENCE
while content(mnt, handles[2]) == 'ENOENT' and time.monotonic() < deadline:
    try:
        os.stat(mnt + '/h/k2')
    except FileNotFoundError:
        pass
    time.sleep(0.01)
check(content(mnt, handles[2]) in ('ESTALE', 'ENOENT'), True, 'of a key that somebody else removed: nowhere')
store.write('/h/k2', b'again')
check(content(mnt, handles[2]) in ('ESTALE', 'again\n'), True, 'nor to another key when it is made again')
for n, handle in enumerate(handles):
    save(handle, f'{saved}/{n}')
END

# Handles of another mount.
cat >"$SCRATCH/later.py" <<'END'
from handles import *
mnt, saved, what = sys.argv[1:4]
# the kernel gets to know as many files as it knew then, in another order
for key in reversed(KEYS):
    os.stat(f'{mnt}/h/{key}')
got = {content(mnt, load(f'{saved}/{n}')) for n in range(len(KEYS))}
check(got, {'ESTALE'}, what)
END

dead_is() {
	[[ $(stat "$MNT" 2>&1) == *"${ERRNO_TEXT[ENOTCONN]}"* ]]
}

test_handles() {
	local cache
	for cache in off meta; do
		PREFIX="$PREFIX$cache: "
		mkdir -p "$SCRATCH/saved"
		mount_xsfs "$STORE" -o "cache=$cache"
		checked env PYTHONPATH="$SCRATCH:$TEST_DIR" python3 "$SCRATCH/first.py" "$MNT" "$SCRATCH/saved"
		umount_xsfs
		mount_xsfs "$STORE" -o "cache=$cache"
		checked env PYTHONPATH="$SCRATCH:$TEST_DIR" python3 "$SCRATCH/later.py" "$MNT" "$SCRATCH/saved" \
			'after a new mount: no handle of the old one leads anywhere'
		end_process "$MOUNT_PID" KILL
		succeeds 'a mount whose process was killed is dead' wait_for 10 dead_is
		fails ENOTCONN cat "$MNT/h/k0"
		umount -l "$MNT"
		mount_xsfs "$STORE" -o "cache=$cache"
		checked env PYTHONPATH="$SCRATCH:$TEST_DIR" python3 "$SCRATCH/later.py" "$MNT" "$SCRATCH/saved" \
			'after the process was killed, on a mount in its place: neither'
		umount_xsfs
		xs rm /h
		PREFIX=${PREFIX%"$cache: "}
	done
}
for_each_store test_handles
