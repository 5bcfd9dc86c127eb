#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The examples of contrib/examples, on the embedded store: what they print, what they change, and that a guest's
# keys do not mislead them.
# shellcheck source=tests/functions.sh
. "${0%/*}/functions.sh"
# shellcheck source=tests/load.sh
. "${0%/*}/load.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires_fuse
requires findmnt getfattr python3 xenstore-ls
server_binary c >/dev/null || skip 'no xenstored (xen-utils)'

# The embedded store's socket is below this directory.
export TMPDIR=$SCRATCH/tmp
mkdir "$TMPDIR"
examples=$TEST_DIR/../contrib/examples
# A program of the test may be put in front of one.
mkdir "$SCRATCH/bin"
ln -s "$BUILD/src/xsfs-tx" "$SCRATCH/bin/xsfs-tx"
PATH=$SCRATCH/bin:$BUILD/src:$PATH

mount_xsfs embedded
export XSFS_MOUNT=$MNT
# shellcheck disable=SC2034 # xs reads it
SERVER_SOCKET=$(echo "$TMPDIR"/xsfs-embedded.*/socket)

# example NAME ARGS...: runs it; its output, errors too, is the result.
example() {
	bounded bash "$examples/$1" "${@:2}" 2>&1
}

# refuses STATUS PATTERN NAME ARGS...: the example ends with that status and says one line that matches.
refuses() {
	local expected=$1 pattern=$2 output status=0
	shift 2
	output=$(example "$@") || status=$?
	like "$status $output" "$expected $pattern" "refused: $*"
}

# permissions PATH: prints the subtree with permissions, without its own path.
permissions() {
	xs ls -fp "$1" | sed "s:^$1::"
}

for name in copy-subtree increment on-new-domain print-changes wait-backend; do
	like "$(example $name --help)" "usage: $name \[-m MOUNT] *" "$name --help"
done
like "$(python3 "$examples/restore-json" --help)" 'usage: restore-json *' 'restore-json --help'
like "$(example list-domains --help)|$(example list-devices -h)" 'usage: xsfs-ls *|usage: xsfs-devices *' 'those of tools'

# The old names of the tools, which t_tools tests.
is "$(example list-domains)" "$(xsfs ls)" 'list-domains is xsfs ls'
is "$(example list-devices web)" "$(xsfs devices web)" 'list-devices is xsfs devices'
XSFS_MOUNT=$SCRATCH refuses 2 'xsfs-ls: *no xenstore is mounted there' list-domains
refuses 1 'xsfs-devices: there is no domain 3*' list-devices 3

# Where the store is. The machine may have other mounts, but none that one stands in.
is "$(example increment /tool/found)" 1 'the mount that XSFS_MOUNT names'
is "$(XSFS_MOUNT=$SCRATCH example increment -m "$MNT" /tool/found)" 2 'that -m names'
is "$(XSFS_MOUNT=$SCRATCH example increment "$MNT/tool/found") $(XSFS_MOUNT=$SCRATCH example increment "$MNT/tool/found2")" '3 1' \
	'that a file is in, or will be'
is "$(cd "$MNT/tool" && unset XSFS_MOUNT && example increment found)" 4 'that one stands in'
first=$MNT first_pid=$MOUNT_PID
mount_xsfs embedded
for command in "increment /tool/found" "print-changes 1" "wait-backend vif 1 0" "on-new-domain echo"; do
	# shellcheck disable=SC2086 # words
	(unset XSFS_MOUNT && refuses 1 'find-mount: several stores are mounted: say which by -m, or by XSFS_MOUNT' $command)
done
umount_xsfs
MNT=$first MOUNT_PID=$first_pid
# among EXPRESSION COMMAND...: runs it where there are only those mounts for which that is true.
among() {
	# shellcheck disable=SC2016 # the dollars are the inner shell's
	env -u XSFS_MOUNT unshare --mount --propagation private -- bash -c '
		findmnt --list --noheadings --output TARGET --types fuse.xsfs | while IFS= read -r mount; do
			eval "$1" || umount --lazy "$mount"
		done
		exec "${@:2}"' - "$@" 2>&1
}
is "$(among "[[ \$mount == '$MNT' ]]" bash "$examples/increment" /tool/found)" 5 'the only one that there is'
is "$(among false bash "$examples/increment" /tool/found)" 'find-mount: no store is mounted' 'none that there is'
rm "$MNT/tool/found" "$MNT/tool/found2"

echo own >"$MNT/local/domain/1/device/.value"
succeeds 'copy-subtree' bash "$examples/copy-subtree" /local/domain/1 /tool/saved
is "$(permissions /tool/saved | sort)" "$(permissions /local/domain/1 | sort)" 'the same keys, values and permissions'
is "$(permissions /tool/saved | grep -c 'n1,r0')" 22 'the permissions of the guest among them'
is "$(value /tool/saved/device)" own 'and the value of a directory'
is "$(perms "$MNT/tool/saved")" n0,r1 'and the permissions of the copy itself'
is "$(ls "$MNT/tool")" $'saved\nxenstored' 'nothing else was left there'
succeeds 'copy-subtree of a single key' bash "$examples/copy-subtree" /local/domain/1/name /tool/name
is "$(value /tool/name) $(perms "$MNT/tool/name")" 'web n0,r1' 'it is there'
(cd "$MNT/local" && succeeds 'copy-subtree of files in the mount' bash "$examples/copy-subtree" domain/1/name "$MNT/tool/./name2")
is "$(value /tool/name2)" web 'it is there too'
rm "$MNT/tool/name2"
refuses 1 'copy-subtree: /tool/saved exists' copy-subtree /local/domain/2 /tool/saved
refuses 1 'copy-subtree: there is no /local/domain/3' copy-subtree /local/domain/3 /tool/x
refuses 1 'copy-subtree: there is no directory /none' copy-subtree /tool/name /none/x
refuses 1 'copy-subtree: /tool/saved/x is inside of /tool/saved' copy-subtree /tool/saved /tool/saved/x
refuses 1 'copy-subtree: /../etc: not the path of a key' copy-subtree /../etc /tool/x
refuses 2 'usage: copy-subtree *' copy-subtree /tool
is "$(ls "$MNT/tool")" $'name\nsaved\nxenstored' 'what was refused left nothing'

is "$(example increment /tool/counter)" 1 'increment: a key that is not there counts as 0'
is "$(example increment /tool/counter 41) $(value /tool/counter)" '42 42' 'increment by a number'
is "$(example increment "$MNT/tool/counter" 0) $(cd "$MNT/tool" && example increment counter 0)" '42 42' 'of a file in the mount'
is "$(example increment /tool/counter -50) $(value /tool/counter)" '-8 -8' 'and by a negative one'
echo 08 >"$MNT/tool/counter"
is "$(example increment /tool/counter)" 9 'a number that begins with 0'
echo 'x[$(id)]' >"$MNT/tool/counter"
refuses 1 'increment: /tool/counter: not a number' increment /tool/counter
refuses 1 'increment: tool: not the path of a key' increment tool
is "$(value /tool/counter)" 'x[$(id)]' 'what was refused changed nothing'
xs write /tool/counter $'41\nmore'
refuses 1 'increment: /tool/counter: not a number' increment /tool/counter
is "$(value /tool/counter)" $'41\nmore' 'nor was a value of two lines taken for a number'
# The key can be read, as one that is not there, and not be written.
refuses 1 '*No such file or directory' increment /tool/none/counter
# Somebody else is faster once: after the command, before the commit.
mv "$SCRATCH/bin/xsfs-tx" "$SCRATCH/bin/true-xsfs-tx"
cat >"$SCRATCH/bin/xsfs-tx" <<-END
	#!/bin/bash
	exec true-xsfs-tx "\$1" "\$2" sh -c '
		"\$@" || exit
		[ -e $SCRATCH/met ] || XENSTORED_PATH=$SERVER_SOCKET xenstore-write /tool/counter 100
		touch $SCRATCH/met' - "\${@:3}"
END
chmod +x "$SCRATCH/bin/xsfs-tx"
xs write /tool/counter 1
is "$(example increment /tool/counter) $(value /tool/counter)" '101 101' 'increment prints no sum that was not committed'
is "$(ls "$SCRATCH/met")" "$SCRATCH/met" 'there was a conflict'
mv "$SCRATCH/bin/true-xsfs-tx" "$SCRATCH/bin/xsfs-tx"
refuses 2 'usage: increment *' increment /tool/counter x
rm "$MNT/tool/counter"

# started NAME ARGS...: runs the example beside the test, its output in $SCRATCH/out, and returns when it waits.
started() {
	# The kernel closes files of a process that has ended a little later.
	wait_for "$XSFS_TEST_PATIENCE" streams_are 0 || not_ok 'no stream is open'
	bash "$examples/$1" "${@:2}" >"$SCRATCH/out" 2>&1 </dev/null &
	STARTED=$!
	PIDS+=("$STARTED")
	wait_for "$XSFS_TEST_PATIENCE" streams_are 1 || not_ok "$1 opens a stream" "$(cat "$SCRATCH/out")"
}

streams_are() {
	[[ $(stat_of streams "$XSFS_MOUNT") == "$1" ]]
}

# says TEXT NAME: the example's output, as soon as it is that.
says() {
	wait_for "$XSFS_TEST_PATIENCE" output_is "$1" || true
	is "$(<"$SCRATCH/out")" "$1" "$2"
}

output_is() {
	[[ $(<"$SCRATCH/out") == "$1" ]]
}

# ended STATUS NAME: the example that was started ends so.
ended() {
	local status=0
	wait_for "$XSFS_TEST_PATIENCE" dead "$STARTED" || { not_ok "$2" 'it runs on'; return 0; }
	wait "$STARTED" || status=$?
	is "$status" "$1" "$2"
}

backend=/local/domain/0/backend/vif/1/0
succeeds 'wait-backend: it is connected' bash "$examples/wait-backend" vif 1 0
xs rm "$backend/state"
started wait-backend vif 1 0
xs write "$backend/state" 2
xs write "$backend/state/x" 2
xs write "$backend/state" 4
ended 0 'wait-backend: it was removed, made, became a directory, and then it was connected'
xs write "$backend/state" $'4\nmore'
refuses 1 "wait-backend: the state of $backend is *4*more*" wait-backend vif 1 0 1
xs write "$backend/state" 3
refuses 1 "wait-backend: the state of $backend is 3" wait-backend vif 1 0 1
refuses 1 "wait-backend: the state of /local/domain/0/backend/no/1/0 is ''" wait-backend no 1 0 1
XSFS_MOUNT=$SCRATCH refuses 2 'xsfs-wait: *no xenstore is mounted there' wait-backend vif 1 0
refuses 2 'usage: wait-backend *' wait-backend vif 1 0 soon

xs write /local/domain/33/name new
started print-changes 33
xs write /local/domain/33/data/key value
says 'data/key = value' 'print-changes: a new key'
xs write /local/domain/33/data/key $'evil\e[2J'
says 'data/key = value
data/key = evil?[2J' 'print-changes: a value that cannot be printed'
xs write /local/domain/33/data/key $'two\nlines'
says 'data/key = value
data/key = evil?[2J
data/key = two?lines' 'print-changes: a value of two lines'
xs write /local/domain/34/name 1
xs rm /local/domain/33/data/key
says 'data/key = value
data/key = evil?[2J
data/key = two?lines
data/key is gone' 'print-changes: a key goes, in another domain one comes'
xs rm /local/domain/33
ended 0 'print-changes ends with the domain'
is "$(tail -n 1 "$SCRATCH/out")" '/local/domain/33 is gone' 'and says so'
xs rm /local/domain/34
refuses 1 'print-changes: there is no domain 3 on *' print-changes 3
refuses 2 'usage: print-changes *' print-changes

document='{"key": "value"}'
succeeds 'restore-json below a key' bash -c 'python3 "$0" /tool/new <<<"$1"' "$examples/restore-json" "$document"
is "$(value /tool/new/key)" value 'makes it there'
rm -r "$MNT/tool/new"
mkdir "$SCRATCH/elsewhere"
for place in "$SCRATCH/elsewhere" "$SCRATCH/none/x" elsewhere; do
	status=0
	output=$(cd "$SCRATCH" && python3 "$examples/restore-json" "$place" <<<"$document" 2>&1) || status=$?
	is "$status $output" "1 restore-json: $place is in no mounted xenstore" "restore-json $place: not in a mount"
done
is "$(ls "$SCRATCH/elsewhere") $(ls -d "$SCRATCH/none" 2>/dev/null || true)" ' ' 'and nothing is made there'

# events_taken: returns when the mount has taken the events of all that was done, which come in order.
events_taken() {
	local stream line
	exec {stream}<>"$MNT/.xsfs/watch"
	echo /tool/mark >&"$stream"
	xs write /tool/mark x
	# The shell's own limit of time does not hold for these files.
	line=$(bounded bash -c 'read -r line; echo "$line"' <&"$stream")
	is "$line" 'changed /tool/mark' 'the events of what was done before have come'
	exec {stream}>&-
	xs rm /tool/mark
}

# follows STREAMS COMMAND...: the command prints each new value of two keys of /tool, the mount has so many streams
# more when it waits, and it does nothing while it waits.
follows() {
	local name=${*: -1} streams number before
	name=${name##*/}
	streams=$(($(stat_of streams) + $1))
	xs write /tool/job 0 /tool/other 0
	events_taken
	"${@:2}" /tool/job /tool/other >"$SCRATCH/out" 2>&1 </dev/null &
	STARTED=$!
	PIDS+=("$STARTED")
	wait_for "$XSFS_TEST_PATIENCE" follower_waits "$streams" ||
		not_ok "$name opens what it waits for" "$(cat "$SCRATCH/out")"
	xs write /tool/job 1
	says '/tool/job = 1' "$name: a new value"
	xs write /tool/other $'evil\e[2J'
	says '/tool/job = 1
/tool/other = evil?[2J' "$name: of the other key, one that cannot be printed"
	before=$(stat_of fuse_operations)
	for ((number = 0; number < 20; number++)); do
		xs write /tool/third "$number"
	done
	is "$(($(stat_of fuse_operations) - before < 20))" 1 "$name: no file operations while nothing changes"
	xs rm /tool/job
	says '/tool/job = 1
/tool/other = evil?[2J
/tool/job is gone' "$name: a key goes"
	xs write /tool/job 2
	says '/tool/job = 1
/tool/other = evil?[2J
/tool/job is gone
/tool/job = 2' "$name: and comes back"
	xs write /tool/job/below x
	xs write /tool/other last
	says '/tool/job = 1
/tool/other = evil?[2J
/tool/job is gone
/tool/job = 2
/tool/other = last' "$name: what is below a key is not that key"
	end_process "$STARTED"
	wait_for 10 eval '(($(stat_of streams) == 0))' || not_ok "$name leaves a stream open"
	like "$("${@:2}" 2>&1 || echo "status $?")" $'usage: follow-keys*\nstatus 2' "$name: how it is used"
	is "$("${@:2}" --help)" "$("${@:2}" 2>&1 || true)" "$name --help says that"
	like "$("${@:2}" /../etc 2>&1 || echo "status $?")" $'usage: *\nstatus 2' "$name: what is no key"
	like "$(XSFS_MOUNT=$SCRATCH "${@:2}" /tool/job 2>&1 || echo "status $?")" $'follow-keys*\nstatus 1' "$name: no mount"
	xs rm /tool/job
	xs rm /tool/other
	xs rm /tool/third
}

# A program that lets cat read for it has started that when it has said what it waits for.
follower_waits() {
	(($(stat_of streams) >= $1)) &&
		{ [[ $(<"/proc/$STARTED/comm") != node ]] || pgrep -P "$STARTED" -x cat; }
}

follows 2 python3 "$examples/follow-keys.py"
if command -v node >/dev/null; then
	follows 1 node "$examples/follow-keys.js"
else
	skip_one 'follow-keys.js' 'node is not installed'
fi
if command -v go >/dev/null; then
	# A compiler on a busy machine may take longer than anything else here.
	succeeds 'follow-keys.go is compiled' env HOME="$SCRATCH" GOCACHE="$SCRATCH/go" GOPROXY=off GOTOOLCHAIN=local \
		timeout 600 go build -o "$SCRATCH/bin/follow-keys" "$examples/follow-keys.go"
	follows 2 "$SCRATCH/bin/follow-keys"
	keys=$(printf '/tool/k%s ' {1..40})
	# shellcheck disable=SC2086 # words
	xs write ${keys// / x }
	events_taken
	# shellcheck disable=SC2086
	"$SCRATCH/bin/follow-keys" $keys >"$SCRATCH/out" 2>&1 &
	STARTED=$!
	PIDS+=("$STARTED")
	wait_for "$XSFS_TEST_PATIENCE" eval '(($(stat_of streams) == 40))' || not_ok 'follow-keys.go follows 40 keys'
	xs write /tool/k40 y
	says '/tool/k40 = y' 'follow-keys.go: 40 keys'
	at_most "$(ls "/proc/$STARTED/task" | wc -l)" 20 'which keep no thread each'
	end_process "$STARTED"
	for key in $keys; do
		xs rm "$key"
	done
else
	skip_one 'follow-keys.go' 'go is not installed; tests/run --full does that'
fi

# reads_watch: the example that was started has looked, and waits for an event.
reads_watch() {
	local number fd rest
	read -r number fd rest <"/proc/$STARTED/syscall" || return 1
	# read on x86_64; on aarch64
	[[ $number == 0 || $number == 63 ]] && [[ $(readlink "/proc/$STARTED/fd/$((fd))") == */.xsfs/watch ]]
}

started on-new-domain echo created
# Domains that exist when it looks for the first time are not new.
wait_for "$XSFS_TEST_PATIENCE" reads_watch || not_ok 'on-new-domain waits'
SERVER_DIR=${SERVER_SOCKET%/socket}
first=$MNT first_pid=$MOUNT_PID
# create DOMID: a domain that introduces itself.
create() {
	"$XSLOOP" domain "$SERVER_DIR" "$1" "47$1"
	xs write "/local/domain/$1/name" new
	XSFS_TEST_DOMID=$1 mount_xsfs "ring:domid=$1,gfn=47$1,events=unbound"
}
create 7
says 'created 7' 'on-new-domain'
umount_xsfs
create 8
says 'created 7
created 8' 'on-new-domain: another'
umount_xsfs
xs rm /local/domain/8
"$XSLOOP" kill-domain "$SERVER_DIR" 8
# When this one is noticed it has been noticed that 8 is gone.
create 9
says 'created 7
created 8
created 9' 'on-new-domain: a third'
umount_xsfs
create 8
says 'created 7
created 8
created 9
created 8' 'on-new-domain: another one with a number that was in use'
umount_xsfs
end_process "$STARTED"
XSFS_MOUNT=$SCRATCH refuses 1 'on-new-domain: *no xenstore is mounted there' on-new-domain echo
refuses 2 'usage: on-new-domain *' on-new-domain
MNT=$first MOUNT_PID=$first_pid
umount_xsfs
