# shellcheck shell=bash
# shellcheck disable=SC2034 # the arrays are for the scripts that source this file
# SPDX-License-Identifier: MIT
# The Debian packages that xsfs needs, in one place; contrib/quickstart and tests/run source this file. Names
# are those of all releases from Debian 12 on. Where a package has a version in its name, a shell pattern
# stands for the newest that apt offers, and whatever matches and is installed will do.

# to build it
packages_build=(
	autoconf
	automake
	gcc
	libc6-dev
	libfuse3-dev
	libjansson-dev
	libncurses-dev
	libseccomp-dev
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
	'xen-utils-[0-9]*.*[0-9]'
)

# to make packages (make deb, make rpm), on top of packages_build
packages_package=(
	build-essential
	debhelper
	pkgconf
	rpm
)

# to run the tests, on top of all the others
packages_test=(
	attr
	busybox
	clang
	entr
	fish
	git
	gnuplot-nox
	groff-base
	inotify-tools
	libclang-rt-dev
	libcmocka-dev
	libglib2.0-bin
	libuv1-dev
	lintian
	mandoc
	nodejs
	plocate
	procps
	psmisc
	python3
	python3-prometheus-client
	python3-watchdog
	rsync
	shellcheck
	strace
	systemd
	systemd-container
	tar
	time
	tmux
	valgrind
	xz-utils
	zsh
)

# to run also those tests for which much has to be installed (tests/run --full): a compiler of half a gigabyte, for
# an example
packages_full=(
	golang-go
)

# to boot a real Xen in an emulator (make check-xen), on top of those; the hypervisor and its kernels are only
# unpacked, by tests/xen/fetch
packages_xen=(
	binutils
	cpio
	qemu-system-x86
	zstd
)

# what .ci/run needs on top of all that: another release of Debian, a judge of the manuals, another C library, and a
# judge of Python
packages_ci=(
	debootstrap
	mandoc
	musl-tools
	pyflakes3
)

# what .ci/arm64 needs to build for another processor, and to run the unit tests on it, emulated
packages_arm64=(
	autoconf
	automake
	binutils
	gcc-aarch64-linux-gnu
	libc6-dev:arm64
	libcmocka-dev:arm64
	libfuse3-dev:arm64
	libjansson-dev:arm64
	libseccomp-dev:arm64
	libtool
	libxen-dev:arm64
	make
	pkg-config
	qemu-user-static
	uthash-dev
)

# packages_missing PACKAGE...: prints those that are not installed.
packages_missing() {
	local package
	for package; do
		# shellcheck disable=SC2016 # the dollar is dpkg's
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
			printf '%s\n' "$package"
	done
}

# packages_named PACKAGE...: prints them, the newest that apt offers instead of a pattern.
packages_named() {
	local package name newest
	for package; do
		newest=
		if [[ $package == *'*'* ]]; then
			while IFS= read -r name; do
				# shellcheck disable=SC2053 # a pattern is wanted
				[[ $name != $package ]] || newest=$name
			done < <(apt-cache pkgnames "${package%%[\[*]*}" | sort -V)
		fi
		printf '%s\n' "${newest:-$package}"
	done
}

# packages_known PACKAGE...: prints the first that apt knows, as what is in one here has its own in later releases; or
# the last.
packages_known() {
	local package
	for package; do
		! apt-cache show "$package" >/dev/null 2>&1 || break
	done
	printf '%s\n' "$package"
}

# packages_file PACKAGE PATH FILE: copies one file of a package to FILE, without installing that.
packages_file() {
	local dir status=0
	dir=$(mktemp -d)
	# Its download directory is not readable for the user that apt would become.
	(
		cd "$dir" && timeout 300 apt-get -o APT::Sandbox::User=root download "$1" &&
			dpkg-deb --fsys-tarfile ./*.deb | tar -xO "./$2" >file
	) >"$dir/log" 2>&1 </dev/null || status=1
	if ((status)); then
		tail -n 5 "$dir/log" >&2
	else
		install -m 755 "$dir/file" "$3"
	fi
	rm -rf "$dir"
	return "$status"
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
	log=$(mktemp)
	if apt-get update >"$log" 2>&1 </dev/null; then
		mapfile -t missing < <(packages_named "${missing[@]}")
	fi
	printf 'installing %d packages: %s\n' "${#missing[@]}" "${missing[*]}"
	if ! DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
		"${missing[@]}" >>"$log" 2>&1 </dev/null; then
		tail -n 30 "$log" >&2
		printf 'apt-get could not install the packages (the whole log: %s)\n' "$log" >&2
		return 1
	fi
	rm -f "$log"
}
