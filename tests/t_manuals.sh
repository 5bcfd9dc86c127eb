#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The manual pages are well formed, also their tables, and each program that is installed has one.
. "${0%/*}/functions.sh"
requires mandoc groff

for page in "$TEST_DIR"/../man/*.[0-9]; do
	is "$(mandoc -T lint -W warning "$page" 2>&1)" '' "mandoc finds nothing in ${page##*/}"
	# What does not fit into a column of a table begins a line far to the right with groff, which man(1) uses.
	is "$(groff -mandoc -Tascii -P-cbou -rLL=80n "$page" | grep -E '^ {45,}[^ ]' || true)" '' \
		"the tables of ${page##*/} fit on a terminal of 80 columns"
done
for program in "$BUILD"/src/xsfs-*; do
	[[ $program != *-demo && -x $program && -f $program ]] || continue
	page=$TEST_DIR/../man/${program##*/}.1
	is "$(sed -n 's/^\.S[hs] //p' "$page" 2>/dev/null | sed -n '/^Examples$/=;/^EXIT STATUS$/=' | wc -l)" 2 \
		"${program##*/} has a page with examples and its exit statuses"
done
