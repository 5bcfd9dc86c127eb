#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Mounting as administrators do it: mount(8), fstab, umount, errors that come late; several mounts of one
# store; and directories that do not fit into one message.
. "${0%/*}/functions.sh"
requires python3 xenstore-ls findmnt

# install_helper: lets mount(8) find xsfs, which looks for it where its own PATH leads.
install_helper() {
	[[ -x /sbin/mount.fuse || -x /sbin/mount.fuse3 ]] || skip 'mount.fuse3 is not installed (fuse3)'
	mkdir -p "$SCRATCH/bin"
	cat >"$SCRATCH/bin/xsfs" <<-END
		#!/bin/bash
		$([[ $STORE == socket ]] || loop_env)
		exec $XSFS_TEST_WRAPPER $XSFS "\$@"
	END
	chmod +x "$SCRATCH/bin/xsfs"
	if ! mounted /usr/local/bin; then
		mount --bind "$SCRATCH/bin" /usr/local/bin
		MOUNTS+=(/usr/local/bin)
	fi
}

# daemon_of DIR: the process that serves a mount in the background.
daemon_of() {
	pgrep -f "xsfs $SOURCE $1 "
}

no_daemon() {
	[[ -z $(daemon_of "$1") ]]
}

# option NAME: prints its value, as the daemon has it.
option() {
	sed -n "s/^$1=//p" "$dir/.xsfs/options"
}

# A mount's options that the kernel keeps can be changed, and some of the daemon's.
remounts() {
	local dir=$1 output
	exec 7<"$dir/k"
	# With a line of fstab mount(8) adds that to what is asked, and dev and suid, which it takes for the defaults.
	succeeds 'remount,rw' mount --fstab "$SCRATCH/fstab" -o remount,rw "$dir"
	like ",$(findmnt --noheadings --output OPTIONS "$dir")," '*,rw,nosuid,nodev,*' 'which leaves nosuid and nodev'
	succeeds 'it can be written' bash -c 'echo y >"$1"' - "$dir/k"
	is "$(value /m/k) $(cat <&7)" 'y y' 'the store has it, and who had a file open reads it'
	exec 7<&-
	output=$(bounded mount -o remount,ro,noexec,timeout=3,cache=off,threads=4,layout=tree "$dir" 2>&1) ||
		not_ok 'remount,ro' "$output"
	like "$output" "*$dir: these cannot change while it is mounted, and stay as they are: cache=off, threads=4; *" \
		'what cannot change is named, but for what is so already'
	is "$(option timeout) $(option cache)" '3 meta' 'the daemon has changed its timeout'
	like ",$(findmnt --noheadings --output OPTIONS "$dir")," '*,ro,*noexec,*' 'ro and noexec'
	# With the line of fstab, whose options it has.
	output=$(bounded mount --fstab "$SCRATCH/fstab" -o remount,tx_idle=7,log=debug,nosymfollow,sync "$dir" 2>&1)
	is "$output $(option tx_idle) $(option log)" ' 7 debug' 'a mount that is read-only is told, too'
	like ",$(findmnt --noheadings --output OPTIONS "$dir")," '*,ro,*,nosymfollow,sync,*' 'sync, nosymfollow'
	output=$("$XSFS" "$SOURCE" "$dir" -o remount,noexec,dirsync 2>&1)
	like "$output ,$(findmnt --noheadings --output OPTIONS "$dir")," '*stay as they are: dirsync;* ,ro,*,noexec,*,nosymfollow,sync,*' \
		'without mount(8) the others stay; not dirsync, which the kernel wants to know at the start'
	succeeds 'and back' mount -o remount,log=info,symfollow,async "$dir"
	is "$(option log)" info 'log=info'
	is "$(findmnt --noheadings --output OPTIONS "$dir" | grep -c -e nosymfollow -e ',sync')" 0 'symfollow, async'
	output=$(bounded mount -o remount,timeout=0 "$dir" 2>&1) && not_ok 'a wrong value'
	like "$output" '*-o timeout=0: must be a number of seconds from 1 to 86400*' 'a wrong value'
	is "$(option timeout)" 3 'which changes nothing'
	fails EROFS bash -c 'echo x >"$1"' - "$dir/k"
	# The second one is made of what the first has: noexec stays.
	succeeds 'remount,rw once more' mount -o remount,rw "$dir"
	like ",$(findmnt --noheadings --output OPTIONS "$dir")," '*,noexec,*' 'what it was given before stays'
	exec 7<>"$dir/.xsfs/watch"
	output=$(bounded mount -o remount,ro "$dir" 2>&1) && not_ok 'remount,ro while a file is open for writing'
	like "$output" '*a file in it is open for writing*' 'not to ro while a file is open for writing'
	exec 7>&-
	output=$(bounded mount -o remount,ro,bogus "$dir" 2>&1) && not_ok 'an unknown option'
	like "$output" '*unknown option -o bogus; xsfs --help lists those that exist*' 'an unknown option'
	output=$("$XSFS" "$SOURCE" "$dir/.xsfs" -o remount,ro 2>&1) && not_ok 'a directory in the mount'
	is "$output" "xsfs: $dir/.xsfs: no xsfs is mounted there that could be remounted" 'nor a directory in the mount'
	# Whoever may look at the mount may not change it for that.
	chmod 755 "$SCRATCH"
	output=$(setpriv --reuid 65534 --clear-groups "$XSFS" "$SOURCE" "$dir" -o remount,timeout=9 2>&1) && not_ok 'another user'
	is "$(option timeout)" 3 'nor by another user'
	succeeds 'without mount(8)' "$XSFS" "$SOURCE" "$dir" -oremount,ro
	like ",$(findmnt --noheadings --output OPTIONS "$dir")," '*,ro,*noexec,*' 'the same'
	xs write /m/k w
	is "$(<"$dir/k")" w 'the mount goes on'
}

# A shorter timeout frees those who come then, while the store is silent; and a longer log begins at once.
remount_silent() {
	mount_xsfs "$STORE" -o timeout=86400
	xs write /m/k v
	is "$(<"$MNT/m/k")" v 'the store speaks'
	kill -s STOP "$SERVER_PID"
	succeeds 'remount while it is silent' "$XSFS" "$MNT" -o remount,timeout=1,log=debug
	fails ETIMEDOUT cat "$MNT/m/k"
	kill -s CONT "$SERVER_PID"
	succeeds 'remount' "$XSFS" "$MNT" -o remount,timeout=600
	is "$(<"$MNT/m/k")" v 'the store speaks again'
	is "$(($(grep -c ' READ ' "$MOUNT_LOG") > 0))" 1 'log=debug: the log has requests'
	umount_xsfs
}

mount_command() {
	local dir=$SCRATCH/admin
	install_helper
	mkdir -p "$dir"
	MOUNTS+=("$dir")
	SOURCE=socket:$SERVER_SOCKET
	[[ $STORE == socket ]] || SOURCE=ring:domid=0,gfn=0
	succeeds 'mount -t fuse.xsfs' mount -t fuse.xsfs "$SOURCE" "$dir" -o noatime,timeout=5
	is "$(findmnt --noheadings --output FSTYPE,SOURCE "$dir" | tr -s ' ')" "fuse.xsfs $SOURCE" 'findmnt shows type and source'
	xs write /m/k v
	is "$(<"$dir/m/k")" v 'the store is there'
	echo w >"$dir/m/k"
	is "$(value /m/k)" w 'and can be written'
	is "$(daemon_of "$dir" | wc -l)" 1 'one process serves it'
	succeeds 'umount' umount "$dir"
	succeeds 'the process ends' wait_for 5 no_daemon "$dir"
	fails ENOENT cat "$dir/m/k"

	printf '%s %s fuse.xsfs noauto,ro,x-test.option=1,comment=xsfs,root=/m 0 0\n' "$SOURCE" "$dir" >"$SCRATCH/fstab"
	succeeds 'fstab: mount DIR' mount --fstab "$SCRATCH/fstab" "$dir"
	is "$(<"$dir/k")" w 'with its options: root='
	like ",$(findmnt --noheadings --output OPTIONS "$dir")," '*,ro,*' 'and ro'
	fails EROFS bash -c 'echo x >"$1"' - "$dir/k"
	fails EROFS mkdir "$dir/d"
	fails EROFS rm "$dir/k"
	is "$(value /m/k)" w 'the store is as it was'
	remounts "$dir"
	xs write /m/k x
	is "$(<"$dir/k")" x 'it shows what others change'
	succeeds 'umount' umount "$dir"
	succeeds 'the process ends' wait_for 5 no_daemon "$dir"

	# A flag that libfuse does not know, and a remount keeps.
	succeeds 'mount -o nosymfollow' mount -t fuse.xsfs "$SOURCE" "$dir" -o ro,nosymfollow
	like ",$(findmnt --noheadings --output OPTIONS "$dir")," '*,ro,nosuid,nodev,*,nosymfollow,*' 'with the flags of any mount'
	is "$(<"$dir/m/k")" x 'it is served'
	fails ELOOP cat "$dir/.xsfs/self/name"
	succeeds 'remount,rw' mount -o remount,rw "$dir"
	like ",$(findmnt --noheadings --output OPTIONS "$dir")," '*,rw,nosuid,nodev,*,nosymfollow,*' 'remount,rw leaves nosymfollow'
	succeeds 'umount' umount "$dir"
	succeeds 'the process ends' wait_for 5 no_daemon "$dir"

	# Errors that only the process in the background can find reach mount(8).
	if mount -t fuse.xsfs "socket:$SCRATCH/none" "$dir" 2>"$SCRATCH/err"; then
		not_ok 'a store that is not there: mount fails'
	else
		like "$(<"$SCRATCH/err")" "*$SCRATCH/none: No such file or directory*" 'a store that is not there: mount says so'
	fi
	if mount -t fuse.xsfs "$SOURCE" "$dir" -o bogus 2>"$SCRATCH/err"; then
		not_ok 'a wrong option: mount fails'
	else
		like "$(<"$SCRATCH/err")" '*unknown option -o bogus*' 'a wrong option: mount names it'
	fi
	if mounted "$dir"; then
		not_ok 'nothing is mounted then'
	else
		ok 'nothing is mounted then'
	fi
	succeeds 'no process is left' wait_for 5 no_daemon "$dir"
}

# Only root can set that flag: fusermount3, which mounts for others, does not know it.
nosymfollow_as_user() {
	local dir said
	dir=$(mktemp -d "$SCRATCH/user.XXXXXX")
	[[ -u $(command -v fusermount3) ]] || { skip_one 'nosymfollow as a user' 'fusermount3 is not set-uid'; return 0; }
	chmod 755 "$SCRATCH" "$SERVER_DIR"
	chmod 777 "$SERVER_SOCKET"
	chown 65534 "$dir"
	# The build may be where they cannot go.
	cp "$BUILD/src/xsfs" "$SCRATCH/xsfs"
	said=$(bounded setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$SCRATCH/xsfs" "socket:$SERVER_SOCKET" "$dir" -o nosymfollow 2>&1) && not_ok 'nosymfollow as a user'
	is "$said" "xsfs: $dir cannot be mounted with nosymfollow: only root may do that" 'nosymfollow as a user: the reason'
	is "$(findmnt --noheadings --output FSTYPE "$dir")" '' 'and nothing is mounted'
}

# Two mounts of the same store see each other's changes at once; a ring has one owner, the other is a socket.
two_mounts() {
	local first second i wrong=0
	mount_xsfs socket
	first=$MNT
	mount_xsfs "$STORE"
	second=$MNT
	mkdir "$first/both"
	echo 0 >"$first/both/k"
	for ((i = 1; i <= 100; i++)); do
		echo "$i" >"$first/both/k"
		[[ $(<"$second/both/k") == "$i" ]] || wrong=$((wrong + 1))
		echo "$i" >"$second/both/n$i"
		[[ $(<"$first/both/n$i") == "$i" ]] || wrong=$((wrong + 1))
	done
	is "$wrong" 0 'what one writes the other reads'
	is "$(find "$first/both" | wc -l)" 102 'and lists'
	rm -r "$second/both"
	fails ENOENT ls "$first/both"
	# A directory that was made there is an empty key here.
	mkdir "$first/dir"
	is "$(stat --format=%F "$second/dir")" 'regular empty file' 'an empty directory is remembered by its own mount only'
	rmdir "$first/dir"
	umount "$first"
	is "$(<"$second/m/k")" x 'one goes, the other stays'
	umount_xsfs
}

# fill PATH COUNT NAME: makes COUNT keys, NAME being the format of their names.
fill() {
	XENSTORED_PATH=$SERVER_SOCKET PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 \
		python3 "$TEST_DIR/programs/mount_fill.py" "$@"
}

large_directories() {
	fill /large/exact 1024 %03x
	fill /large/over 1025 %03x
	fill /large/wide 60 %0200d
	fill /large/many 2000 %05d
	xs write /large/many own
	mount_xsfs "$STORE"
	is "$(ls "$MNT/large" | paste -sd ' ')" 'exact many over wide' 'directories that do not fit into a message are directories'
	is "$(<"$MNT/large/many/01999") $(<"$MNT/large/many/.value")" '1999 own' 'what is in them can be read by name'
	is "$(ls "$MNT/large/exact" | wc -l)" 1024 'names that just fit into a message'
	if [[ $SERVER_KIND == o && $STORE == ring ]]; then
		# oxenstored has no DIRECTORY_PART, and a ring carries 4096 bytes.
		fails E2BIG ls "$MNT/large/many"
		fails E2BIG ls "$MNT/large/over"
		like "$(<"$MOUNT_LOG")" '*/large/many: too large to be listed*DIRECTORY_PART*' 'the log says why'
		fails ENOTEMPTY rmdir "$MNT/large/many"
		fails E2BIG python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$MNT/large/many" "$MNT/large/moved"
		is "$(value /large/many/00000)" 0 'nothing of it was moved'
	else
		is "$(ls "$MNT/large/many" | sort | md5sum)" "$(seq -f %05g 0 1999 | md5sum)" '2,000 names'
		is "$(ls -A "$MNT/large/many" | wc -l)" 2001 'and .value'
		is "$(ls "$MNT/large/wide" | wc -l)" 60 '12 KB of names'
		is "$(ls "$MNT/large/over" | wc -l)" 1025 'one name more than a message carries'
		is "$(find "$MNT/large" -type f | wc -l)" 4110 'find'
		is "$(cat "$MNT/large/many/"* | sort -n | md5sum)" "$(seq 0 1999 | md5sum)" 'the values of all'
		fails ENOTEMPTY rmdir "$MNT/large/many"
		succeeds 'a large directory is moved' mv "$MNT/large/many" "$MNT/large/moved"
		is "$(value /large/moved) $(value /large/moved/00000) $(value /large/moved/01999)" 'own 0 1999' 'all of it'
		absent /large/many 'nothing is left at its old place'
		# Others come and go while it is listed: what stays is listed, once.
		(
			set +e
			trap - ERR EXIT
			i=0
			while ((++i <= 60)); do
				xs write "/large/moved/x$((i % 7))" '' "/large/moved/y$i" ''
				xs rm "/large/moved/x$((i % 7))"
			done
		) &
		local changer=$! listed wrong=0 rounds=0
		PIDS+=("$changer")
		while alive "$changer"; do
			ls "$MNT/large/moved" >"$SCRATCH/names"
			listed=$(grep -c '^[0-9]*$' "$SCRATCH/names")
			[[ $listed == 2000 && -z $(sort "$SCRATCH/names" | uniq -d) ]] || wrong=$((wrong + 1))
			rounds=$((rounds + 1))
		done
		wait "$changer" || wrong=$((wrong + 100))
		is "$wrong" 0 'while others change it: what stays is listed, once'
		is "$((rounds > 0))" 1 'it was listed meanwhile'
		succeeds 'rm -r' rm -r "$MNT/large"
		absent /large 'nothing is left'
	fi
	is "$(stat_of reconnects)" 0 'one connection all the time'
	umount_xsfs
}

# The kernel may call the connection aborted when it is unmounted (Linux 6.18, seldom, on a busy machine).
aborted() {
	local status=0
	[[ ! $XSFS_TEST_WRAPPER && $(<"$BUILD/config.log") != *fsanitize=* ]] || return 0
	cat >"$SCRATCH/aborted" <<-END
		#!/bin/bash
		export XSFS_ABORTED=yes LD_PRELOAD="\${LD_PRELOAD:+\$LD_PRELOAD:}$BUILD/tests/.libs/libreplies.so"
		exec "\$@"
	END
	chmod +x "$SCRATCH/aborted"
	XSFS_TEST_WRAPPER=$SCRATCH/aborted mount_xsfs "$STORE" -o threads=2
	umount_xsfs || status=$?
	is "$status" 0 'aborted: the daemon ends well'
	is "$(grep -c 'ending:' "$MOUNT_LOG" || true)" 0 'aborted: an unmount all the same'
}

test_mount() {
	requires_fuse
	mount_command
	two_mounts
	large_directories
	[[ $STORE == ring ]] || nosymfollow_as_user
	aborted
}
for_each_store test_mount
for_each_store remount_silent
