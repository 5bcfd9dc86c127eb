# SPDX-License-Identifier: MIT
"""Makes many keys in a directory of the store."""
import sys

from store_client import Store

path, count, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
store = Store()
for i in range(count):
    store.write(path + '/' + name % i, b'%d' % i)
