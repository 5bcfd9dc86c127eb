# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the tests of histories make of SAID, the words of the program of that name, and of those that it has put into the
# directory REFUSED. Sourced after load.sh.

# word NAME: a number of what histories has said.
word() {
	awk -v name="$1" '$1 == name { print $2 }' <<<"$SAID"
}

# are_linearizable WHICH TEST NUMBER: the assertion; TEST, such as -gt, compares how many there were with NUMBER.
are_linearizable() {
	local file
	# Says what was done, in any case.
	note "$1: $(grep -E '^(seed|histories|steps|lost|met|with-exceptions|recording|checking|needs)' <<<"$SAID" | paste -sd ' ')"
	if [[ $(word refused)$(word unsettled)$(word undecided) == 000 ]] && test "$(word histories)" "$2" "$3"; then
		ok "$1: every history is linearizable"
		return
	fi
	not_ok "$1: every history is linearizable" "$(tail -n 60 <<<"$SAID")"
	for file in "$REFUSED"/*.small; do
		[[ ! -f $file ]] || note "$(<"$file")"
	done
}
