# SPDX-License-Identifier: MIT
"""Kills clients in the middle of what they do; nothing of them is left."""
import os
import random
import signal
import subprocess
import sys
import time

from store_client import check

mnt, total = sys.argv[1], int(sys.argv[2])
running, killed, started = [], 0, 0
deadline = time.monotonic() + 600
while killed < total and time.monotonic() < deadline:
    while len(running) < 12 and started < total:
        running.append(subprocess.Popen([sys.executable, os.path.dirname(sys.argv[0]) + '/raw_victim.py', mnt, str(started)], stdout=subprocess.PIPE))
        started += 1
    victim = running.pop(0)
    victim.stdout.readline()
    time.sleep(random.random() * 0.02)
    victim.send_signal(signal.SIGKILL)
    killed += victim.wait() == -signal.SIGKILL
check(killed, total, f'{total} clients were killed in the middle')
