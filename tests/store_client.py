# SPDX-License-Identifier: MIT
"""A client of the store's socket for the end-to-end tests, where the xenstore-* commands do not reach:
transactions, and values byte for byte. It also reports assertions to functions.sh (see `checked` there)."""
import errno
import os
import socket
import struct

PATIENCE = int(os.environ.get('XSFS_TEST_PATIENCE', 120))  # seconds: for what comes at once where nobody else is busy
DIRECTORY, READ, GET_PERMS, START, END, WRITE, MKDIR, RM, SET_PERMS, ERROR = 1, 2, 3, 6, 7, 11, 12, 13, 14, 16


def heard(mnt):
    """Returns when the mount has taken all events so far, after which its answer comes: oxenstored stops serving a
    writer for good when another client is behind by more events than it queues, some 2000."""
    os.path.exists(f'{mnt}/none')


class Store:
    """One connection; one request at a time."""

    def __init__(self, path=None):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path or os.environ['XENSTORED_PATH'])

    def _receive(self, size):
        data = b''
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            if not part:
                raise OSError(errno.EPIPE, 'the store closed the connection')
            data += part
        return data

    def call(self, kind, body, tx=0):
        self.sock.sendall(struct.pack('<IIII', kind, 1, tx, len(body)) + body)
        kind, _, _, size = struct.unpack('<IIII', self._receive(16))
        reply = self._receive(size)
        if kind == ERROR:
            raise OSError(getattr(errno, reply[:-1].decode(), errno.EIO), reply[:-1].decode())
        return reply

    def read(self, path, tx=0):
        return self.call(READ, path.encode() + b'\0', tx)

    def write(self, path, value, tx=0):
        self.call(WRITE, path.encode() + b'\0' + value, tx)

    def remove(self, path, tx=0):
        self.call(RM, path.encode() + b'\0', tx)

    def exists(self, path):
        try:
            self.read(path)
            return True
        except FileNotFoundError:
            return False

    def start(self):
        return int(self.call(START, b'\0')[:-1])

    def commit(self, tx):
        self.call(END, b'T\0', tx)

    def create(self, path, value):
        """Makes a node that must not exist, as a careful client does it; FileExistsError otherwise."""
        while True:
            tx = self.start()
            try:
                self.read(path, tx)
            except FileNotFoundError:
                self.write(path, value, tx)
            else:
                self.call(END, b'F\0', tx)
                raise FileExistsError(errno.EEXIST, path)
            try:
                return self.commit(tx)
            except BlockingIOError:
                pass


def check(got, expected, name):
    """One assertion; long values are shown in part."""
    def show(x):
        text = repr(x).replace('\t', ' ').replace('\n', ' ')
        return text if len(text) < 200 else f'{text[:100]}...{text[-60:]} ({len(text)})'
    same = got == expected
    print('same' if same else 'other', show(got), show(expected), name, sep='\t', flush=True)


def refused(error, name, function, *args):
    """One assertion: the call fails with that errno (a name)."""
    try:
        function(*args)
        check('nothing', error, name)
    except OSError as e:
        check(errno.errorcode.get(e.errno), error, name)
