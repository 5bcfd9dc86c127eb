# shellcheck shell=bash
# shellcheck disable=SC2034 # the tests read LAYER
# SPDX-License-Identifier: MIT
# Helpers of the tests of packages: this system under an overlay, in which packages are installed, used and removed,
# and which shows what that changes. Sourced after functions.sh.

# The other system, and what was changed in it.
ROOT=
LAYER=

# package_make TARGET LOG: what `make TARGET` makes of the build, which takes its time on a busy machine, and makes an
# archive that two at a time would spoil for each other.
package_make() {
	timeout --kill-after=10 1500 flock "$BUILD/config.status" make -C "$BUILD" "$1" >"$2" 2>&1 </dev/null
}

# system_new FILE...: this system, with a layer over it that takes what is changed, and the files in its /packages.
# Sets ROOT and LAYER.
system_new() {
	local base
	base=$(mktemp -d "$SCRATCH/system.XXXXXX")
	mount -t tmpfs -o mode=755 tmpfs "$base"
	LAYER=$base/layer
	ROOT=$base/root
	mkdir "$LAYER" "$base/work" "$ROOT"
	mount -t overlay -o "lowerdir=/,upperdir=$LAYER,workdir=$base/work" overlay "$ROOT"
	mkdir -p "$ROOT/packages"
	cp "$@" "$ROOT/packages"
}

# system_devices: makes the devices that programs need there, unless it is booted.
system_devices() {
	mount -t proc proc "$ROOT/proc"
	mount --rbind /dev "$ROOT/dev"
	mount --rbind /sys "$ROOT/sys"
	mount -t tmpfs -o mode=755 tmpfs "$ROOT/run"
	mount -t tmpfs tmpfs "$ROOT/tmp"
}

# system_end: ends all processes there, and drops everything that was changed.
system_end() {
	local process
	[[ $ROOT ]] || return 0
	for process in /proc/[0-9]*; do
		[[ ! $process/root -ef $ROOT ]] || kill -KILL "${process#/proc/}" 2>/dev/null || true
	done
	umount --recursive --lazy "${ROOT%/root}" || true
	ROOT=
}

# Not "system_end; finish", which would lose the status; and whatever fails here, finish has to come.
trap 'FINAL=$?; set +e; trap - ERR; system_end; (exit "$FINAL"); finish' EXIT

# inside CMD...: runs it there, with the environment that a login has.
inside() {
	bounded env -i HOME=/root TERM=dumb LC_ALL=C DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$ROOT" "$@" </dev/null
}

# mounts_inside: prints how many mounts of xsfs there are.
mounts_inside() {
	inside grep -c ' - fuse\.xsfs ' /proc/self/mountinfo || true
}

# pgrep_inside: prints the process ids of xsfs there.
pgrep_inside() {
	local process
	for process in /proc/[0-9]*; do
		[[ ! $process/root -ef $ROOT || $(cat "$process/comm" 2>/dev/null) != xsfs ]] || printf '%s ' "${process#/proc/}"
	done
}

# traces: prints what is in the layer, but not what dpkg or rpm writes for every package.
traces() {
	(cd "$LAYER" && find . -mindepth 1 ! -type d | sed 's,^\.,,' | sort) |
		grep -vE -e '^/var/(lib/dpkg|lib/rpm|log|cache|tmp)/' -e '^/etc/ld\.so\.cache$' -e '^/packages/' -e '^/root/' \
			-e '^/(tmp|run)/' || true
}

# own_test: the test that Debian's package has for what is installed, which suits every kind of package.
own_test() {
	local output
	output=$(bounded env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin AUTOPKGTEST_TMP=/tmp \
		chroot "$ROOT" bash -s <"$TEST_DIR/../contrib/debian/tests/mount" 2>&1) || output+=$'\n'"status $?"
	sed 's/^/# autopkgtest: /' <<<"$output"
	is "$(awk '/^ok / { good++ } /^(FAIL|SKIP|status)/ { bad++ } END { print good + 0, bad + 0 }' <<<"$output")" '9 0' \
		'the package'"'"'s own test'
}
