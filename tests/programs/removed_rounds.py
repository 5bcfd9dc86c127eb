# SPDX-License-Identifier: MIT
"""Rounds of mkdir, create, unlink and rmdir with one name."""
import errno
import os
import sys

from removed_common import mnt, mode, put
from store_client import check

wrong = {}
def step(function, *args):
    try:
        function(*args)
    except OSError as e:
        key = function.__name__, errno.errorcode[e.errno]
        wrong[key] = wrong.get(key, 0) + 1
for n in range(int(sys.argv[3])):
    step(os.mkdir, mnt + '/r')
    step(put, mnt + '/r/k', 'v\n')
    step(os.unlink, mnt + '/r/k')
    step(os.rmdir, mnt + '/r')
check(wrong, {}, f'{mode}: mkdir, create, unlink, rmdir, {sys.argv[3]} times with one name')
