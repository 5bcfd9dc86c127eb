#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Messages of the build itself: which libfuse is too old, what is left out without ncurses, and that a target which tested
# nothing has failed.
. "${0%/*}/functions.sh"
requires pkg-config make
unset MAKEFLAGS MFLAGS MAKELEVEL TESTS LIMIT

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
test_check_xen
