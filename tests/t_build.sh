#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Messages of the build itself: which libfuse is too old, what is left out without ncurses, what a build by hand needs, and
# that a target which tested nothing has failed.
. "${0%/*}/functions.sh"
requires pkg-config make
unset MAKEFLAGS MFLAGS MAKELEVEL TESTS LIMIT

# configure takes its time on a busy machine.
XSFS_TEST_PATIENCE=$((10 * XSFS_TEST_PATIENCE))
SOURCE=$(cd "$TEST_DIR/.." && pwd)

# configure VERSION [ARGS]: runs it with a libfuse that says it is of that version. Prints the checks' results.
configure() {
	mkdir -p "$SCRATCH/pc" "$SCRATCH/build"
	printf '%s\n' 'Name: fuse3' 'Description: a stand-in' "Version: $1" 'Libs: -lfuse3' 'Cflags:' >"$SCRATCH/pc/fuse3.pc"
	(cd "$SCRATCH/build" && PKG_CONFIG_PATH=$SCRATCH/pc bounded "$SOURCE/configure" --disable-tests --without-xen \
		--cache-file="$SCRATCH/cache" "${@:2}" 2>&1 </dev/null)
}

test_libfuse() {
	local output status
	if [[ -e $SOURCE/config.status ]]; then
		skip_one 'the oldest libfuse' 'the source directory is built in itself'
		return 0
	fi
	output=$(configure 3.13.0) && status=0 || status=$?
	is "$status" 0 'libfuse 3.13 will do'
	output=$(configure 3.12.9) && status=0 || status=$?
	is "$((status != 0))" 1 'libfuse 3.12 will not'
	like "$output" '*libfuse 3.13 or newer is needed*' 'and configure says so'
}

# xsfs-top is left out where its library is too old or missing, and only who asked for it is stopped.
test_ncurses() {
	local output status
	if [[ -e $SOURCE/config.status ]]; then
		skip_one 'without ncurses' 'the source directory is built in itself'
		return 0
	fi
	mkdir -p "$SCRATCH/pc"
	printf '%s\n' 'Name: ncursesw' 'Description: a stand-in' 'Version: 5.9' 'Libs: -lncursesw' 'Cflags:' \
		>"$SCRATCH/pc/ncursesw.pc"
	output=$(configure 3.13.0) && status=0 || status=$?
	is "$status" 0 'without ncurses the rest is configured'
	like "$output" '*xsfs-top *no: ncursesw is missing (Debian: libncurses-dev)*' 'and the summary says what is not'
	output=$(bounded make -C "$SCRATCH/build/man" install DESTDIR="$SCRATCH/root" 2>&1 &&
		bounded make -C "$SCRATCH/build/contrib" install DESTDIR="$SCRATCH/root" 2>&1) && status=0 || status=$?
	is "$status" 0 'manuals and completions are installed'
	is "$(find "$SCRATCH/root" -name '*xsfs-ls*' | wc -l)" 3 'those of the tools that there are'
	is "$(find "$SCRATCH/root" -name '*xsfs-top*')" '' 'but none of a program that is not there'
	output=$(configure 3.13.0 --enable-top) && status=0 || status=$?
	is "$((status != 0))" 1 '--enable-top insists'
	like "$output" '*xsfs-top needs ncurses with wide characters*' 'and configure says why not'
}

# README.md, "Building by hand": its command does with the libraries that it names, and without those that it says may be
# missing. A pkg-config that finds no others; the one thing that it does not name is Xen's version, for xsfs -V.
test_by_hand() {
	local output status text words module
	if [[ -e $SOURCE/config.status ]]; then
		skip_one 'by hand' 'the source directory is built in itself'
		return 0
	fi
	has_config HAVE_XEN || { skip_one 'by hand' 'Xen'"'"'s libraries may be missing'; return 0; }
	text=$(sed -n '/^## Building by hand/,/^Packages/p' "$SOURCE/README.md")
	words=$(sed -n 's/^    \.\.\/configure\(.*\) && make && .*/\1/p' <<<"$text")
	is "$(grep -c '^    \.\./configure' <<<"$text")" 1 'the manual of the build has one command'
	for module in 'libfuse3 (3.13 or newer)' jansson libxenevtchn libxenforeignmemory uthash libxencall libseccomp ncurses; do
		like "$text" "*$module*" "it names $module"
	done
	cat >"$SCRATCH/pkg-config" <<-END
		#!/bin/sh
		case "\$*" in
		*fuse3* | *jansson* | *xenevtchn* | *xenforeignmemory* | *xencontrol* | --atleast-pkgconfig-version*) exec pkg-config "\$@" ;;
		esac
		exit 1
	END
	chmod +x "$SCRATCH/pkg-config"
	mkdir -p "$SCRATCH/hand"
	# What is known of the compiler, but not of libraries.
	grep -v -e ac_cv_env -e pkg_cv "$SCRATCH/cache" >"$SCRATCH/hand/cache" || true
	# shellcheck disable=SC2086 # words
	output=$(cd "$SCRATCH/hand" && bounded "$SOURCE/configure" PKG_CONFIG="$SCRATCH/pkg-config" --cache-file=cache $words \
		2>&1 </dev/null) && status=0 || status=$?
	is "$status" 0 'which does on a machine that has no more' || note "$(tail -n 5 <<<"$output")"
	like "$output" '*hypercalls (xencall) *no*xsfs-top *no: *system calls filtered *no*' 'and leaves out what needs the others'
}

# A machine without QEMU, by a PATH that has all programs but that: all tests on a real Xen are skipped.
test_check_xen() {
	local output status directories directory
	mkdir "$SCRATCH/bin"
	IFS=: read -ra directories <<<"$PATH"
	for directory in "${directories[@]}"; do
		[[ ! -d $directory ]] || find "$directory/" -maxdepth 1 ! -type d ! -name 'qemu-system-x86_64' \
			-exec ln -s -t "$SCRATCH/bin" {} + 2>/dev/null || true
	done
	output=$(PATH=$SCRATCH/bin bounded make -C "$BUILD/tests" check-xen 2>&1) && status=0 || status=$?
	# They are not results of the suite that runs this.
	rm -f "$BUILD"/tests/xen/xen_*.{log,trs}
	is "$((status != 0))" 1 'check-xen that ran nothing has failed'
	like "$output" '*SKIP xen_rings: *qemu-system-x86_64 is not installed*' 'it says what is missing'
	like "$output" '*check-xen: nothing was run*' 'and that nothing was run'
}

test_libfuse
test_ncurses
test_by_hand
test_check_xen
