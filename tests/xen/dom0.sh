# shellcheck shell=bash
# shellcheck disable=SC2034 # what the jobs read
# SPDX-License-Identifier: MIT
# For the scripts that run in domain 0 of a real Xen (tests/xen/boot): the store, Xen's console and guests, on
# top of what every end-to-end test has (tests/functions.sh: assertions, mounts, bounded waiting).

export top_builddir=/build
# An emulated machine on a busy one: nothing below depends on a time.
: "${XSFS_TEST_PATIENCE:=300}"
. /tests/functions.sh
. /tests/xen/words.sh

WAIT=/build/src/xsfs-wait
STREAMS=()
GUEST_LOGS=/var/log/xen/console

# start_store c|o: starts xenstored or oxenstored, once in a boot, and what a toolstack needs.
start_store() {
	local server
	SERVER_KIND=$1
	SERVER_SOCKET=/run/xenstored/socket
	server=$(server_binary "$1")
	"$server" --no-fork >/tmp/store.log 2>&1 </dev/null &
	SERVER_PID=$!
	disown "$SERVER_PID"
	wait_for "$XSFS_TEST_PATIENCE" xs exists / || {
		cat /tmp/store.log
		printf 'the store does not answer\n'
		return 1
	}
	timeout "$XSFS_TEST_PATIENCE" xen-init-dom0 >/tmp/init-dom0.log 2>&1 || cat /tmp/init-dom0.log
	mkdir -p "$GUEST_LOGS"
	xenconsoled -i --log=guest --log-dir="$GUEST_LOGS" >/tmp/consoled.log 2>&1 </dev/null &
	disown "$!"
}

# guest_config NAME JOB [pv|pvh] [KERNEL-ARGUMENTS]: prints a configuration for xl: a guest that runs /job/JOB
# and ends.
guest_config() {
	# What all boots share, and what this one brought.
	[[ -e /guest/initrd ]] || cat /guest/base /guest/job >/guest/initrd
	cat <<-END
		name = "$1"
		type = "${3:-pv}"
		kernel = "/guest/vmlinux"
		ramdisk = "/guest/initrd"
		extra = "console=hvc0 quiet loglevel=0 panic=-1 xsfs.job=$2 ${4:-}"
		memory = 192
		vcpus = 1
		on_poweroff = "destroy"
		on_reboot = "destroy"
		on_crash = "destroy"
	END
}

# guest_start NAME JOB [pv|pvh] [KERNEL-ARGUMENTS]: creates it and returns. Sets GUEST_NAME and GUEST_ID.
guest_start() {
	GUEST_NAME=$1
	guest_config "$@" >"/tmp/$1.cfg"
	if ! timeout "$XSFS_TEST_PATIENCE" xl create "/tmp/$1.cfg" >"/tmp/$1.create" 2>&1 </dev/null; then
		cat "/tmp/$1.create"
		tail -n 20 /var/log/xen/* 2>/dev/null
		return 1
	fi
	GUEST_ID=$(xl domid "$1")
}

# guest_said NAME TEXT: whether a line of its output is TEXT.
guest_said() {
	tr -d '\r' <"$GUEST_LOGS/guest-$1.log" | grep -qxF -- "$2"
}

guest_ended() {
	grep -q '^xen-boot: exit ' "$GUEST_LOGS/guest-$1.log" 2>/dev/null || ! xl domid "$1" >/dev/null 2>&1
}

# guest_wait NAME [SECONDS]: waits until its job has ended, prints what it printed, and returns its status;
# 121 if it did not end. The guest stays until it ends by itself, or is ended.
guest_wait() {
	local status log=$GUEST_LOGS/guest-$1.log
	wait_for "${2:-$XSFS_TEST_PATIENCE}" guest_ended "$1" || true
	# The last line may still be on its way.
	wait_for 2 grep -q '^xen-boot: exit ' "$log" || true
	tr -d '\r' <"$log" | grep -v '^xen-boot: exit '
	status=$(tr -d '\r' <"$log" | sed -n 's/^xen-boot: exit //p' | tail -n 1)
	return "${status:-121}"
}

# guest_finish NAME [SECONDS]: the same, and the guest is gone afterwards.
guest_finish() {
	local status=0
	guest_wait "$@" || status=$?
	timeout "$XSFS_TEST_PATIENCE" xl destroy "$1" >/dev/null 2>&1 || true
	return "$status"
}

# ends_well guest_wait|guest_finish NAME TITLE: an assertion that it succeeds. What the guest printed is printed.
ends_well() {
	local status=0
	"$1" "$2" || status=$?
	is "$status" 0 "$3"
}

# guest_did STEP: waits until the last guest has announced that step, by a key of its own. Where it does not,
# what it printed says why.
guest_did() {
	local deadline=$((SECONDS + XSFS_TEST_PATIENCE))
	until "$WAIT" -m "$MNT" "/local/domain/$GUEST_ID/data/step" "$1" --timeout 10; do
		if ((SECONDS > deadline)) || guest_ended "$GUEST_NAME"; then
			tail -n 50 "$GUEST_LOGS/guest-$GUEST_NAME.log"
			return 1
		fi
	done
}

# guest_go STEP: lets it go on.
guest_go() {
	echo "$1" >"$MNT/local/domain/$GUEST_ID/data/go"
}

# gone FILE NAME: an assertion that it goes.
gone() {
	if wait_for "$XSFS_TEST_PATIENCE" test ! -e "$1"; then
		ok "$2"
	else
		not_ok "$2" "$(ls -R "$1" 2>&1)"
	fi
}

# stream NAME PATH...: subscribes to the paths, and keeps what comes in $SCRATCH/NAME.
stream() {
	local name=$1 fd
	shift
	exec {fd}<>"$MNT/.xsfs/watch"
	printf '%s\n' "$@" >&"$fd"
	cat <&"$fd" >"$SCRATCH/$name" &
	STREAMS+=("$!")
	exec {fd}>&-
}

# streams_end: or they would keep the mounts busy.
streams_end() {
	local pid
	for pid in "${STREAMS[@]}"; do
		end_process "$pid"
	done
}

# told NAME LINE TITLE: an assertion that this line comes in that stream.
told() {
	if wait_for "$XSFS_TEST_PATIENCE" grep -qxF -- "$2" "$SCRATCH/$1"; then
		ok "$3"
	else
		not_ok "$3" "$(tail -n 20 "$SCRATCH/$1")"
	fi
}
