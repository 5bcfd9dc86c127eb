#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Transactions by descriptor: what happens inside, what is seen outside and when, how they end, what makes a
# conflict, their limits; and the uniform view, in and out of them.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 xenstore-write getfattr setfattr setpriv

# begin: starts a transaction on descriptor 3. Sets V, its view, and T, its name.
begin() {
	exec 3<>"$MNT/.xsfs/transaction"
	read -r T <&3
	V=$MNT/.xsfs/tx/$T
}

# conclude WORD NAME: that ends it, without an error.
conclude() {
	succeeds "$2" bash -c 'echo "$1" >&3' - "$1"
	exec 3>&-
}

# ends_with ERRNO WORD: writing that word fails.
ends_with() {
	fails "$1" bash -c 'echo "$1" >&3' - "$2"
}

# abandon: closes it.
abandon() {
	exec 3>&-
	wait_for "$XSFS_TEST_PATIENCE" stat_is transactions 0 || true
}

# tree DIR: its keys, with / behind directories, in one line.
tree() {
	(cd "$1" && find . -mindepth 1 \( -type d -printf '%P/ ' -o -printf '%P ' \) | tr ' ' '\n' | LC_ALL=C sort |
		tr '\n' ' ' | sed 's/^ //; s/ $//')
}

setup() {
	xs rm /w 2>/dev/null || true
	xs write /w/leaf old /w/dir/a 1 /w/dir/b 2 /w/dir own /w/gone/x 1 /w/other 1
}

# Everything works inside, and outside nobody sees it until the commit.
everything() {
	local before after
	setup
	begin
	before=$(xs ls -fp /w)
	is "$(ls "$MNT/.xsfs/tx")" "$T" 'tx lists it'
	is "$(cat "$V/w/leaf") $(tree "$V/w")" "old $(tree "$MNT/w")" 'inside it is as outside'
	echo new >"$V/w/leaf"
	is "$(cat "$V/w/leaf") $(stat --format=%s "$V/w/leaf")" 'new 4' 'a write is seen inside'
	echo more >>"$V/w/leaf"
	is "$(cat "$V/w/leaf")" $'new\nmore' 'append'
	echo 1 >"$V/w/made"
	is "$(cat "$V/w/made")" 1 'a new key'
	: >"$V/w/empty"
	is "$(stat --format='%F %s' "$V/w/empty")" 'regular empty file 0' 'an empty key'
	(set -C && echo excl >"$V/w/excl")
	fails EEXIST python3 -c 'import os, sys; os.open(sys.argv[1], os.O_CREAT | os.O_EXCL)' "$V/w/excl"
	python3 -c 'import os, sys; os.close(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY))' "$V/w/closed"
	truncate -s 2 "$V/w/excl"
	is "$(cat "$V/w/excl")" ex 'truncate'
	mkdir "$V/w/sub" "$V/w/sub/deep"
	echo 2 >"$V/w/sub/deep/key"
	is "$(tree "$V/w/sub")" 'deep/ deep/key' 'directories'
	fails EEXIST mkdir "$V/w/sub"
	rm "$V/w/dir/a"
	fails ENOENT cat "$V/w/dir/a"
	fails ENOENT stat "$V/w/dir/a"
	fails ENOTEMPTY rmdir "$V/w/dir"
	rm -r "$V/w/gone"
	fails ENOENT ls "$V/w/gone"
	mv "$V/w/dir" "$V/w/moved"
	is "$(tree "$V/w/moved") $(cat "$V/w/moved/.value")" '.value b own' 'a directory moves with its value'
	fails ENOENT ls "$V/w/dir"
	mv "$V/w/other" "$V/w/sub/other"
	setfattr -n user.xenstore.perms -v n0,r5 "$V/w/leaf"
	is "$(perms "$V/w/leaf") $(perms "$MNT/w/leaf")" 'n0,r5 n0' 'permissions'
	echo n0,r6 >"$V/w/sub/.perms"
	is "$(<"$V/w/sub/.perms")" n0,r6 'permissions of a directory'
	echo value >"$V/w/sub/.value"
	is "$(ls -A "$V/w/sub")" $'.value\ndeep\nother' 'a value of a directory is listed'
	is "$(getfattr --only-values --absolute-names -n user.xenstore.value "$V/w/sub")" value 'and an attribute'
	cp -r "$MNT/w/leaf" "$V/w/copied"
	is "$(cat "$V/w/copied")" old 'copied from outside'
	fails EXDEV python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$V/w/copied" "$MNT/w/x"
	is "$(xs ls -fp /w)" "$before" 'nothing of it is seen outside'
	after=$(tree "$V/w")
	conclude commit 'commit'
	is "$(tree "$MNT/w")" "$after" 'after the commit all is as it was inside'
	is "$(value /w/leaf) $(value /w/moved) $(value /w/sub) $(value /w/sub/other)" $'new\nmore own value 1' 'the values'
	is "$(perms "$MNT/w/leaf") $(perms "$MNT/w/sub")" 'n0,r5 n0,r6' 'the permissions'
	is "$(value /w/empty)$(value /w/closed)" '' 'the empty keys'
	absent /w/dir 'what was removed is'
	absent /w/gone 'and with all below'
	fails ENOENT ls "$V"
	is "$(ls "$MNT/.xsfs/tx")" '' 'tx lists it no more'
}

# Which nodes are files and which directories.
kinds() {
	setup
	mkdir "$MNT/w/mine"
	begin
	mkdir "$V/w/aborted"
	is "$(stat --format=%F "$V/w/aborted" "$V/w/mine")" $'directory\ndirectory' 'made here, or outside before'
	rmdir "$V/w/mine"
	echo 1 >"$V/w/mine"
	is "$(stat --format=%F "$V/w/mine")" 'regular file' 'removed and made as a file'
	abandon
	xs write /w/aborted ''
	is "$(stat --format=%F "$MNT/w/aborted" "$MNT/w/mine")" $'regular empty file\ndirectory' \
		'an abort leaves nothing behind, in our memory neither'
	xs rm /w/aborted

	begin
	mkdir "$V/w/made" "$V/w/sub" "$V/w/sub/empty"
	mv "$V/w/sub" "$V/w/sub2"
	is "$(tree "$V/w/sub2")" empty/ 'an empty directory stays one when it moves'
	rmdir "$V/w/mine"
	echo 1 >"$V/w/mine"
	mkdir "$V/.xsfs/nodes/w/leaf/child"
	is "$(stat --format=%F "$V/w/leaf") $(<"$V/w/leaf/.value")" 'directory old' 'a leaf gets a child'
	rm "$V/w/dir/a" "$V/w/dir/b"
	is "$(tree "$V/w/dir")" .value 'a directory without children is one'
	rm -r "$V/w/dir"
	echo 3 >"$V/w/dir"
	is "$(stat --format=%F "$V/w/dir") $(<"$V/w/dir")" 'regular file 3' 'a file in the place of a directory'
	rm "$V/w/other"
	mkdir "$V/w/other"
	echo 1 >"$V/w/other/x"
	rm "$V/w/other/x"
	is "$(stat --format=%F "$V/w/other")" directory 'a directory in the place of a file'
	fails ENOENT cat "$V/w/other/x"
	conclude commit 'commit'
	is "$(stat --format='%n %F' "$MNT"/w/{made,sub2/empty,mine,leaf,dir,other} | sed 's|.*/w/||')" \
		$'made directory\nsub2/empty directory\nmine regular file\nleaf directory\ndir regular file\nother directory' \
		'outside it is so after the commit'
	is "$(value /w/leaf) $(value /w/mine)" 'old 1' 'the values'
	rmdir "$MNT"/w/{made,sub2/empty,sub2,other}
}

# The ends of a transaction, and what is left afterwards.
ends() {
	local name inside
	setup
	begin
	for name in '' c commits ABORT; do
		fails EINVAL bash -c 'printf "%s\n" "$1" >&3' - "$name"
	done
	fails EACCES bash -c ': >"$1"' - "$MNT/.xsfs/transaction"
	fails EACCES cat "$MNT/.xsfs/transaction"
	echo new >"$V/w/leaf"
	conclude abort 'abort'
	is "$(value /w/leaf)" old 'aborted'
	begin
	echo new >"$V/w/leaf"
	abandon
	is "$(value /w/leaf)" old 'closed without a word: aborted'
	begin
	echo new >"$V/w/leaf"
	bash -c 'printf commit >&3'
	is "$(value /w/leaf)" new 'a word without a newline'
	for word in commit abort; do
		ends_with ESTALE "$word"
	done
	exec 3>&-

	# What is inside when it ends.
	for word in commit abort; do
		begin
		exec 4<"$V/w/leaf" 5>"$V/w/other"
		inside=$V
		(
			cd "$V/w/dir"
			echo "$word" >&3
			fails ESTALE ls
			[[ $word == commit ]] || exit 0
			fails ESTALE cat a
			fails ESTALE bash -c 'echo 1 >new'
			fails ESTALE mkdir new
			fails ESTALE rm a
		)
		fails ESTALE bash -c 'cat <&4'
		fails ESTALE bash -c 'echo 1 >&5'
		is "$(python3 -c 'import select; p = select.poll(); p.register(4); p.register(3); print(sorted(
			(fd, event & (select.POLLERR | select.POLLHUP) != 0) for fd, event in p.poll(1000)))')" \
			"[(3, True), (4, True)]" "$word: poll says that it is over"
		exec 4>&- 5>&- 3>&-
		fails ENOENT stat "$inside/w"
		fails ENOENT stat "$inside"
		is "$(value /w/other)" 1 "$word: what was not written was not"
	done
	begin
	is "$(ls "$V")" "$(ls "$MNT")" 'a new one has another name'
	[[ $V != "$inside" ]] && ok 'its name was not used before' || not_ok 'its name was not used before' "$V"
	is "$([[ $V/w -ef $MNT/w ]] || echo other)" other 'its directories are not those outside'
	abandon
}

# last_use: when the only transaction was used last, in milliseconds after its start.
last_use() {
	awk '/ transaction / { print $2 - $NF }' "$MNT/.xsfs/requests"
}

# cat_later FILE TIME: reading it is a use later than that.
cat_later() {
	cat "$1"
	(($(last_use) > $2))
}

# Reading the name, in pieces or at once; and what else the file does.
the_file() {
	local used
	is "$(python3 "$TEST_DIR/programs/tx_file.py" "$MNT/.xsfs/transaction")" \
		$'True\nb\'\' 0\nTrue b\'\'\n7' 'the name bytewise and at once, a copy of the descriptor'
	is "$(value /w/python)" 1 'committed through the copy'
	begin
	like "$(cat "$MNT/.xsfs/requests")" "* open tx=* transaction $T idle *ms" 'requests shows it'
	is "$(stat_of transactions)" 1 'stats counts it'
	used=$(last_use)
	wait_for "$XSFS_TEST_PATIENCE" cat_later "$V/w/leaf" "$used" && ok 'whatever happens in it is a use' ||
		not_ok 'whatever happens in it is a use'
	is "$(ls "$V/.xsfs")" self 'its .xsfs has what belongs to it'
	fails ENOENT ls "$V/.xsfs/tx"
	fails ENOENT cat "$V/w/.watch"
	is "$(find "$MNT/.xsfs" -maxdepth 1 -name tx)" '' 'tx is not listed, or rm -r .xsfs would empty the store in it'
	fails EPERM rmdir "$V"
	is "$(python3 -c 'import select, sys; f = open(sys.argv[1]); p = select.poll(); p.register(f)
print(p.poll(0)[0][1] == select.POLLIN | select.POLLOUT)' "$V/w/leaf")" True 'a key in it is always ready'
	abandon
}

# conflict_is yes|no NAME INSIDE OUTSIDE: shell commands with $V; whether the commit fails when OUTSIDE happened
# after INSIDE.
conflict_is() {
	local got=no
	setup
	xs write /local/domain/1/name one /local/domain/1/data/x 1
	xs rm /local/domain/9 2>/dev/null || true
	begin
	export V
	bash -c "$3" >/dev/null
	printf 2 | dd of="$V/w/other" status=none
	eval "$4"
	if ! bash -c 'echo commit >&3' 2>"$SCRATCH/commit"; then
		got=yes
		like "$(<"$SCRATCH/commit")" "*${ERRNO_TEXT[ECANCELED]}" "$2: ECANCELED"
	fi
	exec 3>&-
	is "$got" "$1" "conflict: $2"
	is "$(value /w/other)" "$([[ $1 == yes ]] && echo 1 || echo 2)" "$2: all or nothing"
}

# shellcheck disable=SC2016 # $V is the inner shell's
conflicts() {
	conflict_is yes 'a value that was read' 'cat "$V/w/leaf"' 'xs write /w/leaf new'
	conflict_is yes 'names that were listed' 'ls "$V/local/domain"' 'xs write /local/domain/9/name nine'
	conflict_is yes 'a key that was changed by what it was' 'echo x >>"$V/w/leaf"' 'xs write /w/leaf new'
	conflict_is no 'nothing was read' 'true' 'xs write /w/leaf new'
	conflict_is no 'a walk, and a new domain' 'cd "$V/local/domain/1/data" && test -d ../../1 && stat . ..' \
		'xs write /local/domain/9/name nine'
	conflict_is no 'a read below, and a new domain' 'cat "$V/local/domain/1/name" && ls "$V/local/domain/1/data"' \
		'xs write /local/domain/9/name nine'
	conflict_is no 'a write below, and a new domain' 'printf 1 | dd of="$V/local/domain/1/name" status=none' \
		'xs write /local/domain/9/name nine'
	conflict_is no 'a walk after a change below, and a new domain' \
		'printf 1 | dd of="$V/local/domain/1/name" status=none; cd "$V/local/domain/1" && stat . .. ../.. ' \
		'xs write /local/domain/9/name nine'
	conflict_is no 'a look whether it is there' 'test -e "$V/w/dir"; test -e "$V/w/none"; test -d "$V/w/dir/"' \
		'xs write /w/dir new'
}

# The same where the kernel checks permissions on the way, and wants attributes for that.
walks_with_permissions() {
	conflict_is no 'default_permissions: a walk, and a new domain' \
		'cd "$V/local/domain/1/data" && cat "$V/local/domain/1/name"' 'sleep 0.02; xs write /local/domain/9/name nine'
}

# Several at once.
many() {
	local i fd fds=() names=() pids=()
	setup
	for i in 1 2 3 4 5; do
		exec {fd}<>"$MNT/.xsfs/transaction"
		read -r T <&"$fd"
		fds+=("$fd") names+=("$T")
	done
	is "$(ls "$MNT/.xsfs/tx" | wc -l)" 5 'five at once'
	for i in 0 1 2 3 4; do
		echo "$i" >"$MNT/.xsfs/tx/${names[i]}/w/leaf"
	done
	is "$(for i in 0 1 2 3 4; do cat "$MNT/.xsfs/tx/${names[i]}/w/leaf"; done | tr '\n' ' ') $(value /w/leaf)" \
		'0 1 2 3 4  old' 'each sees its own'
	echo abort >&"${fds[0]}"
	echo commit >&"${fds[3]}"
	is "$(value /w/leaf)" 3 'one is committed'
	is "$(<"$MNT/.xsfs/tx/${names[1]}/w/leaf")" 1 'the others are as they were'
	for fd in "${fds[@]}"; do
		exec {fd}>&-
	done
	wait_for "$XSFS_TEST_PATIENCE" stat_is transactions 0 || true
	is "$(value /w/leaf) $(ls "$MNT/.xsfs/tx")" '3 ' 'and are gone when they are closed'

	# Operations of several steps in one transaction come one after the other.
	begin
	: >"$V/w/log"
	for i in {1..8}; do
		(for _ in {1..5}; do echo "$i" >>"$V/w/log"; done) 3>&- &
		pids+=("$!")
	done
	wait "${pids[@]}"
	is "$(sort "$V/w/log" | uniq -c | awk '{ print $1 }' | tr '\n' ' ')" '5 5 5 5 5 5 5 5 ' \
		'eight append in one transaction: no line is lost'
	conclude commit 'commit'
	is "$(value /w/log | wc -l)" 39 'all of them are committed'
}

# More names than one message holds. Over a ring oxenstored has no way to list them.
large_directory() {
	local names=() i
	for i in {1..450}; do
		names+=("/w/large/$(printf 'key-%08d' "$i")" 1)
	done
	xs write "${names[@]}"
	begin
	if [[ $SERVER_KIND == o && $STORE == ring ]]; then
		fails E2BIG ls "$V/w/large"
	else
		rm "$V/w/large/key-00000007"
		echo 1 >"$V/w/large/new"
		is "$(ls "$V/w/large" | wc -l)" 450 'a large directory, with our changes'
		is "$(printf '%s\n' "$V/w/large/"* | grep -c -e 00000007 -e new)" 1 'its names are those inside'
		is "$(ls "$MNT/w/large" | wc -l)" 450 'outside it is as it was'
	fi
	abandon
	xs rm /w/large
}

# Every node a directory, with its value inside; and one place to change what a leaf is.
uniform() {
	local nodes
	setup
	for nodes in "$MNT/.xsfs/nodes" inside; do
		begin
		[[ $nodes != inside ]] || nodes=$V/.xsfs/nodes
		is "$(tree "$nodes/w/dir")" '.value a/ a/.value b/ b/.value' 'nodes: every key is a directory with a value'
		is "$(<"$nodes/w/leaf/.value")" old 'nodes: a value'
		echo new >"$nodes/w/leaf/.value"
		is "$(<"$nodes/w/leaf/.value")" new 'nodes: written'
		mkdir "$nodes/w/leaf/sub" "$nodes/w/leaf/sub/sub"
		echo 1 >"$nodes/w/leaf/sub/.value"
		is "$(tree "$nodes/w/leaf")" '.value sub/ sub/.value sub/sub/' 'nodes: keys below a leaf, one without a value'
		mv "$nodes/w/leaf" "$nodes/w/dir/leaf"
		is "$(<"$nodes/w/dir/leaf/.value") $(<"$nodes/w/dir/leaf/sub/.value")" 'new 1' 'nodes: moved'
		fails ENOENT ls "$nodes/w/leaf"
		echo n0,r3 >"$nodes/w/dir/leaf/.perms"
		is "$(<"$nodes/w/dir/leaf/.perms") $(perms "$nodes/w/dir/leaf")" 'n0,r3 n0,r3' 'nodes: permissions'
		fails EPERM bash -c 'echo 1 >"$1"' - "$nodes/w/file"
		fails ENOTEMPTY rmdir "$nodes/w/gone"
		rm -r "$nodes/w/gone"
		fails ENOENT ls "$nodes/w/gone"
		is "$(tree "$nodes/w" | tr ' ' '\n' | grep -c /$)" 7 'nodes: what is left'
		if [[ $nodes == "$V"* ]]; then
			is "$(value /w/leaf)" old 'nodes: nothing of it outside'
			conclude commit 'nodes: commit'
		else
			abandon
		fi
		is "$(value /w/dir/leaf) $(value /w/dir/leaf/sub) $(perms "$MNT/w/dir/leaf")" 'new 1 n0,r3' 'nodes: in the store'
		absent /w/gone 'nodes: removed'
		setup
	done
	begin
	echo other >"$V/.xsfs/nodes/w/leaf/.value"
	is "$(<"$V/w/leaf")" other 'nodes: the same transaction in both views'
	abandon
}

# killed NAME CMD...: CMD, which waits, is killed and gone at once.
killed() {
	local name=$1 pid waiting=$(($(stat_of fuse_operations_now) + 1))
	shift
	"$@" >/dev/null 2>&1 &
	pid=$!
	disown "$pid"
	PIDS+=("$pid")
	wait_for "$XSFS_TEST_PATIENCE" stat_is fuse_operations_now "$waiting" || not_ok "$name: it waits"
	kill -s KILL "$pid"
	# much less than the timeout of the mount
	wait_for 10 dead "$pid" && ok "$name: killed while it waits" || not_ok "$name: killed while it waits"
}

# The store is silent: waiting processes can be killed, and late answers are put right.
silent() {
	local output
	setup
	start_traced
	wait_for "$XSFS_TEST_PATIENCE" grep -q '^state connected' "$MNT/.xsfs/stats"
	[[ $STORE == socket ]] || { umount_xsfs; mount_xsfs "$STORE"; }
	setup
	kill -s STOP "$SERVER_PID"
	killed 'start' bash -c 'exec 3<>"$1"' - "$MNT/.xsfs/transaction"
	kill -s CONT "$SERVER_PID"
	comes_true "$XSFS_TEST_PATIENCE" 'the late start is ended' no_transaction_open
	begin
	echo new >"$V/w/leaf"
	exec 4<>"$MNT/.xsfs/transaction"
	kill -s STOP "$SERVER_PID"
	bash -c 'echo abort >&4' 3>&- 2>/dev/null &
	wait_for "$XSFS_TEST_PATIENCE" stat_is fuse_operations_now 2 || not_ok 'commit: another one waits as well'
	killed 'commit, behind another one' bash -c 'echo commit >&3'
	exec 4>&-
	kill -s CONT "$SERVER_PID"
	is "$(bash -c 'echo commit >&3' 2>&1) $(value /w/leaf)" ' new' 'a commit that was interrupted: who asks again is told'
	ends_with ESTALE commit
	exec 3>&-
	begin
	echo newer >"$V/w/leaf"
	kill -s STOP "$SERVER_PID"
	exec 3>&-
	ok 'a close waits for nothing'
	kill -s CONT "$SERVER_PID"
	comes_true "$XSFS_TEST_PATIENCE" 'and aborts' no_transaction_open
	is "$(value /w/leaf)" new 'nothing was changed'
}

# Nobody uses it.
idle() {
	setup
	begin
	echo new >"$V/w/leaf"
	exec 4<"$V/w/leaf"
	comes_true "$XSFS_TEST_PATIENCE" 'idle: the log says so' grep -q "transaction $T was not used for 5 s: aborted" "$MOUNT_LOG"
	is "$(stat_of transactions) $(stat_of transactions_idle)" '0 1' 'idle: counted'
	fails ESTALE bash -c 'cat <&4'
	fails ENOENT ls "$V"
	ends_with ECANCELED commit
	ends_with ESTALE commit
	exec 3>&- 4>&-
	is "$(value /w/leaf)" old 'idle: nothing was changed'
}

# The connection is lost, and the transaction with it.
lost() {
	setup
	begin
	echo new >"$V/w/leaf"
	exec 4<"$V/w/leaf"
	kill_server
	start_server "$SERVER_KIND" 3>&- 4>&-
	wait_for "$XSFS_TEST_PATIENCE" grep -q '^state connected' "$MNT/.xsfs/stats" || true
	fails ESTALE bash -c 'cat <&4'
	fails ENOENT ls "$V"
	ends_with ECANCELED commit
	exec 3>&- 4>&-
	setup
	begin
	echo new >"$V/w/leaf"
	conclude commit 'lost: a new one'
	is "$(value /w/leaf)" new 'lost: works'
}

# A guest: the server's limits, and what it may not do.
guest() {
	local fd fds=() home=/local/domain/7
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write $home/dir/own 1 $home/dir/theirs 1 $home/k 1
	xs chmod -r $home n7
	xs chmod $home/dir/theirs n0 r7
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound -o root=$home
	for _ in {1..20}; do
		exec {fd}<>"$MNT/.xsfs/transaction" 2>/dev/null || break
		fds+=("$fd")
	done 2>/dev/null
	at_least "${#fds[@]}" 10 'a guest has ten transactions'
	at_most "${#fds[@]}" 11 'and not many more'
	fails EDQUOT bash -c 'exec 3<>"$1"' - "$MNT/.xsfs/transaction"
	for fd in "${fds[@]}"; do
		exec {fd}>&-
	done
	wait_for "$XSFS_TEST_PATIENCE" stat_is transactions 0 || true
	# What cannot be finished cannot be undone by itself.
	begin
	echo 2 >"$V/k"
	like "$(python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$V/dir" "$V/moved" 2>&1 || true)" \
		*PermissionError* 'a rename that the server lets only begin'
	ends_with ENOTRECOVERABLE commit
	exec 3>&-
	is "$(value $home/k) $(xs ls $home/dir | wc -l)" '1 2' 'a rename that failed half way is not committed'
	: >"$SCRATCH/tries"
	# shellcheck disable=SC2016 # the other shell's
	like "$(bounded "$BUILD/src/xsfs-tx" -m "$MNT" bash -c 'echo >>"$1"; mv dir moved || true' - "$SCRATCH/tries" 2>&1 || true)" \
		"*${ERRNO_TEXT[ENOTRECOVERABLE]}" 'xsfs-tx says so'
	is "$(wc -l <"$SCRATCH/tries")" 1 'and does not try again'
	begin
	echo 2 >"$V/k"
	conclude commit 'a guest commits'
	is "$(value $home/k)" 2 'its key is written'
	umount_xsfs
}

# A subtree as one text, as it is inside.
bulk() {
	local fd
	setup
	begin
	exec {fd}<"$V/w/.dump"
	echo new >"$V/w/leaf"
	rm "$V/w/other"
	mkdir "$V/w/empty"
	is "$(sort <&"$fd")" '/w/dir = "own"
/w/dir/a = "1"
/w/dir/b = "2"
/w/empty = ""
/w/gone = ""
/w/gone/x = "1"
/w/leaf = "new"' 'a dump has what was not committed'
	like "$(<"$V/w/.json")" '*"leaf": "new"*' 'and so has a document'
	like "$(<"$MNT/w/.dump")" '*"old"*"1"' 'but none outside'
	conclude commit 'a dump inside is no hindrance'
	fails ESTALE bash -c 'cat <&"$1"' - "$fd"
	exec {fd}<&-
	is "$(sort "$MNT/w/.dump" | tail -n 1)" '/w/leaf = "new"' 'what it showed is outside now'
	vanish_inside
	xs rm /w/wide
}

# What is removed while it is dumped is left out; an end in the middle is told.
vanish_inside() {
	local fd lines
	mkdir "$MNT/w/wide"
	python3 -c 'import os, sys
for i in range(900): open("%s/%03d" % (sys.argv[1], i), "w").write("x" * 1900)' "$MNT/w/wide"
	begin
	exec {fd}<"$V/w/wide/.dump"
	head -c 1000 <&"$fd" >/dev/null
	comes_true 20 'the walk stops when nobody reads on' at_rest
	rm "$V/w/wide/"*9
	lines=$(cat <&"$fd" | grep -c .)
	at_most "$lines" 899 'what vanishes inside is left out'
	at_least "$lines" 810 'and nothing else'
	exec {fd}<&-
	exec {fd}<"$V/w/wide/.dump"
	head -c 1000 <&"$fd" >/dev/null
	conclude commit 'the end in the middle of a dump'
	fails ESTALE bash -c 'cat <&"$1"' - "$fd"
	exec {fd}<&-
}

# The mount ends while one is open, and polled, and others go on and on without a look-up.
stopped() {
	local pid status=0
	setup
	python3 "$TEST_DIR/programs/tx_stopped.py" "$MNT" "$SCRATCH/ready" >"$SCRATCH/poll" &
	pid=$!
	PIDS+=("$pid")
	wait_for "$XSFS_TEST_PATIENCE" test -e "$SCRATCH/ready"
	rm "$SCRATCH/ready"
	kill -s TERM "$MOUNT_PID"
	wait "$MOUNT_PID" || status=$?
	is "$status" 0 'SIGTERM: the mount ends well'
	wait "$pid" || true
	is "$(<"$SCRATCH/poll")" '' 'SIGTERM: who polls a transaction hears of it'
}

no_more_inodes() {
	(($(stat_of inodes) <= $1 + 3))
}

# as_user UID CMD...: runs CMD as that user, in the mounter's group.
as_user() {
	local uid=$1
	shift
	bounded setpriv --reuid="$uid" --regid=54321 --clear-groups -- "$@"
}

# Users who may write open transactions of their own: nobody gets into another's, where a mere look would make the commit
# of its owner fail. The owner and root do.
private() {
	local t
	# shellcheck disable=SC2016
	as_user 54322 bash -c 'exec 4<>"$1/.xsfs/transaction" && read -r t <&4 && echo "$t" >"$2" && read -r _ &&
		v=$1/.xsfs/tx/$t && echo mine >"$v/w/private" && cat "$v/w/private" && echo commit >&4 && echo done' \
		- "$MNT" "$SCRATCH/name" <"$SCRATCH/go" >"$SCRATCH/owner" 2>&1 &
	PIDS+=("$!")
	exec 5>"$SCRATCH/go"
	wait_for "$XSFS_TEST_PATIENCE" test -s "$SCRATCH/name" || true
	t=$MNT/.xsfs/tx/$(<"$SCRATCH/name")
	is "$(stat -c '%a %u' "$t")" '700 54322' 'a transaction belongs to who opened it'
	fails EACCES as_user 54323 ls "$t"
	fails EACCES as_user 54323 stat "$t/w/leaf"
	fails EACCES as_user 54323 touch "$t/w/new"
	is "$(<"$t/w/leaf")" "$(value /w/leaf)" 'root gets in'
	# The kernel knows it now.
	fails EACCES as_user 54323 cat "$t/w/leaf"
	echo go >&5
	exec 5>&-
	wait "${PIDS[-1]}" || true
	is "$(<"$SCRATCH/owner")" $'mine\ndone' 'the owner does in it what it likes, and commits'
	is "$(<"$MNT/w/private")" mine 'which others see then'
	is "$(as_user 54323 cat "$MNT/w/private")" mine 'others of the group, too'
}

test_all() {
	local inodes part
	mount_xsfs "$STORE"
	everything
	conflicts
	silent
	# Tests that do not depend on the transport run with each server once.
	case $SERVER_KIND/$STORE in
	c/ring | o/socket)
		for part in kinds bulk ends the_file many large_directory uniform; do
			"$part"
		done
		;;
	esac
	is "$(stat_of transactions) $(ls "$MNT/.xsfs/tx")" '0 ' 'none is left'
	inodes=$(stat_of inodes)
	for _ in {1..20}; do
		begin
		cat "$V"/w/dir/[ab] "$V/.xsfs/nodes/w/leaf/.value" >/dev/null
		exec 3>&-
	done
	comes_true "$XSFS_TEST_PATIENCE" 'the kernel forgets the files of what has ended' no_more_inodes "$inodes"
	umount_xsfs
	XSFS_TEST_CACHE=meta mount_xsfs "$STORE" -o allow_other
	walks_with_permissions
	umount_xsfs
	mkfifo "$SCRATCH/go" 2>/dev/null || true
	rm -f "$SCRATCH/name"
	chmod 711 "$SCRATCH"
	install -m 666 /dev/null "$SCRATCH/name"
	mount_xsfs "$STORE" -o allow_other,gid=54321,umask=0007
	private
	umount_xsfs
	mount_xsfs "$STORE" -o tx_idle=5
	idle
	umount_xsfs
	mount_xsfs "$STORE"
	stopped
	[[ $STORE != socket ]] || { mount_xsfs "$STORE"; lost; umount_xsfs; }
	[[ $STORE != ring ]] || guest
}

for_each_store test_all
