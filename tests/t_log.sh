#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Log lines: they name the mount, reach systemd's journal with fields of their own, and show nobody's control
# characters. The journal is a socket of this test, at its place in a /run of this test's own.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
requires python3 "$BUILD/tests/fakestore"
requires_fuse
[[ ${XSFS_TEST_NAMESPACE:-} ]] || skip 'no mount namespace of its own'

mount -t tmpfs none /run
mkdir -p /run/systemd/journal
JOURNAL=$SCRATCH/journal

journal_start() {
	: >"$JOURNAL"
	python3 "$TEST_DIR/programs/log_journal.py" >>"$JOURNAL" &
	JOURNAL_PID=$!
	PIDS+=("$JOURNAL_PID")
	disown "$JOURNAL_PID"
	wait_for "$XSFS_TEST_PATIENCE" test -S /run/systemd/journal/socket
}

# in_journal PATTERN: a message has it (grep).
in_journal() {
	grep -q -e "$1" "$JOURNAL"
}

# fields MOUNT PRIORITY: as JSON has them, but for MESSAGE, which may have anything.
fields() {
	printf '"PRIORITY": "%s", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "xsfs", "XSFS_MOUNT": "%s"}' "$2" "$1"
}

# mount_logging STREAM LOG [ARGS]: mounts the fake store in the foreground, with JOURNAL_STREAM set to that and
# standard error in the file.
mount_logging() {
	MNT=$(mktemp -d "$SCRATCH/mnt.XXXXXX")
	JOURNAL_STREAM=$1 "$XSFS" socket:"$FAKE/socket" "$MNT" -f "${@:3}" >/dev/null 2>"$2" </dev/null &
	MOUNT_PID=$!
	PIDS+=("$MOUNT_PID")
	MOUNTS+=("$MNT")
	wait_for "$XSFS_TEST_PATIENCE" mounted "$MNT"
}

# No journal: standard error.
fake_start -o cache=meta
like "$(<"$MOUNT_LOG")" "xsfs: $MNT: *mounted on $MNT over socket" 'a line names the mount'
fake $'error 1 E\033cRESET\302\233'
cat "$MNT/key" >/dev/null 2>&1 || true
comes_true 20 'an error that nobody knows is logged' grep -qF 'unknown error' "$MOUNT_LOG"
like "$(<"$MOUNT_LOG")" "*xsfs: $MNT: *unknown error \"E\\\\x1bcRESET\\\\xc2\\\\x9b*" 'without its control characters'
is "$(tr -d '\n\040-\176' <"$MOUNT_LOG" | wc -c)" 0 'nothing else in the log is one'
umount_xsfs

journal_start
log=$SCRATCH/stderr
: >"$log"

# Standard error is a file, which is not the journal's.
mount_logging 1:2 "$log"
comes_true 20 'standard error is not the journal: lines go there' grep -q "xsfs: $MNT: .* mounted on $MNT" "$log"
umount_xsfs
comes_true 20 'to the last' grep -q "xsfs: $MNT: .* mounted on $MNT" "$log"
is "$(<"$JOURNAL")" '' 'and not to the journal'

: >"$log"
mount_logging "$(stat -c %d:%i "$log")" "$log"
comes_true 20 'it is the journal: lines go there' in_journal \
	"{\"MESSAGE\": \"$MNT: .* mounted on $MNT over socket\", $(fields "$MNT" 6)"
fake 'error 1 ENOSUCH'
cat "$MNT/key" >/dev/null 2>&1 || true
comes_true 20 'with the severity' in_journal "unknown error .*$(fields "$MNT" 4)"
# Nobody is there to receive it.
end_process "$JOURNAL_PID" KILL
is "$(<"$log")" '' 'and not to standard error'
fake 'error 1 ENOSUCH'
cat "$MNT/key" >/dev/null 2>&1 || true
comes_true 20 'but where the journal is gone' grep -q "^xsfs: $MNT: .*unknown error" "$log"
rm /run/systemd/journal/socket
journal_start
fake 'error 1 ENOSUCH'
cat "$MNT/key" >/dev/null 2>&1 || true
comes_true 20 'and to the journal again when it is back' in_journal "unknown error .*$(fields "$MNT" 4)"
umount_xsfs

# In the background, with a mount point of two lines.
MNT=$SCRATCH/$'two\nlines'
mkdir "$MNT"
MOUNTS+=("$MNT")
succeeds 'in the background' "$XSFS" socket:"$FAKE/socket" "$MNT"
comes_true 20 'lines go to the journal' in_journal \
	"{\"MESSAGE\": \"$SCRATCH/two.*n.*lines: .* mounted on .*over socket\", $(fields "$SCRATCH/two\\\\nlines" 6)"
is "$(python3 -c 'import json, sys
for line in open(sys.argv[1]):
    message = json.loads(line)
    if message["XSFS_MOUNT"] == sys.argv[2]:
        print(message["MESSAGE"].split(":")[0], len(message["MESSAGE"].splitlines()))' "$JOURNAL" "$MNT" | sort -u)" \
	"$SCRATCH/two\\nlines 1" 'the field is the path, the message one line'
umount "$MNT"

# As mount(8) starts it for a mount unit: into the background, with a standard error that is the journal's.
MNT=$(mktemp -d "$SCRATCH/mnt.XXXXXX")
MOUNTS+=("$MNT")
succeeds 'in the background of a mount unit' env JOURNAL_STREAM="$(stat -c %d:%i "$log")" \
	bash -c 'exec "${@:2}" 2>>"$1"' - "$log" "$XSFS" socket:"$FAKE/socket" "$MNT"
comes_true 20 'lines go to the journal there, too' in_journal "mounted on $MNT over socket\", $(fields "$MNT" 6)"
umount "$MNT"
end_process "$JOURNAL_PID" KILL

# A /dev of this test's own, in which /dev/log can be.
mkdir "$SCRATCH/dev"
mount -t tmpfs none "$SCRATCH/dev"
cp -a /dev/fuse /dev/null /dev/zero /dev/urandom "$SCRATCH/dev"
mount --move "$SCRATCH/dev" /dev

# log_stops SOCKET: a log daemon is there that reads nothing, and others have filled its queue.
log_stops() {
	rm -f "$1"
	python3 "$TEST_DIR/programs/log_stopped.py" "$1" >"$SCRATCH/stopped" &
	STOPPED_PID=$!
	PIDS+=("$STOPPED_PID")
	disown "$STOPPED_PID"
	wait_for "$XSFS_TEST_PATIENCE" grep -q full "$SCRATCH/stopped"
}

# others_are_through: the daemon has read all that others had sent.
others_are_through() {
	(($(grep -c 'others: ' "$SCRATCH/stopped") == $(sed -n 's/^full //p' "$SCRATCH/stopped")))
}

# nobody_waits NAME: for the daemon that has stopped.
nobody_waits() {
	fake 'error 1 ENOSUCH'
	timeout "$XSFS_TEST_PATIENCE" cat "$MNT/key" >/dev/null 2>&1 || true
	like "$(timeout "$XSFS_TEST_PATIENCE" cat "$MNT/.xsfs/stats")" '*state connected*' "$1 is not waited for"
	kill -USR1 "$STOPPED_PID"
	wait_for "$XSFS_TEST_PATIENCE" others_are_through
	fake 'error 1 ENOSUCH'
	cat "$MNT/key" >/dev/null 2>&1 || true
	comes_true "$XSFS_TEST_PATIENCE" "$1: when it reads again it gets how many lines were lost" \
		grep -q "$MNT: [0-9]* lines were lost here, as the log did not take them" "$SCRATCH/stopped"
	comes_true "$XSFS_TEST_PATIENCE" "$1: and the next one" grep -q 'unknown error' "$SCRATCH/stopped"
}

rm -f /run/systemd/journal/socket
log_stops /dev/log
MNT=$(mktemp -d "$SCRATCH/mnt.XXXXXX")
MOUNTS+=("$MNT")
succeeds 'in the background, while syslog has stopped' timeout "$XSFS_TEST_PATIENCE" "$XSFS" socket:"$FAKE/socket" "$MNT"
nobody_waits syslog
like "$(grep 'unknown error' "$SCRATCH/stopped")" '<28>??? ?? ??:??:?? xsfs?[0-9]*?: *' 'syslog: in its own form'
umount "$MNT"
end_process "$STOPPED_PID" KILL

log_stops /run/systemd/journal/socket
MNT=$(mktemp -d "$SCRATCH/mnt.XXXXXX")
MOUNTS+=("$MNT")
succeeds 'in the background, while the journal has stopped' timeout "$XSFS_TEST_PATIENCE" "$XSFS" socket:"$FAKE/socket" "$MNT"
nobody_waits 'the journal'
umount "$MNT"
end_process "$STOPPED_PID" KILL
end_process "$FAKE_PID"
