#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Includes point down from floor to floor, and no files include each other in a circle. And the check can fail.
. "${0%/*}/functions.sh"
requires python3

# check_floors TOP: the verdicts on the sources below TOP.
check_floors() {
	PYTHONDONTWRITEBYTECODE=1 python3 "$TEST_DIR/floors.py" "$1"
}

while IFS= read -r line; do
	case $line in
	'ok '*) ok "${line#ok * - }" ;;
	'not ok '*) not_ok "${line#not ok * - }" ;;
	'#'*) printf '%s\n' "$line" ;;
	esac
done < <(check_floors "$TEST_DIR/..")

# A copy in which the lowest floor of fs/ includes the highest, and two of its files each other.
for floor in src src/top src/tools ring fs fs/model fs/op fs/events fs/node fs/special fs/inotify; do
	mkdir -p "$SCRATCH/top/$floor"
	cp "$TEST_DIR/../$floor"/*.[ch] "$SCRATCH/top/$floor"
done
printf '#include "fs/special/special.h"\n#include "fs/model/text.h"\n' >>"$SCRATCH/top/fs/model/name.c"
printf '#include "fs/model/name.h"\n' >>"$SCRATCH/top/fs/model/text.h"
verdicts=$(check_floors "$SCRATCH/top" || true)
like "$verdicts" '*not ok * fs/model/ includes nothing above it*fs/model/name.c includes fs/special/special.h*' \
	'an include that points up is found'
like "$verdicts" '*not ok * no files include each other in a circle*fs/model/name*' 'a circle is found'
