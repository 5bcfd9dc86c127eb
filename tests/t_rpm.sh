#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The packages of RPM, as far as that goes on Debian: built by `make rpm`, installed beside what Debian's packages
# have brought, used and erased. What they need of other packages is not looked at.
# shellcheck source=tests/functions.sh
. "${0%/*}/functions.sh"
# shellcheck source=tests/system.sh
. "${0%/*}/system.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
! grep -q 'fsanitize' "$BUILD/config.status" || skip 'the packages are the same without sanitizers'
requires_fuse
requires rpmbuild getfattr xenstore-read
unset MAKEFLAGS MFLAGS MAKELEVEL TESTS LIMIT XSFS_LOOP_LIB XSFS_SAMPLE LD_PRELOAD

VERSION=$(sed -n 's/^Version: *//p' "$TEST_DIR/../contrib/xsfs.spec")

test_build() {
	local status=0 output
	is "$(sed -n 's/^AC_INIT(\[xsfs], \[\(.*\)])$/\1/p' "$TEST_DIR/../configure.ac")" "$VERSION" \
		'the version of the spec is that of the program'
	package_make rpm "$SCRATCH/rpm.log" || status=$?
	is "$status" 0 'make rpm'
	if ((status)); then
		tail -n 40 "$SCRATCH/rpm.log" | sed 's/^/# /'
		return 1
	fi
	RPMS=("$BUILD"/rpm/RPMS/*/xsfs-"$VERSION"-*.rpm "$BUILD"/rpm/RPMS/*/xsfs-embedded-*.rpm)
	is "${#RPMS[@]} $(find "$BUILD/rpm/SRPMS" -name '*.src.rpm' | wc -l)" '2 1' 'it makes two packages, and one of the source'
	output=$(rpm --query --configfiles --package "${RPMS[0]}" 2>/dev/null)
	is "$output" /etc/default/xsfs 'the settings are kept when they were changed'
}

# packages CMD...: rpm with a list of packages of its own, in the other system.
packages() {
	inside rpm --dbpath /var/lib/rpm --nodeps "$@"
}

test_install() {
	local before
	system_new "${RPMS[@]}"
	system_devices
	inside dpkg --purge xsfs-embedded xsfs >/dev/null 2>&1 || true
	rm -rf "$ROOT"/usr/local/*/*xsfs*
	before=$(traces)
	succeeds 'they can be installed' packages --install "/packages/${RPMS[0]##*/}" "/packages/${RPMS[1]##*/}"
	own_test
	succeeds 'and verified' packages --verify xsfs xsfs-embedded
	succeeds 'they can be erased' packages --erase xsfs-embedded xsfs
	is "$(traces)" "$before" 'and leave nothing'
	system_end
}

test_build
test_install
