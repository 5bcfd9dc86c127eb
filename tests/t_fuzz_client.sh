#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A raw client that writes anything: the inputs of the corpus, handmade ones and those that a fuzzer once found.
. "${0%/*}/functions.sh"
requires "$BUILD/tests/fuzz_client"

for input in "$TEST_DIR"/corpus/client/*; do
	succeeds "fuzz_client ${input##*/}" "$BUILD/tests/fuzz_client" "$input"
done
succeeds 'fuzz_client on the whole directory' "$BUILD/tests/fuzz_client" "$TEST_DIR/corpus/client"
