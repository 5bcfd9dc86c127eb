# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For the scripts xen_*.sh, which run on the host and boot a machine each: their assertions are those of the
# scripts in it.

# What was built: where make says, or here.
build=${top_builddir:-build}
# shellcheck disable=SC2034 # for those that source this
XSLOOP=$build/tests/loop/xsloop
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# boots ARGUMENTS...: of tests/xen/boot; scripts by their names here. Ends with its status; where the machine
# cannot do it, as skipped.
boots() {
	local arguments=() argument why status=0
	for argument; do
		[[ $argument != job_*.sh ]] || argument=$here/$argument
		arguments+=("$argument")
	done
	why=$(mktemp)
	"$here/boot" --build "$build" "${arguments[@]}" 2>"$why" || status=$?
	sed 's/^/# /' "$why"
	if ((status == 120)); then
		printf '1..0 # SKIP %s\n' "$(tail -n 1 "$why")"
		status=77
	fi
	rm -f "$why"
	exit "$status"
}
