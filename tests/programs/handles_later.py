# SPDX-License-Identifier: MIT
"""Handles of another mount: none leads to a file."""
import os
import sys

from handles_common import KEYS, content, load
from store_client import check

mnt, saved, what = sys.argv[1:4]
# the kernel gets to know as many files as it knew then, in another order
for key in reversed(KEYS):
    os.stat(f'{mnt}/h/{key}')
got = {content(mnt, load(f'{saved}/{n}')) for n in range(len(KEYS))}
check(got, {'ESTALE'}, what)
