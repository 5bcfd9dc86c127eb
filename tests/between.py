# SPDX-License-Identifier: MIT
"""between.py SOCKET SERVER-SOCKET RULES LOG: stands between a client and a store's socket, and lets something
happen just before a request is passed on. So the order of two clients is certain, and the answers are the
server's own.

A file RULES is taken, and removed, at the next request. Each of its lines is a rule for requests in a
transaction:

	TYPE PATH TIMES ACTION[; ACTION]...

TYPE is READ, WRITE and so on; END is a commit, its PATH is T. At the first TIMES such requests the actions
are carried out, and LOG gets a line with TYPE and PATH:

	write PATH VALUE	straight at the server; a # in VALUE is another number each time
	remove PATH
	answer NAME		the request is not passed on, but answered by this error
	sleep SECONDS
"""
import itertools
import os
import select
import socket
import struct
import sys
import threading
import time

from store_client import END, ERROR, GET_PERMS, DIRECTORY, MKDIR, READ, RM, SET_PERMS, WRITE, Store

TYPES = {'READ': READ, 'WRITE': WRITE, 'MKDIR': MKDIR, 'RM': RM, 'DIRECTORY': DIRECTORY, 'SET_PERMS': SET_PERMS,
         'GET_PERMS': GET_PERMS, 'END': END}
listen_path, server_path, rules_path, log_path = sys.argv[1:]
lock = threading.Lock()
rules = []
numbers = itertools.count()


def take_rules():
    try:
        with open(rules_path) as file:
            lines = file.read().splitlines()
        os.unlink(rules_path)
    except FileNotFoundError:
        return
    rules.clear()
    for line in lines:
        kind, path, times, actions = line.split(' ', 3)
        rules.append([kind, path, int(times), [action.strip() for action in actions.split(';')]])


def matching(kind, path):
    """The rule for a request, counted down."""
    with lock:
        take_rules()
        for rule in rules:
            if TYPES[rule[0]] == kind and rule[1] == path and rule[2] > 0:
                rule[2] -= 1
                with open(log_path, 'a') as log:
                    print(*rule[:2], file=log)
                return rule
    return None


def carry_out(rule, store):
    """Returns the name of the error to answer with, or None."""
    error = None
    for action in rule[3]:
        word, _, rest = action.partition(' ')
        if word == 'answer':
            error = rest
        elif word == 'sleep':
            time.sleep(float(rest))
        elif word == 'remove':
            store.remove(rest)
        else:
            path, _, value = rest.partition(' ')
            store.write(path, value.replace('#', str(next(numbers))).encode())
    return error


def receive(sock, size):
    data = b''
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            sys.exit()
        data += part
    return data


def message(sock):
    head = receive(sock, 16)
    return head, receive(sock, struct.unpack('<IIII', head)[3])


def request(client, server, store):
    """Passes on one request, and what comes until its answer: the next one must not overtake this one."""
    head, body = message(client)
    kind, number, tx, _ = struct.unpack('<IIII', head)
    rule = matching(kind, body.split(b'\0')[0].decode()) if tx else None
    error = carry_out(rule, store) if rule else None
    if error:
        client.sendall(struct.pack('<IIII', ERROR, number, tx, len(error) + 1) + error.encode() + b'\0')
        return
    server.sendall(head + body)
    while True:
        head, body = message(server)
        client.sendall(head + body)
        if struct.unpack('<IIII', head)[1] == number:
            return


def serve(client):
    server = socket.socket(socket.AF_UNIX)
    server.connect(server_path)
    store = Store(server_path)
    while True:
        for ready in select.select([client, server], [], [])[0]:
            if ready is client:
                request(client, server, store)
            else:
                client.sendall(b''.join(message(server)))


listener = socket.socket(socket.AF_UNIX)
listener.bind(listen_path)
listener.listen()
print('ready', flush=True)
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
