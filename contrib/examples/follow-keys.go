// SPDX-License-Identifier: MIT

// Prints each new value of the keys that are given: go run follow-keys.go KEY...
// The mount is $XSFS_MOUNT, or /xen.
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
	"regexp"
	"strings"
)

const usage = "usage: follow-keys KEY...    (the mount: $XSFS_MOUNT, or /xen)"

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

func main() {
	mount := os.Getenv("XSFS_MOUNT")
	if mount == "" {
		mount = "/xen"
	}
	keys := os.Args[1:]
	if len(keys) == 0 {
		fail(usage, 2)
	}
	if keys[0] == "-h" || keys[0] == "--help" {
		fmt.Println(usage)
		return
	}
	lines := make(chan string)
	for _, key := range keys {
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
