#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The requests that reach the server when a file is written, by its own trace: one WRITE for each write(), and never an
# empty value that nobody wrote.
. "${0%/*}/functions.sh"
requires xenstore-write python3 truncate

TRACE=
MARK=0

# writes: prints every WRITE in the trace since the last mark as "PATH VALUE", with \n for newlines and T in
# front of those inside a transaction where the server says so (oxenstored).
writes() {
	awk -v mark="/mark $MARK" '
	function put(text) {
		if (text == mark) { seen = 1; n = 0 }
		else if (text !~ /^\/mark /) lines[++n] = text
	}
	open { text = text "\\n" $0 }
	/^(io: )?IN .* WRITE \(/ { open = 1; text = $0; sub(/^.* WRITE \(/, "", text) }
	open && text ~ /\)$/ { open = 0; put(substr(text, 1, length(text) - 1)) }
	/ write +\// { text = $0; sub(/^.* write +/, "", text); put(text) }
	END { for (i = 1; i <= n; i++) print lines[i] }' "$TRACE" | paste -sd '|'
}

# traced COMMAND EXPECTED NAME: a bash command in the mount causes just those writes.
traced() {
	MARK=$((MARK + 1))
	xs write /mark "$MARK"
	(cd "$MNT" && bounded bash -c "$1")
	# The last release is not waited for by close(2), but comes before this; so does all that was traced.
	stat "$MNT/w" >/dev/null
	xs write /end "$MARK"
	wait_for 5 grep -q "/end $MARK" "$TRACE" || not_ok 'the trace is written'
	is "$(writes | sed "s:|*/end $MARK.*::")" "$2" "$3"
}

test_writes() {
	mount_xsfs "$STORE"
	xs write /w/old before
	traced 'echo v >w/new' '/w/new v' 'echo v > new key: one WRITE'
	traced 'echo v >w/old' '/w/old v' 'echo v > key: one WRITE'
	traced 'echo v >w/old' '/w/old v' 'also of the same value'
	traced 'printf abc >w/n2' '/w/n2 abc' 'printf > new key: one WRITE'
	traced ': >w/empty' '/w/empty ' ': > new key: one empty WRITE'
	traced ': >w/old' '/w/old ' ': > key: one empty WRITE'
	traced 'touch w/touched' '/w/touched ' 'touch of a new key: one empty WRITE'
	traced 'touch w/old; chmod 600 w/old; chown 0 w/old' '' 'touch, chmod, chown of a key: none'
	traced 'echo w >>w/new' '/w/new v\nw' 'echo >> key: one WRITE of the whole value'
	traced 'echo w >>w/n3' '/w/n3 w' 'echo >> new key: one WRITE'
	traced 'printf X 1<>w/new' '/w/new X\nw' '1<>: one WRITE of the whole value'
	traced 'exec 3>w/two; echo a >&3; echo b >&3' '/w/two a|/w/two a\nb' 'two lines: two WRITEs'
	traced 'cat w/new; ls w; stat w/two; test -w w/two' '' 'looking: none'
	traced 'truncate -s 0 w/two' '/w/two ' 'truncate to nothing: one empty WRITE'
	traced 'truncate -s 1 w/new' '/w/new X' 'truncate: one WRITE'
	traced 'cp w/new w/copy' '/w/copy |/w/copy X' 'cp to a new key makes it (O_EXCL), then writes'
	traced 'cp w/new w/copy' '/w/copy X' 'cp over a key: one WRITE'
	traced 'echo v | dd of=w/copy conv=notrunc status=none' '/w/copy v' 'dd conv=notrunc: one WRITE'
	traced 'python3 -c "import os; os.fsync(os.open(\"w/fs\", os.O_CREAT | os.O_WRONLY))"' '/w/fs ' \
		'fsync and close of a new file: one empty WRITE'
	traced 'head -c 5000 /dev/zero 2>/dev/null >w/old || true' '' 'a value that no message carries: none'
	traced 'head -c 5000 /dev/zero 2>/dev/null >w/n4 || true' '' 'nor a new key for it'
	traced 'echo n0 >w/.perms; echo wrong >w/.perms 2>/dev/null || true' '' 'permissions: none'
	mkdir "$MNT/w/d"
	traced 'echo v >w/d/.value' '/w/d v' '.value, new: one WRITE'
	traced 'echo u >w/d/.value' '/w/d u' '.value: one WRITE'
	traced 'rm w/d/.value' '/w/d ' 'rm .value: one empty WRITE'
	is "$(value /w/copy)" v 'and the store has what was written'
	umount_xsfs
	rm -f "$TRACE"
}

servers=$XSFS_TEST_SERVER
for XSFS_TEST_SERVER in $servers; do
	for XSFS_TEST_CACHE in off full; do
		TRACE=$SCRATCH/trace.$XSFS_TEST_SERVER.$XSFS_TEST_CACHE
		for_each_store test_writes -T "$TRACE"
	done
done
