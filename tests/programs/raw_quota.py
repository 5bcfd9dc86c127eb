# SPDX-License-Identifier: MIT
"""The quotas of a guest say what the server still holds: ten transactions, a hundred watches."""
import os
import signal
import sys
import time

from raw_client import Raw, WATCH
from store_client import check

file, word = sys.argv[1] + '/.xsfs/xenbus', {'c': 'E2BIG', 'o': 'EQUOTA'}[sys.argv[2]]
def fill():
    raw = Raw(file)
    txs = watches = 0
    try:
        while txs < 100:
            raw.start()
            txs += 1
    except OSError as e:
        tx_word = e.strerror
    try:
        while watches < 300:
            raw.call(WATCH, b'/local/domain/7/w%d\0t\0' % watches)
            watches += 1
    except OSError as e:
        watch_word = e.strerror
    return txs, tx_word, watches, watch_word
pid = os.fork()
if pid == 0:
    fill()
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(pid, 0)
def empty():
    with open(sys.argv[1] + '/.xsfs/stats') as f:
        stats = dict(line.split(' ', 1) for line in f)
    return int(stats['raw_clients']) == 0 and int(stats['in_flight']) == 0
while not empty():
    time.sleep(0.01)
first = fill()
check(first[0] >= 10 and first[2] >= 100, True, 'what a killed client had is free again')
check(first[1] in ('ENOSPC', 'EQUOTA'), True, 'the quota of transactions, in the server\'s word')
check(first[3], word, 'the quota of watches, in the server\'s word')
