#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The xenbus transport alone, through its table of functions: fake_xenbus, a FUSE stand-in for the kernel's
# device, in front of a real server; the assertions are in unit_transport_xenbus.c.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/functions.sh"

requires_fuse

# run_unit GROUP FAKE-OPTIONS...: one run of the program on a device of its own; it kills that device.
run_unit() {
	local group=$1 dir fake status=0
	shift
	dir=$(mktemp -d "$SCRATCH/device.XXXXXX")
	"$BUILD/tests/fake_xenbus" "$@" "$SERVER_DIR/socket" "$dir" >"$dir.out" 2>&1 </dev/null &
	fake=$!
	PIDS+=("$fake")
	MOUNTS+=("$dir")
	wait_for "$XSFS_TEST_PATIENCE" grep -q ready "$dir.out" || {
		not_ok "fake_xenbus $* starts" "$(<"$dir.out")"
		return
	}
	XENBUS_DEVICE=$dir/xenbus XENBUS_FAKE_PID=$fake XENBUS_STORE_PID=$SERVER_PID \
		"$BUILD/tests/unit_transport_xenbus" "$group" \
		>"$dir.log" 2>&1 </dev/null || status=$?
	if ((status == 0)); then
		ok "unit_transport_xenbus $group, device $*"
	else
		not_ok "unit_transport_xenbus $group, device $*" "status $status" "$(<"$dir.log")"
	fi
	umount -l "$dir"
}

for kind in $XSFS_TEST_SERVER; do
	server_binary "$kind" >/dev/null || continue
	PREFIX="[$kind] "
	# oxenstored has no way to lift its limit of 2048 bytes for a value.
	if [[ $kind == o ]]; then export XENBUS_SMALL_VALUES=1; else unset XENBUS_SMALL_VALUES; fi
	start_server "$kind"
	# Kernels differ in the ids of what they answer a WATCH with, and any read() may be short.
	run_unit most -i zero
	run_unit most -i request -r 7
	run_unit most -i garbage -r 1000
	run_unit most -i zero -l 1000
	run_unit twice -i zero -x
	run_unit last -i zero
	stop_server
done
