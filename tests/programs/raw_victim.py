# SPDX-License-Identifier: MIT
"""A client that does everything at once until it is killed."""
import random
import sys

from raw_client import END, READ, Raw, START, WATCH, WRITE, message

raw = Raw(sys.argv[1] + '/.xsfs/xenbus')
n = int(sys.argv[2])
random.seed(n)
raw.call(WATCH, b'/v\0%d\0' % n)
raw.call(WATCH, b'/v/%d\0own\0' % n)
open_now = []
print('started', flush=True)
while True:
    batch = message(START, b'\0', 1) + message(READ, b'/v/x\0', 2) + message(WRITE, b'/v/%d\0%d' % (n, random.random() * 1000), 3)
    if open_now:
        batch += message(WRITE, b'/v/t\0x', 4, open_now[0])
    if len(open_now) > 2:
        batch += message(END, random.choice((b'T\0', b'F\0')), 5, open_now.pop(0))
    cut = random.randrange(len(batch))
    raw.write(batch[:cut])
    raw.write(batch[cut:])
    wait = random.choice((True, False))
    while wait or raw.ready():
        kind, req, tx, body = raw.get()
        if kind == START:
            open_now.append(int(body[:-1]))
            wait = False
