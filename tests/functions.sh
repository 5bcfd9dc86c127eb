# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034 # subshells have lists of their own; the tests read STORE and others
# SPDX-License-Identifier: MIT
# Helpers of the end-to-end tests: real servers, real mounts, assertions that are counted one by one.
# A test is a bash script tests/t_NAME.sh that sources this file first; tests/README shows one.
#
# The script runs in a mount namespace of its own, so nobody else sees its mounts, and they are gone
# when its last process is. It ends only processes that it started.

set -Eeuo pipefail
export LC_ALL=C

# Servers and transports of the matrix; a test, or the one who runs it, may set fewer.
: "${XSFS_TEST_SERVER:=c o}"
: "${XSFS_TEST_TRANSPORT:=socket ring}"
# Not empty: half of the matrix, each server and each transport once: c/ring and o/socket.
: "${XSFS_TEST_HALF:=}"
# A command that xsfs is run with, such as valgrind.
: "${XSFS_TEST_WRAPPER:=}"
# Not empty: long tests shorten themselves.
: "${XSFS_TEST_QUICK:=}"
# Every wait for a server or a mount ends after this many seconds, in the Python programs too.
export XSFS_TEST_PATIENCE="${XSFS_TEST_PATIENCE:-120}"

if ((EUID == 0)) && [[ -z ${XSFS_TEST_NAMESPACE:-} ]] && unshare --mount true 2>/dev/null; then
	XSFS_TEST_NAMESPACE=1 exec unshare --mount --propagation private -- "$BASH" "$0" "$@"
fi

TEST_NAME=${0##*/}
# tests/ of the source tree, also where $0 is relative to another directory
TEST_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# The scratch directory of this test, removed at its end.
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/xsfs-${TEST_NAME%.sh}.XXXXXX")
# The results: one line for each assertion, in a file because subshells add to it too.
RESULTS=$SCRATCH/.results
: >"$RESULTS"

# Processes that this shell started; a subshell of for_each_store has lists of its own.
PIDS=()
MOUNTS=()
# For the test to read: the store's directory and kind, the last mount and its process.
SERVER_DIR=
SERVER_SOCKET=
SERVER_KIND=
SERVER_PID=
STORE=
MNT=
MOUNT_PID=
# In front of every assertion's name; for_each_store sets it.
PREFIX=

# --- assertions -----------------------------------------------------------------------------------

# note TEXT...: a comment in the log.
note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

# result WORD NAME: counts one assertion and prints it. Names say the same in every run, on one line.
result() {
	local name=${2//"$SCRATCH"\/mnt.??????/MNT}
	name=${name//"$SCRATCH"/SCRATCH}
	name=${name//$'\n'/ }
	((${#name} <= 160)) || name=${name:0:150}...
	printf '%s\n' "$1" >>"$RESULTS"
	# Without a process of its own for each of thousands.
	mapfile -t RESULTS_SO_FAR <"$RESULTS"
	printf '%s %d - %s%s\n' "$1" "${#RESULTS_SO_FAR[@]}" "$PREFIX" "$name"
}

# ok NAME
ok() {
	result 'ok' "$1"
}

# not_ok NAME WHY...: does not end the test.
not_ok() {
	result 'not ok' "$1"
	shift
	(($# == 0)) || note "$@"
}

# skip_one NAME WHY: one assertion that cannot be made here.
skip_one() {
	result 'ok' "${1:0:80} # SKIP ${2:0:60}"
}

# skip WHY: ends the test, or this combination of for_each_store, as skipped.
skip() {
	printf '%s\n' "$*" >"$SCRATCH/.skipped"
	exit 77
}

# is ACTUAL EXPECTED NAME: string comparison.
is() {
	if [[ $1 == "$2" ]]; then
		ok "$3"
	else
		not_ok "$3" "got:      $(printf %q "$1")" $'\n'"expected: $(printf %q "$2")"
	fi
}

# like ACTUAL PATTERN NAME: comparison with a shell pattern.
like() {
	# shellcheck disable=SC2053 # a pattern is wanted
	if [[ $1 == $2 ]]; then
		ok "$3"
	else
		not_ok "$3" "got:     $(printf %q "$1")" $'\n'"pattern: $2"
	fi
}

# succeeds NAME CMD...: CMD ends with status 0.
succeeds() {
	local name=$1 output status=0
	shift
	output=$(bounded "$@" 2>&1) || status=$?
	if ((status == 0)); then
		ok "$name"
	else
		not_ok "$name" "$* ended with status $status: $output"
	fi
}

# same FILE FILE NAME: the same bytes.
same() {
	local output
	if output=$(bounded cmp -- "$1" "$2" 2>&1); then
		ok "$3"
	else
		not_ok "$3" "$output"
	fi
}

# checked CMD...: the assertions of a program that reports them as store_client.py does, with the store's
# socket and that module in its environment. That it ends well is one more.
checked() {
	local verdict got expected name status
	while IFS=$'\t' read -r verdict got expected name; do
		case $verdict in
		same) ok "$name" ;;
		other) not_ok "$name" "got:      $got" $'\n'"expected: $expected" ;;
		status) status=$got ;;
		*) note "$verdict $got $expected $name" ;;
		esac
	done < <(
		status=0
		XENSTORED_PATH=$SERVER_SOCKET PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 \
			timeout --kill-after=2 $((2 * XSFS_TEST_PATIENCE)) "$@" 2>&1 || status=$?
		printf 'status\t%d\n' "$status"
	)
	# A SIGCHLD later would interrupt what bash does next in a mount, if that takes long.
	wait "$!" || true
	is "$status" 0 "$1 ${2##*/} ends well"
}

declare -A ERRNO_TEXT=(
	[E2BIG]='Argument list too long'
	[EACCES]='Permission denied'
	[EAGAIN]='Resource temporarily unavailable'
	[EBADF]='Bad file descriptor'
	[EBUSY]='Device or resource busy'
	[ECANCELED]='Operation canceled'
	[EDQUOT]='Disk quota exceeded'
	[EEXIST]='File exists'
	[EFBIG]='File too large'
	[EINTR]='Interrupted system call'
	[EINVAL]='Invalid argument'
	[EIO]='Input/output error'
	[EISDIR]='Is a directory'
	[ELOOP]='Too many levels of symbolic links'
	[ENAMETOOLONG]='File name too long'
	[ENODATA]='No data available'
	[ENODEV]='No such device'
	[ENOENT]='No such file or directory'
	[ENOMEM]='Cannot allocate memory'
	[ENOSPC]='No space left on device'
	[ENOSYS]='Function not implemented'
	[ENOTCONN]='Transport endpoint is not connected'
	[ENOTDIR]='Not a directory'
	[ENOTEMPTY]='Directory not empty'
	[ENOTRECOVERABLE]='State not recoverable'
	[ENOTSUP]='Operation not supported'
	[EOPNOTSUPP]='Operation not supported'
	[EOVERFLOW]='Value too large for defined data type'
	[EPERM]='Operation not permitted'
	[EPIPE]='Broken pipe'
	[ERANGE]='Numerical result out of range'
	[EROFS]='Read-only file system'
	[ESTALE]='Stale file handle'
	[ETIMEDOUT]='Connection timed out'
	[EXDEV]='Invalid cross-device link'
)

# fails ERRNO CMD...: CMD fails and its message has the text of that error. For a shell's redirection:
# fails EINVAL bash -c 'echo x >"$1"' - FILE
fails() {
	local errno=$1 text=${ERRNO_TEXT[$1]-} output status=0
	shift
	[[ $text ]] || { not_ok "$errno: $*" 'no such error name in functions.sh'; return 0; }
	output=$(bounded "$@" 2>&1 </dev/null) || status=$?
	if ((status == 0)); then
		not_ok "$errno: $*" 'it succeeded'
	elif [[ $output == *"$text"* ]]; then
		ok "$errno: $*"
	else
		not_ok "$errno: $*" "status $status: $output"
	fi
}

# bounded CMD...: runs CMD, a program or a function, for at most XSFS_TEST_PATIENCE seconds.
bounded() {
	if declare -F "$1" >/dev/null; then
		"$@"
	else
		timeout --kill-after=2 "$XSFS_TEST_PATIENCE" "$@"
	fi
}

# wait_for SECONDS CMD...: until CMD succeeds; status 1 when the time is over. It takes SECONDS at the most
# where there is nothing else to do, and XSFS_TEST_PATIENCE on a busy machine, if that is longer.
wait_for() {
	wait_at_most $(($1 > XSFS_TEST_PATIENCE ? $1 : XSFS_TEST_PATIENCE)) "${@:2}"
}

# wait_at_most SECONDS CMD...: the same, on a busy machine too.
wait_at_most() {
	local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		((${EPOCHREALTIME/[.,]/} < deadline)) || return 1
		sleep 0.02
	done
}

# --- what the test needs --------------------------------------------------------------------------

# requires CMD...: skips the test where one of these programs is missing; with a slash, one of the build.
requires() {
	local command
	for command; do
		command -v "$command" >/dev/null ||
			skip "$command is not $([[ $command == */* ]] && echo built || echo installed)"
	done
}

# requires_fuse: skips the test where nothing can be mounted.
requires_fuse() {
	((EUID == 0)) || skip 'mounting needs root'
	[[ -c /dev/fuse ]] || skip 'there is no /dev/fuse'
	# shellcheck disable=SC2188 # opening it is the test
	(: <>/dev/fuse) 2>/dev/null || skip '/dev/fuse cannot be opened'
}

# find_build: sets BUILD, XSFS, XSLOOP and XSFS_LOOP_LIB.
find_build() {
	local candidate
	for candidate in "${top_builddir:-}" "$PWD" "$PWD/.." "$TEST_DIR/../build" "$TEST_DIR/.."; do
		if [[ $candidate && -x $candidate/config.status ]]; then
			BUILD=$(cd "$candidate" && pwd)
			XSFS=${XSFS:-$BUILD/src/xsfs}
			XSLOOP=$BUILD/tests/loop/xsloop
			# what `xsfs embedded` preloads
			XSFS_LOOP_LIB=$BUILD/tests/loop/.libs/libxsloop.so
			export XSFS XSLOOP XSFS_LOOP_LIB
			return 0
		fi
	done
	printf '%s: no build found; set top_builddir to the directory of configure\n' "$TEST_NAME" >&2
	exit 1
}

# has_config MACRO: whether the build defines it.
has_config() {
	grep -q "^#define $1 1" "$BUILD/config.h"
}
# has_sanitizer: the build is one for sanitizers, which need memory, system calls and rights of their own.
has_sanitizer() {
	grep -q -e '-fsanitize=' "$BUILD/config.log"
}

# --- servers --------------------------------------------------------------------------------------

# server_binary c|o: prints its path; status 1 if it is not installed.
server_binary() {
	local name=xenstored candidate
	[[ $1 == c ]] || name=oxenstored
	for candidate in /usr/lib/xen-*/bin/"$name" /usr/sbin/"$name"; do
		if [[ -x $candidate ]]; then
			printf '%s\n' "$candidate"
			return 0
		fi
	done
	return 1
}

# loop_env [DOMID]: prints the shell commands that let a process play DOMID in the current world.
loop_env() {
	"$XSLOOP" env "$SERVER_DIR" "${1:-0}"
}

# start_server c|o [args]: starts a real server in a world of its own, unless there is one to start again
# (after kill_server or stop_server), and waits until it answers. Sets SERVER_DIR and SERVER_PID.
start_server() {
	local kind=$1
	shift
	server_binary "$kind" >/dev/null || skip "no $([[ $kind == c ]] || printf o)xenstored (xen-utils)"
	if [[ -z $SERVER_DIR || $SERVER_KIND != "$kind" ]]; then
		SERVER_DIR=$(mktemp -d "$SCRATCH/world.XXXXXX")
		SERVER_SOCKET=$SERVER_DIR/socket
		"$XSLOOP" init "$SERVER_DIR"
		SERVER_KIND=$kind
	fi
	"$XSLOOP" server "$SERVER_DIR" "$kind" "$@" >>"$SCRATCH/server.log" 2>&1 </dev/null &
	SERVER_PID=$!
	# Nobody wants to read that it was killed.
	disown "$SERVER_PID"
	PIDS+=("$SERVER_PID")
	if ! timeout "$XSFS_TEST_PATIENCE" "$XSLOOP" wait "$SERVER_DIR"; then
		tail -n 20 "$SCRATCH/server.log" | sed 's/^/# server: /'
		printf '%s: the server does not answer\n' "$TEST_NAME" >&2
		return 1
	fi
}

# stop_server: in good order; it may be started again.
stop_server() {
	end_process "$SERVER_PID"
	SERVER_PID=
}

# kill_server: as if it had crashed; it may be started again.
kill_server() {
	end_process "$SERVER_PID" KILL
	SERVER_PID=
}

# xs COMMAND ARGS...: xenstore-COMMAND on the current server, over its socket.
xs() {
	local command=$1
	shift
	XENSTORED_PATH=$SERVER_SOCKET timeout --kill-after=2 "$XSFS_TEST_PATIENCE" "xenstore-$command" "$@"
}

# value PATH: prints a node's value as the store has it, byte for byte.
value() {
	xs read -R "$1"
}

# exists PATH: whether the store has that node.
exists() {
	xs exists "$1" 2>/dev/null
}

# absent PATH NAME: the store has no such node.
absent() {
	if exists "$1"; then
		not_ok "$2" "the store has $1"
	else
		ok "$2"
	fi
}

# --- mounts ---------------------------------------------------------------------------------------

# mounted DIR: looks without asking the file system itself, which may hang.
mounted() {
	[[ $(awk -v dir="$1" '$5 == dir' /proc/self/mountinfo) ]]
}

# mounts_count: prints how many mounts of xsfs there are, those of this machine with them.
mounts_count() {
	grep -c ' - fuse\.xsfs ' /proc/self/mountinfo || true
}

# mount_xsfs STORE [ARGS]: mounts STORE on a new directory and waits until it is there. STORE is anything
# that xsfs understands, or just "socket" or "ring" for the current server. ARGS go to xsfs as they are.
# Nothing is cached unless XSFS_TEST_CACHE says meta, or ARGS: what somebody else changes is then seen at
# once, where otherwise the test would have to wait for it.
# Sets MNT, MOUNT_PID and MOUNT_LOG; where xsfs ends instead, returns its status.
mount_xsfs() {
	local store=$1 deadline looped=
	shift
	requires_fuse
	MNT=$(mktemp -d "$SCRATCH/mnt.XXXXXX")
	MOUNT_LOG=$MNT.log
	case $store in
	socket | ring*) looped=yes ;;
	esac
	(
		if [[ $looped && $SERVER_DIR ]]; then
			eval "$(loop_env "${XSFS_TEST_DOMID:-0}")"
			case $store in
			socket)
				unset LD_PRELOAD
				store=socket:$SERVER_SOCKET
				;;
			ring) store=ring:domid=0,gfn=0 ;;
			esac
		fi
		# shellcheck disable=SC2086 # the wrapper may have arguments
		exec $XSFS_TEST_WRAPPER "$XSFS" "$store" "$MNT" -f -o "cache=${XSFS_TEST_CACHE:-off}" "$@"
	) >"$MOUNT_LOG" 2>&1 </dev/null &
	MOUNT_PID=$!
	PIDS+=("$MOUNT_PID")
	MOUNTS+=("$MNT")
	deadline=$((${EPOCHREALTIME/[.,]/} + XSFS_TEST_PATIENCE * 1000000))
	until mounted "$MNT"; do
		if ! alive "$MOUNT_PID"; then
			local status=0
			wait "$MOUNT_PID" || status=$?
			sed 's/^/# xsfs: /' "$MOUNT_LOG"
			return $((status ? status : 1))
		fi
		if ((${EPOCHREALTIME/[.,]/} > deadline)); then
			sed 's/^/# xsfs: /' "$MOUNT_LOG"
			printf '%s: no mount after %s s\n' "$TEST_NAME" "$XSFS_TEST_PATIENCE" >&2
			return 1
		fi
		sleep 0.02
	done
}

# umount_xsfs [DIR]: in good order, and waits for the process of the last mount (status: its status).
umount_xsfs() {
	local dir=${1:-$MNT}
	timeout --kill-after=2 "$XSFS_TEST_PATIENCE" umount "$dir"
	if [[ $dir == "$MNT" && $MOUNT_PID ]]; then
		wait_for "$XSFS_TEST_PATIENCE" dead "$MOUNT_PID" || return 1
		wait "$MOUNT_PID"
	fi
}

# stat_of NAME [DIR]: prints a number of the mount's statistics, 0 if it has none of that name.
stat_of() {
	awk -v name="$1" '$1 == name { n = $2 } END { print n + 0 }' "${2:-$MNT}/.xsfs/stats"
}

# perms FILE: prints what user.xenstore.perms says.
perms() {
	bounded getfattr --absolute-names --only-values -n user.xenstore.perms "$1"
}

# kernel_forgets: makes the kernel forget what it knows of the last mount and nobody has open. A remount does that
# and leaves other mounts alone; drop_caches would make tests fail that run at the same time and count requests.
# By the old system call, as with the new one FUSE refuses the options that it is shown with.
kernel_forgets() {
	LIBMOUNT_FORCE_MOUNT2=always bounded mount -i -o remount "$MNT"
}

# fuse_abort DIR: ends a FUSE connection, whatever state its server is in.
fuse_abort() {
	local device
	device=$(awk -v dir="$1" '$5 == dir { split($3, number, ":"); print number[2] }' \
		/proc/self/mountinfo | tail -n 1)
	[[ $device ]] || return 0
	if [[ ! -d /sys/fs/fuse/connections/$device ]]; then
		mount -t fusectl fusectl /sys/fs/fuse/connections 2>/dev/null || true
	fi
	echo 1 2>/dev/null >"/sys/fs/fuse/connections/$device/abort" || true
}

# for_each_store FUNCTION [ARGS]: runs FUNCTION with a fresh server under every server and transport of the
# matrix, each in a subshell. FUNCTION mounts "$STORE". ARGS go to the server.
for_each_store() {
	local server transport status ran=
	for server in $XSFS_TEST_SERVER; do
		for transport in $XSFS_TEST_TRANSPORT; do
			# A test that wants one transport gets both servers.
			case $XSFS_TEST_HALF,$XSFS_TEST_TRANSPORT,$server/$transport in
			?*,*' '*,c/socket | ?*,*' '*,o/ring) continue ;;
			esac
			status=0
			rm -f "$SCRATCH/.skipped"
			# Not "|| status=$?", which would make the shell ignore failures inside as well.
			set +e
			trap - ERR
			(
				set -Ee
				trap on_error ERR
				PIDS=() MOUNTS=() SERVER_DIR='' SERVER_PID='' MNT='' MOUNT_PID=''
				PREFIX="[$server/$transport] "
				STORE=$transport
				trap 'cleanup; exit $FINAL' EXIT
				[[ $transport == socket ]] || has_config HAVE_XEN ||
					skip 'built without the ring transport'
				start_server "$server" "${@:2}"
				"$1"
			)
			status=$?
			set -e
			trap on_error ERR
			case $status in
			0) ran=yes ;;
			77)
				PREFIX="[$server/$transport] " skip_one "$1" "$(<"$SCRATCH/.skipped")"
				;;
			*)
				ran=yes
				PREFIX="[$server/$transport] " not_ok "$1" "ended with status $status"
				;;
			esac
		done
	done
	[[ $ran ]] || exit 77
}

# --- processes and the end ------------------------------------------------------------------------

# alive PID: it runs; one that ended and was not waited for does not count. One that was killed counts until its last
# thread has ended, as that has its files, and their locks, until then.
alive() {
	local state tasks
	[[ $1 ]] || return 1
	read -r state 2>/dev/null <"/proc/$1/stat" || return 1
	[[ ${state##*) } != X* ]] || return 1
	[[ ${state##*) } == Z* ]] || return 0
	tasks=("/proc/$1/task/"*)
	((${#tasks[@]} > 1))
}

dead() {
	! alive "$1"
}

# end_process PID [SIGNAL]: and waits for it; insists with SIGKILL. A server gets no more than five seconds:
# oxenstored heeds SIGTERM only when every connection has taken its replies, which a dead mount never does.
end_process() {
	local patience=$XSFS_TEST_PATIENCE
	[[ $1 ]] || return 0
	[[ $1 != "$SERVER_PID" ]] || patience=5
	kill -s "${2:-TERM}" "$1" 2>/dev/null || true
	wait_at_most "$patience" dead "$1" || kill -s KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

# cleanup: unmounts and ends all that this shell started, and reports what the sanitizers found. Sets
# FINAL, the status that the shell had, or 1.
cleanup() {
	FINAL=$?
	trap - ERR
	set +e
	local index dir pid report
	for ((index = ${#MOUNTS[@]} - 1; index >= 0; index--)); do
		dir=${MOUNTS[index]}
		mounted "$dir" || continue
		timeout --kill-after=1 5 umount "$dir" 2>/dev/null && continue
		note "$dir did not unmount: aborted"
		fuse_abort "$dir"
		umount -l "$dir"
	done
	for pid in "${PIDS[@]}"; do
		# A process whose mount is gone ends by itself; only then are its leaks looked for.
		[[ $pid == "$SERVER_PID" ]] || wait_at_most 5 dead "$pid"
		alive "$pid" && end_process "$pid"
	done
	for report in "$SCRATCH"/sanitizer.*; do
		[[ -s $report ]] || continue
		not_ok 'the sanitizers find nothing' "$(head -n 60 "$report")"
		rm -f "$report"
	done
	return 0
}

# on_error: says which command ends the test.
on_error() {
	local status=$?
	printf '# %s:%d: %s: status %d\n' "${BASH_SOURCE[1]##*/}" "${BASH_LINENO[0]}" \
		"${BASH_COMMAND:0:200}" "$status" >&2
}

# finish: the end of every test. What died on the way is a failure more.
finish() {
	cleanup
	local count
	count=$(wc -l <"$RESULTS")
	if ((FINAL == 77)); then
		printf '1..0 # SKIP %s\n' "$(cat "$SCRATCH/.skipped" 2>/dev/null)"
	else
		if ((FINAL != 0)); then
			not_ok "$TEST_NAME runs to its end" "it ended with status $FINAL"
			count=$((count + 1))
		fi
		printf '1..%d\n' "$count"
		! grep -q '^not' "$RESULTS" || FINAL=1
	fi
	rm -rf --one-file-system "$SCRATCH"
	exit "$FINAL"
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
trap on_error ERR

export ASAN_OPTIONS=detect_leaks=1:log_path=$SCRATCH/sanitizer:${ASAN_OPTIONS:-}
export LSAN_OPTIONS=log_path=$SCRATCH/sanitizer:${LSAN_OPTIONS:-}
export UBSAN_OPTIONS=print_stacktrace=1:log_path=$SCRATCH/sanitizer:${UBSAN_OPTIONS:-}
export TSAN_OPTIONS=log_path=$SCRATCH/sanitizer:${TSAN_OPTIONS:-}

find_build
