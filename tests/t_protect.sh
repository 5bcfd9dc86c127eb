#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# -o protect=, which is on by default: the directories that a host cannot do without are neither removed nor
# moved, and a program that removes a tree from one of them down, as rm -r does, removes nothing at all. Everything
# else is removed as ever.
. "${0%/*}/functions.sh"
requires xenstore-ls xenstore-write python3 busybox rsync
DEEP=/local/domain/7/device/vif/0/a/b/c/d/e/f

populate() {
	xs write /local/domain/0/name Domain-0 /local/domain/0/memory/target 1 /local/domain/0/backend/vif/7/0/state 4 \
		/local/domain/0/device-model/7/state running /local/domain/7/name web "$DEEP" deep \
		/local/domain/7/data '' /local/pool/0/name Pool-0 /libxl/7/type pvh /libxl/7/device/vif/0/backend x \
		/vm/uuid/name web /vm '' /tool/mine/a/b 1 /tool/mine/a/c 2 /tool/other 3 /mine/top/a/b 4 /mine/x 5 /free 6
}

dump() {
	xs ls -fp / | sort
}

# keeps NAME CMD...: CMD fails with EPERM, and the store is as it was.
keeps() {
	local name=$1 before
	shift
	before=$(dump)
	fails EPERM "$@"
	is "$(dump)" "$before" "$name: nothing is gone"
}

by_rm() {
	rm -rf "$1"
}

# Each in the directory by its name, as a shell makes them of a star: who is given names does not walk.
by_names() {
	rm -rf "${1:?}"/*
}

by_rmtree() {
	python3 -c 'import shutil, sys; shutil.rmtree(sys.argv[1])' "$1"
}

by_find() {
	find "$1" -mindepth 1 -delete
}

by_busybox() {
	busybox rm -rf "$1"
}

by_mv() {
	mv "$1" "$(mktemp -d "$SCRATCH/moved.XXXXXX")"
}

# Opens all directories in one thread and removes in another.
by_threads() {
	python3 "$TEST_DIR/programs/protect_threads.py" "$1"
}

whole_trees() {
	local by tx
	for by in by_rm by_rmtree by_find by_busybox; do
		keeps "$by" "$by" "$MNT"
		keeps "$by, in the uniform view" "$by" "$MNT/.xsfs/nodes"
		keeps "$by, of all domains" "$by" "$MNT/local/domain"
		keeps "$by, of domain 0" "$by" "$MNT/local/domain/0"
		keeps "$by, of a guest" "$by" "$MNT/local/domain/7"
	done
	keeps 'rm -rf of each of the top' rm -rf "$MNT"/[lvt]*
	keeps 'rm -rf of all domains by name' by_names "$MNT/local/domain"
	keeps 'rm -rf of a protected directory and a file' rm -rf "$MNT/libxl" "$MNT/local/pool/0"
	keeps 'rm -rf of the backends of a type' rm -rf "$MNT/local/domain/0/backend/vif"
	keeps 'mv to another file system' by_mv "$MNT/vm"
	keeps 'by threads' by_threads "$MNT"
	(cd "$MNT/local/domain/7" && keeps 'rm -rf from inside' rm -rf ../7)

	exec 7<>"$MNT/.xsfs/transaction"
	read -r tx <&7
	keeps 'in a transaction' rm -rf "$MNT/.xsfs/tx/$tx/local"
	fails EPERM rmdir "$MNT/.xsfs/tx/$tx/vm/uuid"
	echo commit >&7
	exec 7>&-
	like "$(value /local/domain/7/name) $(value "$DEEP")" 'web deep' 'which commits nothing'
	like "$(<"$MOUNT_LOG")" '*process * must not remove or move /*: a running host needs it; see protect= in xsfs(8)*' 'the log says why'
}

each_directory() {
	local dir
	for dir in /local /local/domain /local/domain/0 /local/domain/0/memory /local/domain/0/backend \
		/local/domain/0/backend/vif /local/domain/7 /local/pool/0 /libxl /libxl/7 /vm /vm/uuid /tool; do
		fails EPERM rmdir "$MNT$dir"
		fails EPERM python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[1] + "x")' "$MNT$dir"
	done
	xs write /tool/empty '' /local/pool/1 '' /local/domain/0/cpu ''
	fails EPERM rmdir "$MNT/local/pool/1"
	fails EPERM rmdir "$MNT/.xsfs/nodes/local/domain/0/cpu"
	mkdir "$MNT/tool/new"
	fails EPERM mv -T "$MNT/tool/new" "$MNT/local/pool/1"
	fails EPERM mv -T "$MNT/tool/new" "$MNT/local/domain/0/cpu"
	is "$(xs list /local/pool | sort | paste -sd ' ')" '0 1' 'the target of a rename is still there'
	succeeds 'where none is there it can be moved to' mv -T "$MNT/tool/new" "$MNT/local/pool/2"
	is "$(xs list /local/pool | sort | paste -sd ' ')" '0 1 2' 'and is'
	xs rm /local/pool/2
	xs rm /local/pool/1
	xs rm /tool/empty
	xs rm /local/domain/0/cpu
}

# Removals that are not refused, even for programs that have a protected directory open.
everything_else() {
	local before
	before=$(dump)
	mkdir "$MNT/tool/dir"
	cp -r "$MNT/tool/mine" "$MNT/tool/dir/"
	succeeds 'rm -r of what is not protected' rm -r "$MNT/tool/dir"
	cp -r "$MNT/local/domain/7/device" "$MNT/local/domain/7/copy"
	succeeds 'rm -r in a protected directory' rm -r "$MNT/local/domain/7/copy"
	echo 1 >"$MNT/local/domain/7/key"
	succeeds 'rm of a key there' rm "$MNT/local/domain/7/key"
	is "$(dump)" "$before" 'both are gone'

	echo 1 >"$MNT/local/domain/7/old"
	keeps 'find -name -delete' find "$MNT" -name old -delete
	succeeds 'find -name -exec rm' find "$MNT" -name old -exec rm {} +
	is "$(dump)" "$before" 'which removes it'

	tar -C "$MNT/local/domain/7" -cf "$SCRATCH/tar" name device
	succeeds 'tar over a protected directory' tar -C "$MNT/local/domain/7" -xf "$SCRATCH/tar"
	is "$(dump)" "$before" 'writes the same again'

	# shellcheck disable=SC2016 # python's
	succeeds 'who lists, closes, and removes' python3 -c '
import os, sys
for name in os.listdir(sys.argv[1]):
    path = sys.argv[1] + "/" + name + "/key"
    open(path, "w").close()
    os.listdir(os.path.dirname(path))
    os.unlink(path)' "$MNT/local/domain"
	# Another process has the directories open, and has read them.
	coproc HOLD { exec python3 -uc '
import os, sys
fds = [os.open(sys.argv[1] + path, os.O_RDONLY) for path in ("", "/local", "/local/domain", "/local/domain/7")]
print([os.listdir(fd) for fd in fds] and "open")
sys.stdin.read()' "$MNT"; }
	local line in=${HOLD[0]} out=${HOLD[1]} pid=$HOLD_PID
	read -r line <&"$in"
	echo 1 >"$MNT/local/domain/7/key"
	succeeds "who is not the one that walks ($line)" rm "$MNT/local/domain/7/key"
	exec {out}>&-
	wait "$pid" || true
	is "$(dump)" "$before" 'all as it was'

	# Through the store's own protocol nothing is kept.
	succeeds 'a raw client' env XENSTORED_PATH="$MNT/.xsfs/xenbus" xenstore-rm /vm/uuid
	absent /vm/uuid 'removes what it likes'
	xs write /vm/uuid/name web
}

options() {
	local before
	mount_xsfs "$STORE" -o "root=/local/domain/7"
	keeps 'root=' rm -rf "$MNT"
	umount_xsfs
	mount_xsfs "$STORE" -o "root=/tool/mine"
	mkdir -p "$MNT/d/e"
	succeeds 'root= of what is not protected' by_names "$MNT/d"
	rmdir "$MNT/d"
	umount_xsfs
	mount_xsfs "$STORE" -o ro
	before=$(dump)
	fails EROFS rm -rf "$MNT"
	is "$(dump)" "$before" 'ro: nothing is gone'
	umount_xsfs
	mount_xsfs "$STORE" -o 'protect=/mine/top'
	keeps 'a path more' rm -rf "$MNT/mine/top"
	keeps 'and the others' rm -rf "$MNT/local"
	keeps 'what it is in' mv "$MNT/mine" "$MNT/mine2"
	# As the manual says: rsync has closed a directory when it removes what is in it.
	mkdir -p "$SCRATCH/nothing"
	succeeds 'rsync --delete into it' rsync -a --delete "$SCRATCH/nothing/" "$MNT/mine/top/"
	is "$(xs ls -f /mine)" $'/mine/top = ""\n/mine/x = "5"' 'removes what is in it'
	xs write /mine/top/a/b 4
	umount_xsfs
	mount_xsfs "$STORE" -o 'protect=none:/mine/t*'
	keeps 'only one path' rm -rf "$MNT"
	keeps 'and what it is in' mv "$MNT/mine" "$MNT/mine2"
	fails EPERM rm -r "$MNT/mine"
	is "$(xs ls -f /mine)" $'/mine/top = ""\n/mine/top/a = ""\n/mine/top/a/b = "4"' 'rm -r from above stops at it'
	succeeds 'the others are not' rm -r "$MNT/local"
	absent /local 'and are gone'
	umount_xsfs
	mount_xsfs "$STORE" -o protect=none
	succeeds 'none' by_names "$MNT"
	is "$(xs ls -f / | grep -v '^/tool' || true)" '' 'and all is gone'
	umount_xsfs
}

test_protect() {
	local cache
	populate
	for cache in off meta full; do
		XSFS_TEST_CACHE=$cache mount_xsfs "$STORE"
		whole_trees
		each_directory
		everything_else
		umount_xsfs
	done
	options
}
for_each_store test_protect
