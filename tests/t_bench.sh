#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The benchmark measures everything that it has a goal for. How fast that is says nothing on a busy machine.
. "${0%/*}/functions.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires_fuse
requires "$BUILD"/tests/bench/{bench_chan,bench_mount,bench_wake} python3 xenstore-ls

# bench c|o ARGUMENTS...: the shortest run that there is.
bench() {
	top_builddir=$BUILD bash "$TEST_DIR/bench/run" --quick --seconds 1 --server "$@" >"$SCRATCH/bench"
}

# WHAT OPERATION BYTES WAY, as the goals name them.
sed -n '/^goals() {/,/^	END/p' "$TEST_DIR/bench/run" | awk 'NF == 5 { print $1, $2, $3, $4 }' | sort >"$SCRATCH/goals"
is "$(($(wc -l <"$SCRATCH/goals") > 20))" 1 'there are goals'

if server_binary c >/dev/null; then
	PREFIX='[c] '
	succeeds 'it runs to its end' bench c
	is "$(grep -cE 'x +[0-9]+ +[0-9.]+  (reached|reached at best|missed)$' "$SCRATCH/bench")" "$(wc -l <"$SCRATCH/goals")" \
		'the table has every goal'
	is "$(grep -E '^  .* (0\.00x|-?(nan|inf))' "$SCRATCH/bench")" '' 'everything was measured'
else
	skip_one c 'no xenstored (xen-utils)'
fi
if server_binary o >/dev/null; then
	PREFIX='[o] '
	succeeds 'it runs to its end' bench o --raw
	awk '$5 > 0 && $7 > 0 { print $1, $2, $3, $4 }' "$SCRATCH/bench" | sort >"$SCRATCH/measured"
	is "$(comm -23 "$SCRATCH/goals" "$SCRATCH/measured")" '' 'everything was measured'
else
	skip_one o 'no oxenstored (xen-utils)'
fi
