#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What everyday commands cost: FUSE requests by kind, and requests to the store. The table in HACKING.md says why each
# is there.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
requires python3 xenstore-write

XSFS_TEST_CACHE=meta

# quiet: nothing is under way, and the kernel knows of all changes.
quiet() {
	at_rest && stat_is invalidations_due 0
}

# counts: those of each kind of operation, and of requests to the store, so far.
counts() {
	awk -F '[="} ]+' '/^xsfs_operations_total\{/ { print $2, $NF }
		/^xsfs_requests_total\{/ { n += $NF } END { print "store", n }' "$MNT/.xsfs/metrics"
}

# costs CMD...: sets COSTS to "KIND NUMBER ..." of CMD, in the order of the alphabet, without those of counts itself.
costs() {
	counts >"$SCRATCH/1"
	counts >"$SCRATCH/2"
	"$@" >/dev/null 2>&1 || true
	counts >"$SCRATCH/3"
	COSTS=$(awk '
		FNR == 1 { file++ }
		{ n[file, $1] = $2; kinds[$1] }
		END {
			for (kind in kinds) {
				d = n[3, kind] - n[2, kind] - (n[2, kind] - n[1, kind])
				if (d)
					print kind, d
			}
		}' "$SCRATCH/1" "$SCRATCH/2" "$SCRATCH/3" | sort | paste -sd ' ')
}

# are_known: the kernel knows the attributes of everything, and does not have to be told anything.
are_known() {
	wait_for 5 quiet
	find c -ls >/dev/null
	find c -type f -exec stat {} + >/dev/null
	KERNEL_MEMORY=$(kernel_memory)
}

# cost NAME EXPECTED CMD...: CMD costs that when everything is known, and nothing is under way. Where the kernel has
# forgotten something meanwhile, because memory is short, it is asked again.
cost() {
	local name=$1 expected=$2
	shift 2
	for _ in {1..20}; do
		are_known
		costs "$@"
		[[ $COSTS != "$expected" && $(kernel_memory) != "$KERNEL_MEMORY" ]] || break
	done
	is "$COSTS" "$expected" "$name"
}

test_requests() {
	local i
	for i in {1..10}; do
		xs write "/c/list/k$i" "$i"
	done
	xs write /c/k value /c/empty ''
	# Those that the teller of inotify asks at its start are none of a command.
	mount_xsfs "$STORE" -o inotify=off
	comes_true 5 'the watch is set' covered
	cd "$MNT"
	cost 'test -e' '' test -e c/k
	cost 'test -e of a name that is not there' 'lookup 1 store 2' test -e c/none
	cost 'stat' '' stat c/k
	# Whether a file has rights beyond its mode: coreutils asked for two attributes that are not supported, once for
	# all files; 9.6 and later ask each for its list.
	if grep -q listxattr "$(command -v ls)"; then
		cost 'ls -l of a file' 'listxattr 1' ls -l c/k
		cost 'ls -l of ten' 'getattr 1 listxattr 11 opendir 1 readdir 2' ls -l c/list
	else
		cost 'ls -l of a file: two kinds of attributes that are not supported' 'getxattr 2' ls -l c/k
		cost 'ls -l of ten' 'getattr 1 getxattr 2 opendir 1 readdir 2' ls -l c/list
	fi
	cost 'find' 'getattr 2 opendir 3 readdir 4' find c
	cost 'cat' 'open 1 read 2 store 1' cat c/k
	# The read has made the kernel forget the time of access, so it asks for the attributes.
	cost 'cat twice' 'getattr 1 open 2 read 4 store 2' bash -c 'cat c/k; cat c/k'
	cost 'grep -r of ten' 'getattr 1 open 10 opendir 2 read 20 readdir 2 store 10' grep -r x c/list
	cost 'read -r' 'open 1 read 1 store 1' bash -c 'read -r x <c/k'
	cost 'python: open().read()' 'open 1 read 2 store 1' env -C / python3 -I -c 'import sys; open(sys.argv[1]).read()' "$MNT/c/k"
	cost 'echo >' 'flush 2 getattr 1 getxattr 1 open 1 store 1 write 1' bash -c 'echo v >c/k'
	cd /
	umount_xsfs
}

for_each_store test_requests
