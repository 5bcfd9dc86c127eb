#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The ring transport alone, through its table of functions: a lying server inside the test, for a ring that was
# said and for one that was found, then the real servers, over the ring of domain 0 and of an unprivileged
# domain; the assertions are in unit_transport_ring.c.
# shellcheck source=tests/functions.sh
. "${0%/*}/functions.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'

# run_unit DOMID GROUP: one run of the program as a process of that domain.
run_unit() {
	local output status=0
	output=$(
		eval "$(loop_env "$1")"
		exec timeout --kill-after=5 180 "$BUILD/tests/unit_transport_ring" "$2" 2>&1 </dev/null
	) || status=$?
	if ((status == 0)); then
		ok "unit_transport_ring $2, domain $1"
	else
		not_ok "unit_transport_ring $2, domain $1" "status $status" "$output"
	fi
}

SERVER_DIR=$(mktemp -d "$SCRATCH/world.XXXXXX")
"$XSLOOP" init "$SERVER_DIR"
"$XSLOOP" domain "$SERVER_DIR" 7 4711
run_unit 0 fake
# The domain is its own server's here, as one process plays one domain.
run_unit 7 own

for kind in $XSFS_TEST_SERVER; do
	server_binary "$kind" >/dev/null || continue
	PREFIX="[$kind] "
	SERVER_DIR=
	start_server "$kind"
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	export RING_SERVER=$kind
	run_unit 7 real
	run_unit 0 real
	stop_server
done
