#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every parser of the protocol on the inputs of the corpus, handmade ones and those that a fuzzer once found.
. "${0%/*}/functions.sh"

for input in "$TEST_DIR"/corpus/wire/*; do
	succeeds "fuzz_wire ${input##*/}" "$BUILD/tests/fuzz_wire" "$input"
done
succeeds 'fuzz_wire on the whole directory' "$BUILD/tests/fuzz_wire" "$TEST_DIR/corpus/wire"
