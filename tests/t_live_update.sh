#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The server is replaced by another program of its kind while it runs (xenstore-control live-update): its clients
# keep their connections, so mounts go on as if nothing had happened.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires_fuse
requires python3

# set_update KIND SOCKET: UPDATE is the command that has that server replaced by what is installed. Not the one in
# PATH, which in Debian looks for a hypervisor first.
set_update() {
	local program
	program=$(server_binary "$1")
	[[ -x ${program%/*}/xenstore-control ]] || skip "no ${program%/*}/xenstore-control"
	UPDATE=(env "XENSTORED_PATH=$2" timeout --kill-after=2 "$XSFS_TEST_PATIENCE" "${program%/*}/xenstore-control" live-update)
	PROGRAM=$program
}

# image PID: what differs after each exec.
image() {
	python3 "$TEST_DIR/exec_image.py" "$1"
}

test_in_use() {
	set_update "$SERVER_KIND" "$SERVER_SOCKET"
	xs write /lu/busy '' /lu/watched '' /lu/polled ''
	mount_xsfs "$STORE"
	checked python3 "$TEST_DIR/programs/live_update.py" "$MNT" "$SERVER_PID" "${UPDATE[@]}" "$PROGRAM"
	umount_xsfs
}
for_each_store test_in_use

# While a transaction is open the server refuses, and after it agrees. xenstored can be forced, which ends the
# transaction; oxenstored promises nothing then.
test_transaction() {
	local tx before status
	set_update "$SERVER_KIND" "$SERVER_SOCKET"
	xs write /lu/key old
	mount_xsfs "$STORE"
	before=$(image "$SERVER_PID")
	exec 3<>"$MNT/.xsfs/transaction"
	read -r tx <&3
	echo new >"$MNT/.xsfs/tx/$tx/lu/key"
	status=0
	"${UPDATE[@]}" -t 1 "$PROGRAM" >"$SCRATCH/out" 2>&1 || status=$?
	is "$((status != 0)) $(image "$SERVER_PID")" "1 $before" 'not while a transaction is open'
	is "$(<"$MNT/lu/key") $(<"$MNT/.xsfs/tx/$tx/lu/key")" 'old new' 'which goes on'
	succeeds 'and is committed' bash -c 'echo commit >&3'
	exec 3>&-
	is "$(value /lu/key)" new 'with effect'
	succeeds 'then there can be an update' "${UPDATE[@]}" "$PROGRAM"
	is "$([[ $(image "$SERVER_PID") != "$before" ]] && cat "$MNT/lu/key")" new 'it took place, and the mount goes on'
	if [[ $SERVER_KIND == c ]]; then
		exec 3<>"$MNT/.xsfs/transaction"
		read -r tx <&3
		echo lost >"$MNT/.xsfs/tx/$tx/lu/key"
		succeeds 'forced while a transaction is open' "${UPDATE[@]}" -F -t 1 "$PROGRAM"
		fails ECANCELED bash -c 'echo commit >&3'
		exec 3>&-
		is "$(<"$MNT/lu/key")" new 'the transaction had no effect'
		comes_true 10 'and is gone' stat_is transactions 0
	fi
	umount_xsfs
}
for_each_store test_transaction

# A guest's own ring.
test_guest() {
	local port
	set_update "$SERVER_KIND" "$SERVER_SOCKET"
	port=$("$XSLOOP" guest "$SERVER_DIR" 7 4711)
	xs write /local/domain/7/x value
	xs chmod -r /local/domain/7 n7
	"$XSLOOP" introduce "$SERVER_DIR" 7 4711 "$port"
	XSFS_TEST_DOMID=7 mount_xsfs ring:server=0 -o root=/local/domain/7
	exec 4<>"$MNT/.xsfs/watch"
	echo /local/domain/7/x >&4
	succeeds 'an update' "${UPDATE[@]}" "$PROGRAM"
	is "$(<"$MNT/x")" value "a guest's ring: read"
	echo new >"$MNT/y"
	is "$(value /local/domain/7/y)" new "a guest's ring: written"
	xs write /local/domain/7/x next
	read -r -t "$XSFS_TEST_PATIENCE" line <&4 || line=none
	is "$line" 'changed /local/domain/7/x' "a guest's ring: an event comes"
	exec 4>&-
	umount_xsfs
}
if has_config HAVE_XEN && has_config HAVE_XENCALL; then
	XSFS_TEST_TRANSPORT=ring for_each_store test_guest
fi

# The embedded store, with the nodes of its sample domains; with -d also the server's trace goes on.
test_embedded() {
	local server
	mount_xsfs "embedded:$1" -d
	set_update "$1" "$(sed -n 's/^socket //p' "$MNT/.xsfs/stats")"
	server=$(pgrep -P "$MOUNT_PID" xenstored)
	before=$(image "$server")
	succeeds "embedded:$1: an update" "${UPDATE[@]}" "$PROGRAM"
	is "$([[ $(image "$server") != "$before" ]] && cat "$MNT/local/domain/1/name")" web "embedded:$1: it goes on"
	echo new >"$MNT/local/domain/1/data/key"
	is "$(perms "$MNT/local/domain/1/data/key") $(stat_of reconnects)" 'n1 0' "embedded:$1: nodes of a sample domain"
	umount_xsfs
	is "$(alive "$server" && echo alive)" '' "embedded:$1: the server ends with the mount"
}
if has_config HAVE_XEN; then
	requires getfattr pgrep
	export TMPDIR=$SCRATCH/tmp
	mkdir "$TMPDIR"
	for kind in $XSFS_TEST_SERVER; do
		if server_binary "$kind" >/dev/null; then
			test_embedded "$kind"
		else
			skip_one "embedded:$kind" 'the server is not installed'
		fi
	done
fi
