#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The manual pages are well formed, also their tables, and each program that is installed has one.
. "${0%/*}/functions.sh"
requires mandoc

for page in "$TEST_DIR"/../man/*.[0-9]; do
	is "$(mandoc -T lint -W warning "$page" 2>&1)" '' "mandoc finds nothing in ${page##*/}"
	# man(1), unlike mandoc, makes a column to which the list gives no width one word wide.
	is "$(awk '
		/^\.Bl -column/ { table = 1; widths = (split($0, part, "\"") - 1) / 2 }
		/^\.El/ { table = 0 }
		table && /^\.It/ && (cells = gsub(/ Ta( |$)/, "") + 1) > widths { print FNR ": " cells " cells, " widths " widths" }
		' "$page")" '' "all columns of tables in ${page##*/} have a width"
done
for program in "$BUILD"/src/xsfs-*; do
	[[ $program != *-demo && -x $program && -f $program ]] || continue
	page=$TEST_DIR/../man/${program##*/}.1
	is "$(sed -n 's/^\.S[hs] //p' "$page" 2>/dev/null | sed -n '/^Examples$/=;/^EXIT STATUS$/=' | wc -l)" 2 \
		"${program##*/} has a page with examples and its exit statuses"
done
