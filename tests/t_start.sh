#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# First mistakes: a mount that is impossible, or perhaps unintended, is reported in one clear line.
. "${0%/*}/functions.sh"
requires setpriv perl
requires_fuse

# says PATTERN NAME CMD...: CMD fails, and all that it says is one line that matches.
says() {
	local pattern=$1 name=$2 status=0 output
	shift 2
	output=$(bounded "$@" 2>&1 </dev/null) || status=$?
	if ((status == 1)) && [[ $(wc -l <<<"$output") == 1 && $output == "xsfs: "$pattern ]]; then
		ok "$name"
	else
		not_ok "$name" "status $status: $output" $'\n'"pattern: xsfs: $pattern"
	fi
}

# nobody CMD...: runs it as a user without any rights.
nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all -- "$@"
}

# with_fusermount MODE CMD...: where fusermount3 is a file with that mode, but without a right of its own.
with_fusermount() {
	local mode=$1 real copy=$SCRATCH/fusermount3 status=0
	shift
	real=$(command -v fusermount3)
	cp "$real" "$copy"
	chmod "$mode" "$copy"
	mount --bind "$copy" "$real"
	"$@" || status=$?
	umount "$real"
	return "$status"
}

# mounts DIR: how many there are on it.
mounts() {
	awk -v dir="$1" '$5 == dir { n++ } END { print n + 0 }' /proc/self/mountinfo
}

a_user() {
	local dir=$SCRATCH/user-$SERVER_KIND
	command -v fusermount3 >/dev/null || { skip_one 'mounts of users' 'there is no fusermount3'; return 0; }
	mkdir -p "$dir"
	chmod 755 "$SCRATCH" "$SERVER_DIR"
	# The build may be in a directory that others may not enter.
	cp "$XSFS" "$SCRATCH/xsfs"
	chmod 755 "$SCRATCH/xsfs"
	MOUNTS+=("$dir")
	local xsfs=(nobody "$SCRATCH/xsfs" "socket:$SERVER_SOCKET" "$dir")
	chmod 600 "$SERVER_SOCKET"
	says "$SERVER_SOCKET: Permission denied" 'no right to use the store' "${xsfs[@]}"
	chmod 666 "$SERVER_SOCKET"
	says "$dir cannot be mounted: user has no write access to mountpoint $dir" 'no right to the directory' "${xsfs[@]}"
	chown 65534:65534 "$dir"
	says "$dir cannot be mounted: option allow_other only allowed if *user_allow_other* in /etc/fuse.conf" \
		'allow_other, which is not allowed' "${xsfs[@]}" -o allow_other
	with_fusermount 644 says "$dir cannot be mounted: *who is not root*needs fusermount3*Debian: fuse3*" \
		'fusermount3 cannot be run' "${xsfs[@]}"
	with_fusermount 755 says "$dir cannot be mounted: mount failed: Operation not permitted: *setuid root" \
		'fusermount3 has no right to mount' "${xsfs[@]}"
	with_fusermount 644 says "$dir cannot be mounted: *wants auto_unmount*needs fusermount3*Debian: fuse3*" \
		'auto_unmount without it' "$XSFS" "socket:$SERVER_SOCKET" "$dir" -o auto_unmount
	is "$(mounts "$dir")" 0 'nothing was mounted'
}

twice() {
	local dir=$SCRATCH/twice-$SERVER_KIND said='xsfs is mounted there already; that mount stays, below this one'
	mkdir -p "$dir"
	MOUNTS+=("$dir" "$dir")
	mkdir "$dir/below"
	is "$("$XSFS" "socket:$SERVER_SOCKET" "$dir" 2>&1)" '' 'the first mount says nothing'
	is "$("$XSFS" "socket:$SERVER_SOCKET" "$dir/" 2>&1)" "xsfs: $dir: $said" 'the second one on a directory warns'
	is "$(mounts "$dir")" 2 'and mounts'
	umount "$dir"
	xs write /below/key v
	MOUNTS+=("$dir/below")
	is "$("$XSFS" "socket:$SERVER_SOCKET" "$dir/below" 2>&1)" '' 'inside of a mount: no warning'
	umount "$dir/below"
	umount "$dir"
	mount -t tmpfs tmpfs "$dir"
	is "$("$XSFS" "socket:$SERVER_SOCKET" "$dir" 2>&1)" '' 'over something else: no warning'
	umount "$dir"
	umount "$dir"
}

a_root() {
	local dir=$SCRATCH/root-$SERVER_KIND
	mkdir -p "$dir"
	says '-o root=/nosuch: the store has no such key;*' 'a root that is not there' \
		"$XSFS" "socket:$SERVER_SOCKET" "$dir" -o root=/nosuch
	says '-o root=/nosuch: the store has no such key;*' 'in the foreground' "$XSFS" "socket:$SERVER_SOCKET" "$dir" \
		-f -o root=/nosuch
	is "$(mounts "$dir")" 0 'nothing was mounted'
}

# An administrator lets the kernel end mounts whose answers take longer than some time. The kernel's part cannot be
# tried beside other tests, as the limit is for all mounts of the machine; here a file says so to xsfs alone.
limited() {
	local limit=/proc/sys/fs/fuse/max_request_timeout began took status=0
	[[ ${XSFS_TEST_NAMESPACE:-} && -e $limit ]] ||
		{ skip_one 'fs.fuse.max_request_timeout' 'this kernel has none (Linux 6.15)'; return 0; }
	echo 3 >"$SCRATCH/limit"
	mount --bind "$SCRATCH/limit" "$limit"
	mount_xsfs "$STORE" -o timeout=30
	umount "$limit"
	like "$(<"$MOUNT_LOG")" '*max_request_timeout*within 15 s*EINTR after 7 s*timeout is 7 s*' 'a limit of the kernel is told of'
	exec 3<>"$MNT/.xsfs/watch"
	echo /limited >&3
	began=$SECONDS
	# dd asks again after EINTR, as most programs do; this one says what it gets.
	bounded perl -e 'sysread(STDIN, my $b, 100) // print "$!\n"' <&3 >"$SCRATCH/got" || status=$?
	took=$((SECONDS - began))
	is "$status $(<"$SCRATCH/got")" '0 Interrupted system call' 'who waits for events is answered before it'
	is "$((took >= 6 && took < 15))" 1 'and not at once'
	note "after $took s"
	# Without the stream, which would keep the mount busy.
	(sleep 8; xs write /limited 1) 3>&- &
	PIDS+=("$!")
	is "$(timeout 60 bash -c 'read -r line && echo "$line"' <&3)" 'changed /limited' 'who asks again misses nothing'
	exec 3>&-
	umount_xsfs
}

test_start() {
	a_user
	twice
	a_root
	[[ $SERVER_KIND == o ]] || limited
}
XSFS_TEST_TRANSPORT=socket for_each_store test_start
