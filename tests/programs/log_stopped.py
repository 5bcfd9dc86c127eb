# SPDX-License-Identifier: MIT
"""A log daemon that has stopped: log_stopped.py SOCKET. It reads nothing, and others have filled its queue, until it
gets SIGUSR1: then it prints what it receives."""
import signal
import socket
import sys

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
others = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
others.setblocking(False)
try:
    while True:
        others.sendto(b'<30>others: a line', sys.argv[1])
except BlockingIOError:
    print('full', flush=True)
signal.sigwait([signal.SIGUSR1])
while True:
    print(server.recv(65536).decode(), flush=True)
