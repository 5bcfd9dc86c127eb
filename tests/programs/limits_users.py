# SPDX-License-Identifier: MIT
"""Users of a mount who do what they are told, for the limits*.py, which get its path."""
import errno
import os
import re
import signal
import sys

MOUNT = sys.argv[1]


class User:
    """A process of that user that opens files and holds them."""

    def __init__(self, uid):
        self.orders, theirs = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.setgroups([])
            os.setresgid(54321, 54321, 54321)
            os.setresuid(uid, uid, uid)
            self.serve(os.fdopen(self.orders[0]), os.fdopen(theirs[1], 'w'))
        self.orders = os.fdopen(self.orders[1], 'w')
        self.answers = os.fdopen(theirs[0])
        os.close(theirs[1])

    def serve(self, orders, answers):
        held = []
        for order in orders:
            answers.write(self.obey(order.split(' ', 1), held) + '\n')
            answers.flush()
        os._exit(0)

    @staticmethod
    def obey(order, held):
        word, rest = order[0].strip(), order[1].strip() if len(order) > 1 else ''
        try:
            if word == 'close':
                while held:
                    os.close(held.pop())
            elif word == 'open':
                held.append(os.open(MOUNT + rest, os.O_RDWR if '.xsfs' in rest else os.O_RDONLY))
            elif word == 'create':
                held.append(os.open(MOUNT + rest, os.O_WRONLY | os.O_CREAT, 0o600))
            elif word == 'empty':
                held.append(os.open(MOUNT + rest, os.O_WRONLY | os.O_TRUNC))
            elif word == 'cut':
                held.append(os.open(MOUNT + rest, os.O_WRONLY))
                os.ftruncate(held[-1], 0)
            elif word == 'write':
                os.write(held[-1], rest.replace(' ', '\n').encode())
        except OSError as error:
            return errno.errorcode[error.errno]
        return 'ok'

    def ask(self, order):
        self.orders.write(order + '\n')
        self.orders.flush()
        return self.answers.readline().strip()

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def ask_often(self, order, most, first=0):
        """How often it is obeyed, and what comes then. A # in it stands for a number from `first` on."""
        for n in range(most):
            answer = self.ask(order.replace('#', str(first + n)))
            if answer != 'ok':
                return n, answer
        return most, 'ok'


def stat(name):
    return int(re.search(rf'^{name} (\d+)$', open(MOUNT + '/.xsfs/stats').read(), re.M).group(1))
