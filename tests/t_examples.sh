#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The scripts of contrib/examples, on the embedded store: what they print, what they change, and that a guest's
# keys do not mislead them.
# shellcheck source=tests/functions.sh
. "${0%/*}/functions.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires_fuse
requires getfattr xenstore-ls
server_binary c >/dev/null || skip 'no xenstored (xen-utils)'

# The embedded store's socket is below this directory.
export TMPDIR=$SCRATCH/tmp
mkdir "$TMPDIR"
examples=$TEST_DIR/../contrib/examples

mount_xsfs embedded
export XSFS_MOUNT=$MNT
# shellcheck disable=SC2034 # xs reads it
SERVER_SOCKET=$(echo "$TMPDIR"/xsfs-embedded.*/socket)

# example NAME ARGS...: runs it; its output, errors too, is the result.
example() {
	bounded bash "$examples/$1" "${@:2}" 2>&1
}

# refuses STATUS PATTERN NAME ARGS...: the example ends with that status and says one line that matches.
refuses() {
	local expected=$1 pattern=$2 output status=0
	shift 2
	output=$(example "$@") || status=$?
	like "$status $output" "$expected $pattern" "refused: $*"
}

# permissions PATH: prints the subtree with permissions, without its own path.
permissions() {
	xs ls -fp "$1" | sed "s:^$1::"
}

is "$(example list-domains)" \
	'   ID  NAME                     MEMORY/MiB
    0  Domain-0                       2048
    1  web                            1024
    2  db                             4096' 'list-domains'
mkdir -p "$MNT/local/domain/10/memory" "$MNT/local/domain/11"
echo $'evil\e[2Jname' >"$MNT/local/domain/10/name"
echo 08192 >"$MNT/local/domain/10/memory/target"
is "$(example list-domains | tail -n 2)" \
	'   10  evil?[2Jname                      8
   11  -                                 -' 'list-domains: in the order of numbers, nothing that cannot be printed'
rm -r "$MNT/local/domain/10" "$MNT/local/domain/11"
refuses 2 'usage: list-domains *' list-domains more
XSFS_MOUNT=$SCRATCH refuses 1 'list-domains: *no xenstore is mounted there' list-domains

devices='DEVICE           FRONTEND       BACKEND        BACKEND PATH
console/0        -              connected      /local/domain/0/backend/console/1/0
vbd/51712        connected      connected      /local/domain/0/backend/vbd/1/51712
vif/0            connected      connected      /local/domain/0/backend/vif/1/0'
is "$(example list-devices 1)" "$devices" 'list-devices, by number'
is "$(example list-devices web)" "$devices" 'list-devices, by name'
echo 5 >"$MNT/local/domain/2/device/vif/0/state"
echo 2 >"$MNT/local/domain/0/backend/vif/2/0/state"
like "$(example list-devices db)" '*
vif/0            closing        init-wait      /local/domain/0/backend/vif/2/0' 'list-devices: other states'
echo $'\r4' >"$MNT/local/domain/2/device/vif/0/state"
like "$(example list-devices 2)" '*
vif/0            \?4 *' 'list-devices: a state that is none'
rm "$MNT/local/domain/2/device/vif/0/state"
mkdir -p "$MNT/local/domain/2/device/vif/0/state/x"
like "$(example list-devices 2)" '*
vif/0            - *' 'list-devices: a state that the guest made a directory'
is "$(example list-devices 0)" 'DEVICE           FRONTEND       BACKEND        BACKEND PATH' 'list-devices: none'
refuses 1 'list-devices: there is no domain 3' list-devices 3
refuses 1 'list-devices: there is no domain x/../y' list-devices x/../y
refuses 2 'usage: list-devices *' list-devices

echo own >"$MNT/local/domain/1/device/.value"
succeeds 'copy-subtree' bash "$examples/copy-subtree" /local/domain/1 /tool/saved
is "$(permissions /tool/saved)" "$(permissions /local/domain/1)" 'the same keys, values and permissions'
is "$(permissions /tool/saved | grep -c 'n1,r0')" 22 'the permissions of the guest among them'
is "$(value /tool/saved/device)" own 'and the value of a directory'
is "$(perms "$MNT/tool/saved")" n0,r1 'and the permissions of the copy itself'
is "$(ls "$MNT/tool")" $'saved\nxenstored' 'nothing else was left there'
succeeds 'copy-subtree of a single key' bash "$examples/copy-subtree" /local/domain/1/name /tool/name
is "$(value /tool/name) $(perms "$MNT/tool/name")" 'web n0,r1' 'it is there'
refuses 1 'copy-subtree: /tool/saved exists' copy-subtree /local/domain/2 /tool/saved
refuses 1 'copy-subtree: there is no /local/domain/3' copy-subtree /local/domain/3 /tool/x
refuses 1 'copy-subtree: there is no directory /none' copy-subtree /tool/name /none/x
refuses 1 'copy-subtree: /tool/saved/x is inside of /tool/saved' copy-subtree /tool/saved /tool/saved/x
refuses 1 'copy-subtree: /../etc: not the path of a key' copy-subtree /../etc /tool/x
refuses 2 'usage: copy-subtree *' copy-subtree /tool
is "$(ls "$MNT/tool")" $'name\nsaved\nxenstored' 'what was refused left nothing'
umount_xsfs
