# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Runs in domain 0: what its users do there, over the socket and over the kernel's device, and what they see
# while xl makes, changes and ends a guest.
. /tests/xen/dom0.sh
. /tests/load.sh
start_store "$XSFS_XEN_STORE"

WATCHERS=/build/tests/watchers

# --- the tree -------------------------------------------------------------------------------------

test_files() {
	mkdir "$MNT/tool/t"
	echo 'a value' >"$MNT/tool/t/a"
	is "$(value /tool/t/a)" 'a value' 'written through the mount, read by xenstore-read'
	xs write /tool/t/b other
	is "$(cat "$MNT/tool/t/b")" other 'written by xenstore-write, read through the mount'
	is "$(ls "$MNT/tool/t" | tr '\n' ' ')" 'a b ' 'a directory lists its keys'
	is "$(grep -r . "$MNT/tool/t" | wc -l)" 2 'grep -r finds both'
	fails ENOENT cat "$MNT/tool/t/nothing"
	fails ENOTEMPTY rmdir "$MNT/tool/t"
	mkdir "$MNT/tool/t/sub"
	echo below >"$MNT/tool/t/sub/key"
	succeeds 'rename moves a subtree, in a transaction' mv "$MNT/tool/t/sub" "$MNT/tool/t/moved"
	is "$(value /tool/t/moved/key)" below 'the value has moved'
	absent /tool/t/sub 'the old name is gone'
	echo more >>"$MNT/tool/t/a"
	is "$(value /tool/t/a)" $'a value\nmore' 'append, in a transaction'
	rm "$MNT/tool/t/moved/key"
	succeeds 'rmdir of what has become empty' rmdir "$MNT/tool/t/moved"
	echo n0,r7 >"$MNT/tool/t/.perms"
	is "$(perms "$MNT/tool/t")" n0,r7 'permissions written to .perms, read as an attribute'
	setfattr -n user.xenstore.perms -v b0,w5 "$MNT/tool/t/b"
	like "$(xs ls -p /tool/t)" '*(b0,w5)*' 'permissions as xenstore-ls shows them'
	is "$(readlink "$MNT/.xsfs/self")" ../local/domain/0 '.xsfs/self is domain 0'
	is "$(cat "$MNT/.xsfs/self/name")" Domain-0 'and has its name'
	grep -q "^transport $STORE\$" "$MNT/.xsfs/stats"
	ok "the statistics name the transport"
}

test_parallel() {
	local n pids=()
	for n in {1..16}; do
		(
			for round in 1 2; do
				echo "$n.$round" >"$MNT/tool/p$n"
				[[ $(<"$MNT/tool/p$n") == "$n.$round" ]] || exit 1
				mkdir "$MNT/tool/d$n" && rmdir "$MNT/tool/d$n" || exit 1
			done
		) &
		pids+=("$!")
	done
	local bad=0
	for n in "${pids[@]}"; do
		wait "$n" || bad=$((bad + 1))
	done
	is "$bad" 0 '16 processes write, read, make and remove in parallel'
	rm "$MNT"/tool/p*
	is "$(echo "$MNT"/tool/[pd]*)" "$MNT/tool/[pd]*" 'what they made is removed'
}

test_watching() {
	local pid status
	echo 1 >"$MNT/tool/t/a"
	timeout "$XSFS_TEST_PATIENCE" "$WATCHERS" key "$MNT/tool/t/a" 3 >"$SCRATCH/poll" 2>&1 &
	pid=$!
	xs write /tool/t/a 2
	xs write /tool/t/a 3
	wait "$pid" || true
	like "$(<"$SCRATCH/poll")" 'ok *' 'a poll wakes up for changes of others'
	exec 3<"$MNT/tool/t/.watch"
	xs write /tool/t/w/x 1
	read -r -t "$XSFS_TEST_PATIENCE" -u 3 line || line=nothing
	like "$line" 'changed /tool/t/w*' 'a stream tells of a new node'
	xs rm /tool/t/w
	until [[ $line == 'deleted /tool/t/w' ]]; do
		read -r -t "$XSFS_TEST_PATIENCE" -u 3 line || break
	done
	is "$line" 'deleted /tool/t/w' 'and of its removal'
	exec 3<&-
	"$WAIT" -m "$MNT" /tool/t/a again --timeout "$XSFS_TEST_PATIENCE" &
	pid=$!
	xs write /tool/t/a again
	status=0
	wait "$pid" || status=$?
	is "$status" 0 'xsfs-wait waits for a value'
}

for STORE in socket xenbus; do
	PREFIX="[$XSFS_XEN_STORE/$STORE] "
	mount_xsfs "$STORE"
	test_files
	test_watching
	test_parallel
	rm -r "$MNT/tool/t"
	absent /tool/t 'rm -r removes the tree'
	umount_xsfs
done

# --- while xl works -------------------------------------------------------------------------------

# From here on with the cache, by both ways at once; what they say has to be the same.
XSFS_TEST_CACHE=meta
mount_xsfs socket
SOCKET=$MNT
mount_xsfs xenbus
XENBUS=$MNT
PREFIX="[$XSFS_XEN_STORE] "

# What is asked of the store in other words than those of files; through both mounts.
test_protocol() {
	local answer t
	for MNT in "$SOCKET" "$XENBUS"; do
		exec 3<>"$MNT/.xsfs/transaction"
		read -r t <&3
		echo 1 >"$MNT/.xsfs/tx/$t/tool/tx"
		absent /tool/tx 'what is written in a transaction is not seen outside'
		echo commit >&3
		exec 3>&-
		is "$(value /tool/tx)" 1 'until it is committed'
		# shellcheck disable=SC2016 # for the other shell
		succeeds 'xsfs-tx' "$BUILD/src/xsfs-tx" -m "$MNT" bash -c 'read -r n <"$XSFS/tool/tx"; echo $((n + 1)) >"$XSFS/tool/tx"'
		is "$(value /tool/tx)" 2 'has added one'
		xs rm /tool/tx
		exec 3<>"$MNT/.xsfs/control"
		echo "is-introduced $GUEST_ID" >&3
		read -r answer <&3
		exec 3>&-
		is "$answer" yes '.xsfs/control: the guest is introduced'
		is "$(XENSTORED_PATH=$MNT/.xsfs/xenbus xenstore-read "/$home/name")" one \
			'xenstore-read through .xsfs/xenbus'
	done
}

# both_have PATH VALUE TITLE: through both mounts, at once: what is cached are names only.
both_have() {
	is "$(cat "$SOCKET/$1") $(cat "$XENBUS/$1")" "$2 $2" "$3"
}

MNT=$SOCKET stream socket @introduceDomain @releaseDomain
MNT=$XENBUS stream xenbus @introduceDomain @releaseDomain
ls -R "$SOCKET" "$XENBUS" >/dev/null

guest_start one job_guest.sh pv "xsfs.store=$XSFS_XEN_STORE"
home=local/domain/$GUEST_ID
told socket 'changed @introduceDomain' 'socket: @introduceDomain arrives when xl creates a guest'
told xenbus 'changed @introduceDomain' 'xenbus: @introduceDomain arrives when xl creates a guest'
both_have "$home/name" one 'the new guest has its name in both mounts'
succeeds 'both mounts list it' test -d "$SOCKET/$home" -a -d "$XENBUS/$home"
is "$(cd "$SOCKET" && grep -lx one local/domain/*/name)" "$home/name" 'grep finds it by its name'
like "$(xl list)" "*one *$GUEST_ID *" 'xl lists it'

MNT=$SOCKET stream home "/$home/name" "/$home/device" "/$home/control"
succeeds 'xl renames it' xl rename one two
told home "changed /$home/name" 'a stream tells of the new name'
both_have "$home/name" two 'both mounts have the new name'
succeeds 'xl renames it back' xl rename two one

# Nothing below it changes by itself.
for MNT in "$SOCKET" "$XENBUS"; do
	is "$(cat "$MNT/$home/device/.dump")" "$(xs ls -f "/$home/device")" '.dump is what xenstore-ls -f prints'
	like "$(cat "$MNT/$home/.json")" '*"name": "one"*' '.json has its name'
done
test_protocol

timeout "$XSFS_TEST_PATIENCE" "$WATCHERS" key "$XENBUS/$home/memory/target" 180224 >"$SCRATCH/target" 2>&1 &
poller=$!
succeeds 'xl mem-set' xl mem-set one 176
wait "$poller" || true
like "$(<"$SCRATCH/target")" 'ok *' 'a poll sees what xl mem-set writes'

# The guest tests what an unprivileged domain may do; domain 0 does what it asks for.
succeeds 'the guest has mounted' guest_did mounted
xs write "/$home/secret/shared" 1
xs chmod "/$home/secret" n0
xs chmod "/$home/secret/shared" n0 "r$GUEST_ID"
guest_go secret
succeeds 'the guest has seen what it may read below what it may not' guest_did watching
rm "$XENBUS/$home/secret/shared"
succeeds 'the guest has seen that it is gone' guest_did gone
xs write "/$home/data/there" 1
guest_go there
succeeds 'the guest caches a key' guest_did cached
rm -r "$SOCKET/$home/data/there"
guest_go removed
succeeds 'and that the key is gone' guest_did filled
keys=()
for n in {1..850}; do
	keys+=("/$home/data/q/$n" 1)
	# xenstored counts a directory's size, which is domain 0's affair only as long as it writes.
	[[ $XSFS_XEN_STORE == o ]] || break
done
xs write "${keys[@]}"
guest_go filled
succeeds 'the guest has met its quota' guest_did full
xs rm "/$home/data/q"
guest_go emptied
succeeds 'the guest has done with quotas' guest_did quotas

# A device, as xl adds it to a running guest: the backend is the kernel's in domain 0.
succeeds 'xl attaches a network device' timeout "$XSFS_TEST_PATIENCE" xl network-attach one mac=00:16:3e:01:02:03
if wait_for "$XSFS_TEST_PATIENCE" grep -q "^changed /$home/device/vif/0" "$SCRATCH/home"; then
	ok 'a stream tells of the new device'
else
	not_ok 'a stream tells of the new device' "$(<"$SCRATCH/home")"
fi
both_have "$home/device/vif/0/mac" 00:16:3e:01:02:03 'both mounts show the device'
backend=$(cat "$SOCKET/$home/device/vif/0/backend")
is "$backend" "/local/domain/0/backend/vif/$GUEST_ID/0" 'and its backend'
timeout "$XSFS_TEST_PATIENCE" "$WATCHERS" key "$XENBUS$backend/online" '(gone)' >"$SCRATCH/online" 2>&1 &
poller=$!
wait_for "$XSFS_TEST_PATIENCE" is_open "$XENBUS$backend/online" || true
succeeds 'xl detaches it' timeout "$XSFS_TEST_PATIENCE" xl network-detach one 0
wait "$poller" || true
like "$(<"$SCRATCH/online")" 'ok *' 'a poll sees the backend go'
gone "$SOCKET/$home/device/vif/0" 'the device is gone'

succeeds 'xl pauses it' xl pause one
both_have "$home/name" one 'a paused guest can be read'
succeeds 'xl unpauses it' xl unpause one

# Nobody in the guest knows this command but the one who waits for it.
guest_go control
succeeds 'the guest waits for a command' guest_did listening
echo xsfs >"$SOCKET/$home/control/shutdown"
succeeds 'a watcher in the guest has woken up' guest_did commanded
guest_go finish
ends_well guest_wait one 'what the guest tests is right'
echo >"$SOCKET/$home/control/shutdown"
succeeds 'xl shuts it down' xl shutdown one
told home "changed /$home/control/shutdown" 'a stream tells of the command'
told socket 'changed @releaseDomain' 'socket: @releaseDomain arrives when the guest has ended'
told xenbus 'changed @releaseDomain' 'xenbus: @releaseDomain arrives when the guest has ended'
gone "$SOCKET/$home" 'socket: its keys are gone'
gone "$XENBUS/$home" 'xenbus: its keys are gone'

# Another goes to sleep and wakes up as another domain.
echo before >"$SOCKET/tool/saved"
setfattr -n user.xenstore.perms -v r0 "$SOCKET/tool/saved"
guest_start saved job_saved.sh pv "xsfs.store=$XSFS_XEN_STORE"
home=local/domain/$GUEST_ID
MNT=$SOCKET stream saved "/$home"
succeeds 'a guest waits for events' guest_did ready
succeeds 'xl saves it' timeout "$XSFS_TEST_PATIENCE" xl save saved /tmp/image
told saved "deleted /$home" 'a stream tells that its keys are removed'
gone "$XENBUS/$home" 'they are gone'
succeeds 'xl restores it' timeout "$XSFS_TEST_PATIENCE" xl restore /tmp/image
rm /tmp/image
GUEST_ID=$(xl domid saved)
both_have "local/domain/$GUEST_ID/name" saved 'it is another domain, with the same name'
echo after >"$SOCKET/tool/saved"
succeeds 'its waiters have woken up' guest_did restored
guest_go further
ends_well guest_finish saved 'what the restored guest tests is right'
rm "$SOCKET/tool/saved"

# Another is destroyed while it is busy.
guest_start busy job_busy.sh pv
home=local/domain/$GUEST_ID
succeeds 'a guest is busy' guest_did busy
succeeds 'xl destroys it' timeout "$XSFS_TEST_PATIENCE" xl destroy busy
gone "$SOCKET/$home" 'its keys are gone'
both_have local/domain/0/name Domain-0 'both mounts go on'
for MNT in "$SOCKET" "$XENBUS"; do
	is "$(stat_of reconnects)" 0 'neither mount had to connect again'
done

# --- whose ring it is -----------------------------------------------------------------------------

# Domain 0's ring is the kernel's own.
status=0
mount_xsfs ring >"$SCRATCH/refused" 2>&1 || status=$?
is "$((status != 0))" 1 'xsfs refuses the ring that the kernel uses'
streams_end
umount_xsfs "$SOCKET"
umount_xsfs "$XENBUS"
