#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// Prints each new value of the keys that are given; they need not exist yet.
// The mount is $XSFS_MOUNT, or /xen.
//
// Node.js can wait for sockets, pipes and terminals only. A read of any other file that has to wait keeps one of its
// four threads for files meanwhile, so a few of those would stop every other use of files. Hence one cat for any number of
// keys, which copies a stream of events to a pipe.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const readline = require('node:readline');

const mount = process.env.XSFS_MOUNT || '/xen';
const keys = process.argv.slice(2);

function fail(why, status) {
	console.error(why);
	process.exit(status);
}

// A guest may write anything to its keys.
function printable(value) {
	return value.toString('latin1').replace(/\n$/, '').replace(/[^ -~]/g, '?');
}

async function print(key) {
	try {
		// Below nodes/ every key is a directory, and stays one whatever a guest does to it.
		const value = await fs.promises.readFile(`${mount}/.xsfs/nodes${key}/.value`);
		console.log(`${key} = ${printable(value)}`);
	} catch (error) {
		if (error.code !== 'ENOENT')
			throw error;
		console.log(`${key} is gone`);
	}
}

async function main() {
	// First the watch, then the look: what changes in between is told.
	const stream = fs.openSync(`${mount}/.xsfs/watch`, 'r+');
	fs.writeSync(stream, keys.join('\n'));
	const cat = spawn('cat', { stdio: [stream, 'pipe', 'inherit'] });
	fs.closeSync(stream);
	// It would end by itself only at the next line.
	process.on('exit', () => cat.kill());
	for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'])
		process.on(signal, () => process.exit(1));
	for await (const line of readline.createInterface({ input: cat.stdout })) {
		const [, path] = line.split(' ');
		if (path === undefined) {
			// overflow: this program was too slow; resync: the store was away
			for (const key of keys)
				await print(key);
		} else if (keys.includes(path)) {
			await print(path);
		}
	}
	fail('follow-keys.js: the stream of events has ended', 1);
}

const usage = 'usage: follow-keys.js KEY...    (the mount: $XSFS_MOUNT, or /xen)';
if (['-h', '--help'].includes(keys[0])) {
	console.log(usage);
	process.exit();
}
if (!keys.length || !keys.every((key) => /^(\/[A-Za-z0-9@_-]+)+$/.test(key)))
	fail(usage, 2);
main().catch((error) => fail(`follow-keys.js: ${error.message}`, 1));
