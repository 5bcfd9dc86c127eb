#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A large tree, copied in and out with tar and cp: values, values of directories and permissions are the same
# afterwards, and rm -r leaves nothing.
. "${0%/*}/functions.sh"
# Keys of the tree that is copied, over a ring.
: "${XSFS_COPY_KEYS:=2000}"
requires python3 tar xenstore-ls

# dump PATH: the subtree as the store has it, under the name /.
dump() {
	xs ls -fp "$1" | sed "s:^$1/:/:" | sort
}

same_tree() {
	dump "$1" >"$SCRATCH/dump"
	same "$SCRATCH/dump" "$SCRATCH/src.dump" "$2"
	is "$(value "$1/d1/e1")" "$(value /src/d1/e1)" "$2: a directory's value"
	is "$(perms "$MNT$1/d2/e2")" "$(perms "$MNT/src/d2/e2")" "$2: a directory's permissions"
}

# Times are those of the copying, as anywhere.
archive() {
	tar --mtime=@0 --pax-option=delete=mtime,delete=atime,delete=ctime -C "$1" --xattrs --xattrs-include='user.xenstore.perms' --sort=name -cf "$2" .
}

test_copy() {
	local keys=$XSFS_COPY_KEYS
	# Once for each server is enough of a larger tree.
	[[ $STORE == ring ]] || keys=1000
	"$XSLOOP" domain "$SERVER_DIR" 5 4705
	checked python3 "$TEST_DIR/programs/copy_populate.py" "$keys"
	dump /src >"$SCRATCH/src.dump"
	mount_xsfs "$STORE"
	succeeds "tar out: $keys keys" archive "$MNT/src" "$SCRATCH/src.tar"
	is "$(tar -tf "$SCRATCH/src.tar" | grep -vc '/$')" "$keys" 'every value is a file in the archive'
	mkdir "$MNT/in"
	succeeds 'tar in' tar -C "$MNT/in" --xattrs --xattrs-include='user.xenstore.perms' -xf "$SCRATCH/src.tar"
	same_tree /in 'tar in'
	succeeds 'tar out again' archive "$MNT/in" "$SCRATCH/in.tar"
	same "$SCRATCH/in.tar" "$SCRATCH/src.tar" 'the archives are the same'
	succeeds 'tar over what is there' tar -C "$MNT/in" --xattrs --xattrs-include='user.xenstore.perms' -xf "$SCRATCH/src.tar"
	same_tree /in 'tar over what is there'
	succeeds 'rm -r' rm -r "$MNT/in"
	absent /in 'rm -r leaves nothing'
	succeeds 'cp -a' cp -a "$MNT/src" "$MNT/cp"
	same_tree /cp 'cp -a'
	is "$(find "$MNT/cp" -type f | wc -l)" "$keys" 'find sees every value'
	is "$(find "$MNT/cp" -name .value | wc -l)" "$(find "$MNT/src" -name .value | wc -l)" 'and those of directories'
	succeeds 'rm -rf' rm -rf "$MNT/cp" "$MNT/src"
	absent /cp 'rm -rf leaves nothing'
	absent /src 'of the original either'
	is "$(stat_of reconnects)" 0 'one connection all the time'
	umount_xsfs
	rm -f "$SCRATCH"/*.tar
}
for_each_store test_copy
