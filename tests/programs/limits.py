# SPDX-License-Identifier: MIT
"""Users who take all that they can get of a mount: limits.py MOUNT."""
import errno
import os
import re
import signal
import sys

from store_client import check

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

    def ask_often(self, order, most):
        """How often it is obeyed, and what comes then."""
        for n in range(most):
            answer = self.ask(order)
            if answer != 'ok':
                return n, answer
        return most, 'ok'


def stat(name):
    return int(re.search(rf'^{name} (\d+)$', open(MOUNT + '/.xsfs/stats').read(), re.M).group(1))


users = [User(54330 + n) for n in range(5)]
root = User(0)

for what, file, limit, most, last in (('streams', '/.watch', 4, 64, 'limited_streams'),
                                      ('transactions', '/.xsfs/transaction', 3, 48, 'limited_transactions')):
    order = 'open ' + file
    check([user.ask_often(order, limit + 1) for user in users[:4]], [(limit, 'EDQUOT')] * 4, f'{what}: each user has a share')
    check(users[4].ask_often(order, 1), (0, 'EDQUOT'), f'{what}: all users together have four')
    check(root.ask_often(order, most), (most - 4 * limit, 'EDQUOT'), f'{what}: the rest is left for root')
    check(stat(last), 6, f'{what}: refusals are counted')
    for user in users + [root]:
        user.ask('close')
    check(users[4].ask_often(order, limit + 1), (limit, 'EDQUOT'), f'{what}: what is closed is there again')
    users[4].ask('close')

# Long paths, each of names that no other has: 20 KiB take a few of them.
paths = ' '.join('/' + '/'.join(f'{n}x{i}' for i in range(100)) for n in range(3))
user = users[0]
user.ask('open /.xsfs/watch')
check(user.ask('write ' + paths), 'EDQUOT', 'paths: a user has a share')
check(user.ask('write /a'), 'ok', 'paths: which was not used up by those that were refused')
check(users[1].ask('open /.xsfs/watch') + users[1].ask('write /b'), 'okok', 'paths: others have theirs')
check(stat('limited_watched') >= 1, True, 'paths: refusals are counted')
user.ask('close')
users[1].ask('close')
check(stat('watched_bytes'), 0, 'paths: what is closed takes nothing')

for user in users + [root]:
    user.end()
