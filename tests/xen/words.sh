# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the scripts in domain 0 and in guests share: what they are told by the kernel's command line, and more.

# boot_word NAME DEFAULT: prints what the kernel's command line says as xsfs.NAME=.
boot_word() {
	local word
	word=$(sed -n "s/.*xsfs\.$1=\([^ ]*\).*/\1/p" /proc/cmdline)
	printf '%s\n' "${word:-$2}"
}

# is_open FILE: some process has it open.
is_open() {
	find /proc/[0-9]*/fd -lname "$1" 2>/dev/null | grep -q .
}
