# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Helpers of the tests that mount fakestore, a store that misbehaves on command. Sourced after load.sh.

# covered: the watch is set.
covered() {
	[[ $(stat_of watches) == 1 ]] && at_rest
}

# fake_start OPTIONS...: starts it, and mounts it. Sets FAKE, its directory, and FAKE_PID.
fake_start() {
	FAKE=$(mktemp -d "$SCRATCH/fake.XXXXXX")
	mkfifo "$FAKE/control"
	"$BUILD/tests/fakestore" "$FAKE/socket" "$FAKE/control" >"$FAKE/said" &
	FAKE_PID=$!
	PIDS+=("$FAKE_PID")
	wait_for "$XSFS_TEST_PATIENCE" grep -q ready "$FAKE/said"
	exec 8>"$FAKE/control"
	# The teller asks the store by itself, in the middle of what a test has planned.
	mount_xsfs socket:"$FAKE/socket" -o inotify=off "$@"
	comes_true 5 'the watch is set' covered
}

# done_count COMMAND: how often it was carried out.
done_count() {
	grep -c "^done $1\$" "$FAKE/said" || true
}

# fake COMMAND: it has been carried out.
fake() {
	local count
	count=$(done_count "$1")
	echo "$1" >&8
	fake_done() {
		(($(done_count "$1") > $2))
	}
	wait_for "$XSFS_TEST_PATIENCE" fake_done "$1" "$count" || not_ok "fakestore: $1" "$(tail -n 3 "$FAKE/said")"
}

fake_end() {
	umount_xsfs
	exec 8>&-
	end_process "$FAKE_PID"
}
