#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Completion in bash, zsh and fish: verbs, options, options of -o and their values, domains, keys.
. "${0%/*}/functions.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires_fuse
server_binary c >/dev/null || skip 'no xenstored (xen-utils)'

export TMPDIR=$SCRATCH/tmp
mkdir "$TMPDIR"
COMPLETION=$TEST_DIR/../contrib/completion
PATH=$BUILD/src:$PATH
mount_xsfs embedded
export XSFS_MOUNT=$MNT
# A name that must not reach a shell.
printf '$(touch %s) x' "$SCRATCH/trap" >"$MNT/local/domain/2/name"

# offered LINE: prints the output of the program on one line.
offered() {
	local words
	read -ra words <<<"$1"
	[[ $1 != *' ' ]] || words+=('')
	xsfs-complete "${words[@]}" | tr '\n' ' '
}

top=
! has_config HAVE_TOP || top='top '
is "$(offered 'xsfs ')" "ls devices watch wait set restore tx ${top}help auto socket xenbus ring embedded :dirs " 'verbs and stores'
is "$(offered 'xsfs help wa')" 'watch wait ' 'help'
is "$(offered 'xsfs embedded ')" ':dirs ' 'where to mount'
is "$(offered 'xsfs ls --')" '--json --mount= --help --version ' 'options of a verb'
is "$(offered 'xsfs-ls -')" "$(offered 'xsfs ls -')" 'the program itself'
is "$(offered 'xsfs ls ')" '0 Domain-0 1 web 2 ' 'domains, and no dangerous name'
is "$(offered 'xsfs devices w')" 'web ' 'a domain by name'
is "$(offered 'xsfs -o ro,')" "$(offered 'xsfs -o ' | sed 's/[^ ]\+/ro,&/g')" 'a list of options'
is "$(offered 'xsfs -o format=')" 'format=text format=raw ' 'values of an option'
is "$(xsfs --help | sed -n 's/^  -o \(.*\)/\1/p' | sed -e 's/  .*//' -e 's/=[^,]*/=/g' -e 's/, /\n/g' | tr '\n' ' ')" \
	"$(offered 'xsfs -o ')" 'all options are offered'
is "$(offered 'xsfs set /local/domain/1/m')" '/local/domain/1/memory/ ' 'a key with children'
is "$(offered 'xsfs set /local/domain/1/na')" '/local/domain/1/name ' 'a key without'
is "$(offered 'xsfs set /local/domain/1/name ')" '' 'a value'
is "$(offered 'xsfs set /a b /loc')" '/local/ ' 'the next key'
is "$(offered "xsfs watch $MNT/loc")" "$MNT/local/ " 'a path in the mount'
is "$(offered 'xsfs wait -t ')" '' 'seconds'
if [[ $top ]]; then
	is "$(offered 'xsfs top -d ')" '' 'seconds between two readings'
	is "$(offered 'xsfs top /local/domain/1/m')" '/local/domain/1/memory/ ' 'where to begin'
fi
is "$(offered 'xsfs wait -m ')" ':dirs ' 'a mount'
is "$(cd "$MNT/local" && unset XSFS_MOUNT && offered 'xsfs-watch dom')" 'domain/ ' 'a key from where one is'
is "$(offered 'xsfs restore ')" ':files ' 'a document'
is "$(offered 'xsfs restore x /t')" '/tool/ ' 'and its key'
is "$(offered 'xsfs tx -m /x ls ')" ':command 4 ' 'a command'
is "$(XSFS_MOUNT=/nowhere offered 'xsfs ls ')$(XSFS_MOUNT=/nowhere offered 'xsfs set /' 2>&1)" '' 'no mount, no words'

# in_bash LINE: prints what bash offers there.
in_bash() {
	bash --norc -c 'source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; _xsfs; printf "%s " "${COMPREPLY[@]}"' - "$COMPLETION/bash/xsfs" "$1" 2>&1
}
is "$(in_bash 'xsfs w')" 'watch wait ' 'bash: verbs'
is "$(in_bash 'xsfs ls --js')" '--json ' 'bash: options'
is "$(in_bash 'xsfs -o ro,cache=m')" 'meta ' 'bash: behind "=", where it begins a word'
is "$(in_bash 'xsfs-devices ')" '0 Domain-0 1 web 2 ' 'bash: domains'
is "$(in_bash "xsfs ls --mount=$SCRATCH/tm")" "$SCRATCH/tmp " 'bash: directories'
# Bash names a command twice if it is installed, too.
is "$(in_bash 'xsfs tx xsfs-l' | tr ' ' '\n' | sort -u | paste -sd ' ')" 'xsfs-ls' 'bash: commands'
is "$(bash --norc -c 'source "$1"; complete -p xsfs xsfs-ls xsfs-wait' - "$COMPLETION/bash/xsfs" | wc -l)" 3 'bash: each program'

if command -v fish >/dev/null; then
	# in_fish LINE
	in_fish() {
		HOME=$SCRATCH timeout 60 fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$COMPLETION/fish/xsfs.fish" "$1" 2>&1 | cut -f 1 | tr '\n' ' '
	}
	is "$(in_fish 'xsfs ls --js')" '--json ' 'fish: options'
	is "$(in_fish 'xsfs wat')" 'watch ' 'fish: verbs'
	is "$(in_fish 'xsfs devices we')" 'web ' 'fish: domains'
	is "$(in_fish 'xsfs set /local/domain/1/m')" '/local/domain/1/memory/ ' 'fish: keys'
	is "$(in_fish 'xsfs -o ro,cache=m')" 'ro,cache=meta ' 'fish: values of an option'
	is "$(in_fish 'xsfs-tx -m /x xsfs-watc')" 'xsfs-watch ' 'fish: commands'
else
	skip_one 'fish' 'it is not installed'
fi

# A zsh that has a terminal, in which a key is pressed; what becomes of the line is printed by a function.
if command -v zsh >/dev/null; then
	# in_zsh LINE: the line when the key was pressed behind it.
	in_zsh() {
		timeout 100 zsh -f "$SCRATCH/zsh.drive" "$COMPLETION/zsh" "$1" 2>&1
	}
	cat >"$SCRATCH/zsh.drive" <<-'END'
		zmodload zsh/zpty
		zpty z 'TERM=dumb zsh -f -i'
		seen=
		# await PATTERN: reads what the terminal shows until that is there.
		await() {
			local part
			integer deadline=$((SECONDS + 60))
			until [[ $seen == $~1 ]]; do
				((SECONDS < deadline)) || { print -r -- "not $1: $seen"; exit 1 }
				if zpty -rt z part; then seen+=$part; else sleep 0.02; fi
			done
		}
		zpty -w z "stty -echo; PS1= PS2=; fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D; bindkey '^I' complete-word"
		zpty -w z 'for c in xsfs xsfs-ls xsfs-tx; do functions[$c]="print -r -- RAN\"<\"$c \"\$*\"\">\""; done; print "rea""dy"'
		await '*ready*'
		seen=
		zpty -w -n z "$2"$'\t\n'
		await '*RAN<*>*'
		print -r -- "${${seen##*RAN<}%%>*}"
	END
	is "$(in_zsh 'xsfs ls --js')" 'xsfs ls --json' 'zsh: options'
	is "$(in_zsh 'xsfs wat')" 'xsfs watch' 'zsh: verbs'
	is "$(in_zsh 'xsfs devices we')" 'xsfs devices web' 'zsh: domains'
	is "$(in_zsh 'xsfs set /local/domain/1/m')" 'xsfs set /local/domain/1/memory/' 'zsh: keys'
	is "$(in_zsh 'xsfs -o ro,cache=m')" 'xsfs -o ro,cache=meta' 'zsh: values of an option'
	is "$(in_zsh 'xsfs-tx -m /x xsfs-watc')" 'xsfs-tx -m /x xsfs-watch' 'zsh: commands'
else
	skip_one 'zsh' 'it is not installed'
fi
if [[ -e $SCRATCH/trap ]]; then
	not_ok 'the name of a domain was not run'
else
	ok 'the name of a domain was not run'
fi
umount_xsfs
