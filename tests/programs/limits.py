# SPDX-License-Identifier: MIT
"""Users who take all that they can get of a mount: limits.py MOUNT."""
from limits_users import User, stat
from store_client import check

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
