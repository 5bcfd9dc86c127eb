#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The unit under a systemd that really runs, in a container of this system: it mounts for everybody, with the few
# rights that it needs, says when it is ready, and ends as administrators end it.
. "${0%/*}/functions.sh"
has_config XSFS_FORTIFY || skip 'sanitizers need more than the unit allows'
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires systemd-nspawn systemd-analyze findmnt
requires_fuse
[[ ${XSFS_TEST_NAMESPACE:-} ]] || skip 'there is no mount namespace for it'

UNIT=$BUILD/contrib/systemd/xsfs@.service

# systemd-analyze wants the file by the unit's name.
exposure=$(systemd-analyze security --offline=yes --no-pager --threshold=30 "$UNIT" 2>&1) && status=0 || status=$?
is "$status" 0 'systemd-analyze security: at most 3.0'
like "$exposure" '*Overall exposure level*' 'which it has looked at'
note "$(grep Overall <<<"$exposure")"
sed '/^CapabilityBoundingSet\|^SystemCallFilter/d' "$UNIT" >"$SCRATCH/xsfs@.service"
isnt_below=$(systemd-analyze security --offline=yes --no-pager --threshold=30 "$SCRATCH/xsfs@.service" >/dev/null 2>&1; echo $?)
is "$((isnt_below != 0))" 1 'and would not be without the limits on capabilities and system calls'

# What the container does when it has booted; each line of the result is "name: value".
cat >"$SCRATCH/probe" <<'END'
say() {
	printf '%s: %s\n' "$1" "$2" >>/result
}
field() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$(systemctl show -P MainPID xsfs@xen)/status"
}
mkdir -p /run/xenstored
: >/run/xenstored/socket
echo XSFS_STORE=embedded >/etc/default/xsfs
echo 'XSFS_OPTIONS="-o timeout=7 -o nosymfollow"' >/etc/default/xsfs@xen
say start "$(systemctl start xsfs@xen 2>&1) $?"
say mounted "$(findmnt -no FSTYPE /xen)"
say name "$(cat /xen/local/domain/1/name)"
echo hello >/xen/tool/key
say written "$(cat /xen/tool/key)"
mkdir /xen/tool/dir && mv /xen/tool/key /xen/tool/dir && rm -r /xen/tool/dir
say moved "$? $(ls /xen/tool)"
say capabilities "$(field CapEff) $(field CapBnd)"
say confined "$(field NoNewPrivs) $(field Seccomp)"
say warnings "$(journalctl --sync; journalctl --no-pager -o cat -p warning -u xsfs@xen | sed -n 's,^/xen: ,,p' | paste -sd ' ')"
# Path units, for what another client of the store changes.
export XENSTORED_PATH=/xen/.xsfs/xenbus
printf '[Service]\nType=oneshot\nExecStart=/bin/touch /run/saw-%%i\n' >/run/systemd/system/saw@.service
for what in PathChanged PathModified PathExists; do
	printf '[Path]\n%s=/xen/paths/%s\nUnit=saw@%s.service\n' "$what" "$what" "$what" >"/run/systemd/system/$what.path"
done
xenstore-write /paths/PathChanged 1 /paths/PathModified 1
say listed "$(ls /xen/paths | paste -sd ' ')"
systemctl daemon-reload
systemctl start PathChanged.path PathModified.path PathExists.path
say unseen "$(cd /run && ls saw-* 2>/dev/null)"
xenstore-write /paths/PathChanged 2 /paths/PathModified 2 /paths/PathExists 1
for i in {1..600}; do
	[[ -e /run/saw-PathChanged && -e /run/saw-PathModified && -e /run/saw-PathExists ]] && break
	sleep 0.1
done
say seen "$(cd /run && ls saw-* | paste -sd ' ')"
systemctl stop PathChanged.path PathModified.path PathExists.path
unset XENSTORED_PATH
say options "$(grep -zc '^timeout=7$' "/proc/$(systemctl show -P MainPID xsfs@xen)/cmdline")"
say guard "$(sed -n 's/^Cap\(Prm\|Eff\):[[:space:]]*//p' "/proc/$(pgrep -f '^fuse-guard /xen')/status" | paste -sd ' ')"
say flags "$(findmnt -no OPTIONS /xen | grep -c nosymfollow)"
kill -9 "$(systemctl show -P MainPID xsfs@xen)"
for i in {1..600}; do
	[[ $(systemctl is-active xsfs@xen) == active && $(cat /xen/local/domain/1/name 2>/dev/null) ]] && break
	sleep 0.1
done
say killed "$(systemctl is-active xsfs@xen) $(findmnt -no FSTYPE /xen | paste -sd ' ') $(cat /xen/local/domain/1/name)"
say stop "$(systemctl stop xsfs@xen 2>&1) $? $(findmnt -no FSTYPE /xen) $(systemctl is-active xsfs@xen)"
systemctl start xsfs@xen
umount /xen
for i in {1..600}; do
	[[ $(systemctl is-active xsfs@xen) == inactive ]] && break
	sleep 0.1
done
say umounted "$(systemctl is-active xsfs@xen) $(systemctl show -P Result xsfs@xen)"
echo XSFS_STORE=socket:/nosuch >/etc/default/xsfs
say refused "$(systemctl start xsfs@xen >/dev/null 2>&1; echo $?) $(findmnt -no FSTYPE /xen)"
say reason "$(journalctl --sync; journalctl --no-pager -o cat -u xsfs@xen | grep -c '/nosuch: No such file or directory')"
say end 1
systemctl poweroff --force
END

# This system with xsfs in it, and nothing of what is written there stays.
mkdir "$SCRATCH/layers"
mount -t tmpfs tmpfs "$SCRATCH/layers"
mkdir "$SCRATCH/layers/upper" "$SCRATCH/layers/work" "$SCRATCH/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$SCRATCH/layers/upper,workdir=$SCRATCH/layers/work" "$SCRATCH/root"
MOUNTS+=("$SCRATCH/layers" "$SCRATCH/root")
root=$SCRATCH/root
bounded make -s -C "$BUILD" install DESTDIR="$root" >"$SCRATCH/install" 2>&1
mkdir -p "$root/etc/systemd/system" "$root/etc/default" "$root/xen"
cp "$SCRATCH/probe" "$root/probe"
cat >"$root/etc/systemd/system/probe.service" <<'END'
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash /probe
END
# A boot, and all that the probe does.
timeout --kill-after=2 $((5 * XSFS_TEST_PATIENCE)) systemd-nspawn --machine="xsfs-unit-$$" --register=no --keep-unit --quiet -D "$root" --bind=/dev/fuse --capability=all \
	-b systemd.unit=probe.service >"$SCRATCH/boot" 2>&1 </dev/null || true
[[ -e $root/result ]] || { tail -n 20 "$SCRATCH/boot" >&2; skip "no container can be booted here"; }

# of NAME: prints the value that the container reported.
of() {
	sed -n "s/^$1: //p" "$root/result"
}
is "$(of start)" ' 0' 'systemctl start ends when it is ready'
is "$(of mounted) $(of name)" 'fuse.xsfs web' 'the mount is everybody'\''s'
is "$(of written)" hello 'a value'
is "$(of moved)" '0 xenstored' 'rename and rm -r'
is "$(of capabilities)" '0000000000200000 0000000000200000' 'it has CAP_SYS_ADMIN alone'
is "$(of confined)" '1 2' 'no new privileges, and a filter of system calls'
is "$(of warnings)" '' 'nothing that it gives up by itself is in the way of the unit'\''s limits'
is "$(of listed) $(of unseen)" 'PathChanged PathModified ' 'path units wait for keys'
is "$(of seen)" 'saw-PathChanged saw-PathExists saw-PathModified' 'and are started by what another client writes'
is "$(of options)" 1 'options of this mount, by /etc/default/xsfs@xen'
is "$(of guard)" '0000000000000000 0000000000000000' 'its guard has none'
is "$(of flags)" 1 'nosymfollow, which takes one more system call'
is "$(of killed)" 'active fuse.xsfs web' 'after kill -9 it is started again, in the place of its dead mount'
is "$(of stop)" ' 0  inactive' 'systemctl stop unmounts'
is "$(of umounted)" 'inactive success' 'umount ends it'
is "$(of refused)" '1 ' 'a store that is not there: systemctl start fails'
is "$((10#$(of reason) > 0))" 1 'and the journal has the reason'
is "$(of end)" 1 'the container came to the end'
