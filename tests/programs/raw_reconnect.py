# SPDX-License-Identifier: MIT
"""A client goes on while the server is started anew."""
import sys

from raw_client import END, Raw, WRITE
from store_client import check, refused

raw = Raw(sys.argv[1] + '/.xsfs/xenbus')
raw.watch('/local', 't')
raw.watch('@introduceDomain', 'i')
tx = raw.start()
print('ready', flush=True)
got = sorted((raw.event(), raw.event()))
check(got, [('/local', 't'), ('@introduceDomain', 'i')], 'after a new start of the server each watch has an event')
refused('ENOENT', 'the transaction is gone', lambda: raw.read('/local', tx))
refused('ENOENT', 'and cannot be committed', lambda: raw.call(END, b'T\0', tx))
raw.call(WRITE, b'/local/new\0x')
check(raw.event(), ('/local/new', 't'), 'the watches go on')
check(raw.start() != tx, True, 'a new transaction is another')
