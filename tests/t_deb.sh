#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Debian's packages: built by `make deb`, judged by lintian, installed, used, upgraded while something is mounted,
# and purged; then booted with systemd. All of that happens in this system under an overlay, which shows what a
# purge leaves behind.
# shellcheck source=tests/functions.sh
. "${0%/*}/functions.sh"
# shellcheck source=tests/system.sh
. "${0%/*}/system.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
! grep -q 'fsanitize' "$BUILD/config.status" || skip 'the packages are the same without sanitizers'
requires_fuse
requires dpkg-buildpackage dh lintian getfattr systemd-nspawn xenstore-read
unset MAKEFLAGS MFLAGS MAKELEVEL TESTS LIMIT XSFS_LOOP_LIB XSFS_SAMPLE LD_PRELOAD

DEBS=$BUILD/deb
VERSION=$(sed -n '1s/^xsfs (\(.*\)) .*/\1/p' "$TEST_DIR/../contrib/debian/changelog")
LATER=$VERSION+test1
ARCH=$(dpkg --print-architecture)

# package_later FILE: the same package with a later version, in $SCRATCH/later.
package_later() {
	local tree=$SCRATCH/tree
	dpkg-deb --raw-extract "$1" "$tree"
	sed -i "s/\\b${VERSION//./\\.}\$/$LATER/; s/(= ${VERSION//./\\.})/(= $LATER)/" "$tree/DEBIAN/control"
	mkdir -p "$SCRATCH/later"
	dpkg-deb --root-owner-group -Znone --build "$tree" "$SCRATCH/later" >/dev/null
	rm -r "$tree"
}

# --- building -------------------------------------------------------------------------------------

test_build() {
	local output status=0 package
	package_make deb "$SCRATCH/deb.log" || status=$?
	is "$status" 0 'make deb' || true
	if ((status)); then
		tail -n 40 "$SCRATCH/deb.log" | sed 's/^/# /'
		return 1
	fi
	for package in xsfs xsfs-embedded xsfs-dbgsym xsfs-embedded-dbgsym; do
		is "$(find "$DEBS" -name "${package}_${VERSION}_*.deb" | wc -l)" 1 "it makes $package"
	done
	is "$(grep -c '^PASS: unit_' "$SCRATCH/deb.log" | awk '{ print ($1 > 0) }')" 1 'which has run the unit tests'
	# What lintian takes for words in machine code differs from compiler to compiler. The newest standard that it
	# knows differs from release to release.
	status=0
	output=$(timeout 1500 lintian --allow-root --fail-on error,warning,info --display-info \
		--suppress-tags spelling-error-in-binary,out-of-date-standards-version "$DEBS"/*.changes 2>&1) || status=$?
	is "$status $output" '0 ' 'lintian finds nothing'
	is "$(sed -n 's/^AC_INIT(\[xsfs], \[\(.*\)])$/\1/p' "$TEST_DIR/../configure.ac")" "${VERSION%-*}" \
		'the version of the package is that of the program'
	is "$(sed -n '0,/^## /s/^## \([^ ]*\) .*/\1/p' "$TEST_DIR/../CHANGELOG.md")" "${VERSION%-*}" 'and the newest in CHANGELOG.md'
	for package in "$DEBS"/xsfs_*.deb "$DEBS"/xsfs-embedded_*.deb; do
		package_later "$package"
	done
}

# --- installing, using, purging -------------------------------------------------------------------

test_install() {
	local output before made
	system_new "$DEBS"/xsfs_*.deb "$DEBS"/xsfs-embedded_*.deb "$SCRATCH"/later/*.deb
	system_devices
	touch "$ROOT/etc/fstab"
	inside dpkg --purge xsfs-embedded xsfs >/dev/null 2>&1 || true
	rm -rf "$ROOT"/usr/local/*/*xsfs*
	before=$(traces)
	succeeds 'it can be installed' inside dpkg --install "/packages/xsfs_${VERSION}_$ARCH.deb"
	like "$(inside xsfs -V)" "xsfs ${VERSION%-*}"$'\n''*embedded: not installed (*xsfs-embedded)*' 'without the private store'
	# It may be there, as README.md makes it.
	made=''
	[[ -d $ROOT/xen ]] || { inside mkdir /xen; made=yes; }
	like "$(inside xsfs embedded /xen 2>&1 || true)" '*Debian: the package xsfs-embedded*' 'for which another package is named'
	succeeds 'which can be installed, too' inside dpkg --install \
		"/packages/xsfs-embedded_${VERSION}_$ARCH.deb"
	is "$(inside sh -c 'ls /usr/share/doc/xsfs')" \
		$'README.md.gz\nchangelog.Debian.gz\nchangelog.gz\ncopyright\nexamples' 'what there is to read'
	own_test

	echo 'embedded /xen fuse.xsfs ro,nofail 0 0' >>"$ROOT/etc/fstab"
	succeeds 'a line of fstab' inside mount /xen
	is "$(inside cat /xen/local/domain/0/name)" Domain-0 'mounts it'
	fails EROFS inside sh -c 'echo v >/xen/tool/key'
	test_upgrade
	succeeds 'its mount ends' inside umount /xen
	sed -i '$d' "$ROOT/etc/fstab"
	[[ ! $made ]] || inside rmdir /xen
	test_purge "$before"
	system_end
}

test_upgrade() {
	local output pid
	pid=$(pgrep_inside)
	exec 3<"$ROOT/xen/local/domain/0/name"
	output=$(inside sh -c "dpkg --install /packages/*_$LATER"_*.deb 2>&1) || note "$output"
	like "$output" '*xsfs: what is mounted is still served by the version that mounted it*' 'an upgrade says what it does not change'
	is "$(inside dpkg-query --show --showformat='${Version}' xsfs)" "$LATER" 'and is one'
	is "$(pgrep_inside)" "$pid" 'the daemon goes on'
	is "$(cat <&3)" Domain-0 'with the files that are open'
	exec 3<&-
}

test_purge() {
	local before=$1
	echo 'XSFS_OPTIONS=' >"$ROOT/etc/default/xsfs@xen"
	mkdir -p "$ROOT/etc/systemd/system/multi-user.target.wants"
	ln -s /usr/lib/systemd/system/xsfs@.service "$ROOT/etc/systemd/system/multi-user.target.wants/xsfs@xen.service"
	succeeds 'it can be removed' inside dpkg --remove xsfs-embedded xsfs
	is "$(inside sh -c 'cd /etc/default && echo xsfs*')" 'xsfs xsfs@xen' 'and leaves the settings'
	is "$(mounts_inside)" 0 'nothing is mounted'
	succeeds 'it can be purged' inside dpkg --purge xsfs-embedded xsfs
	is "$(traces)" "$before" 'and leaves nothing'
}

# --- booting --------------------------------------------------------------------------------------

# boot_units: a store that starts like Xen's, guests that start after it, and five mounts.
boot_units() {
	local units=$ROOT/etc/systemd/system
	# Nothing of what this system starts, and nothing that forbids to start and stop.
	rm -rf "${units:?}"/* "$ROOT"/etc/rc?.d/* "$ROOT/etc/default/xsfs@"* "$ROOT/usr/sbin/policy-rc.d"
	mkdir -p "$units/multi-user.target.wants"
	cat >"$units/xen.service" <<-'END'
		[Service]
		ExecStartPre=touch /root/booted
		ExecStartPre=/usr/libexec/xsfs/xsloop init /run/world
		ExecStartPre=mkdir -p /run/xenstored
		ExecStartPre=ln -s /run/world/socket /run/xenstored/socket
		ExecStart=/usr/libexec/xsfs/xsloop server /run/world c
		ExecStartPost=/usr/libexec/xsfs/xsloop wait /run/world
		ExecStartPost=env XENSTORED_PATH=/run/world/socket xenstore-write /local/domain/0/name Domain-0
	END
	cat >"$units/xendomains.service" <<-'END'
		[Unit]
		After=xen.service
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=sh -c "awk '/ - fuse.xsfs / { print $5 }' /proc/self/mountinfo | sort | tr '\n' ' ' >/run/guests"
	END
	cat >"$units/test.service" <<-END
		[Unit]
		After=xendomains.service multi-user.target
		[Service]
		Type=oneshot
		ExecStart=sh -c 'bash /root/boot.sh $XSFS_TEST_PATIENCE /packages/*_${LATER}_*.deb >/root/said 2>&1'
		ExecStopPost=systemctl --no-block poweroff
	END
	ln -s ../xen.service ../xendomains.service ../test.service "$units/multi-user.target.wants"
	cp "$ROOT"/usr/share/doc/xsfs/examples/xen.mount "$units"
	sed 's,/xen\b,/srv/auto,' "$units/xen.mount" >"$units/srv-auto.mount"
	sed 's,/xen\b,/srv/auto,' "$ROOT/usr/share/doc/xsfs/examples/xen.automount" >"$units/srv-auto.automount"
	echo 'XSFS_OPTIONS=' >"$ROOT/etc/default/xsfs@srv-writable"
	echo 'auto /srv/fstab fuse.xsfs ro,nofail,x-systemd.after=xen.service,x-systemd.before=xendomains.service 0 0' \
		>"$ROOT/etc/fstab"
	inside systemctl set-default multi-user.target
	inside systemctl enable xsfs@srv-unit xsfs@srv-writable xen.mount srv-auto.automount
	cp "$TEST_DIR/deb_boot.sh" "$ROOT/root/boot.sh"
}

# boot: until it powers itself off. In a control group of its own, which is the root of all groups there.
boot() {
	local hierarchy=$SCRATCH/cgroup group status=0 autofs=
	[[ ! -c /dev/autofs ]] || autofs=--bind=/dev/autofs
	group=$hierarchy/xsfs-test.$$
	mkdir "$hierarchy"
	mount -t cgroup2 cgroup2 "$hierarchy"
	mkdir "$group"
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		# shellcheck disable=SC2016 # the dollars are the inner shell's
		exec timeout --kill-after=5 $((3 * XSFS_TEST_PATIENCE)) unshare --mount --propagation private \
			--cgroup --pid --fork --kill-child --mount-proc bash -euc '
				umount --recursive --lazy /sys/fs/cgroup
				mount -t cgroup2 cgroup2 /sys/fs/cgroup
				exec systemd-nspawn --quiet --directory="$1" --machine="$3" --register=no --keep-unit --link-journal=no \
					--private-network --bind=/dev/fuse $2 --console=pipe --boot' - "$ROOT" "$autofs" "xsfs-test-$$"
	) </dev/null >"$SCRATCH/console" 2>&1 || status=$?
	find "$group" -depth -type d -exec rmdir {} +
	rmdir "/run/systemd/nspawn/propagate/xsfs-test-$$" 2>/dev/null || true
	umount "$hierarchy"
	return "$status"
}

said() {
	sed -n "s,^$1: ,,p" "$ROOT/root/said"
}

test_boot() {
	local dir
	system_new "$DEBS"/xsfs_*.deb "$DEBS"/xsfs-embedded_*.deb "$SCRATCH"/later/*.deb
	inside dpkg --install "/packages/xsfs_${VERSION}_$ARCH.deb" \
		"/packages/xsfs-embedded_${VERSION}_$ARCH.deb" >"$SCRATCH/install" 2>&1
	boot_units >/dev/null 2>&1
	boot || note "systemd-nspawn ended with status $?"
	if [[ ! -s $ROOT/root/said ]]; then
		sed 's/^/# console: /' "$SCRATCH/console" | tail -n 30
		if [[ -e $ROOT/root/booted ]]; then
			not_ok 'what is booted comes to its end'
		else
			skip_one 'booted with systemd' 'no container can be booted here'
		fi
		return 0
	fi
	sed 's/^/# /' "$ROOT/root/said"
	is "$(said guests)" '/srv/fstab /srv/unit /srv/writable /xen ' 'all are mounted before guests start'
	for dir in /srv/unit /srv/fstab /xen; do
		is "$(said "$dir")" 'Domain-0, written: no' "$dir is read-only"
	done
	is "$(said /srv/writable)" 'Domain-0, written: yes' 'a file for one mount makes it writable'
	if [[ -c /dev/autofs ]]; then
		is "$(said 'automount before') $(said /srv/auto) $(said 'automount after')" \
			'active inactive Domain-0, written: no active' 'one is mounted when somebody looks'
	else
		skip_one 'one is mounted when somebody looks' 'there is no /dev/autofs'
	fi
	is "$(said 'after a crash')" Domain-0 'the unit mounts again after a crash'
	is "$(said 'upgraded') $(said 'the daemon') $(said 'an open file')" "$LATER same Domain-0" 'an upgrade leaves the unit alone'
	like "$(said 'upgrade says')" 'xsfs: what is mounted is still served*' 'and says so'
	is "$(said 'after a restart')" Domain-0 'until it is restarted'
	is "$(said removed) $(said 'its mount')" 'inactive, Domain-0 gone' 'a removal ends the units, not the other mounts'
	like "$(said 'removal says')" 'xsfs: what is mounted stays mounted*' 'and says so'
	is "$(said cycles)" 0 'no unit waits for itself'
	system_end
}

test_build
test_install
test_boot
