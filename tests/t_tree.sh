#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tree that users see: which nodes are files and which are directories, how they change from one to the
# other, the names with a dot, the views, and the programs that walk and copy trees.
. "${0%/*}/functions.sh"
requires xenstore-ls getfattr

# kind FILE: prints "file" or "directory" as stat(2) sees it.
kind() {
	local type
	type=$(bounded stat --format=%F "$1" 2>/dev/null) || type=nothing
	printf '%s\n' "${type/regular*file/file}"
}

# names DIR: prints the listed names in one line.
names() {
	bounded ls -1A "$1" | paste -sd ' '
}

leaves_and_directories() {
	local before
	xs write /t/leaf hello /t/empty '' /t/dir/child 1 /t/both own /t/both/below 2
	before=$(xs ls -fp /t)
	is "$(names "$MNT/t")" 'both dir empty leaf' 'the children are listed, nothing else'
	is "$(kind "$MNT/t/leaf")" file 'a node without children is a file'
	is "$(<"$MNT/t/leaf")" hello 'its content is the value'
	is "$(stat --format=%s "$MNT/t/leaf")" 6 'its size is that of what is read'
	is "$(kind "$MNT/t/empty")" file 'an empty node without children is a file'
	is "$(stat --format=%s "$MNT/t/empty")" 0 'an empty file'
	is "$(kind "$MNT/t/dir")" directory 'a node with children is a directory'
	is "$(stat --format='%h %a %U' "$MNT/t/dir")" '1 700 root' 'one link, for root alone'
	is "$(stat --format='%h %a %U' "$MNT/t/leaf")" '1 600 root' 'the same of a file'
	is "$(names "$MNT/t/both")" '.value below' 'a directory with a value lists .value'
	is "$(<"$MNT/t/both/.value")" own '.value is the value'
	is "$(names "$MNT/t/dir")" child 'a directory without a value does not list .value'
	fails ENOENT cat "$MNT/t/dir/.value"
	fails ENOENT cat "$MNT/t/nothing"
	fails ENOTDIR cat "$MNT/t/leaf/below"
	fails EISDIR cat "$MNT/t/dir"
	fails ENOTDIR rmdir "$MNT/t/leaf"
	fails EISDIR python3 -c 'import os, sys; os.unlink(sys.argv[1])' "$MNT/t/dir"
	fails EPERM ln -s x "$MNT/t/link"
	fails EPERM ln "$MNT/t/leaf" "$MNT/t/link"
	fails EPERM mkfifo "$MNT/t/fifo"
	is "$(xs ls -fp /t)" "$before" 'and none of that changed the store'
	is "$(names "$MNT/t")" 'both dir empty leaf' 'nor the directory'
}

value_files() {
	xs write /v/d/child 1
	echo new >"$MNT/v/d/.value"
	is "$(value /v/d)" new 'creating .value sets the value'
	echo more >"$MNT/v/d/.value"
	is "$(value /v/d)" more 'writing it changes the value'
	fails ENOTEMPTY rmdir "$MNT/v/d"
	xs rm /v/d/child
	fails ENOTEMPTY rmdir "$MNT/v/d"
	is "$(value /v/d)" more 'a directory with a value is not empty for rmdir'
	succeeds 'unlink .value' rm "$MNT/v/d/.value"
	is "$(value /v/d)" '' 'unlinking .value empties the value'
	fails ENOENT stat "$MNT/v/d/.value"
	succeeds 'then rmdir' rmdir "$MNT/v/d"
	absent /v/d 'the store agrees'
	xs write /v/e/child 1
	: >"$MNT/v/e/.value"
	fails ENOENT stat "$MNT/v/e/.value"
	is "$(value /v/e)" '' 'an empty .value is none'
	printf 'a' >"$MNT/v/e/.value"
	printf 'b' >>"$MNT/v/e/.value"
	is "$(value /v/e)" $'a\nb' 'appending to .value edits its text'
	fails EXDEV python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$MNT/v/e/.value" "$MNT/v/x"
	succeeds 'mv of .value copies it' mv "$MNT/v/e/.value" "$MNT/v/moved"
	is "$(value /v/moved)|$(value /v/e)" $'a\nb|' 'the value is there and gone here'
}

directories() {
	succeeds 'mkdir' mkdir "$MNT/made"
	is "$(kind "$MNT/made")" directory 'a directory that mkdir made stays one'
	succeeds 'the store has it' xs exists /made
	is "$(value /made)" '' 'it is empty'
	fails EEXIST mkdir "$MNT/made"
	# The kernel forgets it, xsfs does not.
	kernel_forgets
	is "$(kind "$MNT/made")" directory 'also when the kernel has forgotten it'
	succeeds 'mkdir -p' mkdir -p "$MNT/made/a/b/c"
	echo 1 >"$MNT/made/a/b/c/k"
	is "$(value /made/a/b/c/k)" 1 'a file far below'
	rm "$MNT/made/a/b/c/k"
	is "$(kind "$MNT/made/a/b/c")" directory 'a directory that lost its last child stays one'
	xs write /made/x/y 1
	is "$(kind "$MNT/made/x")" directory 'a directory of somebody else'
	xs rm /made/x/y
	is "$(kind "$MNT/made/x")" directory 'it is one while the kernel knows it'
	succeeds 'it can be written into' touch "$MNT/made/x/z"
	fails ENOTEMPTY rmdir "$MNT/made"
	succeeds 'rm -r' rm -r "$MNT/made"
	absent /made 'it is gone from the store'
	xs write /made leaf
	is "$(kind "$MNT/made")" file 'after rmdir a new node of that name is a file'
	xs write /big/value own
	for i in {1..30}; do
		for j in {1..3}; do
			printf '%s\n' "/big/d$i/e$j/k" v
		done
		printf '%s\n' "/big/d$i" own
	done | xargs -n 60 "$(command -v env)" XENSTORED_PATH="$SERVER_SOCKET" xenstore-write
	is "$(find "$MNT/big" -name .value | wc -l)" 30 'values of directories are seen'
	succeeds 'rm -r of a tree with values' rm -r "$MNT/big"
	absent /big 'all of it is gone'
}

# A node that becomes a directory, or no longer is one, under a path that the kernel knows.
kind_changes() {
	local ino fd
	xs write /k/n leaf
	is "$(kind "$MNT/k/n")" file 'a leaf'
	ino=$(stat --format=%i "$MNT/k/n")
	exec {fd}<"$MNT/k/n"
	xs write /k/n/below 1
	is "$(kind "$MNT/k/n")" directory 'it gets a child: a directory at once'
	is "$(($(stat --format=%i "$MNT/k/n") != ino))" 1 'with another inode number'
	is "$(<"$MNT/k/n/.value")|$(<"$MNT/k/n/below")" 'leaf|1' 'with value and child'
	is "$(cat <&"$fd")" leaf 'an open file goes on with the value'
	exec {fd}<&-
	xs rm /k/n
	xs write /k/n again
	fails ENOENT ls "$MNT/k/n/below"
	rm -rf "$MNT/k/n"
	xs write /k/n again
	is "$(kind "$MNT/k/n")|$(<"$MNT/k/n")" 'file|again' 'removed and made anew: a file again'
	# A process that stands in it meanwhile, in both directions.
	xs write /k/w/a 1
	(
		cd "$MNT/k/w"
		xs rm /k/w
		fails ENOENT stat ./a
		fails ENOENT ls .
		xs write /k/w leaf
		is "$(kind "$MNT/k/w")" file 'the directory that somebody stood in is a file now'
		xs rm /k/w
		xs write /k/w/a 2
		is "$(<"$MNT/k/w/a")" 2 'and a directory again'
	)
	# Through the mount itself: a child below a leaf is made in the nodes view.
	xs write /k/l own
	fails ENOTDIR mkdir "$MNT/k/l/child"
	succeeds 'mkdir below a leaf in the nodes view' mkdir "$MNT/.xsfs/nodes/k/l/child"
	is "$(kind "$MNT/k/l")|$(<"$MNT/k/l/.value")" 'directory|own' 'the leaf is a directory now'
	# Back and forth, each time looked at through open directories and by name.
	local round wrong=0
	for round in {1..10}; do
		xs write /k/flip "leaf $round"
		[[ $(kind "$MNT/k/flip") == file && $(<"$MNT/k/flip") == "leaf $round" ]] || wrong=$((wrong + 1))
		xs write /k/flip/c "$round"
		[[ $(<"$MNT/k/flip/c") == "$round" ]] || wrong=$((wrong + 1))
		rm -r "$MNT/k/flip"
	done
	is "$wrong" 0 'ten changes in both directions'
}

special_names() {
	local before
	xs write /s/d/k 1
	is "$(find "$MNT/s" | sort | paste -sd ' ')" "$MNT/s $MNT/s/d $MNT/s/d/k" 'find sees keys only'
	is "$(find "$MNT" -mindepth 1 -maxdepth 1 -name '.*' | wc -l)" 0 'the root lists nothing with a dot'
	is "$(kind "$MNT/.xsfs")" directory '.xsfs is there'
	for name in metrics options requests self stats watch; do
		like " $(names "$MNT/.xsfs") " "* $name *" "it lists $name"
	done
	is "$(readlink "$MNT/.xsfs/self")" ../local/domain/0 'self'
	xs write /local/domain/0/name Domain-0
	is "$(<"$MNT/.xsfs/self/name")" Domain-0 'self leads to the own domain'
	like "$(<"$MNT/.xsfs/stats")" '*requests_READ [1-9]*' 'stats'
	succeeds 'requests' cat "$MNT/.xsfs/requests"
	is "$(python3 -c 'import os, sys
fd = os.open(sys.argv[1] + "/.xsfs/stats", os.O_RDONLY)
def operations():
    return int(dict(line.split() for line in os.pread(fd, 9999, 0).decode().splitlines())["fuse_operations"])
before = operations()
os.stat(sys.argv[1] + "/s/d/k")
print(operations() > before)' "$MNT")" True 'stats read again from the start are new'
	fails ENOENT ls "$MNT/s/.xsfs"
	fails ENOENT cat "$MNT/.xsfs/other"
	fails ENOENT cat "$MNT/s/d/.other"
	for name in .a a.b 'a b' 'a:b' $'a\nb' ä 'a+b' .value.x; do
		fails ENOENT stat "$MNT/s/$name"
		fails EINVAL bash -c 'echo v >"$1"' - "$MNT/s/$name"
		fails EINVAL mkdir "$MNT/s/$name"
	done
	fails EINVAL python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$MNT/s/d/k" "$MNT/s/d/k.old"
	is "$(value /s/d/k)" 1 'the key is still there'
	for name in a-b A_9 @at -; do
		echo v >"$MNT/s/$name"
		is "$(value "/s/$name")" v "a legal name: $name"
	done
	fails EPERM rm "$MNT/s/d/.perms"
	fails EPERM rmdir "$MNT/.xsfs"
	fails EPERM rmdir "$MNT/.xsfs/nodes"
	# nodes/ is the whole store: who goes through .xsfs must not go there
	is "$(ls -A "$MNT/.xsfs" | paste -sd ' ')" 'README control metrics options requests self stats transaction watch xenbus' '.xsfs does not list nodes'
	is "$(find "$MNT/.xsfs" | wc -l)" 11 'find in .xsfs stays there'
	before=$(xs ls -fp)
	for option in '' --one-file-system; do
		fails EPERM rm -rf $option "$MNT/.xsfs"
	done
	is "$(xs ls -fp)" "$before" 'rm -r .xsfs removes nothing'
	xs write /s/removed/key 1
	succeeds 'rm -r below nodes removes' rm -r "$MNT/.xsfs/nodes/s/removed"
	absent /s/removed 'what is named there'
	fails EPERM mv -T "$MNT/.xsfs/stats" "$MNT/s/stats"
	fails EACCES bash -c 'echo 1 >"$1"' - "$MNT/.xsfs/stats"
	fails EINVAL touch "$MNT/.xsfs/new"
	fails EINVAL mkdir "$MNT/.xsfs/new"
}

nodes_view() {
	local nodes=$MNT/.xsfs/nodes
	xs write /n/leaf v /n/dir/child 1 /n/empty ''
	is "$(names "$nodes/n")" '.value dir empty leaf' 'nodes: the children and .value'
	is "$(kind "$nodes/n/leaf") $(kind "$nodes/n/empty")" 'directory directory' 'every node is a directory'
	is "$(<"$nodes/n/leaf/.value")" v 'its value in .value'
	is "$(cat "$nodes/n/dir/.value")" '' '.value exists also where it is empty'
	is "$(kind "$nodes/n/dir/.value")" file 'as a file'
	fails EPERM bash -c 'echo 1 >"$1"' - "$nodes/n/new"
	succeeds 'mkdir makes a node' mkdir "$nodes/n/new"
	echo set >"$nodes/n/new/.value"
	is "$(value /n/new)" set 'and .value its value'
	succeeds 'below a leaf as well' mkdir -p "$nodes/n/leaf/a/b"
	is "$(xs ls -f /n/leaf | cut -d ' ' -f 1 | paste -sd ' ')" '/n/leaf/a /n/leaf/a/b' 'the store has them'
	is "$(find "$nodes/n" -type d | wc -l)" 8 'find by type'
	succeeds 'rm -r in the nodes view' rm -r "$nodes/n"
	absent /n 'removes the nodes'
	is "$(kind "$nodes/s")" directory 'the other nodes are still there'
}

layout_and_root() {
	xs write /r/sub/leaf v /r/sub/dir/child 1 /r/sub own
	mount_xsfs "$STORE" -o layout=nodes
	is "$(<"$MNT/r/sub/leaf/.value")|$(<"$MNT/r/sub/.value")" 'v|own' 'layout=nodes'
	is "$(names "$MNT/r/sub/leaf")" .value 'a leaf is a directory there'
	is "$(<"$MNT/.xsfs/nodes/r/sub/leaf/.value")" v 'and nodes is the same'
	umount_xsfs
	mount_xsfs "$STORE" -o root=/r/sub
	is "$(names "$MNT")" '.value dir leaf' 'root= mounts a subtree'
	is "$(<"$MNT/.value")|$(<"$MNT/leaf")|$(<"$MNT/dir/child")" 'own|v|1' 'with its value and children'
	is "$(<"$MNT/.xsfs/nodes/leaf/.value")" v 'nodes has the same root'
	echo w >"$MNT/dir/new"
	is "$(value /r/sub/dir/new)" w 'a file made below it'
	fails ENOENT cat "$MNT/../r/sub/leaf"
	fails ENOENT ls "$MNT/.xsfs/self/"
	xs rm /r/sub
	fails ENOENT cat "$MNT/leaf"
	xs write /r/sub/leaf back
	is "$(<"$MNT/leaf")" back 'the root of the mount comes back with its node'
	umount_xsfs
	mount_xsfs "$STORE" -o root=/local/domain/0
	xs write /local/domain/0/name Domain-0
	is "$(<"$MNT/.xsfs/self/name")" Domain-0 'self where the root is the own domain'
	umount_xsfs
	if mount_xsfs "$STORE" -o root=/not/there >"$SCRATCH/refused"; then
		not_ok 'a root that does not exist: an error'
	fi
	like "$(<"$MOUNT_LOG")" 'xsfs: -o root=/not/there: the store has no such key*' 'a root that does not exist: an error'
	xs write /not/yet ''
	mount_xsfs "$STORE" -o root=/not/yet
	xs rm /not
	is "$(kind "$MNT")" directory 'a root that was removed is a directory'
	fails ENOENT ls "$MNT"
	echo 1 >"$MNT/key"
	is "$(value /not/yet/key)" 1 'and made by writing below it'
	is "$(names "$MNT")" key 'then it is listed'
	umount_xsfs
}

long_names() {
	local path=/long depth=0 limit=2048 status=0
	# The protocol allows paths of 3072 bytes; oxenstored, and xenstored before Xen 4.18, have limits of
	# their own.
	if [[ $SERVER_KIND == o ]]; then
		limit=1024
	elif xs write "/$(printf %02100d 0)" '' 2>/dev/null; then
		limit=3072
		xs rm "/$(printf %02100d 0)"
	fi
	export long
	printf -v long '%0300d' 0
	for length in 3100 "$((limit + 1))"; do
		long=$(printf "%0${length}d" 0)
		cd "$MNT"
		fails ENAMETOOLONG bash -c ': "a name too long"; stat "$long"'
		fails ENAMETOOLONG bash -c ': "a name too long"; mkdir "$long"'
		fails ENAMETOOLONG bash -c ': "a name too long"; echo v >"$long"'
	done
	printf -v long '%0300d' 0
	echo v >"$long"
	is "$(value "/$long")" v 'a name of 300 bytes'
	mkdir long
	while ((${#path} + 301 + 2 <= limit)); do
		path+=/$long
		depth=$((depth + 1))
		(cd "$MNT${path%/*}" && mkdir "$long") || status=1
	done
	is "$status" 0 "directories $depth deep, ${#path} bytes"
	is "$(xs ls -f /long | wc -l)" "$depth" 'the store has them'
	# The kernel takes paths of 4095 bytes; go there first.
	cd "$MNT${path%/*}"
	fails ENAMETOOLONG bash -c ': "a path too long"; mkdir "$long/$long"'
	fails ENAMETOOLONG bash -c ': "a path too long"; echo v >"$long/$long"'
	fails ENAMETOOLONG bash -c ': "a path too long"; python3 -c "import os, sys; os.rename(*sys.argv[1:])" "$1/$long" "$long/$long"' - "$MNT"
	echo v >"$long/k"
	is "$(value "$path/k")" v 'what still fits'
	cd /
	succeeds 'rm -r of the deep tree' rm -r "$MNT/long"
	absent /long 'it is gone'
}

# What statfs says every kernel lets through, and programs that walk trees have no trouble with; and what only
# newer kernels do.
longest_names() {
	local length long
	# too long a path for the other server
	[[ $SERVER_KIND == c ]] || return 0
	umount_xsfs
	XSFS_TEST_CACHE=meta mount_xsfs "$STORE"
	length=$(stat --file-system --format=%l "$MNT")
	is "$length" 1024 'statfs: the longest name'
	mkdir "$MNT/names"
	for length in "$length" 1900; do
		printf -v long '%0*d' "$length" 0
		if ! echo v 2>/dev/null >"$MNT/names/$long"; then
			skip_one "a name of $length bytes" 'this kernel lets none through'
			continue
		fi
		is "$(value "/names/$long")" v "a name of $length bytes"
		is "$(ls "$MNT/names")" "$long" 'ls shows it'
		is "$(find "$MNT/names" -type f -printf '%f\n')" "$long" 'find finds it'
		is "$(tar -C "$MNT" -c names | tar -t)" "names/
names/$long" 'tar takes it'
		xs write "/names/$long/child" 1
		# shellcheck disable=SC2016 # when it is evaluated
		wait_for 10 eval '[[ $(kind "$MNT/names/$long") == directory ]]' || true
		is "$(kind "$MNT/names/$long")" directory 'that it became a directory is seen'
		succeeds 'rm -r removes it' rm -r "$MNT/names/$long"
		is "$(xs list /names)" '' 'it is gone'
	done
}

# tree DIR: names, kinds and contents below DIR, to be compared.
tree() {
	(cd "$1" && find . | sort | while read -r name; do
		if [[ -d $name ]]; then
			printf '%s/\n' "$name"
		else
			printf '%s = %s\n' "$name" "$(<"$name")"
		fi
	done)
}

programs() {
	xs write /p/a hello /p/d/b world /p/d own /p/d/e/c 'hello again' /p/empty ''
	is "$(cd "$MNT" && find p -type f | sort | paste -sd ' ')" 'p/a p/d/.value p/d/b p/d/e/c p/empty' 'find -type f'
	is "$(cd "$MNT" && find p -type d | sort | paste -sd ' ')" 'p p/d p/d/e' 'find -type d'
	is "$(cd "$MNT" && grep -r hello p | sort | paste -sd ' ')" 'p/a:hello p/d/e/c:hello again' 'grep -r'
	is "$(cd "$MNT" && grep -rl own p)" p/d/.value 'grep -r finds the values of directories'
	is "$(ls -RA "$MNT/p" | sed "s:$MNT::" | paste -sd ' ')" '/p: a d empty  /p/d: .value b e  /p/d/e: c' 'ls -R'
	succeeds 'du' du -a "$MNT/p"
	is "$(wc -c <"$MNT/p/a") $(head -c 3 "$MNT/p/a") $(tail -c 3 "$MNT/p/a")" "6 hel lo" 'wc, head, tail'
	is "$({ cmp "$MNT/p/a" "$MNT/p/d/b" || true; } | wc -l)" 1 'cmp'
	succeeds 'test -s' test -s "$MNT/p/a"
	is "$(sort "$MNT/p/a" "$MNT/p/d/b" | paste -sd ' ')" 'hello world' 'sort'

	rm -rf "$SCRATCH/out"
	mkdir "$SCRATCH/out"
	succeeds 'cp -a out' cp -a "$MNT/p" "$SCRATCH/out/cp"
	is "$(tree "$SCRATCH/out/cp")" "$(tree "$MNT/p")" 'the copy is the same'
	succeeds 'cp -a inside' cp -a "$MNT/p" "$MNT/q"
	is "$(xs ls -fp /q | sed 's:^/q:/p:' | sort)" "$(xs ls -fp /p | sort)" 'the store has it twice'
	succeeds 'cp -r in' cp -r "$SCRATCH/out/cp" "$MNT/r2"
	is "$(xs ls -f /r2 | sed 's:^/r2:/p:' | sort)" "$(xs ls -f /p | sort)" 'and three times'
	succeeds 'tar out and in' bash -c 'tar -C "$1" -cf - p | tar -C "$2" -xf -' - "$MNT" "$SCRATCH/out"
	is "$(tree "$SCRATCH/out/p")" "$(tree "$MNT/p")" 'tar copied the same'
	if command -v rsync >/dev/null; then
		succeeds 'rsync -a out' rsync -a "$MNT/p/" "$SCRATCH/out/rsync"
		is "$(tree "$SCRATCH/out/rsync")" "$(tree "$MNT/p")" 'rsync copied the same'
		echo changed >"$SCRATCH/out/rsync/a"
		touch -d '2001-01-01' "$SCRATCH/out/rsync/a"
		# Its temporary files have dots, which no key can have.
		succeeds 'rsync -a --inplace in' rsync -a --inplace "$SCRATCH/out/rsync/" "$MNT/p2"
		is "$(value /p2/a)|$(value /p2/d)" 'changed|own' 'rsync wrote the keys'
	else
		skip_one 'rsync -a' 'rsync is not installed'
	fi
	succeeds 'diff -r' diff -r "$MNT/p" "$SCRATCH/out/cp"

	# Editing as editors without dotted names do it: write beside it, move over it.
	echo edited >"$MNT/p/a_new"
	succeeds 'mv over' mv "$MNT/p/a_new" "$MNT/p/a"
	is "$(value /p/a)" edited 'the new value'
	absent /p/a_new 'the other file is gone'
	succeeds 'sed -i' sed -i s/edited/replaced/ "$MNT/p/a"
	is "$(value /p/a)" replaced 'sed -i replaced it'
	is "$(names "$MNT/p")" 'a d empty' 'and left nothing beside it'
	succeeds 'install' install -m 600 "$SCRATCH/out/cp/a" "$MNT/p/installed"
	is "$(value /p/installed)" hello 'install copied it'
	succeeds 'rm -r of all' rm -r "$MNT/p" "$MNT/q" "$MNT/r2"
	absent /p 'gone'
}

# Names that come and go: an open directory is one snapshot, and rewinding takes another.
snapshots() {
	python3 "$TEST_DIR/programs/tree_snapshots.py" "$MNT/snap" >"$SCRATCH/snap"
	is "$(sed -n 1p "$SCRATCH/snap")" 'k0 k1 k2' 'an open directory is a snapshot'
	is "$(sed -n 2p "$SCRATCH/snap")" 'k0 k2 new' 'rewinding takes a new one'
	is "$(stat --file-system --format=%l "$MNT")" 1024 'statfs'
	succeeds 'access' test -r "$MNT/snap/k0" -a -w "$MNT/snap/k0"
}

test_tree() {
	mount_xsfs "$STORE"
	leaves_and_directories
	value_files
	directories
	kind_changes
	special_names
	nodes_view
	long_names
	programs
	snapshots
	is "$(stat_of reconnects)" 0 'one connection all the time'
	longest_names
	umount_xsfs
	layout_and_root
}
for_each_store test_tree
