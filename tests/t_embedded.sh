#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The embedded store: there with one command, over the ring, and gone without a trace however it ends.
. "${0%/*}/functions.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires_fuse
server_binary c >/dev/null || skip 'no xenstored (xen-utils)'

# Its directories are below this one, so that they can be counted.
export TMPDIR=$SCRATCH/tmp
mkdir "$TMPDIR"

# worlds: how many directories of embedded stores there are.
worlds() {
	find "$TMPDIR" -mindepth 1 -maxdepth 1 -name 'xsfs-embedded.*' | wc -l
}

# child_of PID: prints the process ids of its children but the guard; of an embedded store there is one, the server.
child_of() {
	local stat parent
	for stat in /proc/[0-9]*/stat; do
		{ parent=$(sed 's/.*) [A-Z] //; s/ .*//' "$stat"); } 2>/dev/null || continue
		if [[ $parent == "$1" && $(<"${stat%stat}comm") != fuse-guard ]]; then
			basename "${stat%/stat}"
		fi
	done
}

no_world() {
	[[ $(worlds) == 0 ]]
}

# leaves_nothing NAME SERVER
leaves_nothing() {
	if [[ $2 ]] && wait_for 5 dead "$2" && wait_for 5 no_world; then
		ok "$1: no server and no directory is left"
	else
		not_ok "$1: no server and no directory is left" "server $2, directories: $(worlds)"
	fi
}

look_around() {
	is "$(<"$MNT/local/domain/0/name")" Domain-0 "$1: domain 0"
	is "$(<"$MNT/local/domain/1/name")" web "$1: the first guest"
	is "$(<"$MNT/$(<"$MNT/local/domain/2/vm")/name")" db "$1: the second guest by its vm path"
	is "$(<"$MNT$(<"$MNT/local/domain/1/device/vif/0/backend")/state")" 4 "$1: frontend and backend"
	is "$(getfattr --absolute-names --only-values -n user.xenstore.perms "$MNT/local/domain/1/name")" n0,r1 \
		"$1: what a guest may read"
	is "$(getfattr --absolute-names --only-values -n user.xenstore.perms "$MNT/local/domain/1/device/vif/0/state")" n1,r0 \
		"$1: what belongs to a guest"
	is "$(grep -c '^transport ring$' "$MNT/.xsfs/stats")" 1 "$1: over the ring"
	is "$(XENSTORED_PATH=$(sed -n 's/^socket //p' "$MNT/.xsfs/stats") timeout "$XSFS_TEST_PATIENCE" xenstore-read /local/domain/2/name)" db \
		"$1: by its socket, too"
}

requires getfattr xenstore-read

for server in c o; do
	if ! server_binary "$server" >/dev/null; then
		skip_one "embedded:$server" 'the server is not installed'
		continue
	fi
	mount_xsfs "embedded:$server"
	pid=$(child_of "$MOUNT_PID")
	look_around "embedded:$server"
	is "$(worlds)" 1 "embedded:$server: one directory"
	umount_xsfs
	leaves_nothing "embedded:$server, unmounted" "$pid"
done

# sets PID FIELD: the field of all its threads' status, each value once.
sets() {
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1"/task/*/status | sort -u | paste -sd ' '
}

# Root's daemon and its server may do what they need, and no more.
if ((EUID == 0)); then
	mount_xsfs embedded
	pid=$(child_of "$MOUNT_PID")
	for process in "$MOUNT_PID" "$pid"; do
		name=$(<"/proc/$process/comm")
		is "$(($(sets "$process" CapPrm | tr -d '\n' | sed 's/^/0x/') & ~0x200002)) $(sets "$process" CapBnd)" \
			'0 0000000000200002' "confined: $name: capabilities"
		is "$(sets "$process" NoNewPrivs)" 1 "confined: $name: no new privileges"
	done
	if has_config HAVE_SECCOMP; then
		is "$(sets "$MOUNT_PID" Seccomp)" 2 'confined: a filter of system calls, for all threads'
		umount_xsfs
		mount_xsfs embedded -o seccomp=off
		is "$(sets "$MOUNT_PID" Seccomp)" 0 'seccomp=off: none'
	else
		skip_one 'confined: a filter of system calls' 'built without libseccomp'
	fi
	umount_xsfs
fi

# In the background, as everybody starts it.
MNT=$SCRATCH/background
mkdir "$MNT"
MOUNTS+=("$MNT")
succeeds 'in the background' "$XSFS" embedded "$MNT"
for cmdline in /proc/[0-9]*/cmdline; do
	if { tr '\0' ' ' <"$cmdline"; } 2>/dev/null | grep -q " embedded $MNT \$"; then
		pid=${cmdline%/cmdline}
		daemon=${pid##*/}
	fi
done
pid=$(child_of "$daemon")
is "$(<"$MNT/local/domain/1/name")" web 'it can be used as soon as the command is back'
# The store takes what a privileged domain may write.
value=$(head -c 3500 /dev/zero | tr '\0' x)
printf %s "$value" >"$MNT/tool/large"
is "$(<"$MNT/tool/large")" "$value" 'values beyond a guest'\''s quota'
succeeds 'it unmounts' umount "$MNT"
leaves_nothing 'in the background, unmounted' "$pid"
is "$(wait_for 5 dead "$daemon" && echo gone)" gone 'and so is the daemon'

mount_xsfs embedded
pid=$(child_of "$MOUNT_PID")
kill -s TERM "$MOUNT_PID"
status=0
wait "$MOUNT_PID" || status=$?
is "$status" 0 'SIGTERM: status 0'
leaves_nothing SIGTERM "$pid"

# A killed xsfs takes its server with it; the next one removes its directory, and only that.
mount_xsfs embedded
pid=$(child_of "$MOUNT_PID")
kill -s KILL "$MOUNT_PID"
wait "$MOUNT_PID" 2>/dev/null || true
umount -l "$MNT"
if [[ $pid ]] && wait_for 5 dead "$pid"; then
	ok 'SIGKILL: the server dies too'
else
	not_ok 'SIGKILL: the server dies too' "server $pid"
fi
is "$(worlds)" 1 'SIGKILL: the directory is left'
mount_xsfs embedded
is "$(worlds)" 1 'the next start removes it'
first=$MNT first_pid=$MOUNT_PID
pid=$(child_of "$MOUNT_PID")
mount_xsfs embedded
is "$(worlds)" 2 'that of a living one stays'
is "$(<"$first/local/domain/1/name")" web 'which works'
echo other >"$MNT/local/domain/1/name"
is "$(<"$first/local/domain/1/name")" web 'two embedded stores are two stores'
umount_xsfs
umount "$first"
wait "$first_pid"
leaves_nothing 'two of them' "$pid"

# The server dies: an error, said once, and an orderly end all the same.
# Whoever waits for something in it is told at once: nothing will come any more.
mount_xsfs embedded
pid=$(child_of "$MOUNT_PID")
checked python3 "$TEST_DIR/programs/embedded_waiters.py" "$MNT" "$pid"
dead_store() {
	[[ $(cat "$MNT/local/domain/1/name" 2>&1) == *'Input/output error'* ]]
}
if wait_for 5 dead_store; then
	ok 'a dead server: EIO'
else
	not_ok 'a dead server: EIO' "$(cat "$MNT/local/domain/1/name" 2>&1)"
fi
is "$(grep -c 'the server ended by itself' "$MOUNT_LOG")" 1 'a dead server: said once'
umount_xsfs
leaves_nothing 'a dead server' "$pid"

# The user's environment is another store's, and has what can disturb or mislead a program: an embedded store has
# its own paths, whatever it says.
other_store() {
	[[ $(xs read /name 2>/dev/null) == other ]]
}
start_server c
xs write /name other
other=$(stat --format=%i "$SERVER_SOCKET")
printf 'no library' >"$SCRATCH/broken.so"
for server in c o; do
	server_binary "$server" >/dev/null || continue
	XSFS_TEST_WRAPPER="env XENSTORED_PATH=$SERVER_SOCKET XENSTORED_RUNDIR=$SERVER_DIR XENSTORED_ROOTDIR=$SERVER_DIR
		XSLOOP_DIR=$SERVER_DIR XSLOOP_DOMID=7 XSLOOP_WITHOUT=static LD_AUDIT=$SCRATCH/broken.so LD_DEBUG=files
		LD_DEBUG_OUTPUT=$SCRATCH/debug OCAMLRUNPARAM=v=0x400 CAMLRUNPARAM=v=0x400 MALLOC_PERTURB_=1
		XS_SECRET=1 $XSFS_TEST_WRAPPER" mount_xsfs "embedded:$server"
	is "$(<"$MNT/local/domain/1/name")" web "embedded:$server in the environment of another store"
	succeeds "embedded:$server: the other store can be reached" other_store
	is "$(stat --format=%i "$SERVER_SOCKET")" "$other" "embedded:$server: by the same socket"
	pid=$(child_of "$MOUNT_PID")
	is "$(tr '\0' '\n' <"/proc/$pid/environ" | sed 's/=.*//' | sort | grep -v '^[ALTU][A-Z]*SAN_OPTIONS$' | paste -sd ' ')" \
		'LC_ALL LD_PRELOAD PATH XENSTORED_PATH XENSTORED_ROOTDIR XENSTORED_RUNDIR XSLOOP_DIR XSLOOP_DOMID XSLOOP_LIB' \
		"embedded:$server: the server has nothing of it"
	like "$(tr '\0' '\n' <"/proc/$pid/environ" | grep '^XENSTORED_PATH=')" "XENSTORED_PATH=$TMPDIR/xsfs-embedded.*/socket" \
		"embedded:$server: but paths of its own"
	umount_xsfs
	leaves_nothing "embedded:$server in the environment of another store" "$pid"
done
# The same for who starts a server by hand, as the tests do.
first=$SERVER_DIR
SERVER_DIR='' SERVER_PID=''
XENSTORED_PATH=$first/socket start_server c
is "$(stat --format=%i "$first/socket")" "$other" 'xsloop server: neither takes it another one'\''s socket'
