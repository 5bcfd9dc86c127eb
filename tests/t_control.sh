#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# .xsfs/control: each request by what it does, what is refused and how that is told; the requests of newer
# servers on a store that says what it was asked.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires xenstore-chmod python3 perl "$BUILD/tests/fakestore"

# refuses ERRNO ANSWER REQUEST...: the writes fail so, and the answer (a pattern) says why.
refuses() {
	local got request errno=$1 answer=$2
	shift 2
	for request; do
		# The request may have lines, and bash writes each by itself.
		got=$(perl -e 'use POSIX; open(my $f, "+<", $ARGV[0]) or die $!; my $done = syswrite($f, $ARGV[1]);
			my %names = map { eval("$_()") => $_ } qw(EINVAL EACCES EPERM ENOENT EOPNOTSUPP ETIMEDOUT EIO);
			my $why = $names{$! + 0} // $!; sysread($f, my $text, 4096); print $done ? "done" : $why, " ", $text' \
			"$MNT/.xsfs/control" "$request")
		like "$got" "$errno $answer" "$errno: ${request//[^[:print:]]/?}"
	done
}

# is_introduced DOMID: prints what another client is told.
is_introduced() {
	XENSTORED_PATH=$SERVER_SOCKET PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 \
		python3 -c 'import sys, store_client
print(store_client.Store().call(17, sys.argv[1].encode() + b"\0").decode()[0])' "$1"
}

# Requests about a domain that is there: domain 7, whose ring another mount has.
domains() {
	local first=$MNT first_pid=$MOUNT_PID guest port
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	"$XSLOOP" domain "$SERVER_DIR" 8 4712
	xs write /local/domain/7/x mine /local/domain/8/y others
	xs chmod -r /local/domain/7 n7
	xs chmod -r /local/domain/8 n8
	# It does not find the server's socket, and so waits for somebody to introduce it.
	XSFS_TEST_DOMID=7 XSFS_TEST_WRAPPER="env XENSTORED_PATH=$SCRATCH/none $XSFS_TEST_WRAPPER" \
		mount_xsfs ring:domid=7,gfn=4711,events=unbound -o timeout=2
	port=$(stat_of transport_port)
	guest=$MNT MNT=$first
	is "$(ask 'is-introduced 7')" no 'a domain that was not introduced'
	is "$(ask "introduce 7 4711 $port")" OK 'introduce'
	is "$(is_introduced 7)" T 'the server is connected to it'
	is "$(<"$guest/local/domain/7/x")" mine 'its ring works'
	is "$(ask 'is-introduced 7')" yes 'is-introduced'
	is "$(ask 'domain-path 7')" /local/domain/7 'domain-path'

	fails EACCES cat "$guest/local/domain/8/y"
	if [[ $SERVER_KIND == c ]]; then
		# It wants to know the target.
		refuses EN??* 'set-target: *' 'set-target 7 8'
		XSFS_TEST_DOMID=8 mount_xsfs ring:domid=8,gfn=4712,events=unbound
		MNT=$first
	fi
	is "$(ask 'set-target 7 8')" OK 'set-target'
	is "$(<"$guest/local/domain/8/y")" others 'the domain may do what its target may'

	MNT=$guest
	refuses E[AP]* 'introduce: the server does not let this domain do that' 'introduce 8 4712 1'
	refuses E[AP]* 'release: the server does not let this domain do that' 'release 7'
	MNT=$first

	is "$(ask 'resume 7')" OK 'resume'
	is "$(ask 'release 7')" OK 'release'
	is "$(is_introduced 7)" F 'the server is not connected to it any more'
	is "$(ask 'is-introduced 7')" no 'and says so'
	fails ETIMEDOUT cat "$guest/local/domain/7/x"
	refuses E* 'release: *' 'release 7'
	if [[ $SERVER_KIND == c ]]; then
		# oxenstored keeps the port, and with it this would need a new one.
		is "$(ask "introduce 7 4711 $port")" OK 'introduced again'
		# With the domain, its directory went.
		xs write /local/domain/7/x again
		xs chmod -r /local/domain/7 n7
		comes_true "$XSFS_TEST_PATIENCE" 'its ring works again' grep -q again "$guest/local/domain/7/x"
	fi
	is "$(for type in INTRODUCE RELEASE RESUME SET_TARGET IS_DOMAIN_INTRODUCED GET_DOMAIN_PATH; do
		(($(stat_of "requests_$type") > 0)) && echo "$type"
	done)" $'INTRODUCE\nRELEASE\nRESUME\nSET_TARGET\nIS_DOMAIN_INTRODUCED\nGET_DOMAIN_PATH' 'all of them were asked'
	MNT=$first MOUNT_PID=$first_pid
}

control() {
	if [[ $SERVER_KIND == c ]]; then
		like "$(ask 'control help')" $'check*\nquota*\nhelp*' 'control: an answer of several lines'
		is "$(ask 'control check')" OK 'control check'
		is "$(ask 'control  quota set 	watches 77')" OK 'control: words, whatever is between them'
		like "$(ask 'control quota')" *$'\nwatches *77 *' 'it did that'
		is "$(ask 'control quota set watches 128')" OK 'and back'
		refuses EINVAL 'control: Invalid argument' 'control nonsense'
	else
		XENSTORED_PATH=$SERVER_SOCKET timeout "$XSFS_TEST_PATIENCE" xenstore-watch /watched >/dev/null &
		PIDS+=("$!")
		comes_true "$XSFS_TEST_PATIENCE" 'control watches: an answer of several lines' lists_watch /watched
		is "$(ask 'control print hello')" OK 'control print'
	fi
	is "$(stat_of requests_CONTROL | grep -c '^[1-9]')" 1 'asked by XS_CONTROL'
}

lists_watch() {
	[[ $(ask 'control watches') == *"$1"* ]]
}

refused() {
	refuses EINVAL 'nonsense: there is no such request' 'nonsense 1'
	refuses EINVAL 'Release: there is no such request' 'Release 1'
	refuses EINVAL 'there is no such request' $'\n' '  '
	refuses EINVAL 'a request is one line' $'release 1\nrelease 2' "control $(head -c 5000 /dev/zero | tr '\0' x)"
	refuses EINVAL 'control: COMMAND [[]ARGUMENT...[]]' control
	refuses EINVAL 'introduce: DOMID GFN PORT' introduce 'introduce 1 2' 'introduce 1 2 3 4' 'introduce x 2 3' \
		'introduce 1 -2 3' 'introduce 65536 2 3'
	refuses EINVAL 'release: DOMID' release 'release 1 2' 'release 0x1' 'release 99999999999999999999' 'release -1'
	refuses EINVAL 'set-target: DOMID TARGET' 'set-target 1'
	refuses EINVAL 'set-quota: [[]DOMID[]] QUOTA VALUE' 'set-quota nodes x'
	refuses EINVAL 'get-quota: [[][[]DOMID[]] QUOTA[]]' 'get-quota x nodes'
	refuses EOPNOTSUPP '*: the server does not know this request' get-feature 'get-feature 7' 'set-feature 7 1' \
		get-quota 'get-quota nodes' 'get-quota 7 nodes' 'set-quota nodes 5' 'set-quota 7 nodes 5'
}

# How a shell uses an open file.
shell() {
	local line status=0 fd other
	exec {fd}<>"$MNT/.xsfs/control"
	read -r line <&"$fd" || status=$?
	is "$status$line" 1 'nothing was asked: the end of the file'
	echo 'domain-path 3' >&"$fd"
	read -r line <&"$fd"
	is "$line" /local/domain/3 'bash reads the answer byte by byte'
	status=0
	read -r line <&"$fd" || status=$?
	is "$status" 1 'and the end behind it'
	echo 'domain-path 4' >&"$fd"
	echo 'domain-path 5' >&"$fd"
	exec {other}<>"$MNT/.xsfs/control"
	echo 'domain-path 6' >&"$other"
	is "$(cat <&"$fd")" /local/domain/5 'the answer is that of the last request'
	is "$(cat <&"$other")" /local/domain/6 'of this open file'
	if { echo 'nonsense 2' >&"$fd"; } 2>"$SCRATCH/echo"; then
		not_ok 'echo fails where a request does'
	else
		like "$(<"$SCRATCH/echo")" '*Invalid argument' 'echo fails where a request does'
	fi
	read -r line <&"$fd"
	is "$line" 'nonsense: there is no such request' 'and the file why'
	is "$(timeout "$XSFS_TEST_PATIENCE" python3 -c 'import select, sys
poller = select.poll()
poller.register(int(sys.argv[1]), select.POLLIN | select.POLLOUT)
print(poller.poll() == [(int(sys.argv[1]), select.POLLIN | select.POLLOUT)])' "$fd")" True 'poll: neither waits'
	exec {fd}>&- {other}>&-
	echo 'domain-path 1' >"$MNT/.xsfs/control"
	ok 'opened for writing alone'
	is "$(find "$MNT/.xsfs" -name control)" "$MNT/.xsfs/control" '.xsfs lists it'
	fails EPERM rm "$MNT/.xsfs/control"
}

interrupted() {
	local pid
	kill -s STOP "$SERVER_PID"
	bash -c 'echo "control print x" >"$1"' - "$MNT/.xsfs/control" &
	pid=$!
	PIDS+=("$pid")
	disown "$pid"
	comes_true 20 'a request that is not answered' grep -q CONTROL "$MNT/.xsfs/requests"
	kill -s KILL "$pid"
	comes_true 5 'its asker can be killed' dead "$pid"
	comes_true 5 'no operation is left' stat_is fuse_operations_now 1
	kill -s CONT "$SERVER_PID"
	comes_true 20 'nothing is left in flight' at_rest
	is "$(stat_of open_files)" 1 'no file is left open'
}

test_control() {
	mount_xsfs "$STORE"
	shell
	refused
	control
	interrupted
	[[ $STORE == socket ]] && ! has_config HAVE_XEN || domains
	umount_xsfs
}
for_each_store test_control

# Nobody gets the rights of this domain by being let into the mount.
test_owner() {
	mount_xsfs "$STORE" -o allow_other,uid=12345,gid=12345,umask=0
	is "$(stat -c '%a %u' "$MNT/.xsfs/control")" "600 $EUID" "it is the mounter's, whatever the options say"
	not_for_others "$MNT/.xsfs/control"
	umount_xsfs
}

for_each_store test_owner

# --- a newer server --------------------------------------------------------------------------------

# order COMMAND: the fake store has obeyed when this returns.
order() {
	local count
	count=$(grep -cxF "done $1" "$SCRATCH/said" || true)
	echo "$1" >&9
	wait_for "$XSFS_TEST_PATIENCE" test_done "$1" $((count + 1))
}

test_done() {
	(($(grep -cxF "done $1" "$SCRATCH/said") >= $2))
}

# on_the_wire REQUEST PAYLOAD REPLY ANSWER
on_the_wire() {
	order "lie 1 $3"
	is "$(ask "$1")" "$4" "$1"
	# but for what follows a request without a payload
	is "$(grep '^asked ' "$SCRATCH/said" | grep -v ' GET_DOMAIN_PATH 0|$' | tail -n 1)" "asked $2" \
		"$1: what the store was asked"
}

mkfifo "$SCRATCH/commands"
"$BUILD/tests/fakestore" "$SCRATCH/fake" "$SCRATCH/commands" >"$SCRATCH/said" &
PIDS+=("$!")
exec 9>"$SCRATCH/commands"
wait_for "$XSFS_TEST_PATIENCE" grep -qx ready "$SCRATCH/said"
requires_fuse
mount_xsfs "socket:$SCRATCH/fake" -o timeout=5 9>&-
on_the_wire get-feature 'GET_FEATURE ' 7 7
on_the_wire 'get-feature 3' 'GET_FEATURE 3|' 5 5
on_the_wire 'set-feature 3 5' 'SET_FEATURE 3|5|' OK OK
on_the_wire get-quota 'GET_QUOTA ' 'nodes watches' 'nodes watches'
on_the_wire 'get-quota nodes' 'GET_QUOTA nodes|' 1000 1000
on_the_wire 'get-quota 3 nodes' 'GET_QUOTA 3|nodes|' 50 50
on_the_wire 'set-quota nodes 9' 'SET_QUOTA nodes|9|' OK OK
on_the_wire 'set-quota 3 nodes 9' 'SET_QUOTA 3|nodes|9|' OK OK
on_the_wire 'introduce 1 2 3' 'INTRODUCE 1|2|3|' OK OK
on_the_wire 'control log on' 'CONTROL log|on|' OK OK
on_the_wire 'is-introduced 9' 'IS_DOMAIN_INTRODUCED 9|' T yes
refuses EOPNOTSUPP 'get-quota: the server does not know this request' get-quota
# Some servers drop what they do not know.
order 'silent 1'
refuses ETIMEDOUT 'get-quota: the server does not answer; it may not know this request' get-quota
order 'error 1 EPERM'
refuses EPERM 'set-quota: the server does not let this domain do that' 'set-quota nodes 9'
umount_xsfs
