#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The benchmark measures everything that it has a goal for. How fast that is says nothing on a busy machine.
. "${0%/*}/functions.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires_fuse
requires "$BUILD"/tests/bench/{bench_chan,bench_mount,bench_wake} python3 xenstore-ls

# bench WHOLE c|o ARGUMENTS...: the shortest run in which everything was measured, as WHOLE says: on a busy machine
# there may be something that was not done once in its second.
bench() {
	local seconds
	for seconds in 1 5 20; do
		top_builddir=$BUILD bash "$TEST_DIR/bench/run" --quick --seconds "$seconds" --server "${@:2}" \
			>"$SCRATCH/bench" || return 1
		[[ $("$1") ]] || break
	done
}

# not_measured: lines of the table in which a number is missing.
not_measured() {
	grep -E '^  .* (0\.00x|-?(nan|inf))' "$SCRATCH/bench" || true
}

# not_measured_raw: goals for which --raw printed no two numbers.
not_measured_raw() {
	awk '$5 > 0 && $7 > 0 { print $1, $2, $3, $4 }' "$SCRATCH/bench" | sort | comm -23 "$SCRATCH/goals" -
}

# WHAT OPERATION BYTES WAY, as the goals name them.
sed -n '/^goals() {/,/^	END/p' "$TEST_DIR/bench/run" | awk 'NF == 5 { print $1, $2, $3, $4 }' | sort >"$SCRATCH/goals"
is "$(($(wc -l <"$SCRATCH/goals") > 20))" 1 'there are goals'

if server_binary c >/dev/null; then
	PREFIX='[c] '
	succeeds 'it runs to its end' bench not_measured c
	is "$(grep -cE 'x +[0-9]+ +[0-9.]+  (reached|reached at best|missed)$' "$SCRATCH/bench")" "$(wc -l <"$SCRATCH/goals")" \
		'the table has every goal'
	is "$(not_measured)" '' 'everything was measured'
else
	skip_one c 'no xenstored (xen-utils)'
fi
if server_binary o >/dev/null; then
	PREFIX='[o] '
	succeeds 'it runs to its end' bench not_measured_raw o --raw
	is "$(not_measured_raw)" '' 'everything was measured'
else
	skip_one o 'no oxenstored (xen-utils)'
fi
