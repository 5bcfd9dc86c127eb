#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Values as the contents of files: text and raw, of every size, written in every way that programs write.
. "${0%/*}/functions.sh"
requires python3 xenstore-read getfattr setfattr dd truncate

# The ways of shells.
shell_writes() {
	local k=$MNT/sh/k fd
	mkdir "$MNT/sh"
	echo hello >"$k"
	is "$(value /sh/k)" hello 'echo'
	printf '%s\n' a b c >"$k"
	is "$(value /sh/k)" $'a\nb\nc' 'printf of lines'
	printf 'no newline' >"$k"
	is "$(value /sh/k)" 'no newline' 'printf without newline'
	is "$(<"$k")" 'no newline' '$(<key)'
	read -r line <"$k"
	is "$line" 'no newline' 'read'
	echo d >>"$k"
	is "$(value /sh/k)" $'no newline\nd' '>> appends a line'
	echo new >>"$MNT/sh/n"
	is "$(value /sh/n)" new '>> makes a key'
	printf 'NO' 1<>"$k"
	is "$(value /sh/k)" $'NO newline\nd' '1<> writes in place'
	printf 'xyz' | dd of="$k" conv=notrunc bs=1 seek=3 status=none
	is "$(value /sh/k)" $'NO xyzline\nd' 'dd conv=notrunc seek=3, byte by byte'
	printf 'all new\n' | dd of="$k" status=none
	is "$(value /sh/k)" 'all new' 'dd'
	is "$(dd if="$k" bs=1 skip=4 count=3 status=none)" new 'dd skip='
	truncate -s 3 "$k"
	is "$(value /sh/k)" all 'truncate'
	: >"$k"
	succeeds ': > empties, at the latest when the file is released' wait_for 5 is_value /sh/k ''
	: >"$MNT/sh/empty"
	succeeds ': > makes an empty key' wait_for 5 exists /sh/empty
	touch "$MNT/sh/touched"
	succeeds 'touch makes one at once' xs exists /sh/touched
	echo v >"$k"
	touch "$k"
	is "$(value /sh/k)" v 'touch of what exists changes nothing'
	exec {fd}>"$k"
	echo one >&"$fd"
	is "$(value /sh/k)" one 'the first line of an open file is there'
	echo two >&"$fd"
	is "$(value /sh/k)" $'one\ntwo' 'and the second'
	exec {fd}>&-
	(set -o noclobber && ! echo x >"$k") 2>/dev/null && is "$(value /sh/k)" $'one\ntwo' 'noclobber'
	echo big | tee "$k" "$MNT/sh/k2" >/dev/null
	is "$(value /sh/k)$(value /sh/k2)" bigbig 'tee'
	setfattr -n user.xenstore.value -v 0x00ff0a "$k"
	is "$(value /sh/k | od -An -tx1)" ' 00 ff 0a' 'setfattr'
	is "$(getfattr --absolute-names --only-values -n user.xenstore.value "$k" | od -An -tx1)" ' 00 ff 0a' 'getfattr'
	is "$(getfattr --absolute-names -d -m - "$k" | grep -c '^user')" 1 'of the attributes one is listed'
	fails EPERM setfattr -x user.xenstore.value "$k"
	is "$({ setfattr -x user.other "$k" 2>&1 || true; } | sed 's/.*: //')" 'No such attribute' 'no other attribute is there'
	fails ENOTSUP setfattr -n user.other -v x "$k"
}

# is_value PATH VALUE
is_value() {
	[[ $(value "$1") == "$2" ]]
}

test_exact() {
	local format
	for format in text raw; do
		mount_xsfs "$STORE" -o "format=$format"
		checked python3 "$TEST_DIR/programs/values_exact.py" "$MNT" "$format" "$SERVER_KIND"
		is "$(stat_of reconnects)" 0 "$format: one connection all the time"
		umount_xsfs
	done
}

test_calls() {
	local first
	mount_xsfs socket
	first=$MNT
	mount_xsfs "$STORE"
	shell_writes
	checked python3 "$TEST_DIR/programs/values_calls.py" "$MNT" "$first"
	checked python3 "$TEST_DIR/programs/values_race.py" "$MNT" "$first"
	is "$(stat_of reconnects)" 0 'one connection all the time'
	umount_xsfs
}

# test_late_close: a close that the store does not answer in time fails; what is due is made all the same when it answers.
test_late_close() {
	mount_xsfs "$STORE" -o timeout=1
	is "$(bounded python3 -c '
import errno, os, signal, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
os.kill(int(sys.argv[2]), signal.SIGSTOP)
try:
    os.close(fd)
    print("ok")
except OSError as e:
    print(errno.errorcode[e.errno])
finally:
    os.kill(int(sys.argv[2]), signal.SIGCONT)' "$MNT/tool/late" "$SERVER_PID")" ETIMEDOUT 'a close that nobody answers'
	succeeds 'and the key is made' wait_for 10 exists /tool/late
	umount_xsfs
}

for_each_store test_exact
for_each_store test_calls
for_each_store test_late_close
