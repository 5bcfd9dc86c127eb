#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The installed binaries were built so that a memory fault is hard to exploit.
. "${0%/*}/functions.sh"
requires readelf objdump

# has TEXT PATTERN NAME: a line of TEXT matches the extended regular expression.
has() {
	if grep -Eq "$2" <<<"$1"; then
		ok "$3"
	else
		not_ok "$3" "no line like $2"
	fi
}

# hardened FILE: the program or library has what the linker gives.
hardened() {
	local file=$1 name=${1##*/} headers dynamic
	headers=$(readelf -Wlh "$file")
	dynamic=$(readelf -Wd "$file")
	has "$headers" 'Type: +DYN' "$name: its addresses are random"
	has "$headers" 'GNU_RELRO' "$name: relocated data is read-only"
	has "$dynamic" 'FLAGS(_1)?\).*NOW' "$name: and all of it, as nothing is bound late"
	has "$headers" 'GNU_STACK.* RW ' "$name: the stack is not executable"
	# Debian's start-up objects are without it, so that the program as a whole does not say that it has it.
	if [[ $(uname -m) == x86_64 ]]; then
		has "$(objdump -d --no-show-raw-insn "$file" | grep -EA1 '<(main|xenevtchn_open)>:$')" 'endbr64' \
			"$name: jumps end where the compiler meant them to"
	fi
}

has_config XSFS_FORTIFY || skip 'built without hardening, or with sanitizers instead'
programs=0
for file in "$BUILD"/src/xsfs "$BUILD"/src/xsfs-*; do
	[[ -x $file && ! -d $file ]] || continue
	hardened "$file"
	programs=$((programs + 1))
done
is "$((programs > 8))" 1 'all programs were looked at'
symbols=$(readelf -Ws "$BUILD/src/xsfs")
has "$symbols" ' __stack_chk_fail' 'xsfs: the stack is protected'
has "$symbols" ' __[a-z]+_chk' 'xsfs: the C library checks lengths'
hardened "$BUILD/tests/loop/.libs/libxsloop.so"

# And the check can fail: a program that has nothing of this, with results that do not count.
printf 'int main(void) { return 0; }\n' >"$SCRATCH/soft.c"
"${CC:-cc}" -no-pie -fno-stack-protector -fcf-protection=none -Wl,-z,norelro,-z,lazy,-z,execstack \
	-o "$SCRATCH/soft" "$SCRATCH/soft.c" 2>/dev/null
lacks=$(RESULTS=$SCRATCH/soft.results; : >"$RESULTS"; hardened "$SCRATCH/soft" | grep -c '^not ok')
is "$lacks" "$([[ $(uname -m) == x86_64 ]] && echo 5 || echo 4)" \
	'a program without all that is found'
