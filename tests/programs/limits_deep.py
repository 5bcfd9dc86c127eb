# SPDX-License-Identifier: MIT
"""Watches many deep paths, and compares the memory that they take with what they are charged for: limits_deep.py MOUNT PID."""
import os
import re
import sys

from store_client import check

MOUNT, PID = sys.argv[1], sys.argv[2]


def resident():
    return int(re.search(r'^VmRSS:\s+(\d+) kB$', open(f'/proc/{PID}/status').read(), re.M).group(1))


def charged():
    return int(re.search(r'^watched_bytes (\d+)$', open(MOUNT + '/.xsfs/stats').read(), re.M).group(1))


deep = '/n' * 1400
before = resident()
stream = os.open(MOUNT + '/.xsfs/watch', os.O_RDWR)
for n in range(8):
    os.write(stream, ''.join(f'/{n}x{i}{deep}\n' for i in range(20)).encode())
took = 1024 * (resident() - before)
print('took', took, 'charged', charged(), sep='\t')
check(took < charged() < 64 << 20, True, 'paths: 160 deep ones take no more memory than they are charged for')
