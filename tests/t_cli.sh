#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The command line: wrong usage ends with one line that says what to do and a status other than 0, and
# leaves nothing behind; a failure that comes late reaches the caller as well.
. "${0%/*}/functions.sh"

DIR=$SCRATCH/mountpoint
mkdir "$DIR"
unset XENSTORED_PATH

# refuses PATTERN ARGS...: xsfs ARGS fails with one line on standard error that matches, and nothing else.
refuses() {
	local pattern=$1 status=0 errors
	shift
	bounded "$XSFS" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null || status=$?
	errors=$(<"$SCRATCH/err")
	if ((status == 0 || status >= 124)); then
		not_ok "refused: xsfs $*" "status $status: $errors"
	elif [[ $(wc -l <"$SCRATCH/err") != 1 || $errors != "xsfs: "$pattern || -s $SCRATCH/out ]]; then
		not_ok "refused: xsfs $*" "got: $errors" $'\n'"$(<"$SCRATCH/out")" $'\n'"pattern: $pattern"
	else
		ok "refused: xsfs $*"
	fi
}

help=$("$XSFS" --help)
is "$(sed '/^Tools/,$d' <<<"$help" | wc -l | awk '{ print ($1 <= 32) }')" 1 'what it says of mounting is short'
is "$(awk 'length > 80' <<<"$help")" '' 'no line is long'
is "$("$XSFS" -h)" "$help" '-h is --help'
like "$("$XSFS" -V)" 'xsfs [0-9]*' 'the version'
is "$("$XSFS" --version)" "$("$XSFS" -V)" '--version is -V'
# A bug report should name libraries and parts.
version=$("$XSFS" -V)
built_with=$(pkg-config --modversion fuse3) || built_with='*'
like "$version" "xsfs $(sed -n 's/^#define PACKAGE_VERSION "\(.*\)"$/\1/p' "$BUILD/config.h")"$'\n'"*" 'it begins with our own'
like "$version" "*"$'\n'"libfuse 3.*, built with $built_with"$'\n'"*" 'libfuse'"'"'s, as it runs and as built'
like "$version" "*"$'\n'"tools: jansson [0-9]*" 'the tools'"'"' library'
like "$version" "*"$'\n'"system calls $(has_config HAVE_SECCOMP && echo 'filtered by' || echo 'not filtered: built without')*libseccomp*" \
	'whether system calls are filtered'
if has_config HAVE_XEN; then
	like "$version" "*"$'\n'"transports: socket, xenbus, ring"$'\n'"*" 'the transports'
	like "$version" "*"$'\n'"built with Xen 4.*: libxenevtchn *, libxenforeignmemory *"$'\n'"*" 'Xen'"'"'s libraries'
	like "$version" "*"$'\n'"embedded: $XSFS_LOOP_LIB"$'\n'"*" 'the library of the embedded store'
	like "$(XSFS_LOOP_LIB=/nowhere "$XSFS" -V)" '*embedded: not installed (*xsfs-embedded)*' 'and what it is when it lacks'
	errors=$(XSFS_LOOP_LIB=/nowhere bounded "$XSFS" embedded "$DIR" 2>&1 || true)
	like "$errors" '*/nowhere: No such file or directory (*xsfs-embedded)' 'which says what to install'
else
	like "$version" "*"$'\n'"transports: socket, xenbus"$'\n'"*" 'the transports'
fi
for word in auto socket xenbus -f -d -h -V; do
	like "$help" "*[[:space:]]${word}[]:,[[:space:]]*" "the help has $word"
done
# Parts that this build lacks are not offered.
refused=$("$XSFS" disk "$DIR" 2>&1 || true)
for word in ring embedded; do
	is "$(grep -c "^ *${word}[[]" <<<"$help") $(grep -c " ${word}\\b" <<<"$refused")" \
		"$(has_config HAVE_XEN && echo 1 1 || echo 0 0)" "the help has $word where it can be used"
done

refuses 'no mount point given*'
refuses 'no mount point given*' -f
refuses '*missing argument*' "$DIR" -o
refuses 'one argument too many: more*' auto "$DIR" more
refuses 'unknown option --bogus*--help*' --bogus "$DIR"
refuses 'unknown option -o bogus;*--help*' "$DIR" -o rw,bogus
refuses '-o format=words: must be text or raw' "$DIR" -o format=words
refuses '-o root=nowhere: must be an absolute path*' "$DIR" -o root=nowhere
refuses '-o timeout=never: must be a number*' "$DIR" -o timeout=never
refuses "$DIR: no xsfs is mounted there that could be remounted" xenstore "$DIR" -o rw,remount
refuses 'no mount point given*' -o rw,remount
refuses 'unknown store disk: must be *; or a verb: ls devices *' disk "$DIR"
refuses 'lst: there is no such directory; make it with mkdir; or a verb: ls devices *' lst
refuses '-o demo: only for the store embedded*' "$DIR" -o demo
# Where there is Xen it is another reason.
refuses 'no ring: *ring: *' ring "$DIR"
refuses "$SCRATCH/missing:*mkdir" auto "$SCRATCH/missing"
touch "$SCRATCH/file"
refuses "$SCRATCH/file: not a directory*" auto "$SCRATCH/file"

# Verbs: each is a program of its own, and xsfs-top needs ncurses.
verbs='ls devices watch wait set restore tx '
! has_config HAVE_TOP || verbs+='top '
is "$("$XSFS" help | sed -n 's/^  xsfs \([a-z]*\) .*/\1/p' | tr '\n' ' ')" "$verbs" 'the verbs'
is "$("$XSFS" help | wc -l | awk '{ print ($1 <= 24) }')" 1 'fit on a screen'
like "$help" "*$("$XSFS" help | grep '^  xsfs ')" 'the help has them too'
like "$("$XSFS" help)" '*.perms, .watch, .next, .dump, .json*.xsfs*' 'the help names what is not listed'
for verb in $verbs; do
	like "$("$XSFS" help "$verb")" "usage: xsfs-$verb *" "help $verb"
	is "$("$XSFS" "$verb" --version)" "xsfs-$verb $("$XSFS" -V | sed -n '1s/^xsfs //p')" "$verb is a program"
done
refuses 'there is no verb lst; there are: ls *' help lst
ln -s "$XSFS" "$SCRATCH/alone"
like "$("$SCRATCH/alone" ls --version)" 'xsfs-ls *' 'the one beside xsfs is found by a link, too'
cp "$XSFS" "$SCRATCH/other"
status=0
errors=$(PATH=/nowhere "$SCRATCH/other" ls 2>&1) || status=$?
like "$status $errors" '2 xsfs: xsfs-ls: No such file or directory: *installation of xsfs' 'without its programs'
mkdir "$SCRATCH/path"
printf '#!/bin/sh\necho "$@"\n' >"$SCRATCH/path/xsfs-ls"
chmod +x "$SCRATCH/path/xsfs-ls"
is "$(PATH=$SCRATCH/path:$PATH "$SCRATCH/other" ls 1)" 1 'else the one in PATH'

# Errors of the child in the background, and of one in the foreground.
refuses "$SCRATCH/no-socket: No such file or directory*xenstored*" "socket:$SCRATCH/no-socket" "$DIR"
refuses "$SCRATCH/no-socket: No such file or directory*xenstored*" "socket:$SCRATCH/no-socket" "$DIR" -f
refuses "$SCRATCH/no-device: No such file or directory*" "xenbus:$SCRATCH/no-device" "$DIR"
if [[ -e /var/run/xenstored/socket || -e /run/xenstored/socket || -e /dev/xen/xenbus ]]; then
	skip_one 'no store is an error that names embedded' 'there may be a store here'
else
	instead='*xsfs embedded MOUNTPOINT'
	has_config HAVE_XEN || instead='/dev/xen/xenbus: No such file or directory'
	refuses "no store here: *$instead" "$DIR"
	refuses "no store here: *$instead" none "$DIR" -o rw,dev,suid
fi
if has_config HAVE_XEN; then
	XSFS_LOOP_LIB=$SCRATCH/nothing.so refuses 'embedded: *installation*' embedded "$DIR"
else
	refuses "embedded: *without Xen's libraries" embedded "$DIR"
fi
if mounted "$DIR"; then
	not_ok 'nothing was mounted'
else
	ok 'nothing was mounted'
fi

# As mount(8) does it: the helper is found, generic options are taken, the store's name is shown.
test_mount() {
	local bin=$SCRATCH/bin type options
	requires_fuse
	[[ -x /sbin/mount.fuse || -x /sbin/mount.fuse3 ]] || skip 'mount.fuse3 is not installed (fuse3)'
	# mount(8) leaves its helper the shell's own idea of PATH.
	mkdir "$bin"
	ln -s "$XSFS" "$bin/xsfs"
	mount --bind "$bin" /usr/local/bin
	MOUNTS+=(/usr/local/bin "$DIR")
	succeeds 'mount -t fuse.xsfs' mount -t fuse.xsfs "socket:$SERVER_SOCKET" "$DIR" \
		-o ro,nofail,noatime,_netdev,timeout=5
	read -r _ _ type options _ < <(grep " $DIR " /proc/mounts)
	is "$type" fuse.xsfs 'the type of the mount'
	like ",$options," '*,ro,*' 'ro is the kernel'\''s to keep'
	like ",$options," '*,noatime,*' 'noatime is passed on'
	fails EROFS touch "$DIR/new"
	is "$(findmnt --noheadings --output SOURCE "$DIR")" "socket:$SERVER_SOCKET" 'the source'
	succeeds 'remounting' mount -o remount,rw "$DIR"
	like "$(grep " $DIR " /proc/mounts)" '* rw,nosuid,nodev,noatime,*' 'makes it writable, and the rest stays'
	mkdir "$SCRATCH/second"
	MOUNTS+=("$SCRATCH/second")
	succeeds 'a second mount of the same store, by XENSTORED_PATH' \
		env XENSTORED_PATH="$SERVER_SOCKET" mount -t fuse.xsfs xenstore "$SCRATCH/second"
	xs write /here 1
	is "$(<"$SCRATCH/second/here")" 1 'the second mount shows the store'
	is "$(<"$DIR/here")" 1 'so does the first'
	succeeds 'a mount over a mount' mount -t fuse.xsfs "socket:$SERVER_SOCKET" "$DIR" -o root=/tool
	is "$(grep -c " $DIR " /proc/mounts)" 2 'both are there'
	succeeds 'the upper one goes' umount "$DIR"
	succeeds 'the lower one goes' umount "$DIR"
}

# However it ends, the mount is gone and the status is 0.
test_signals() {
	local signal status
	requires_fuse
	for signal in TERM INT HUP; do
		mount_xsfs socket
		kill -s "$signal" "$MOUNT_PID"
		status=0
		wait "$MOUNT_PID" || status=$?
		is "$status" 0 "SIG$signal ends it in order"
		if mounted "$MNT"; then
			not_ok "SIG$signal unmounts"
		else
			ok "SIG$signal unmounts"
		fi
	done
}

# shellcheck disable=SC2034 # for_each_store reads them
XSFS_TEST_SERVER=c XSFS_TEST_TRANSPORT=socket
for_each_store test_mount
for_each_store test_signals
