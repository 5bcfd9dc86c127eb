# shellcheck shell=bash
# shellcheck disable=SC2034 # the arrays are for those who source this file
# SPDX-License-Identifier: MIT
# The Debian packages that xsfs needs, in one place; contrib/quickstart and tests/run source this file.

# to build it
packages_build=(
	autoconf
	automake
	gcc
	libc6-dev
	libfuse3-dev
	libjson-c-dev
	libtool
	libxen-dev
	make
	pkg-config
	uthash-dev
)

# to mount a store that is there
packages_run=(
	fuse3
	xenstore-utils
)

# to start a private store where there is none (the servers are part of Xen's tools)
packages_embedded=(
	xen-utils-4.17
)

# to run the tests, on top of all the others
packages_test=(
	attr
	clang
	fish
	libclang-rt-14-dev
	libcmocka-dev
	mandoc
	procps
	psmisc
	python3
	rsync
	shellcheck
	strace
	tar
	time
	valgrind
	xz-utils
	zsh
)

# to boot a real Xen in an emulator (make check-xen), on top of those; the hypervisor and its kernels are only
# unpacked, by tests/xen/fetch
packages_xen=(
	binutils
	cpio
	qemu-system-x86
	zstd
)

# packages_missing PACKAGE...: prints those that are not installed.
packages_missing() {
	local package
	for package; do
		# shellcheck disable=SC2016 # the dollar is dpkg's
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
			printf '%s\n' "$package"
	done
}

# packages_install PACKAGE...: installs those that are missing. Says what it does on standard output;
# what apt says goes there only if it fails.
packages_install() {
	local missing log
	mapfile -t missing < <(packages_missing "$@")
	((${#missing[@]})) || return 0
	if ! command -v apt-get >/dev/null; then
		printf 'This is no Debian system (no apt-get). Install what these packages bring, then try again:\n' >&2
		printf '  %s\n' "${missing[*]}" >&2
		return 1
	fi
	printf 'installing %d packages: %s\n' "${#missing[@]}" "${missing[*]}"
	log=$(mktemp)
	if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes \
		--no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
		tail -n 30 "$log" >&2
		printf 'apt-get could not install the packages (the whole log: %s)\n' "$log" >&2
		return 1
	fi
	rm -f "$log"
}
