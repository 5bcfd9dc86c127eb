# SPDX-License-Identifier: MIT
"""Trees for the tests of .dump and .json. See the commands at the end."""
import base64
import json
import random
import re
import struct
import sys

from store_client import DIRECTORY, READ, WRITE, Store, check

BATCH = 40


class Writer(Store):
    """Writes many nodes, several at a time."""

    def __init__(self):
        super().__init__()
        self.waiting = 0

    def add(self, path, value):
        body = path.encode() + b'\0' + value
        self.sock.sendall(struct.pack('<IIII', WRITE, 1, 0, len(body)) + body)
        self.waiting += 1
        if self.waiting == BATCH:
            self.finish()

    def finish(self):
        for _ in range(self.waiting):
            kind, _, _, size = struct.unpack('<IIII', self._receive(16))
            reply = self._receive(size)
            if kind != WRITE:
                raise OSError(reply)
        self.waiting = 0


def build(path, nodes, wide, value_size):
    """A tree of `nodes` nodes below `path`: `wide` of them side by side in one directory, the others in
    directories of 139 leaves."""
    store = Writer()
    for i in range(wide):
        store.add(f'{path}/wide/w{i}', b'')
    left = nodes - wide - bool(wide)
    for i in range(left):
        directory = i // 140
        name = f'{path}/{directory}' + (f'/n{i % 140}' if i % 140 else '')
        store.add(name, (b'value %d ' % i).ljust(value_size, b'.') if i % 140 else b'')
    store.finish()


def random_value(rng):
    kind = rng.randrange(8)
    if kind == 0:
        return b''
    if kind == 1:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 300)))
    if kind == 2:
        return ''.join(chr(rng.choice((0, 9, 10, 13, 34, 92, 127, 233, 0x20ac, 0x1f600, 0xffff, 0xd7ff)))
                       for _ in range(rng.randrange(1, 20))).encode()
    if kind == 3:
        # Almost UTF-8: surrogates, forms that are too long, what is beyond, what is cut off.
        return b'a' + rng.choice((b'\xed\xa0\x80', b'\xc0\x80', b'\xe0\x80\x80', b'\xf4\x90\x80\x80', b'\xf0\x80\x80\x80',
                                  b'\xe2\x82', b'\x80', b'\xff', b'\xf5\x80\x80\x80', b'\xed\x9f\xbf', b'\xf4\x8f\xbf\xbf',
                                  b'\xee\x80\x80', b'\xc2\x80', b'\xc3')) + rng.choice((b'', b'z'))
    return b'%d' % rng.randrange(10 ** rng.randrange(1, 12))


def grow(store, rng, path, depth, left):
    for i in range(rng.randrange(1, 9)):
        if not left[0]:
            return
        left[0] -= 1
        name = f'{path}/' + rng.choice(('n', '-', '_', '@', 'Z')) * rng.randrange(1, 4) + str(i)
        store.add(name, random_value(rng))
        if depth < 9 and rng.random() < 0.6:
            grow(store, rng, name, depth + 1, left)


def bytes_of(value):
    """The bytes that a value in a document stands for."""
    if isinstance(value, dict):
        if list(value) != ['.base64']:
            raise ValueError(value)
        return base64.b64decode(value['.base64'], validate=True)
    return value.encode()


def from_json(node, top=True):
    """(value, children) as a document tells it."""
    if not isinstance(node, dict) or list(node) == ['.base64']:
        if top:
            raise ValueError('the top is no object')
        return bytes_of(node), {}
    children = {name: from_json(child, False) for name, child in node.items() if name != '.value'}
    if '.value' in node and not node['.value']:
        raise ValueError('an empty .value')
    return bytes_of(node.get('.value', '')), children


def from_store(store, path):
    names = [n.decode() for n in store.call(DIRECTORY, path.encode() + b'\0').split(b'\0') if n]
    prefix = '' if path == '/' else path
    return store.call(READ, path.encode() + b'\0'), {n: from_store(store, f'{prefix}/{n}') for n in names}


def main(command, *args):
    if command == 'build':
        build(args[0], int(args[1]), int(args[2]), int(args[3]))
    elif command == 'random':
        rng, store, left = random.Random(int(args[1])), Writer(), [int(args[2])]
        while left[0]:
            grow(store, rng, f'{args[0]}/{left[0]}', 0, left)
        store.finish()
    elif command == 'bytes':
        # Each byte alone, and each behind and before each other.
        store = Writer()
        for a in range(256):
            store.add(f'{args[0]}/one/{a}', bytes((a,)))
            for half in (0, 128):
                store.add(f'{args[0]}/two/{a}-{half}', b''.join(bytes((a, b)) for b in range(half, half + 128)))
        store.finish()
    elif command == 'busy':
        # Some nodes stay, others come and go for ever.
        store, count = Writer(), int(args[1])
        for i in range(count):
            store.add(f'{args[0]}/stays{i}/a', b'1')
            store.add(f'{args[0]}/stays{i}/b', b'2')
        while True:
            for i in range(count):
                store.add(f'{args[0]}/stays{i}/goes/x/y', b'1')
                store.add(f'{args[0]}/goes{i}/x/y/z', b'1')
            store.finish()
            for i in range(count):
                store.remove(f'{args[0]}/stays{i}/goes')
                store.remove(f'{args[0]}/goes{i}')
    elif command == 'compare':
        # `compare MOUNT PATH...`: the documents say what the store has.
        for path in args[1:]:
            with open(f'{args[0]}{path}/.json', encoding='utf-8') as file:
                text = file.read()
            document = json.loads(text)
            check(from_json(document) == from_store(Store(), path), True, f'{path}: the document is the subtree')
            pretty = json.dumps(document, indent=2, ensure_ascii=False).replace('\x7f', '\\u007f') + '\n'
            pretty = re.sub(r'\{\s*("\.base64": "[^"]*")\s*\}', r'{\1}', pretty)
            check(text == pretty, True, f'{path}: a line for each node')


if __name__ == '__main__':
    main(*sys.argv[1:])
