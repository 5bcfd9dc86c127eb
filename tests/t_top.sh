#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# xsfs-top on a terminal, which tmux is: its pages, its keys, an edit and its undoing, sizes, terminals without
# colours, a mount that ends and comes back, a store that is silent; and --batch.
. "${0%/*}/functions.sh"
requires tmux pgrep xenstore-write "$BUILD/src/xsfs-top"

TOP=$BUILD/src/xsfs-top
export XSFS_MOUNT
unset NO_COLOR TMUX
# libtinfo does not free what it has for a terminal that it does not know.
echo leak:new_prescr >"$SCRATCH/leaks"
export LSAN_OPTIONS=$LSAN_OPTIONS:suppressions=$SCRATCH/leaks:print_suppressions=0

tmux_here() {
	tmux -u -S "$SCRATCH/tmux" -f /dev/null "$@"
}

# top_starts COLUMNS ROWS [VARIABLE=VALUE]... [ARGS]: xsfs-top in a terminal of that size.
top_starts() {
	local size=(-x "$1" -y "$2") variables=()
	shift 2
	while [[ ${1-} == *=* ]]; do
		variables+=("$1")
		shift
	done
	tmux_here new-session -d "${size[@]}" env LC_ALL=C.UTF-8 "XSFS_MOUNT=$XSFS_MOUNT" "${variables[@]}" \
		sh -c 'trap : INT; "$@"; echo "it ended with $?"; exec sleep 1000000' - "$TOP" "$@"
	PIDS+=("$(tmux_here display-message -p '#{pid}')")
}

# top_ends: whatever it shows, and has no file of the mount open then.
top_ends() {
	local pid
	pid=$(pgrep -P "$(tmux_here display-message -p '#{pane_pid}')" -x xsfs-top || true)
	# Before tmux does: its SIGCONT makes the leak sanitizer, which stops threads at the end, wait for ever.
	[[ ! $pid ]] || kill -TERM "$pid"
	wait_for "$XSFS_TEST_PATIENCE" all_dead "$pid"
	tmux_here kill-server
	wait_for "$XSFS_TEST_PATIENCE" eval '! tmux_here list-sessions'
}

# all_dead PID: also its other threads, which are there longer than the first if the store has them wait.
all_dead() {
	dead "$1" && (($(find "/proc/$1/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l) <= 1))
}

screen() {
	tmux_here capture-pane -p
}

seen() {
	# shellcheck disable=SC2053 # a pattern is wanted
	[[ $(screen) == $1 ]]
}

unseen() {
	! seen "$1"
}

# shows PATTERN NAME: as soon as the whole screen is that.
shows() {
	if wait_for "$XSFS_TEST_PATIENCE" seen "$1"; then
		ok "$2"
	else
		not_ok "$2" "not: $1" "$(screen)"
	fi
}

hides() {
	if wait_for "$XSFS_TEST_PATIENCE" unseen "$1"; then
		ok "$2"
	else
		not_ok "$2" "still: $1" "$(screen)"
	fi
}

keys() {
	tmux_here send-keys "$@"
}

# types TEXT: as it is.
types() {
	tmux_here send-keys -l "$1"
}

populate() {
	xs write /local/domain/0/name Domain-0 /local/domain/0/memory/target 2097152 \
		/local/domain/1/name web /local/domain/1/memory/target 1048576 /local/domain/1/memory/static-max 2097152 \
		/local/domain/1/cpu/0/availability online /local/domain/1/cpu/1/availability offline \
		/local/domain/10/name $'evil\e[2J\n' /local/domain/10/memory/target 131072 \
		/local/domain/0/backend/vif/1/0/frontend /local/domain/1/device/vif/0 \
		/local/domain/0/backend/vif/1/0/state 4 /local/domain/1/device/vif/0/state 3 \
		/local/domain/1/device/vif/0/backend /local/domain/0/backend/vif/1/0 \
		/local/domain/3/backend/vbd/1/51712/state 2 /tool/key old /tool/other 1
}

domains() {
	top_starts 80 24
	shows '*ID NAME * STATE *MEMORY/MiB VCPUS DEVICES BACKENDS*0 Domain-0 * up * 2048*' 'domains: the head and the first'
	shows '* 1 web * up * 1024 * 1 * 1/2 vbd/51712 InitWait*' 'one with devices'
	shows '* 3 - * building * - * - *' 'one of which little is known'
	shows '* 10 evil\\x1b\[2J\\n *' 'nothing raw'
	keys Down
	shows '*devices of 1 web*vbd * 51712 * - * InitWait * /local/domain/3/backend/vbd/1/51712*' 'its devices'
	shows '*vif * 0 * Initialised * Connected * /local/domain/0/backend/vif/1/0*' 'with both states'

	xs write /local/domain/1/memory/target 786432 /local/domain/3/backend/vbd/1/51712/state 4 \
		/local/domain/1/control/shutdown poweroff
	shows '* 1 web * poweroff * 768 * 1 * 2/2 connected*' 'changes are shown'
	xs write /local/domain/7/name new /local/domain/7/memory/target 4096
	shows '* 7 new * up * 4 *' 'a domain that comes'
	xs rm /local/domain/7
	hides '* 7 new * 4 *' 'and goes'

	keys /
	shows '*Only names with:*' 'a question'
	types EVI
	keys Enter
	shows '*, only EVI*10 evil*' 'the filter'
	hides '* 1 web *' 'which hides the others'
	keys / C-u Enter s
	shows '*by name*' 'sorted by name'
	keys s
	shows $'*by memory*0 Domain-0 *1 web *10 evil*' 'sorted by memory'

	# Nothing is asked as long as nothing happens. The clock shows that it is alive.
	local before clock
	before=$(stat_of completed)
	for _ in 1 2 3; do
		clock=$(screen | head -n 1)
		wait_for "$XSFS_TEST_PATIENCE" unseen "$clock"$'\n*' || not_ok 'the clock goes on'
	done
	is "$(stat_of completed)" "$before" 'it asks the store nothing while nothing happens'
	keys q
	shows 'it ended with 0*' 'q ends it'
	top_ends
}

# marked SIGN: writes to a key again and again, as the sign of a change does not stay. SIGN begins its line.
marked() {
	xs write /tool/key "$((++COUNT))"
	seen "*"$'\n'"$1 *key * \"[0-9]*"
}

tree() {
	COUNT=0
	top_starts 80 24 /tool
	shows '*/ *local *tool *key * "old"*other * "1"*' 'tree: a key of the command line is open'
	if wait_for "$XSFS_TEST_PATIENCE" marked '\*'; then
		ok 'a change is marked'
	else
		not_ok 'a change is marked' "$(screen)"
	fi
	keys /
	types thE
	keys Enter
	shows '*/tool/other*1 byte *"1"*thE: 1 of 1*' 'a search'
	keys k
	shows '*/tool/key*"'"$COUNT"'"*s ago*"*"*' 'the value before the change'
	keys Left
	shows '*/tool'$'\n''*' 'up'
	keys Left
	hides '*key *' 'it is closed'
	xs write /tool/key hidden
	keys Right
	shows '*key * "hidden"*' 'and open again'
	xs write /tool/new/deep 1
	shows '*new *1*' 'a node that comes'
	keys '*'
	shows '*new *deep * "1"*' 'all of it'
	xs rm /tool/new
	hides '*deep*' 'what is gone goes'
	keys 1 Home Enter
	shows '*/local/domain/0'$'\n''*' 'from a domain to its node'
	keys Escape q
	shows 'it ended with 0*' 'it ends'
	top_ends
}

edits() {
	xs write /tool/key old /tool/zero ''
	top_starts 80 24 /tool/key
	shows '*key * "old"*' 'edit: there it is'
	keys e
	shows '*Value: old*' 'the value to begin with'
	keys C-u
	types 'a\n\x41\\Xb'
	keys Left BSpace End
	types c
	keys Enter
	shows '*write this value?*now *"old"*then *"a\\nA\\\\bc"*' 'a question'
	keys n
	shows '*nothing was changed*' 'no'
	is "$(value /tool/key)" old 'then it stays'
	keys e C-u
	types 'a\x0ab'
	keys Enter
	shows '*write this value?*' 'again'
	keys y
	shows '*/tool/key is written; u undoes it*' 'yes'
	is "$(value /tool/key)" $'a\nb' 'it is written'
	keys u
	shows '*undo the last edit?*now *"a\\nb"*then *"old"*' 'undo asks'
	keys y
	shows '*key * "old"*other *is written*' 'and does it'
	is "$(value /tool/key)" old 'it is what it was'
	keys u y
	shows '*key * "a\\nb"*other *is written*' 'undoing that makes it again'
	is "$(value /tool/key)" $'a\nb' 'in the store too'

	# Somebody else is faster: neither an edit nor its undoing may hide that.
	xs write /tool/key theirs
	shows '*key * "theirs"*' 'another writes'
	keys u
	shows '*undo the last edit?*' 'undo'
	keys y
	shows '*/tool/key: changed meanwhile; nothing was written*' 'is refused'
	keys e C-u m i n e Enter
	shows '*write this value?*"theirs"*"mine"*' 'an edit'
	xs write /tool/key 'theirs again'
	keys y
	shows '*/tool/key: changed meanwhile; nothing was written*' 'is refused too'
	is "$(value /tool/key)" 'theirs again' 'and theirs stays'
	keys e C-u
	types '\q'
	keys Enter
	shows '*a backslash is followed by*' 'no such escape'
	keys e Escape
	hides '*Value:*' 'Escape'
	keys e Enter
	shows '*that is its value already*' 'the same value'
	keys C-c
	shows '*it ended with 0*' 'C-c ends it'
	top_ends
}

sizes() {
	top_starts 200 50
	shows '*OF MAXIMUM*MAX/MiB*TYPE UUID*BACKENDS*1 web *' 'a large terminal has more columns'
	tmux_here resize-window -x 80 -y 24
	hides '*OF MAXIMUM*' 'it becomes smaller'
	shows '*BACKENDS*1 web *' 'and is still good'
	tmux_here resize-window -x 30 -y 8
	shows 'this terminal is too small*' 'too small'
	tmux_here resize-window -x 120 -y 30
	shows '*OF MAXIMUM*1 web *' 'larger again'
	keys '?'
	shows '*search names and values*' 'the help'
	keys q
	shows '*1 web *' 'any key ends it'
	is "$(($(tmux_here capture-pane -e -p | grep -c $'\e\\[[0-9;]*3[0-7]m') > 0))" 1 'colours'
	keys 3
	shows '*requests a second*TYPE OF REQUEST *P50 *P99 *p50, p99*READ * [um]s * [um]s *FILE OPERATION*nobody waits*' 'the mount'
	tmux_here resize-window -x 80 -y 24
	hides '* P50 *' 'without times where there is no room'
	shows '*TYPE OF REQUEST *p50, p99*READ *nobody waits*' 'but with the figures'
	top_ends
	top_starts 80 24 NO_COLOR=1
	shows '*1 web *' 'NO_COLOR'
	is "$(tmux_here capture-pane -e -p | grep -c $'\e\\[[0-9;]*3[0-7]m')" 0 'no colour'
	top_ends
	top_starts 80 24 TERM=vt100 LC_ALL=C
	shows '*- * domains*MiB*1 web *' 'a terminal of old, and no characters but those of ASCII'
	is "$(tmux_here capture-pane -p | LC_ALL=C grep -c '[^ -~]')" 0 'really'
	keys 2
	shows '*- /*+ local *' 'the tree there'
	top_ends
}

# It is told of all that, and waits for a key meanwhile.
silent() {
	local reader
	top_starts 100 30
	shows '*1 web *' 'silent: before'
	keys 3
	shows '*nobody waits for the store*' 'nobody waits'
	kill -STOP "$SERVER_PID"
	cat "$MNT/tool/key" >"$SCRATCH/read" 2>&1 &
	reader=$!
	PIDS+=("$reader")
	shows '* waiting: id, age, *ms sent tx=0 * /tool*' 'somebody waits'
	keys 2
	shows '*/ *local *' 'the keys work'
	kill -CONT "$SERVER_PID"
	wait "$reader" || true
	keys 3
	shows '*nobody waits for the store*' 'nobody any more'
	top_ends
}

# on_again [ARGS]: the store on a directory on which it was before.
on_again() {
	"$XSFS" "socket:$SERVER_SOCKET" "$AGAIN" -f -o cache=off "$@" </dev/null >>"$SCRATCH/again.log" 2>&1 &
	AGAIN_PID=$!
	PIDS+=("$AGAIN_PID")
	wait_for "$XSFS_TEST_PATIENCE" test -e "$AGAIN/.xsfs/stats"
}

returns() {
	AGAIN=$SCRATCH/again
	mkdir -p "$AGAIN"
	MOUNTS+=("$AGAIN")
	on_again
	top_starts 80 24 -m "$AGAIN" /tool
	shows '*key * "old"*' 'returns: before'
	kill -KILL "$AGAIN_PID"
	shows '* gone *trying again: *' 'the mount ends'
	keys e
	shows '* gone *' 'no edit then'
	xs write /tool/key new
	on_again
	shows '*key * "new"*' 'it comes back'
	hides '*trying again: *' 'and all is well'
	xs write /tool/key newer
	shows '*key * "newer"*' 'with its events'
	umount -l "$AGAIN"
	shows '* gone *trying again: *' 'unmounted while we look'
	on_again
	shows '*key * "newer"*' 'and there again'
	keys 1
	shows '*1 web *' 'with its domains'
	umount -l "$AGAIN"
	on_again -o root=/tool
	shows '*this mount shows only /tool*' 'and then with another part of the store'
	top_ends
	umount "$AGAIN"
}

# on_terminal TERM: what xsfs-top prints on such a terminal, on which nobody types. At the end of its input script(1)
# would type ^D, and the terminal may show that.
on_terminal() {
	[[ -p $SCRATCH/nobody ]] || mkfifo "$SCRATCH/nobody"
	TERM=$1 script -qec "$TOP" /dev/null <>"$SCRATCH/nobody" | tr -d '\r'
}

batches() {
	local output
	output=$("$TOP" --batch --count 2 --delay 0.1 | sed 's/ *$//')
	like "$output" "20[0-9][0-9]-*Z $MNT * connected, requests/s *, p50 * us, p99 * us, in flight *
ID  NAME           STATE     MEMORY/MiB  VCPUS  DEVICES  BACKENDS
 0  Domain-0       up              2048      -      0/0  -
 1  web            up              1024      1      1/2  vbd/51712 InitWait
 3  -              building           -      -      0/0  -
10  evil\\\\x1b\[2J\\\\n  up               128      -      0/0  -

20*ID  NAME *" '--batch'
	is "$(grep -c '^ID' <<<"$output")" 2 '--count'
	fails EINVAL sh -c '"$1" </dev/null 2>&1 | grep "^xsfs-top: this is no terminal; --batch prints lines$" && { echo "Invalid argument"; exit 1; }' - "$TOP"
	is "$("$TOP" --count 1 2>&1)" "$("$TOP" --help | sed -n '1s/^/xsfs-top: /p')" '--count without --batch'
	is "$("$TOP" --batch --delay 0 2>&1)" 'xsfs-top: --delay 0: must be seconds from 0.1 to 86400' 'a wrong delay'
	is "$("$TOP" -b -n x 2>&1)" 'xsfs-top: --count x: must be a number from 1' 'a wrong count'
	is "$("$TOP" -m "$SCRATCH" 2>&1)" "xsfs-top: $SCRATCH: no xenstore is mounted there" 'no mount'
	is "$(on_terminal none)" 'xsfs-top: none: no terminal that is known (TERM)' \
		'no such terminal'
	is "$(on_terminal dumb)" 'xsfs-top: dumb: no terminal that is known (TERM)' \
		'a terminal without a cursor'
}

restricted() {
	umount_xsfs
	mount_xsfs "$STORE" -o ro
	XSFS_MOUNT=$MNT
	top_starts 80 24 /tool/key
	shows '* read-only *key * "old"*' 'ro: it is said'
	keys e
	shows "*$MNT is mounted read-only: nothing can be changed*" 'ro: no edit'
	xs write /tool/key new
	shows '*key * "new"*' 'ro: events'
	top_ends
	umount_xsfs
	mount_xsfs "$STORE" -o root=/tool
	XSFS_MOUNT=$MNT
	top_starts 80 24
	shows '*this mount shows only /tool*' 'root=: no domains'
	keys 2
	shows '*tool *key * "new"*' 'root=: the tree'
	keys Down e C-u 1 Enter y
	shows '*key * "1"*is written*' 'root=: an edit'
	is "$(value /tool/key)" 1 'root=: it is there'
	top_ends
}

# A guest sees its own directory, and nothing else.
in_guest() {
	local port
	port=$("$XSLOOP" guest "$SERVER_DIR" 7 4711)
	xs write /local/domain/7/name guest /local/domain/7/memory/target 262144 /local/domain/7/data/key 1
	xs chmod -r /local/domain/7 n7
	"$XSLOOP" introduce "$SERVER_DIR" 7 4711 "$port"
	umount_xsfs
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	XSFS_MOUNT=$MNT
	top_starts 80 24
	shows '*1 domain, 256 MiB*7 guest * up *' 'guest: itself'
	xs write /local/domain/7/memory/target 131072
	shows '*1 domain, 128 MiB*' 'guest: events'
	keys Enter / k e y Enter e C-u 2 Enter y
	shows '*key * "2"*is written*' 'guest: an edit'
	is "$(value /local/domain/7/data/key)" 2 'guest: it is there'
	top_ends
}

test_top() {
	local part
	for part in batches domains tree edits sizes silent returns restricted; do
		populate
		xs write /local/domain/1/memory/target 1048576 /local/domain/3/backend/vbd/1/51712/state 2
		xs rm /local/domain/1/control || true
		mount_xsfs "$STORE"
		XSFS_MOUNT=$MNT
		"$part"
		umount_xsfs
	done
	if has_config HAVE_XENCALL; then
		mount_xsfs "$STORE"
		in_guest
		umount_xsfs
	fi
}

requires_fuse
requires script
for_each_store test_top
