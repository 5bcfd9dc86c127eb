# SPDX-License-Identifier: MIT
"""A mount that is used while its server replaces itself: MOUNT SERVER-PID UPDATE-COMMAND..."""
import os
import select
import subprocess
import sys
import threading
import time

from exec_image import image
from store_client import PATIENCE, Store, check

mnt, pid, command = sys.argv[1], sys.argv[2], sys.argv[3:]
store = Store()

def stat(name):
    for line in open(mnt + '/.xsfs/stats'):
        if line.startswith(name + ' '):
            return line.split()[1]
    return None

class Busy(threading.Thread):
    """Writes and reads for as long as it may, and counts what was right."""
    def __init__(self):
        super().__init__()
        self.rounds, self.wrong, self.end = 0, None, False

    def run(self):
        fd = os.open(mnt + '/lu/busy', os.O_RDWR)
        while not self.end and not self.wrong:
            value = b'%d\n' % self.rounds
            try:
                os.pwrite(fd, value, 0)
                got = os.pread(fd, 100, 0)
                if got[:len(value)] != value:
                    self.wrong = got
            except OSError as error:
                self.wrong = error
            self.rounds += 1
        os.close(fd)

    def goes_on(self):
        before, deadline = self.rounds, time.monotonic() + PATIENCE
        while self.rounds < before + 20 and not self.wrong and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.rounds >= before + 20

def line_of(fd):
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return os.read(fd, 200) if poller.poll(1000 * PATIENCE) else None

connection = stat('connection'), stat('reconnects')
stream = os.open(mnt + '/.xsfs/watch', os.O_RDWR)
os.write(stream, b'/lu/watched\n')
polled = os.open(mnt + '/lu/polled', os.O_RDONLY)
poller = select.poll()
poller.register(polled, select.POLLPRI)
poller.poll(0)
os.pread(polled, 100, 0)
busy = Busy()
busy.start()
check(busy.goes_on(), True, 'a program writes and reads')
for number in ('first', 'second'):
    before = image(pid)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    check((done.returncode, done.stdout, image(pid) != before), (0, b'', True), f'the {number} update takes place')
    check(busy.goes_on(), True, f'the {number} update: the program goes on')
    store.write('/lu/watched', number.encode())
    check(line_of(stream), b'changed /lu/watched\n', f'the {number} update: an event comes')
    store.write('/lu/polled', number.encode())
    check((bool(poller.poll(1000 * PATIENCE)), os.pread(polled, 100, 0)), (True, number.encode() + b'\n'),
          f'the {number} update: a poll ends')
busy.end = True
busy.join()
check(busy.wrong, None, 'whatever it read was what it had written')
check((stat('connection'), stat('reconnects')), connection, 'it was the same connection all the time')
