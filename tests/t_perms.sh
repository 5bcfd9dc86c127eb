#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Permissions: those of the store, as attributes and as .perms; those of the mount; and what an unprivileged
# domain can and cannot do over its own ring.
. "${0%/*}/functions.sh"
requires xenstore-chmod getfattr setfattr setpriv

# store_perms PATH: the permissions as xenstore-ls shows them.
store_perms() {
	xs ls -fp "${1%/*}" | awk -v path="$1" '$1 == path { gsub(/[()]/, "", $NF); print $NF }'
}

set_perms() {
	setfattr -n user.xenstore.perms -v "$2" "$1"
}

both_ways() {
	local list
	# xenstored knows no owner that does not exist.
	for list in 2 3 5; do
		"$XSLOOP" domain "$SERVER_DIR" "$list" "470$list"
	done
	xs write /p/leaf v /p/dir/child 1 /p/dir own
	is "$(perms "$MNT/p/leaf")" n0 'a new key'
	xs chmod /p/leaf n0 r5 b7 w3
	is "$(perms "$MNT/p/leaf")" n0,r5,b7,w3 'set by xenstore-chmod, read as attribute'
	for list in n5 n0,r1 b0,n2 n3,w4,r5,b6 r0; do
		succeeds "setfattr $list" set_perms "$MNT/p/leaf" "$list"
		is "$(store_perms /p/leaf)" "$list" 'set as attribute, shown by xenstore-ls'
		echo "${list%%,*}" >"$MNT/p/dir/.perms"
		is "$(store_perms /p/dir)" "${list%%,*}" 'set by .perms'
		printf '%s' "$list" >"$MNT/p/dir/.perms"
		is "$(store_perms /p/dir)" "$list" 'set by .perms without a newline'
		is "$(<"$MNT/p/dir/.perms")" "$list" 'read from .perms'
		is "$(stat --format=%s "$MNT/p/dir/.perms")" $((${#list} + 1)) 'its size is that of the line'
		is "$(perms "$MNT/p/dir")" "$list" 'and as the attribute of the directory'
	done
	is "$(value /p/dir)" own 'the value is as it was'
	xs chmod /p/dir n0
	for list in '' x0 n n-1 'n0,' ',n0' n0,r n0,,r1 'n0 r5' 'n0;r5' $'n0\nr5' 0n N0 n0x n123456; do
		fails EINVAL set_perms "$MNT/p/leaf" "$list"
		[[ -z $list ]] || fails EINVAL bash -c 'printf %s "$1" >"$2"' - "$list" "$MNT/p/dir/.perms"
	done
	: >"$MNT/p/dir/.perms"
	is "$(store_perms /p/leaf) $(store_perms /p/dir) $(value /p/dir)" 'r0 n0 own' 'nothing of that changed anything'
	is "$(<"$MNT/.xsfs/nodes/p/leaf/.perms")" r0 'nodes: .perms of a leaf'
	is "$(perms "$MNT/.xsfs/nodes/p/leaf")" r0 'nodes: and its attribute'
	is "$(cat "$MNT/.perms")" "$(perms "$MNT")" 'the root has both'
	is "$(getfattr --absolute-names -m - "$MNT/p/dir" | grep -c '^user.xenstore.perms$')" 1 'the attribute is listed'
	fails ENOENT cat "$MNT/p/none/.perms"
	fails EPERM setfattr -x user.xenstore.perms "$MNT/p/leaf"
	fails EEXIST python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.xenstore.perms", b"n0", os.XATTR_CREATE)' \
		"$MNT/p/leaf"
	is "$(python3 -c 'import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
print(os.pread(fd, 2, 0) + os.pread(fd, 9, 2), os.write(fd, b"n0,r9\n"), os.pread(fd, 99, 0))' "$MNT/p/dir/.perms")" \
		"b'n0\\n' 6 b'n0,r9\\n'" 'read, written and read again through one open file'
}

long_lists() {
	checked python3 "$TEST_DIR/programs/perms_long.py" "$MNT" 4096
}

# as_nobody CMD...
as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

modes() {
	xs write /m/dir/k v /m/leaf v
	chmod 755 "$SCRATCH"
	mount_xsfs "$STORE" -o uid=1234,gid=2345,umask=027
	is "$(stat --format='%a %u %g' "$MNT/m/dir")" '750 1234 2345' 'a directory with uid, gid and umask'
	is "$(stat --format='%a %u %g' "$MNT/m/leaf")" '640 1234 2345' 'a file with these'
	is "$(stat --format='%a %u %g' "$MNT/m/dir/.perms")" '640 1234 2345' '.perms with these'
	is "$(stat --format='%a %u' "$MNT/.xsfs/stats")" '440 1234' '.xsfs/stats'
	fails EACCES as_nobody ls "$MNT"
	umount_xsfs

	mount_xsfs "$STORE" -o allow_other,umask=022
	is "$(as_nobody cat "$MNT/m/leaf")" v 'allow_other: another user reads'
	fails EACCES as_nobody bash -c 'echo w >"$1"' - "$MNT/m/leaf"
	fails EACCES as_nobody mkdir "$MNT/m/new"
	fails EACCES as_nobody rm -r "$MNT/m/dir"
	is "$(value /m/leaf)" v 'but changes nothing'
	umount_xsfs

	mount_xsfs "$STORE" -o allow_other
	fails EACCES as_nobody cat "$MNT/m/leaf"
	fails EACCES as_nobody cat "$MNT/m/dir/.perms"
	like ",$(findmnt --noheadings --output OPTIONS "$MNT")," '*,default_permissions,*' 'allow_other: the kernel checks'
	umount_xsfs

	mount_xsfs "$STORE" -o allow_other,uid=65534
	as_nobody bash -c 'echo w >"$1"' - "$MNT/m/leaf"
	is "$(value /m/leaf)" w 'the owner that uid= names writes'
	umount_xsfs

	mount_xsfs "$STORE"
	succeeds 'chmod' chmod 777 "$MNT/m/leaf" "$MNT/m/dir"
	succeeds 'chown' chown 65534:65534 "$MNT/m/leaf" "$MNT/m/dir"
	succeeds 'touch -d' touch -d 2001-01-01 "$MNT/m/leaf" "$MNT/m/dir"
	succeeds 'cp -p' cp -p "$MNT/m/leaf" "$MNT/m/copy"
	is "$(stat --format='%a %u' "$MNT/m/leaf") $(stat --format='%a %u' "$MNT/m/dir")" '600 0 700 0' 'they change nothing'
	is "$(value /m/leaf) $(value /m/copy) $(perms "$MNT/m/leaf")" 'w w n0' 'nor in the store'
	umount_xsfs

	mount_xsfs "$STORE" -o strict-modes
	fails EPERM chmod 777 "$MNT/m/leaf"
	fails EPERM chmod 777 "$MNT/m/dir"
	fails EPERM chown 65534 "$MNT/m/leaf"
	fails EPERM touch -d 2001-01-01 "$MNT/m/leaf"
	fails EPERM chmod 777 "$MNT/m/dir/.perms"
	echo x >"$MNT/m/leaf"
	is "$(value /m/leaf)" x 'strict-modes: writing works'
	umount_xsfs

	mount_xsfs "$STORE" -o ro
	fails EROFS bash -c 'echo w >"$1"' - "$MNT/m/leaf"
	fails EROFS rm -r "$MNT/m/dir"
	fails EROFS set_perms "$MNT/m/leaf" n5
	is "$(<"$MNT/m/leaf")" x 'ro: reading works'
	umount_xsfs
}

# guest_mount: mounts the store as domain 7 sees it, over its own ring.
guest_mount() {
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7 '' /local/domain/7/name guest /local/domain/7/data/first 1 /local/domain/0/name Domain-0 \
		/local/domain/0/backend/vbd/7/state 2 /local/domain/0/secret s /tool/shared 1 /tool/drop ''
	xs chmod /local/domain/7 n0 r7
	xs chmod /local/domain/7/name n0 r7
	xs chmod -r /local/domain/7/data n7
	xs chmod /local/domain/0/backend/vbd/7/state n0 r7
	xs chmod /tool/shared n0 r7
	xs chmod /tool/drop n0 w7
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
}

guest_access() {
	local home=$MNT/local/domain/7
	for dir in "$MNT" "$MNT/local" "$MNT/local/domain" "$MNT/local/domain/0" "$MNT/tool"; do
		is "$(stat --format='%a %F' "$dir")" '111 directory' "search only: /${dir#"$MNT"}"
		fails EACCES ls "$dir"
	done
	is "$(<"$home/name")" guest 'the own name'
	is "$(ls "$home" | paste -sd ' ')" 'data name' 'the own directory is listed'
	is "$(readlink "$MNT/.xsfs/self")" ../local/domain/7 'self'
	is "$(ls "$MNT/.xsfs/self/" | paste -sd ' ')" 'data name' 'and its way'
	is "$(<"$MNT/local/domain/0/backend/vbd/7/state")" 2 'a readable key below unreadable directories'
	is "$(<"$MNT/tool/shared")" 1 'another one'
	fails EACCES cat "$MNT/local/domain/0/secret"
	fails EACCES cat "$MNT/local/domain/0/name"
	fails EACCES bash -c 'echo x >"$1"' - "$MNT/local/domain/0/secret/.value"
	fails EACCES bash -c 'echo x >"$1"' - "$MNT/tool/shared"
	fails EACCES bash -c 'echo x >"$1"' - "$home/name"
	fails EACCES bash -c 'echo x >>"$1"' - "$home/name"
	fails EACCES truncate -s 1 "$home/name"
	fails EACCES set_perms "$home/name" n7
	fails EACCES rm "$home/name"
	fails EACCES rm "$MNT/tool/shared"
	# Only xenstored gets as far as giving the copy to domain 0.
	fails "$([[ $SERVER_KIND == c ]] && echo EPERM || echo EACCES)" mv "$home/name" "$home/data/stolen"
	is "$(xs read /local/domain/0/secret) $(xs read /tool/shared) $(xs read /local/domain/7/name)" 's 1 guest' \
		'all of them are as they were'
	if [[ $SERVER_KIND == c ]]; then
		# xenstored says of a missing key below an unreadable node that it may not be read; so it looks like
		# an unreadable directory.
		fails EACCES bash -c 'echo x >"$1"' - "$MNT/local/domain/0/new/.value"
	else
		fails EACCES bash -c 'echo x >"$1"' - "$MNT/local/domain/0/new"
		fails EACCES mkdir "$MNT/local/domain/0/new"
	fi
	absent /local/domain/0/new 'nothing was made there'

	echo v >"$home/data/k"
	is "$(value /local/domain/7/data/k)" v 'the own keys can be written'
	echo w >>"$home/data/k"
	is "$(value /local/domain/7/data/k)" $'v\nw' 'appended to'
	succeeds 'made' mkdir -p "$home/data/a/b"
	succeeds 'made exclusively' python3 -c 'open(__import__("sys").argv[1], "x").write("x\n")' "$home/data/a/x"
	succeeds 'renamed' mv "$home/data/a" "$home/data/c"
	is "$(value /local/domain/7/data/c/x)" x 'as the store sees it'
	is "$(perms "$home/data/c/x")" n7 'they are the own domain'\''s'
	succeeds 'shared' set_perms "$home/data/c/x" n7,r3
	is "$(store_perms /local/domain/7/data/c/x)" n7,r3 'as the store sees it'
	succeeds 'removed' rm -r "$home/data/c"
	absent /local/domain/7/data/c 'as the store sees it'

	is "$(stat --format=%a "$MNT/tool/drop/.value")" 200 'a key that can only be written: its .value says so'
	fails EACCES cat "$MNT/tool/drop/.value"
	echo dropped >"$MNT/tool/drop/.value"
	is "$(value /tool/drop)" dropped 'it can be written'
	printf 'again' >"$MNT/tool/drop/.value"
	is "$(value /tool/drop)" again 'without being read'
	fails EACCES bash -c 'echo more >>"$1"' - "$MNT/tool/drop/.value"
	is "$(value /tool/drop)" again 'an append needs the old value'
}

guest_quotas() {
	local data=$MNT/local/domain/7/data made=0 error='' i
	if [[ $SERVER_KIND == c ]]; then
		fails EDQUOT bash -c 'head -c 2100 /dev/zero >"$1"' - "$data/large"
		fails EDQUOT set_perms "$data/k" n7,r1,r2,r3,r4,r5
	else
		fails EFBIG bash -c 'head -c 2100 /dev/zero >"$1"' - "$data/large"
	fi
	absent /local/domain/7/data/large 'a value over the quota makes no key'
	head -c 1900 /dev/zero | tr '\0' x >"$data/large"
	is "$(value /local/domain/7/data/large | wc -c)" 1900 'one below it is written'
	for ((i = 0; i < 1100; i++)); do
		((i % 100)) || mkdir "$data/d$((i / 100))" 2>/dev/null || true
		if ! error=$({ echo v >"$data/d$((i / 100))/k$i"; } 2>&1); then
			break
		fi
		made=$((made + 1))
	done
	like "$error" '*Disk quota exceeded*' 'the quota of nodes'
	is "$((made > 900 && made < 1000))" 1 "it comes after 1000 nodes ($made keys)"
	fails EDQUOT mkdir "$data/one-more"
	fails EDQUOT python3 -c 'open(__import__("sys").argv[1], "x")' "$data/one-more"
	fails EDQUOT bash -c 'echo v >"$1"' - "$data/one-more"
	fails EDQUOT touch "$data/one-more"
	echo changed >"$data/d0/k0"
	is "$(value /local/domain/7/data/d0/k0)" changed 'what is there can be changed'
	succeeds 'removing makes room' rm -r "$data/d0"
	succeeds 'for others' mkdir "$data/one-more"
	is "$(stat_of reconnects)" 0 'one connection all the time'
}

test_perms() {
	mount_xsfs "$STORE"
	both_ways
	long_lists
	umount_xsfs
	modes
	if [[ $STORE == ring ]]; then
		guest_mount
		guest_access
		guest_quotas
		umount_xsfs
	fi
}
for_each_store test_perms
