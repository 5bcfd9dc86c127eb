# SPDX-License-Identifier: MIT
"""Receives what is sent to the journal: prints the fields of each message as a line of JSON."""
import json
import os
import socket
import struct

def fields(data):
    found = {}
    while data:
        line, _, data = data.partition(b'\n')
        name, equals, value = line.partition(b'=')
        if not equals:
            size, = struct.unpack('<Q', data[:8])
            value, data = data[8:8 + size], data[9 + size:]
        found[name.decode()] = value.decode()
    return found

PATH = '/run/systemd/journal/socket'
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(PATH + '.new')
os.rename(PATH + '.new', PATH)
while True:
    print(json.dumps(fields(server.recv(65536)), sort_keys=True), flush=True)
