# SPDX-License-Identifier: MIT
"""Two reads of one open .dump at a time, while the server stands still."""
import os
import signal
import sys
import threading
import time

from store_client import PATIENCE

mnt, whole, server = sys.argv[1], open(sys.argv[2], 'rb').read(), int(sys.argv[3])
fd = os.open(mnt + '/big/.dump', os.O_RDONLY)
os.kill(server, signal.SIGSTOP)
threads = []
for off in (len(whole) - 100, 0):
    def read(off=off):
        print(os.pread(fd, 100, off) == whole[off:off + 100])
    threads.append(threading.Thread(target=read, daemon=True))
    threads[-1].start()
    while f'fuse_operations_now {len(threads) + 1}\n' not in open(mnt + '/.xsfs/stats').read():
        time.sleep(0.01)
os.kill(server, signal.SIGCONT)
for thread in threads:
    thread.join(PATIENCE)
