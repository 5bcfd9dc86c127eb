#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The results of stat(2): the size for the process that emptied a file, inode numbers, times. With nothing cached and with
# names and attributes cached.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 perl make xenstore-write "$BUILD/tests/rewrite"

OLD=0123456789a

# The files that the sizes are tried on: a key, the value of a directory, one in a transaction's view. Each
# begins with a value that is longer than what is written.
old_value() {
	xs write "$KEY" "$OLD"
	comes_true 5 "$1: the old size is known" sized "$FILE" 12
}

sized() {
	[[ $(stat --format=%s "$1") == "$2" ]]
}

# one_line NAME: asserts that the store has the line and nothing else.
one_line() {
	is "$(value "$KEY")" new "$1: the value is the line, no NUL in front of it"
}

# emptied NAME SIZES CMD...: CMD prints these sizes, and what it writes is the value.
emptied() {
	local name=$1 sizes=$2 got
	shift 2
	old_value "$name"
	got=$("$@" 2>&1) || true
	is "$got" "$sizes" "$name: the open file is empty"
	one_line "$name"
}

rewrites() {
	local what=$1 fd
	KEY=$2 FILE=$3
	emptied "$what, C w+" '0 0' "$BUILD/tests/rewrite" open "$FILE" new
	emptied "$what, C ftruncate" '0 0' "$BUILD/tests/rewrite" truncate "$FILE" new
	for how in w+ thread truncate child; do
		emptied "$what, python $how" '0 0 0 0' python3 "$TEST_DIR/programs/attrs_rewrite.py" "$how" "$FILE"
	done
	# shellcheck disable=SC2016 # perl's own
	emptied "$what, perl" '0 0' perl -e '
		open F, "+>", $ARGV[0] or die; seek F, 0, 2; print -s F, " ", tell F, "\n"; print F "new\n"; close F' "$FILE"
	# The shell itself has it open: its child looks by descriptor, and another process by name.
	old_value "$what, bash"
	exec {fd}>"$FILE"
	is "$(stat --format=%s -L "/proc/self/fd/$fd")" 0 "$what, bash: a child sees the descriptor empty"
	is "$(elsewhere stat --format=%s "$FILE")" 12 "$what, bash: another process sees what the store has"
	is "$(elsewhere cat "$FILE")" "$OLD" "$what, bash: and reads that"
	is "$(stat --format=%s "$FILE")" 0 "$what, bash: after that it is still empty for us"
	echo new >&"$fd"
	comes_true 5 "$what, bash: when it is written, others see the new size" elsewhere_sized "$FILE" 4
	exec {fd}>&-
	one_line "$what, bash"
	is "$(stat --format=%s "$FILE")" 4 "$what: the size of the line"
}

elsewhere_sized() {
	[[ $(elsewhere stat --format=%s "$1") == "$2" ]]
}

# A process that is not a child of this shell, and executes commands, one a line.
start_elsewhere() {
	mkfifo "$SCRATCH/ask" "$SCRATCH/answer"
	# The one that starts it ends at once.
	(setsid bash -c 'while read -r line; do eval "$line" 2>&1; echo "//"; done <"$1/ask" >"$1/answer"' - "$SCRATCH" &)
	exec {ASK}>"$SCRATCH/ask" {ANSWER}<"$SCRATCH/answer"
}

elsewhere() {
	local line
	printf '%q ' "$@" >&"$ASK"
	printf '\n' >&"$ASK"
	while read -r line <&"$ANSWER" && [[ $line != // ]]; do
		printf '%s\n' "$line"
	done
}

end_elsewhere() {
	exec {ASK}>&- {ANSWER}<&-
	rm "$SCRATCH/ask" "$SCRATCH/answer"
}

sizes() {
	local tx
	xs write /s/key x /s/dir x /s/dir/child 1
	stat "$MNT/s/key" "$MNT/s/dir/.value" >/dev/null
	start_elsewhere
	rewrites key /s/key "$MNT/s/key"
	rewrites .value /s/dir "$MNT/s/dir/.value"
	exec {tx}<>"$MNT/.xsfs/transaction"
	read -r name <&"$tx"
	xs write /s/key "$OLD"
	is "$("$BUILD/tests/rewrite" open "$MNT/.xsfs/tx/$name/s/key" new)" '0 0' 'transaction: the open file is empty'
	is "$(value /s/key)" "$OLD" 'transaction: outside it is as it was'
	echo commit >&"$tx"
	exec {tx}>&-
	KEY=/s/key
	one_line 'transaction'
	end_elsewhere
}

# number FILE: prints its inode number by stat(2).
number() {
	stat --format=%i "$1"
}

# How `find -inum`, which may only list directories, sees FILE of the present directory.
found() {
	find "$1" -maxdepth 1 -inum "$2" -printf '%f\n'
}

# Makes what numbers() looks at, before the mount: when the readers of inotify are told of a new directory, the kernel
# forgets what it knows below it, and then numbers follow from the paths.
numbered() {
	xs write /n/a 1 /n/b 2 /n/dir/in/key 3 /n/x 4 /n/y 5 /n/leaf 6
}

numbers() {
	local a b fd
	a=$(number "$MNT/n/a") b=$(number "$MNT/n/b")
	is "$(found "$MNT/n" "$a")" a 'find -inum finds the one'
	is "$(found "$MNT/n" "$(number "$MNT/n/dir")")" dir 'find -inum finds a directory'
	ls -id "$MNT/n/dir/in" >/dev/null
	is "$(found "$MNT/n/dir" "$(number "$MNT/n/dir/in")")" in 'find -inum below it'
	exec {fd}<"$MNT/n/a"
	mv "$MNT/n/a" "$MNT/n/moved"
	is "$(number "$MNT/n/moved")" "$a" 'mv a b: b has the number of a'
	is "$(stat --format=%i -L "/proc/self/fd/$fd")" "$a" 'mv a b: the open file keeps its number'
	xs write /n/a new
	comes_true 5 'something new has the name' test -e "$MNT/n/a"
	is "$(($(number "$MNT/n/a") != a))" 1 'mv a b: what is made at a then has another'
	is "$(found "$MNT/n" "$(number "$MNT/n/a")")" a 'and find -inum finds that'
	is "$(found "$MNT/n" "$a")" moved 'and the other at its new place'
	if [[ $MNT/n/a -ef $MNT/n/moved ]]; then
		not_ok 'a and b are not the same file'
	else
		ok 'a and b are not the same file'
	fi
	exec {fd}<&-
	is "$(number "$MNT/n/b")" "$b" 'what was not moved keeps its number'
	exec {fd}<"$MNT/n/b"
	rm "$MNT/n/b"
	echo 2 >"$MNT/n/b"
	is "$(($(number "$MNT/n/b") != b))" 1 'rm and made again while the old one is open: another number'
	exec {fd}<&-
	a=$(number "$MNT/n/x")
	exec {fd}<"$MNT/n/y"
	b=$(stat --format=%i -L "/proc/self/fd/$fd")
	mv "$MNT/n/x" "$MNT/n/y"
	is "$(number "$MNT/n/y")" "$a" 'mv x y over a file: y has the number of x'
	is "$(stat --format=%i -L "/proc/self/fd/$fd")" "$b" 'mv x y: who has the old y open has its number'
	exec {fd}<&-
	a=$(number "$MNT/n/dir/in/key") b=$(number "$MNT/n/dir/in")
	mv "$MNT/n/dir" "$MNT/n/dir2"
	is "$(number "$MNT/n/dir2/in") $(number "$MNT/n/dir2/in/key")" "$b $a" 'mv of a directory: the numbers below stay'
	a=$(number "$MNT/n/leaf")
	kernel_forgets
	is "$(number "$MNT/n/leaf")" "$a" 'a number is the same when the kernel has forgotten the file'
	is "$(number "$MNT/n/.")|$(number "$MNT")" "$(number "$MNT/n")|1" 'a directory has one number, the root 1'
	[[ $MNT/n/leaf -ef $MNT/n/../n/leaf ]] && ok 'one file by two paths is the same'
	succeeds 'cp -a of a tree' cp -a "$MNT/n" "$SCRATCH/copy"
	is "$(cd "$SCRATCH/copy" && find . -type f | sort | xargs cat | tr '\n' ' ')" 'new 2 3 6 1 4 ' 'all of it, no two taken for one'
	rm -r "$SCRATCH/copy"
}

# mark: what is changed from now on is newer than $SCRATCH/mark, what was changed before is not. That file's
# clock advances in steps; the mark is where it has passed the time at which it was called.
mark() {
	touch "$SCRATCH/first"
	wait_for 5 mark_moves
}

mark_moves() {
	touch "$SCRATCH/mark"
	[[ $SCRATCH/mark -nt $SCRATCH/first ]]
}

# news DIR: the names at and below DIR that were changed since.
news() {
	(cd "$1" && find . -newer "$SCRATCH/mark" | sort | tr '\n' ' ')
}

news_are() {
	[[ $(news "$1") == "$2" ]]
}

# has_news DIR NAMES WHAT
has_news() {
	if wait_for 5 news_are "$1" "$2"; then
		ok "$3"
	else
		not_ok "$3" "got: $(news "$1")" $'\n'"expected: $2"
	fi
}

time_of() {
	stat --format=%.9Y "$1"
}

moved_on() {
	[[ $(time_of "$1") > $2 ]]
}

# moves FILE WHAT CMD...: CMD moves the time of FILE.
moves() {
	local dir=$1 what=$2 before
	shift 2
	before=$(time_of "$dir")
	"$@"
	comes_true 5 "$what" moved_on "$dir" "$before"
}

times() {
	local before
	xs write /t/old/key 1 /t/old/key2 1 /t/c/key 1 /t/m/a 1 /t/m/b 2
	find "$MNT/t" >/dev/null
	has_no_events_to_come
	mark
	is "$(news "$MNT/t")" '' 'nothing is new'
	mkdir "$MNT/t/mkdir"
	has_news "$MNT/t" '. ./mkdir ' 'mkdir: it and the directory around it'
	has_no_events_to_come
	mark
	python3 -c 'import os, sys; os.mknod(sys.argv[1] + "/mknod")' "$MNT/t/mkdir"
	has_news "$MNT/t" './mkdir ./mkdir/mknod ' 'mknod'
	bash -c 'set -C; : >"$1"' - "$MNT/t/mkdir/excl"
	echo x >"$MNT/t/mkdir/created"
	has_news "$MNT/t" './mkdir ./mkdir/created ./mkdir/excl ./mkdir/mknod ' 'O_EXCL, O_CREAT'
	has_no_events_to_come
	mark
	rm "$MNT/t/mkdir/excl"
	has_news "$MNT/t" './mkdir ' 'rm: the directory'
	has_no_events_to_come
	mark
	mv "$MNT/t/mkdir/created" "$MNT/t/old/moved"
	has_news "$MNT/t" "./mkdir ./old$([[ $CACHE == off ]] || echo ' ./old/moved') " 'mv: both directories'
	has_no_events_to_come
	mark
	xs write /t/old/other v
	has_news "$MNT/t" './old ./old/other ' 'another client makes a node in a known directory'
	xs write /t/made/on/the/way v
	has_news "$MNT/t" '. ./made ./made/on ./made/on/the ./made/on/the/way ./old ./old/other ' 'with directories on the way'
	kernel_forgets
	has_news "$MNT/t" '. ./made ./made/on ./made/on/the ./made/on/the/way ./old ./old/other ' 'and so it is when the kernel has forgotten them'
	has_no_events_to_come
	mark
	xs rm /t/old/other
	has_news "$MNT/t" './old ' 'another client removes a node: the directory'
	xs write /t/c/key 2
	has_news "$MNT/t" './c/key ./old ' 'another value of the same size: the file, not the directory'
	moves "$MNT/t/c" 'the time of a directory moves: made elsewhere' xs write /t/c/one 1
	moves "$MNT/t/c" 'removed elsewhere' xs rm /t/c/one
	moves "$MNT/t/c" 'made here' mkdir "$MNT/t/c/two"
	moves "$MNT/t/c" 'removed here' rmdir "$MNT/t/c/two"
	moves "$MNT/t/c/key" 'the time of a file moves: written here' bash -c 'echo 3 >"$1"' - "$MNT/t/c/key"
	before=$(time_of "$MNT/t/c/key")
	has_no_events_to_come
	is "$(time_of "$MNT/t/c/key")" "$before" 'and its own event does not move it again'
	moves "$MNT/t/c/key" 'written elsewhere' xs write /t/c/key 4
	before=$(time_of "$MNT/t/c")
	xs write /t/c/key 5
	comes_true 5 'another change of the file has come' moved_on "$MNT/t/c/key" "$before"
	is "$(time_of "$MNT/t/c")" "$before" 'which is none of the directory'
	newest
}

# newest: ls -t and make see what was changed last.
newest() {
	printf 'out: %s\n\techo made >out\n' "$MNT/t/m/a" >"$SCRATCH/Makefile"
	make -s -C "$SCRATCH"
	mark
	touch -r "$SCRATCH/mark" "$SCRATCH/out"
	has_no_events_to_come
	succeeds 'make: nothing to be done' make -s -q -C "$SCRATCH"
	xs write /t/m/a 3
	comes_true 5 'make: to be done again' make_is_needed
	comes_true 5 'ls -t: the changed one comes first' ls_begins a
	xs write /t/m/b 4
	comes_true 5 'ls -t: then the other' ls_begins b
}

make_is_needed() {
	! make -s -q -C "$SCRATCH"
}

ls_begins() {
	[[ $(ls -t "$MNT/t/m" | head -n 1) == "$1" ]]
}

# The events of what was done up to now have come: one more does, and they keep their order.
has_no_events_to_come() {
	local before
	[[ $CACHE != off ]] || return 0
	before=$(time_of "$MNT/fence")
	xs write /fence x
	wait_for 5 moved_on "$MNT/fence" "$before"
}

test_attrs() {
	for CACHE in off meta full; do
		PREFIX="${PREFIX% cache=*} cache=$CACHE "
		xs write /fence x
		numbered
		mount_xsfs "$STORE" -o "cache=$CACHE"
		[[ $CACHE == off ]] || comes_true 5 'the watch is set' stat_is watches 1
		"${@:-all}"
		umount_xsfs
		xs rm /s
		xs rm /n
		xs rm /t
	done
}

all() {
	sizes
	numbers
	times
}

for_each_store test_attrs
