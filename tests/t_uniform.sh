#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copies into and out of the uniform view, by everyday tools, within it and from it to the other layout, on disk
# and in transactions: the store has the same values, permissions and empty nodes afterwards, each written once.
. "${0%/*}/functions.sh"
requires python3 tar xenstore-ls

NODES=30 # of /src, itself included
XATTRS=(--xattrs --xattrs-include=user.xenstore.perms)

# dump PATH [-fp]: the subtree as the store has it, as if it were /.
dump() {
	xs ls "${2:--fp}" "$1" | sed "s:^$1/:/:" | sort
}

# Where a value crosses the end of a record, tar writes it in two parts: one record for all.
by_tar() {
	tar -C "$1" "${XATTRS[@]}" --blocking-factor=2000 -cf "$SCRATCH/tar" . && mkdir "$2" &&
		bounded tar -C "$2" "${XATTRS[@]}" --blocking-factor=2000 -xf "$SCRATCH/tar"
}

by_cp_a() {
	bounded cp -a "$1" "$2"
}

by_cp_r() {
	bounded cp -r "$1" "$2"
}

# In the tree there is no .value where it is empty, which rsync misses afterwards.
by_rsync() {
	if [[ $2 == */.xsfs/nodes/* ]]; then
		bounded rsync -aX --inplace "$1/" "$2"
	else
		bounded rsync -aX --inplace --min-size=1 "$1/" "$2"
	fi
}

# copied BY FROM TO PATH NAME: copies the directory FROM to TO, which is PATH in the store then.
copied() {
	local flags=-fp values writes before
	[[ $1 != by_cp_r ]] || flags=-f
	values=$(find "$2" -type f | wc -l)
	[[ $1 != by_rsync || $3 == */.xsfs/nodes/* ]] || values=$(find "$2" -type f ! -empty | wc -l)
	writes=$(stat_of requests_WRITE)
	if ! "$1" "$2" "$3" 2>"$SCRATCH/why"; then
		not_ok "$5: $1" "$(head -n 3 "$SCRATCH/why")"
		return 0
	fi
	writes=$(($(stat_of requests_WRITE) - writes))
	[[ ! $6 ]] || "$6"
	before=$(dump /src "$flags")
	is "$(dump "$4" "$flags")" "$before" "$5: $1: the store has the same"
	[[ $3 != "$MNT"* ]] || is "$writes" "$values" "$5: $1: each value was written once"
}

tools() {
	printf '%s\n' by_tar by_cp_a by_cp_r
	! command -v rsync >/dev/null || echo by_rsync
}

within_and_out() {
	local nodes=$MNT/.xsfs/nodes by
	for by in $(tools); do
		copied "$by" "$nodes/src" "$nodes/in_$by" "/in_$by" 'within the uniform view' ''
		copied "$by" "$nodes/src" "$MNT/out_$by" "/out_$by" 'to the tree' ''
	done
	# The copy equals the original.
	is "$(cd "$nodes/in_by_cp_a" && find . | sort)" "$(cd "$nodes/src" && find . | sort)" 'a copy has the same files'
	# over what is there
	succeeds 'tar over what is there' tar -C "$nodes/in_by_tar" "${XATTRS[@]}" -xf "$SCRATCH/tar"
	succeeds 'cp over what is there' cp -a "$nodes/src/." "$nodes/in_by_cp_a"
	is "$(dump /in_by_tar)|$(dump /in_by_cp_a)" "$(dump /src)|$(dump /src)" 'over what is there: the same'
	# moved
	succeeds 'mv within the uniform view' mv "$nodes/in_by_cp_a" "$nodes/moved"
	is "$(dump /moved)" "$(dump /src)" 'mv within: the store has the same'
	absent /in_by_cp_a 'and no longer there'
	succeeds 'mv to the tree' mv "$nodes/moved" "$MNT/tree"
	is "$(dump /tree)" "$(dump /src)" 'mv to the tree: the store has the same'
	absent /moved 'and no longer there'
	succeeds 'mv of a value' mv "$nodes/in_by_tar/both5/.value" "$nodes/in_by_tar/empty/5/.value"
	is "$(value /in_by_tar/empty/5 | cksum)|$(value /in_by_tar/both5)" "$(value /src/leaf5 | cksum)|" 'it is where it was moved to'
	fails ENOENT cat "$nodes/in_by_tar/both5/.value"
	# A tree's leaf is a file, and there are none but .value here.
	fails EPERM cp -a "$MNT/src/leaf1" "$nodes/file"
	mkdir "$nodes/files"
	fails EPERM tar -C "$nodes/files" -xf <(tar -C "$MNT/src" -c leaf1)
	for by in $(tools); do
		succeeds "rm -r, $by" rm -rf "$nodes/in_$by" "$MNT/out_$by"
	done
	rm -r "$MNT/tree" "$MNT/files"
}

# An archive on disk, of either layout's directories with values, goes into both.
on_disk() {
	local nodes=$MNT/.xsfs/nodes
	copied by_cp_a "$nodes/src" "$SCRATCH/disk" /src 'to the disk' ''
	is "$(find "$SCRATCH/disk" -name .value | wc -l)" "$NODES" 'every value is a file'
	copied by_cp_r "$SCRATCH/disk" "$nodes/back" /back 'from the disk' ''
	copied by_cp_r "$SCRATCH/disk" "$MNT/tree" /tree 'from the disk to the tree' ''
	if command -v rsync >/dev/null; then
		rm -r "$nodes/back"
		copied by_rsync "$SCRATCH/disk" "$nodes/back" /back 'from the disk' ''
		succeeds 'rsync again' by_rsync "$SCRATCH/disk" "$nodes/back"
		is "$(dump /back -f)" "$(dump /src -f)" 'rsync again: the same'
	fi
	rm -r "$nodes/back" "$MNT/tree" "$SCRATCH/disk"
}

tx_commit() {
	echo commit >&7
	exec 7>&-
}

in_transactions() {
	local by tx nodes
	for by in by_tar by_cp_a; do
		exec 7<>"$MNT/.xsfs/transaction"
		read -r tx <&7
		nodes=$MNT/.xsfs/tx/$tx/.xsfs/nodes
		copied "$by" "$nodes/src" "$nodes/in_$by" "/in_$by" 'in a transaction' tx_commit
		is "$(cat "$MNT/.xsfs/nodes/in_$by/leaf0/.value")" '' 'an empty value that was written inside is there afterwards'
		exec 7<>"$MNT/.xsfs/transaction"
		read -r tx <&7
		nodes=$MNT/.xsfs/tx/$tx
		copied "$by" "$nodes/.xsfs/nodes/src" "$nodes/out_$by" "/out_$by" 'in a transaction to the tree' tx_commit
	done
	exec 7<>"$MNT/.xsfs/transaction"
	read -r tx <&7
	succeeds 'mv in a transaction' mv "$MNT/.xsfs/tx/$tx/.xsfs/nodes/in_by_tar" "$MNT/.xsfs/tx/$tx/.xsfs/nodes/moved"
	mkdir "$MNT/.xsfs/tx/$tx/.xsfs/nodes/moved/made" "$MNT/.xsfs/tx/$tx/.xsfs/nodes/gone"
	tx_commit
	fails ENOENT cat "$MNT/.xsfs/nodes/moved/made/.value"
	xs rm /moved/made
	is "$(dump /moved)" "$(dump /src)" 'and the store has the same'
	exec 7<>"$MNT/.xsfs/transaction"
	read -r tx <&7
	rm "$MNT/.xsfs/tx/$tx/.xsfs/nodes/moved/leaf1/.value"
	fails ENOENT cat "$MNT/.xsfs/tx/$tx/.xsfs/nodes/moved/leaf1/.value"
	is "$(<"$MNT/.xsfs/nodes/moved/leaf1/.value")" 'one line' 'removed inside, not outside'
	echo abort >&7
	exec 7>&-
	is "$(<"$MNT/.xsfs/nodes/moved/leaf1/.value")" 'one line' 'and there when it was aborted'
	rm -rf "$MNT"/in_* "$MNT"/out_* "$MNT/moved" "$MNT/gone"
}

# When `.value` exists.
existence() {
	local nodes=$MNT/.xsfs/nodes
	mkdir "$nodes/e"
	is "$(ls -A "$nodes/e")" '' 'a node that mkdir made has no .value'
	fails ENOENT stat "$nodes/e/.value"
	succeeds 'it can be created exclusively' bash -c 'set -C; echo 1 >"$1"' - "$nodes/e/.value"
	fails EEXIST mkdir "$nodes/e/.value"
	fails EEXIST python3 -c 'import os, sys; os.open(sys.argv[1], os.O_CREAT | os.O_EXCL)' "$nodes/e/.value"
	rm "$nodes/e/.value"
	is "$(ls -A "$nodes/e")$(value /e)" '' 'unlinked, it is not listed, and the value is empty'
	fails ENOENT cat "$nodes/e/.value"
	xs write /e ''
	fails ENOENT cat "$nodes/e/.value"
	xs write /e 2
	wait_for 5 test -e "$nodes/e/.value"
	is "$(<"$nodes/e/.value")" 2 'it is there when somebody else writes it'
	xs write /e ''
	is "$(wait_for 5 test ! -s "$nodes/e/.value" && cat "$nodes/e/.value")|$(ls -A "$nodes/e")" '|.value' 'and stays, empty'
	rm "$nodes/e/.value"
	: >"$nodes/e/.value"
	is "$(ls -A "$nodes/e")" .value 'an empty one that was written is there'
	rm "$nodes/e/.value"
	exec 7>"$nodes/e/.value"
	is "$(ls -A "$nodes/e")" .value 'also when it is not yet'
	fails EEXIST python3 -c 'import os, sys; os.open(sys.argv[1], os.O_CREAT | os.O_EXCL)' "$nodes/e/.value"
	exec 7>&-
	mkdir "$MNT/e/tree"
	fails ENOENT cat "$nodes/e/tree/.value"
	rm -r "$nodes/e"
	xs write /e ''
	wait_for 5 test -e "$nodes/e/.value"
	is "$(ls -A "$nodes/e")" .value 'a new node of that name by somebody else has it'
	rm -r "$nodes/e"
}

test_uniform() {
	local names
	"$XSLOOP" domain "$SERVER_DIR" 5 4705
	checked python3 "$TEST_DIR/programs/uniform_populate.py"
	mount_xsfs "$STORE"
	is "$(find "$MNT/.xsfs/nodes/src" -type d | wc -l)" "$NODES" 'nodes to copy'
	within_and_out
	on_disk
	in_transactions
	existence
	umount_xsfs
	XSFS_TEST_CACHE=meta mount_xsfs "$STORE" -o layout=nodes
	existence
	copied by_cp_a "$MNT/src" "$MNT/meta" /meta 'layout=nodes' ''
	copied by_tar "$MNT/src" "$MNT/meta2" /meta2 'layout=nodes' ''
	succeeds 'rm -r' rm -r "$MNT/meta" "$MNT/meta2"
	names=$(cd "$MNT" && printf '%s\n' *)
	is "$(grep -Ev '^(@|local$|tool$)' <<<"$names")" src 'and nothing is left'
	umount_xsfs
}
for XSFS_TEST_CACHE in off full; do
	for_each_store test_uniform
done
