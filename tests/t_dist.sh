#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The archive of `make dist` has the same bytes for everybody: another user, another umask, another time and zone,
# another directory; and so has the one that is made from an unpacked archive.
# shellcheck source=tests/functions.sh
. "${0%/*}/functions.sh"
((EUID == 0)) || skip 'it becomes another user'
requires autoreconf git pkg-config make setpriv xz
unset MAKEFLAGS MFLAGS MAKELEVEL SOURCE_DATE_EPOCH

# Each of these commands takes its time on a busy machine.
XSFS_TEST_PATIENCE=$((10 * XSFS_TEST_PATIENCE))
SOURCE=$(cd "$TEST_DIR/.." && pwd)
[[ -e $SOURCE/.git ]] || skip 'this is no checkout'
# The other user has to get through.
chmod a+x "$SCRATCH"

# archive_of DIRECTORY: configures there, and prints where the archive is that it makes.
archive_of() {
	(cd "$1" && bounded ./configure --disable-tests --without-xen && bounded make dist-xz) >"$1.out" 2>&1 </dev/null ||
		sed 's/^/# /' "$1.out" >&2
	printf '%s\n' "$1"/xsfs-*.tar.xz
}

# archive_of_checkout DIRECTORY [again]: the same from a clone, in which all files get one date, so that make has no reason to
# run automake; or automake is run again, when it finds the files that its first run has added.
archive_of_checkout() {
	(cd "$1" && bounded autoreconf -fi && { [[ ! ${2:-} ]] || bounded automake --foreign; } &&
		find . -path ./.git -prune -o -type f -exec touch -d @"$DATE" {} +) >"$1.out" 2>&1 </dev/null
	archive_of "$1"
}

clone() {
	bounded git -c safe.directory='*' clone --quiet --no-hardlinks "$SOURCE" "$1"
}

clone "$SCRATCH/one"
clone "$SCRATCH/another"
touch "$SCRATCH/another.out"
chown -R nobody "$SCRATCH/another" "$SCRATCH/another.out"
export -f archive_of archive_of_checkout bounded
export XSFS_TEST_PATIENCE
DATE=$(date +%s)
export DATE
first=$(umask 022; archive_of_checkout "$SCRATCH/one")
# shellcheck disable=SC2016 # the dollar is the inner shell's
second=$(env TZ=Asia/Tokyo HOME="$SCRATCH" LC_ALL=C.UTF-8 setpriv --reuid=nobody --regid=nogroup --clear-groups \
	bash -c 'umask 077; archive_of_checkout "$1" again' - "$SCRATCH/another")
same "$first" "$second" 'made by another user, with another umask, in another zone and directory'

mkdir "$SCRATCH/unpacked"
tar -C "$SCRATCH/unpacked" -xf "$first" --strip-components=1
third=$(archive_of "$SCRATCH/unpacked")
same "$first" "$third" 'made from an unpacked archive'

date=$(git -c safe.directory='*' -C "$SOURCE" log -1 --format=%ct)
is "$(tar --full-time --utc -tvf "$first" | awk '{ print $2, $4, $5 }' | sort -u)" \
	"0/0 $(date --utc -d "@$date" '+%F %T')" 'all files are of the last commit, and nobody'"'"'s'
is "$(tar -tvf "$first" | awk '{ print $1 }' | sort -u | tr '\n' ' ')" '-rw-r--r-- -rwxr-xr-x drwxr-xr-x ' \
	'and may be read by all'
is "$(SOURCE_DATE_EPOCH=86400 archive_of "$SCRATCH/unpacked" | xargs tar --utc -tvf | awk '{ print $4 }' | sort -u)" \
	1970-01-02 'SOURCE_DATE_EPOCH says otherwise'
