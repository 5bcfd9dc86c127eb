# SPDX-License-Identifier: MIT
"""Users who take all the watches that they can get: limits_watches.py MOUNT. The mount's watch covers all keys, so these are
for special paths that no server tells of."""
from limits_users import User, stat
from store_client import check

SHARE = 512

user, other = User(54330), User(54331)
for one in (user, other):
    one.ask('open /.xsfs/watch')
user.ask('write /key')
before, limited = stat('watches'), stat('limited_watches')
check(user.ask_often('write @none#', SHARE + 1), (SHARE, 'EDQUOT'), 'watches of their own: a user has a share')
check(user.ask('write /other'), 'ok', 'watches of their own: a key needs none')
check(other.ask('write @none'), 'ok', 'watches of their own: others have theirs')
check((stat('watches') - before, stat('limited_watches') - limited), (SHARE + 1, 1), 'watches of their own: all are counted')
user.ask('close')
check(stat('watches') - before, 1, 'watches of their own: they go with the stream')
user.ask('open /.xsfs/watch')
check(user.ask_often('write @none#', 2), (2, 'ok'), 'watches of their own: what is closed is there again')
for one in (user, other):
    one.end()
