# SPDX-License-Identifier: MIT
# Completion for fish, for xsfs and its tools. The program xsfs-complete says what can be completed.

function __xsfs_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    for candidate in (xsfs-complete $words "$word" 2>/dev/null)
        switch $candidate
            case :dirs
                __fish_complete_directories (string replace -r '^.*=' '' -- "$word")
            case :files
                __fish_complete_path "$word"
            case ':command *'
                set -l skip (string replace ':command ' '' -- $candidate)
                set -l rest $words[(math $skip + 1)..-1]
                complete -C (string join ' ' -- (string escape -- $rest) "$word")
            case '*'
                echo $candidate
        end
    end
end

for command in xsfs xsfs-devices xsfs-ls xsfs-restore xsfs-set xsfs-top xsfs-tx xsfs-wait xsfs-watch
    complete -c $command -f -a '(__xsfs_complete)'
end
