// SPDX-License-Identifier: MIT

// Prints each new value of the keys that are given: go run follow-keys.go KEY...
// Of the store that -m names, or $XSFS_MOUNT, or that one stands in, or the only one that is mounted.
//
// Go waits for a file of this kind as for a socket: a goroutine that reads it keeps no thread meanwhile, and
// SetReadDeadline ends the wait. A key's .next is ready only after a change, and reading it gives the value. Changes
// that come faster than they are read are one.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const usage = "usage: follow-keys [-m MOUNT] KEY...    (keys like /tool/job, or files in the mount)"

var isKey = regexp.MustCompile(`^(/[A-Za-z0-9@_-]+)+$`).MatchString

func fail(why string, status int) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(status)
}

// A guest may write anything to its keys.
func printable(value []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, string(value))
}

// Sends a line for each change of the key.
func follow(key string, file *os.File, lines chan<- string) {
	value := make([]byte, 65536)
	for {
		n, err := file.Read(value)
		switch {
		case err == nil:
			lines <- key + " = " + printable(value[:n-1])
		case errors.Is(err, fs.ErrNotExist):
			// Told once; the next read waits until somebody makes it again.
			lines <- key + " is gone"
		default:
			fail(fmt.Sprintf("follow-keys: %v", err), 1)
		}
	}
}

func findMount() string {
	if mount := os.Getenv("XSFS_MOUNT"); mount != "" {
		return mount
	}
	find := []string{"--list", "--noheadings", "--output", "TARGET", "--types", "fuse.xsfs"}
	found, err := exec.Command("findmnt", append(find, "-T", ".")...).Output()
	if err != nil {
		found, err = exec.Command("findmnt", find...).Output()
	}
	mounts := strings.TrimSpace(string(found))
	if err != nil || strings.Contains(mounts, "\n") {
		fail("follow-keys: no store is mounted, or several: say which by -m, or by XSFS_MOUNT", 1)
	}
	return mounts
}

// The key that a word means: itself, or what a file in the mount stands for.
func keyOf(word, mount string) string {
	file, err := filepath.Abs(word)
	if err != nil {
		return word
	}
	top, err := filepath.Abs(mount)
	if err != nil || !strings.HasPrefix(file, top+"/") {
		return word
	}
	return strings.TrimPrefix(file, top)
}

func main() {
	words := os.Args[1:]
	if len(words) == 0 {
		fail(usage, 2)
	}
	if words[0] == "-h" || words[0] == "--help" {
		fmt.Println(usage)
		return
	}
	mount := ""
	if words[0] == "-m" && len(words) > 2 {
		mount, words = words[1], words[2:]
	} else {
		mount = findMount()
	}
	lines := make(chan string)
	for _, word := range words {
		key := keyOf(word, mount)
		if !isKey(key) {
			fail(usage, 2)
		}
		// Below nodes/ every key is a directory, and stays one whatever a guest does to it.
		file, err := os.Open(mount + "/.xsfs/nodes" + key + "/.next")
		if err != nil {
			fail(fmt.Sprintf("follow-keys: %v", err), 1)
		}
		go follow(key, file, lines)
	}
	for line := range lines {
		fmt.Println(line)
	}
}
