# SPDX-License-Identifier: MIT
"""A log daemon that has stopped: log_stopped.py SOCKET. It reads nothing, and others have filled its queue, until it
gets SIGUSR1: then it prints what it receives."""
import signal
import socket
import sys

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
lines = 0
full = False
# What one may send has an end of its own: it is full when another cannot send anything.
while not full:
    others = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    others.setblocking(False)
    full = True
    try:
        while True:
            others.sendto(b'<30>others: a line', sys.argv[1])
            lines += 1
            full = False
    except BlockingIOError:
        pass
print('full', lines, flush=True)
signal.sigwait([signal.SIGUSR1])
while True:
    print(server.recv(65536).decode(), flush=True)
