#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Programs that walk through all of a machine's file systems, on a mount with the default options: which of them ask
# the store, and by which option they do not. xsfs(8) has the table.
# shellcheck source=tests/functions.sh
. "${0%/*}/functions.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires_fuse
requires rsync updatedb.plocate xenstore-ls
server_binary c >/dev/null || skip 'no xenstored (xen-utils)'
XSFS_TEST_CACHE=meta
export TMPDIR=$SCRATCH/tmp

# The machine: a directory with a file, and with the mount.
MACHINE=$SCRATCH/machine
mkdir -p "$TMPDIR" "$MACHINE/etc" "$MACHINE/xen"
echo text >"$MACHINE/etc/file"
mount_xsfs embedded -o ro
mount --move "$MNT" "$MACHINE/xen"
MOUNTS+=("$MACHINE/xen")
STATS=$MACHINE/xen/.xsfs/stats

requests() {
	awk '/^requests_/ { n += $2 } END { print n + 0 }' "$STATS"
}

# asks NAME CMD...: CMD makes the store answer something. asks_nothing: it does not.
asks() {
	local name=$1 before
	shift
	before=$(requests)
	bounded "$@" >"$SCRATCH/out" 2>&1 </dev/null || note "$name: $(tail -n 3 "$SCRATCH/out")"
	is "$(($(requests) > before))" 1 "$name asks the store"
}

asks_nothing() {
	local name=$1 before
	shift
	before=$(requests)
	bounded "$@" >"$SCRATCH/out" 2>&1 </dev/null || note "$name: $(tail -n 3 "$SCRATCH/out")"
	is "$(($(requests) - before))" 0 "$name asks nothing"
}

# update [ARGS]: as the machine does every night, but for this directory.
update() {
	updatedb.plocate --database-root "$MACHINE" --output "$SCRATCH/db" --prunepaths '' "$@"
}

# At first the mount asks by itself, for the readers of inotify.
rests() {
	local before
	before=$(requests)
	for _ in {1..4}; do
		sleep 0.3
		(($(requests) == before)) || return 1
	done
}
wait_for 5 grep -q '^inotify 1$' "$STATS" || true
wait_for 10 rests || not_ok 'the mount asks by itself all the time'

# First what asks nothing, as whatever is asked is remembered.
asks_nothing 'df' df
asks_nothing 'a long listing of the directory above' ls -l "$MACHINE"
asks_nothing 'find -xdev -ls' find "$MACHINE" -xdev -ls
asks_nothing 'du -x' du -x "$MACHINE"
asks_nothing 'rsync -x' rsync -ax "$MACHINE/" "$SCRATCH/copy"
before=$(requests)
succeeds 'tar --one-file-system' tar --one-file-system -cf "$SCRATCH/tar" -C "$MACHINE" .
is "$(($(requests) - before <= 2))" 1 'asks for no more than the mount point'

# The command that the manual has, on a copy of the file.
command=$(sed -n 's/^# \(sed -i .* \/etc\/updatedb.conf\)$/\1/p' "$TEST_DIR/../man/xsfs.8" | sed 's/\\&//g')
cp /etc/updatedb.conf "$SCRATCH/updatedb.conf"
mount --bind "$SCRATCH/updatedb.conf" /etc/updatedb.conf
bounded bash -c "${command/\/etc\/updatedb.conf/"$SCRATCH/updatedb.conf"}"
# sed makes a new file of that name.
umount /etc/updatedb.conf
mount --bind "$SCRATCH/updatedb.conf" /etc/updatedb.conf
is "$(diff /etc/updatedb.conf "$SCRATCH/updatedb.conf" && grep -c '^PRUNEFS=".*\bfuse\.xsfs\b' /etc/updatedb.conf)" 1 \
	'the command of the manual adds a word to PRUNEFS'
asks_nothing 'updatedb with fuse.xsfs in PRUNEFS' update
umount /etc/updatedb.conf
asks 'updatedb as it comes' update

values=$(awk '$1 == "requests_READ" { print $2 }' "$STATS")
asks 'grep -r' grep -r nothing "$MACHINE"
is "$(($(awk '$1 == "requests_READ" { print $2 }' "$STATS") - values >= $(find "$MACHINE/xen" -type f | wc -l)))" 1 \
	'for each value as well'
is "$(awk '/^requests_(WRITE|MKDIR|RM|SET_PERMS) / { n += $2 } END { print n + 0 }' "$STATS")" 0 'nothing was changed'
