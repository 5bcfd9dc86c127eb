#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Empty nodes that are directories because Xen's documents say what their paths are for, and -o dirs=: the obvious
# write of a new key works, what is a value stays a file, and no tool that walks, copies or removes trees has
# more trouble than before.
. "${0%/*}/functions.sh"
requires xenstore-ls python3
GUEST=/local/domain/7

# kind FILE: prints "file" or "directory" as stat(2) sees it.
kind() {
	local type
	type=$(bounded stat --format=%F "$1" 2>/dev/null) || type=nothing
	printf '%s\n' "${type/regular*file/file}"
}

is_kind() {
	[[ $(kind "$1") == "$2" ]]
}

# soon FILE KIND NAME: in both cache modes, whatever somebody else does.
soon() {
	wait_for 5 is_kind "$1" "$2" || true
	is "$(kind "$1")" "$2" "$3"
}

dirs_of_a_guest=(data drivers feature attr error memory device/vif device/suspend backend)
files_of_a_guest=(name control/shutdown control/feature-suspend control/sysrq device/suspend/event-channel mine)

# As libxl leaves a guest that has done nothing yet.
new_guest() {
	local name
	for name in "${dirs_of_a_guest[@]}" "${files_of_a_guest[@]}"; do
		printf '%s\n' "$1/$name" ''
	done | xargs -d '\n' "$(command -v env)" XENSTORED_PATH="$SERVER_SOCKET" xenstore-write
	xs write "$1/name" guest
}

kinds() {
	local name wrong=
	for name in "${dirs_of_a_guest[@]}"; do
		is_kind "$1/$name" directory || wrong+=" $name"
	done
	for name in "${files_of_a_guest[@]}"; do
		is_kind "$1/$name" file || wrong+=" $name"
	done
	is "$wrong" '' "$2"
}

new_keys() {
	local data=$MNT$GUEST/data
	kinds "$MNT$GUEST" 'empty nodes are what Xen says of their paths'
	succeeds 'a new key below an empty node' bash -c 'echo x >"$1"' - "$data/foo"
	is "$(value "$GUEST/data/foo")" x 'the store has it'
	is "$(ls -A "$data")" foo 'and it is listed'
	succeeds 'mkdir -p below one' mkdir -p "$MNT$GUEST/drivers/a/b"
	succeeds 'a key exclusively' bash -c 'set -C; echo y >"$1"' - "$MNT$GUEST/feature/one"
	rm "$data/foo"
	is "$(kind "$data")" directory 'it stays one without the key'
	succeeds 'rmdir' rmdir "$data"
	absent "$GUEST/data" 'removes the node'
	succeeds 'rm -r' rm -r "$MNT$GUEST/drivers" "$MNT$GUEST/feature"
	xs write "$GUEST/data" '' "$GUEST/drivers" '' "$GUEST/feature" ''
	soon "$data" directory 'made again by the toolstack: a directory'
	succeeds 'and can be written into' touch "$data/new"
	rm "$data/new"
}

# A node with a value that nobody has looked at before.
first_seen() {
	xs write "$GUEST/attr/vif/0/ipv4" 192.0.2.1 "$GUEST/attr/vif/0/ipv6" ''
	is "$(kind "$MNT$GUEST/attr/vif/0/ipv4") $(<"$MNT$GUEST/attr/vif/0/ipv4")" 'file 192.0.2.1' 'a value is a file'
	xs write "$GUEST/attr/vif/0/ipv4" ''
	soon "$MNT$GUEST/attr/vif/0/ipv4" directory 'and a directory when it is emptied'
	rm -r "$MNT$GUEST/attr"
	xs write "$GUEST/attr" ''
}

# What the guest does: only a node without a value is a directory by its path.  That takes events: a
# directory that was looked at stays one until the store tells otherwise.
guests_values() {
	local data=$MNT$GUEST/data
	xs write "$GUEST/data" mine
	soon "$data" file 'with a value it is a file'
	is "$(<"$data")" mine 'which is seen'
	fails ENOTDIR mkdir "$data/x"
	xs write "$GUEST/data" ''
	soon "$data" directory 'without one a directory again'
	exec 7<"$MNT$GUEST/data/."
	xs write "$GUEST/data/below" 1
	wait_for 5 test -e "$data/below"
	is "$(ls -A "$data")" below 'with children a directory'
	exec 7<&-
	xs rm "$GUEST/data/below"
	echo own >"$data/.value"
	is "$(kind "$data") $(value "$GUEST/data")" 'directory own' 'its own value is written by .value'
	rm "$data/.value"
	xs write "$GUEST/error" boom
	soon "$MNT$GUEST/error" file 'a file'
	# A program that has it open goes on.
	exec 7<"$MNT$GUEST/error"
	xs write "$GUEST/error" ''
	soon "$MNT$GUEST/error" directory 'which somebody else has emptied while it was open'
	is "$(cat <&7)" '' 'an open file goes on with the value'
	exec 7<&-
}

# Nodes that this mount made, or emptied, as files.
made_as_files() {
	local guest=$MNT$GUEST
	rmdir "$guest/data" "$guest/attr"
	: >"$guest/data"
	is "$(kind "$guest/data")" file 'created here: a file'
	succeeds 'like one' rm "$guest/data"
	succeeds 'set -C' bash -c 'set -C; : >"$1"' - "$guest/data"
	is "$(kind "$guest/data")" file 'created exclusively'
	python3 -c 'import os, stat, sys; os.mknod(sys.argv[1], stat.S_IFREG | 0o600)' "$guest/attr"
	is "$(kind "$guest/attr")" file 'made by mknod'
	succeeds 'touch' touch "$guest/data"
	echo 1 >"$guest/data"
	: >"$guest/data"
	is "$(kind "$guest/data")" file 'emptied'
	rm "$guest/data" "$guest/attr"
	mkdir "$guest/data"
	is "$(kind "$guest/data")" directory 'mkdir makes a directory'
	: >"$guest/empty"
	rmdir "$guest/data"
	mv "$guest/empty" "$guest/data"
	is "$(kind "$guest/data")" file 'an empty file that was moved there stays one'
	rm "$guest/data"
	xs write "$GUEST/data" '' "$GUEST/attr" ''
	soon "$guest/attr" directory 'and what others make is a directory'
	mv "$guest/attr" "$guest/moved"
	kernel_forgets
	is "$(kind "$guest/moved")" directory 'which stays one where it is moved to'
	succeeds 'and is removed as one' rmdir "$guest/moved"
	xs write "$GUEST/attr" ''
}

trees() {
	local before
	# Sorted, as cp(1) makes files in the order of their inode numbers.
	before=$(xs ls -fp "$GUEST" | sort)
	is "$(cd "$MNT$GUEST" && find . -type f | sort | paste -sd ' ')" \
		'./control/feature-suspend ./control/shutdown ./control/sysrq ./device/suspend/event-channel ./mine ./name' \
		'find -type f finds the values'
	succeeds 'cp -a' cp -a "$MNT$GUEST" "$MNT/copy"
	is "$(xs ls -fp /copy | sed "s:^/copy/:$GUEST/:" | sort)" "$before" 'the copy is the same'

	succeeds 'tar out' tar -C "$MNT$GUEST" -cf "$SCRATCH/tar" .
	mkdir -p "$MNT/local/domain/8"
	succeeds 'tar in' tar -C "$MNT/local/domain/8" -xf "$SCRATCH/tar"
	is "$(xs ls -f /local/domain/8 | sed "s:^/local/domain/8/:$GUEST/:" | sort)" "$(xs ls -f "$GUEST" | sort)" 'tar brings it back'
	kinds "$MNT/local/domain/8" 'as what it was'
	succeeds 'tar over it' tar -C "$MNT/local/domain/8" -xf "$SCRATCH/tar"
	succeeds 'rm -r' rm -r "$MNT/copy" "$MNT/local/domain/8"/[!b]*
	is "$(ls -A "$MNT/local/domain/8")" backend 'removes all but what is protected'
	xs rm /local/domain/8
	absent /copy 'of it'
	is "$(xs ls -fp "$GUEST" | sort)" "$before" 'and nothing else changed'
}

transactions() {
	local tx view
	exec 7<>"$MNT/.xsfs/transaction"
	read -r tx <&7
	view=$MNT/.xsfs/tx/$tx$GUEST
	kinds "$view" 'in a transaction: the same kinds'
	echo 1 >"$view/data/a"
	rm "$view/data/a"
	is "$(kind "$view/data")" directory 'a directory after its last key'
	mkdir "$view/attr/vif"
	rmdir "$view/attr/vif" "$view/attr"
	: >"$view/attr"
	is "$(kind "$view/attr") $(kind "$MNT$GUEST/attr")" 'file directory' 'made as a file inside'
	echo text >"$view/feature/new"
	echo commit >&7
	exec 7>&-
	is "$(value "$GUEST/feature/new")" text 'a new key, committed'
	soon "$MNT$GUEST/attr" file 'and the file'
	rm "$MNT$GUEST/attr" "$MNT$GUEST/feature/new"
	xs write "$GUEST/attr" ''
	soon "$MNT$GUEST/attr" directory 'removed, and made by somebody else'
}

events() {
	coproc WATCH { exec timeout "$XSFS_TEST_PATIENCE" cat "$MNT$GUEST/data/.watch"; }
	local line fd=${WATCH[0]} pid=$WATCH_PID
	wait_for 5 grep -q '^streams 1$' "$MNT/.xsfs/stats"
	echo 1 >"$MNT$GUEST/data/key"
	read -r -t "$XSFS_TEST_PATIENCE" line <&"$fd"
	is "$line" "changed $GUEST/data/key" 'a key made in it is reported'
	kill "$pid"
	wait "$pid" || true
	rm "$MNT$GUEST/data/key"
}

options() {
	xs write /tool/q/one '' /tool/q/two 2 /mine '' /mine2 ''
	mount_xsfs "$STORE" -o dirs=none
	is "$(kind "$MNT$GUEST/data")|$(kind "$MNT/tool/q/one")" 'file|file' 'dirs=none: empty nodes are files'
	fails ENOTDIR bash -c 'echo x >"$1"' - "$MNT$GUEST/data/foo"
	succeeds 'unless they are made in the uniform view' mkdir "$MNT/.xsfs/nodes$GUEST/data/foo"
	is "$(kind "$MNT$GUEST/data")" directory 'which makes it a directory'
	rm -r "$MNT$GUEST/data/foo"
	umount_xsfs
	mount_xsfs "$STORE" -o 'dirs=/tool/*/*:/mine'
	is "$(kind "$MNT$GUEST/data") $(kind "$MNT/mine") $(kind "$MNT/mine2")" 'directory directory file' 'dirs= adds paths'
	is "$(kind "$MNT/tool/q/one") $(kind "$MNT/tool/q/two")" 'directory file' 'with a star for any name, not for a value'
	umount_xsfs
	mount_xsfs "$STORE" -o 'dirs=/mine?:none'
	is "$(kind "$MNT$GUEST/data") $(kind "$MNT/mine") $(kind "$MNT/mine2")" 'file file directory' 'none and paths: only these'
	umount_xsfs
	mount_xsfs "$STORE" -o "root=$GUEST"
	is "$(kind "$MNT/data") $(kind "$MNT/control/shutdown")" 'directory file' 'root=: paths are those of the store'
	succeeds 'a new key' bash -c 'echo x >"$1"' - "$MNT/data/foo"
	is "$(value "$GUEST/data/foo")" x 'is there'
	rm "$MNT/data/foo"
	umount_xsfs
	xs rm /tool/q
}

test_dirs() {
	local cache
	for cache in off meta full; do
		new_guest "$GUEST"
		XSFS_TEST_CACHE=$cache mount_xsfs "$STORE"
		new_keys
		first_seen
		[[ $cache == off ]] || guests_values
		made_as_files
		trees
		transactions
		events
		umount_xsfs
		xs rm "$GUEST"
	done
	new_guest "$GUEST"
	options
}
for_each_store test_dirs
