#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Programs that read whatever they find, in .xsfs: none of them waits for something that will never come. And the
# files explain themselves to a newcomer.
. "${0%/*}/functions.sh"
requires rsync tar

# goes_through NAME CMD...: CMD ends by itself, complains about what has to be written to, and about nothing else.
goes_through() {
	local name=$1 output status=0
	shift
	output=$(bounded "$@" 2>&1 >/dev/null) || status=$?
	# not by the end of the patience, nor as if it had read all
	like "$status" '@([12]|23)' "$name ends, and says that it could not read all"
	is "$(sed -n 's:.*\.xsfs/\([A-Za-z]*\).*ermission denied.*:\1:p' <<<"$output" | sort | paste -sd ' ')" \
		'transaction watch xenbus' "$name leaves out what has to be written to"
}

test_copiers() {
	local file
	mount_xsfs "$STORE"
	mkdir "$SCRATCH/cp" "$SCRATCH/rsync"
	goes_through 'cp -r' cp -r "$MNT/.xsfs" "$SCRATCH/cp"
	goes_through 'rsync -a' rsync -a "$MNT/.xsfs/" "$SCRATCH/rsync"
	goes_through 'tar' tar -C "$MNT" -cf "$SCRATCH/tar" .xsfs
	goes_through 'grep -r' grep -r nothing_like_that "$MNT/.xsfs"
	goes_through 'find -exec cat' find "$MNT/.xsfs" -type f -exec cat '{}' +
	for file in README options requests stats; do
		is "$(cd "$SCRATCH" && echo {cp/.xsfs,rsync}/"$file"*)" "cp/.xsfs/$file rsync/$file" "$file is copied"
	done
	same "$SCRATCH/cp/.xsfs/README" "$MNT/.xsfs/README" 'with what is in it'
	for file in watch xenbus; do
		fails EACCES cat "$MNT/.xsfs/$file"
		succeeds "$file can be opened for both" bash -c 'exec 3<>"$1"' - "$MNT/.xsfs/$file"
	done
	wait_for 10 nothing_left || true
	is "$(stat_of streams) $(stat_of raw_clients) $(stat_of transactions)" '0 0 0' 'none of them leaves anything open'
	rm -rf "$SCRATCH/cp" "$SCRATCH/rsync" "$SCRATCH/tar"
	umount_xsfs
}

nothing_left() {
	[[ $(stat_of streams) == 0 && $(stat_of raw_clients) == 0 ]]
}

# The names that README begins a line with, a slash behind a directory's.
told() {
	awk '/^  [.a-z]/ { print $1 }' "$MNT/.xsfs/README" | sort
}

test_readme() {
	local name
	mount_xsfs "$STORE"
	xs write /r/a 1
	xs write /r value
	for name in "$MNT/.xsfs/"*; do
		name=${name##*/}
		[[ $name == README ]] || like "$(told)" "*$name*" "README says what $name is"
	done
	while read -r name; do
		case $name in
		.*) succeeds "$name is in every directory" test -e "$MNT/r/$name" ;;
		*) succeeds "$name is in .xsfs" test -L "$MNT/.xsfs/$name" -o -e "$MNT/.xsfs/$name" ;;
		esac
	done < <(told)
	is "$(($(told | wc -l) >= 12))" 1 'it tells of all of them'
	is "$(($(wc -l <"$MNT/.xsfs/README") <= 24 && $(wc -L <"$MNT/.xsfs/README") < 80))" 1 'on one screen'
	is "$(stat -c %s "$MNT/.xsfs/README")" "$(wc -c <"$MNT/.xsfs/README")" 'its size is right'
	fails EACCES bash -c 'echo x >"$1"' - "$MNT/.xsfs/README"
	fails EPERM rm "$MNT/.xsfs/README"
	umount_xsfs
}

for_each_store test_copiers
for_each_store test_readme
