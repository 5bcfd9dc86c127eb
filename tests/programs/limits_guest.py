# SPDX-License-Identifier: MIT
"""Users of a guest, of whom the store knows only the guest: limits_guest.py MOUNT. The store allows it some 10
transactions and 100 watches."""
from limits_users import User, stat
from store_client import check

users = [User(54330 + n) for n in range(4)]
root = User(0)

order = 'open /.xsfs/transaction'
check([user.ask_often(order, 9) for user in users], [(2, 'EDQUOT')] * 2 + [(0, 'EDQUOT')] * 2,
      'transactions: two of a user, four of all users')
check(stat('limited_transactions'), 4, 'transactions: refusals are counted')
got, last = root.ask_often(order, 20)
check((got >= 6, last), (True, 'EDQUOT'), f'transactions: the rest is left for root, {got}')
for user in users + [root]:
    user.ask('close')


def watched(user, first):
    """How many paths, which need a watch each, it gets."""
    user.ask('open /.xsfs/watch')
    for n in range(100):
        answer = user.ask(f'write /shared/k{first + n}')
        if answer != 'ok':
            return n, answer
    return 100, 'ok'


check([watched(user, 100 * n) for n, user in enumerate(users)], [(32, 'EDQUOT')] * 3 + [(0, 'EDQUOT')],
      'watches: 32 of a user, 96 of all users')
# One is the mount's own.
check((stat('watches'), stat('limited_watches')), (97, 4), 'watches: refusals are counted')
got, last = watched(root, 400)
check((got >= 3, last), (True, 'EDQUOT'), f'watches: the rest is left for root, {got}')

# Each of these is lost: who may not write there is told by the log alone, as nobody waits for a close.
answers = set()
for n in range(40):
    answers.add(users[0].ask(f'create /frozen/new{n}'))
    users[0].ask('close')
print('create:', *answers)
for user in users + [root]:
    user.end()
