#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The fuzz targets on the inputs of their corpora: handmade ones, those that led a fuzzer to new code, and those
# that once failed. tests/run --fuzz looks for more.
. "${0%/*}/functions.sh"

while IFS= read -r corpus; do
	target=fuzz_${corpus##*/}
	requires "$BUILD/tests/$target"
	succeeds "$target on $(find "$corpus" -type f | wc -l) inputs" "$BUILD/tests/$target" "$corpus"
done < <(find "$TEST_DIR/corpus" -mindepth 1 -maxdepth 1 -type d | sort)
