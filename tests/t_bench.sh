#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The benchmark measures everything that it has a goal for. How fast that is says nothing on a busy machine.
. "${0%/*}/functions.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires_fuse
requires "$BUILD"/tests/bench/{bench_chan,bench_inotify,bench_mount,bench_wake} python3 gnuplot xenstore-ls

# bench WHOLE ARGUMENTS...: the shortest run in which everything was measured, as WHOLE says: on a busy machine there
# may be something that was not done once in its second.
bench() {
	local seconds
	for seconds in 1 5 20; do
		top_builddir=$BUILD bash "$TEST_DIR/bench/run" --quick --seconds "$seconds" "${@:2}" >"$SCRATCH/bench" || return 1
		[[ $("$1") ]] || break
	done
}

# not_measured: lines of the table in which a number is missing. The ratio to something much faster may well be 0.00.
not_measured() {
	awk '/^  [a-z-]+-[0-9][a-z0-9-]* .* [0-9]+$|reached|missed/ && ($2 == "-" || $6 == 0)' "$SCRATCH/bench"
}

# not_measured_raw: goals for which --raw printed no two numbers.
not_measured_raw() {
	awk '$5 > 0 && $6 > 0 { print $1, $2, $1 == "tree" ? "-" : $3, $4 }' "$SCRATCH/bench" | sort -u | comm -23 "$SCRATCH/goals" -
}

# results LINE...: what results.py makes of these rounds, with the goals in $SCRATCH/some-goals.
results() {
	printf '%s\n' "$@" >"$SCRATCH/rounds"
	python3 "$TEST_DIR/bench/results.py" --goals "$SCRATCH/some-goals" --json "$SCRATCH/json" "$SCRATCH/rounds" >"$SCRATCH/table"
}

# figures KEY...: these of the row of ring-1's pread, from the JSON.
figures() {
	python3 -c 'import json, sys
[row] = [row for row in json.load(open(sys.argv[1])) if (row["operation"], row["size"], row["way"]) == ("pread", 10, "ring-1")]
print(*(row.get(key, "-") for key in sys.argv[2:]))' "$SCRATCH/json" "$@"
}

test_results() {
	echo 'mount pread 10 ring-1 lib 2' >"$SCRATCH/some-goals"
	succeeds 'rounds are read' results 'mount pread 10 lib-1 100 100' 'mount pread 10 ring-1 200 100' \
		'mount pread 10 ring-1 900 300' 'mount pread 10 ring-1 400 100' 'mount fstatfs 10 ring-1 800 100' \
		'mount pread 10 before-ring-1 160 100' 'growth pread-beside-pollers 100 ring-1 600 100' '# a comment'
	is "$(figures ratio best rate floor before rounds)" '3.0 4.0 400 0.5 2.5 3' \
		'ratios are taken round by round, and to the floor and the other build'
	like "$(cat "$SCRATCH/table")" '*2 x lib: reached*' 'a goal is reached'
	like "$(cat "$SCRATCH/table")" '*pread-beside-pollers: 100*ring-1*6.00x*6.00x*0.75x*' \
		'a read beside many pollers is compared with the floor, too'
	like "$(cat "$SCRATCH/table")" '*  a comment*' 'comments follow'
	is "$(grep before-ring "$SCRATCH/table" || true)" '' 'the other build is a column, not a row'
	echo 'mount pread 10 ring-1 before 2.6' >"$SCRATCH/some-goals"
	echo 'mount pread 10 ring-8 lib 2' >>"$SCRATCH/some-goals"
	results 'mount pread 10 ring-1 400 100' 'mount pread 10 before-ring-1 160 100'
	like "$(cat "$SCRATCH/table")" '*2.6 x before: missed*' 'a goal is missed'
	like "$(cat "$SCRATCH/table")" '*although there is a goal: mount pread 10 ring-8*' 'a goal without a measurement is named'
	results 'mount pread 10 ring-1 3 100000' 'mount pread 10 ring-8 0 100' 'mount fstatfs 10 ring-1 7 0'
	cp "$SCRATCH/table" "$SCRATCH/bench"
	is "$(not_measured | awk '{ print $1, $2, $6 }' | paste -sd ,)" 'ring-8 0.00x 0,ring-1 - 7' \
		'what was not measured is found; what is slow is not'
}
test_results

# WHAT OPERATION BYTES WAY, as the goals name them.
awk '/^[^#]/ && NF == 6 { print $1, $2, $3, $4 }' "$TEST_DIR/bench/goals" | sort -u >"$SCRATCH/goals"
is "$(($(wc -l <"$SCRATCH/goals") > 20))" 1 'there are goals'
is "$(grep -vE '^(#.*|[a-z]+ [^ ]+ ([0-9]+|-) [a-z]+-[0-9]+ (lib|floor) [0-9.]+)?$' "$TEST_DIR/bench/goals" || true)" '' 'all of them can be read'

if server_binary c >/dev/null; then
	PREFIX='[c] '
	succeeds 'it runs to its end' bench not_measured --server c --json "$SCRATCH/json" --plots "$SCRATCH/plots"
	is "$(grep -oE 'x (lib|floor): (reached|missed)' "$SCRATCH/bench" | wc -l)" "$(grep -c '^[^#]' "$TEST_DIR/bench/goals")" 'the table has every goal'
	is "$(not_measured)" '' 'everything was measured'
	is "$(grep 'although there is a goal' "$SCRATCH/bench" || true)" '' 'no goal is without a measurement'
	is "$(figures rounds)" 3 'and it is there as JSON'
	pictures=$(find "$SCRATCH/plots" -name '*.svg' -size +1k | wc -l)
	is "$((pictures > 20))" 1 'and as pictures'
	succeeds 'two builds are measured in turns' bench not_measured --server c --only wake --against "$BUILD"
	is "$(grep -cE '^  (ring|socket)-1 .* [0-9.]+x +[0-9]+$' "$SCRATCH/bench")" 4 'with the ratio of the one to the other'
	succeeds 'everything runs on one processor' bench not_measured --server c --only wake --one-processor
else
	skip_one c 'no xenstored (xen-utils)'
fi
if server_binary o >/dev/null; then
	PREFIX='[o] '
	succeeds 'it runs to its end' bench not_measured_raw --server o --raw
	is "$(not_measured_raw)" '' 'everything was measured'
else
	skip_one o 'no oxenstored (xen-utils)'
fi
