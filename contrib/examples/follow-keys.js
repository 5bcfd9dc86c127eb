#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// Prints each new value of the keys that are given; they need not exist yet.
// find-mount, beside this, says of which store, if -m does not.
//
// Node.js can wait for sockets, pipes and terminals only. A read of any other file that has to wait keeps one of its
// four threads for files meanwhile, so a few of those would stop every other use of files. Hence one cat for any number of
// keys, which copies a stream of events to a pipe.
'use strict';

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');

const words = process.argv.slice(2);
let mount, keys;

function fail(why, status) {
	console.error(why);
	process.exit(status);
}

// Says itself why it is not known.
function findMount(word) {
	const found = spawnSync(path.join(__dirname, 'find-mount'), [word], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
	if (found.status !== 0)
		process.exit(1);
	return found.stdout.trimEnd();
}

// The key that a word means: itself, or what a file in the mount stands for.
function keyOf(word) {
	const file = path.resolve(word);
	const top = path.resolve(mount);
	return file.startsWith(top + '/') ? file.slice(top.length) : word;
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
		const [, key] = line.split(' ');
		if (key === undefined) {
			// overflow: this program was too slow; resync: the store was away
			for (const each of keys)
				await print(each);
		} else if (keys.includes(key)) {
			await print(key);
		}
	}
	fail('follow-keys.js: the stream of events has ended', 1);
}

const usage = 'usage: follow-keys.js [-m MOUNT] KEY...    (keys like /tool/job, or files in the mount)';
if (['-h', '--help'].includes(words[0])) {
	console.log(usage);
	process.exit();
}
if (words[0] === '-m' && words.length > 1)
	[, mount] = words.splice(0, 2);
if (!words.length)
	fail(usage, 2);
mount ||= findMount(words[0]);
keys = words.map(keyOf);
if (!keys.every((key) => /^(\/[A-Za-z0-9@_-]+)+$/.test(key)))
	fail(usage, 2);
main().catch((error) => fail(`follow-keys.js: ${error.message}`, 1));
