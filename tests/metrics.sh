# shellcheck shell=bash
# shellcheck disable=SC2034 # PYTHON and PROMTOOL are for those who source this file
# SPDX-License-Identifier: MIT
# Helpers of t_metrics and t_monitoring: others' parsers, and single samples. Sourced after functions.sh.

# Debian's module belongs to Debian's interpreter, which need not be the first in PATH.
for PYTHON in python3 /usr/bin/python3 ''; do
	[[ $PYTHON ]] && "$PYTHON" -c 'import prometheus_client' 2>/dev/null && break
done
[[ $PYTHON ]] || skip 'no python3-prometheus-client'

# tests/run puts it there.
PROMTOOL=$(command -v promtool || echo "$TEST_DIR/../build/promtool")

# sample FILE NAME [LABEL=VALUE]...: prints the sum of the samples of that name that have these labels, or "none".
sample() {
	awk -v name="$2" -v labels="${*:3}" '
		BEGIN { n = split(labels, label, " "); for (i = 1; i <= n; i++) sub(/=/, "=\"", label[i]) }
		$0 !~ "^" name "[{ ]" { next }
		{
			for (i = 1; i <= n; i++)
				if (!index($0, label[i] "\""))
					next
			sum += $NF
			found = 1
		}
		END { print found ? sum : "none" }' "$1"
}
