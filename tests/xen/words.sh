# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the scripts in domain 0 and in guests are told, by the kernel's command line.

# boot_word NAME DEFAULT: prints what the kernel's command line says as xsfs.NAME=.
boot_word() {
	local word
	word=$(sed -n "s/.*xsfs\.$1=\([^ ]*\).*/\1/p" /proc/cmdline)
	printf '%s\n' "${word:-$2}"
}
