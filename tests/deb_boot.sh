# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Run for t_deb.sh by a systemd that it boots: the package's ways to mount at boot, seen from inside. Prints
# lines "NAME: VALUE", which t_deb.sh compares. Arguments: the seconds that it waits at most, the packages of a later
# version.

set -u
patience=$1
shift

say() {
	printf '%s: %s\n' "$1" "${*:2}"
}

# wait_for CMD...: until CMD succeeds.
wait_for() {
	local deadline=$((SECONDS + patience))
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || return 1
		sleep 0.1
	done
}

name() {
	timeout "$patience" cat "$1/local/domain/0/name" 2>&1
}

# write DIR: returns whether a key can be written there.
write() {
	(printf 'v\n' >"$1/tool/key") 2>/dev/null && printf 'yes' || printf 'no'
}

main_pid() {
	systemctl show --property=MainPID --value "$1"
}

# started_again UNIT PID: whether it has another main process now, and is done with starting. In this order: right after
# the death of the old process it may still count as active, and have none.
started_again() {
	local pid
	pid=$(main_pid "$1")
	((pid > 0 && pid != $2)) && systemctl is-active "$1"
}

say guests "$(</run/guests)"
# Without a process the rest would be about nothing.
if ! systemctl --quiet is-active xsfs@srv-unit; then
	journalctl --boot --no-pager --unit=xsfs@srv-unit
	exit 1
fi
for dir in /srv/unit /srv/writable /srv/fstab /xen; do
	say "$dir" "$(name "$dir"), written: $(write "$dir")"
done
# Its state does not change, because nobody looked there.
say 'automount before' "$(systemctl is-active srv-auto.automount) $(systemctl is-active srv-auto.mount)"
say /srv/auto "$(name /srv/auto), written: $(write /srv/auto)"
say 'automount after' "$(systemctl is-active srv-auto.mount)"

pid=$(main_pid xsfs@srv-unit)
kill -KILL "$pid"
wait_for started_again xsfs@srv-unit "$pid" || say 'killed' 'not started again'
say 'after a crash' "$(name /srv/unit)"
if [[ $(name /srv/unit) != Domain-0 ]]; then
	journalctl --boot --no-pager --output=short-precise --unit=xsfs@srv-unit
	grep srv/unit /proc/self/mountinfo
	ps -ef
fi

pid=$(main_pid xsfs@srv-unit)
exec 3</srv/unit/local/domain/0/name
said=$(dpkg --install "$@" 2>&1) || say 'upgrade' "$said"
say 'upgrade says' "$(grep '^xsfs: ' <<<"$said")"
say 'upgraded' "$(dpkg-query --show --showformat='${Version}' xsfs)"
[[ $(main_pid xsfs@srv-unit) == "$pid" ]] && say 'the daemon' same
say 'an open file' "$(cat <&3)"
exec 3<&-
systemctl restart xsfs@srv-unit
[[ $(main_pid xsfs@srv-unit) != "$pid" ]] && say 'after a restart' "$(name /srv/unit)"

said=$(dpkg --remove xsfs xsfs-embedded 2>&1) || say 'removal' "$said"
say 'removal says' "$(grep '^xsfs: ' <<<"$said")"
say 'removed' "$(systemctl is-active xsfs@srv-unit), $(name /srv/fstab)"
grep -q ' /srv/unit ' /proc/self/mountinfo || say 'its mount' gone
say 'cycles' "$(journalctl --boot --no-pager | grep -c 'ordering cycle')"
