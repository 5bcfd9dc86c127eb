# SPDX-License-Identifier: MIT
"""A raw client for the end-to-end tests: the protocol on `.xsfs/xenbus`, on the server's socket, on any file that
speaks it, message by message."""
import errno
import os
import select
import socket
import struct

(CONTROL, DIRECTORY, READ, GET_PERMS, WATCH, UNWATCH, START, END, INTRODUCE, RELEASE, GET_DOMAIN_PATH, WRITE, MKDIR,
 RM, SET_PERMS, EVENT, ERROR, IS_INTRODUCED, RESUME, SET_TARGET) = range(20)
RESET_WATCHES, DIRECTORY_PART = 21, 22
PATIENCE = float(os.environ.get('XSFS_TEST_PATIENCE', 30))


def message(kind, body=b'', req=1, tx=0):
    return struct.pack('<IIII', kind, req, tx, len(body)) + body


class Raw:
    """One client. Messages are (type, req_id, tx_id, body); call() keeps events in .events."""

    def __init__(self, path, flags=0):
        if path.endswith('socket'):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(path)
            self.fd = self.sock.fileno()
        else:
            self.sock = None
            self.fd = os.open(path, os.O_RDWR | flags)
        self.events = []
        self.req = 0

    def close(self):
        if self.sock:
            self.sock.close()
        else:
            os.close(self.fd)

    def write(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def send(self, kind, body=b'', req=1, tx=0):
        self.write(message(kind, body, req, tx))

    def ready(self, seconds=0):
        return bool(select.select([self.fd], [], [], seconds)[0])

    def _take(self, size):
        data = b''
        while len(data) < size:
            part = os.read(self.fd, size - len(data))
            if not part:
                raise OSError(errno.EPIPE, 'end of file')
            data += part
        return data

    def get(self, seconds=PATIENCE):
        """The next message, or None."""
        if not self.ready(seconds):
            return None
        kind, req, tx, size = struct.unpack('<IIII', self._take(16))
        return kind, req, tx, self._take(size)

    def quiet(self, seconds=0.2):
        """All messages until nothing comes any more."""
        got = []
        while (msg := self.get(seconds)) is not None:
            got.append(msg)
        return got

    def answer(self, req):
        """The answer to a request; events that come first are kept."""
        while True:
            msg = self.get()
            if msg is None:
                raise OSError(errno.ETIMEDOUT, 'no answer')
            if msg[0] != EVENT:
                assert msg[1] == req, (msg, req)
                return msg
            self.events.append(msg)

    def call(self, kind, body=b'', tx=0):
        self.req += 1
        self.send(kind, body, self.req, tx)
        kind, _, _, body = self.answer(self.req)
        if kind == ERROR:
            name = body[:-1].decode()
            raise OSError(getattr(errno, {'EQUOTA': 'EDQUOT'}.get(name, name), errno.EIO), name)
        return body

    def event(self, seconds=PATIENCE):
        """Path and token of the next event, or None."""
        msg = self.events.pop(0) if self.events else self.get(seconds)
        if msg is None:
            return None
        assert msg[0] == EVENT and msg[1:3] == (0, 0), msg
        path, token, rest = msg[3].split(b'\0')
        assert not rest
        return path.decode(), token.decode()

    def read(self, path, tx=0):
        return self.call(READ, path.encode() + b'\0', tx)

    def start(self):
        return int(self.call(START, b'\0')[:-1])

    def watch(self, path, token):
        self.call(WATCH, path.encode() + b'\0' + token.encode() + b'\0')
        return self.event()
