# SPDX-License-Identifier: MIT
"""faults_mount.py MOUNT FAKE REQUESTS

Has the fakestore in the directory FAKE commit each fault at the first, the second, … of REQUESTS requests of each
operation on MOUNT. Prints assertions for checked() of functions.sh, and a table as comments."""
import errno
import os
import signal
import sys
import time

from starved import PATIENCE, Workload, attempt, on_alarm, result, slurp

# What fakestore is told, and whether the operation that it strikes may have another result than the right one: the
# store says what is not true. Errors have their own name, or say that there was no answer, or none of use.
NO_ANSWER = {errno.EIO, errno.ETIMEDOUT, errno.ECANCELED, errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ENOTRECOVERABLE}
FAULTS = {
    'delay 3': set(),
    'reorder 3': set(),
    'split 1': set(),
    'split 17': set(),
    'wrong-id 1': NO_ANSWER,
    'wrong-type 1': NO_ANSWER,
    'oversize 1': NO_ANSWER,
    'garbage 1': NO_ANSWER,
    'half 1': NO_ANSWER,
    'silent 1': NO_ANSWER,
    'twice 1': set(),
    'close': NO_ANSWER,
    'event /starved/a no-such-token': set(),
    'event @odd x': set(),
    'error 1 ENOSPC': NO_ANSWER | {errno.ENOSPC, errno.EDQUOT},
    'error 1 EAGAIN': NO_ANSWER,
    'error 1 ENOSUCHERROR': NO_ANSWER,
    # A node that may not be read is there, and may be a directory.
    'error 1 EACCES': NO_ANSWER | {errno.EACCES, errno.EPERM, errno.EEXIST, errno.EISDIR},
}
# These take no deadline, no new connection and no waiting of fakestore's own. Of the others each strikes every fifth
# operation, in turns, unless more requests than two are wanted.
QUICK = {'delay 3', 'split 17', 'twice 1', 'event /starved/a no-such-token', 'event @odd x', 'error 1 ENOSPC',
         'error 1 EAGAIN', 'error 1 EACCES'}


class Fake:
    """The orders to fakestore."""

    def __init__(self, path):
        self.control = os.open(f'{path}/control', os.O_WRONLY)
        self.said = f'{path}/said'

    def count(self, order):
        with open(self.said, encoding='utf-8', errors='replace') as file:
            return file.read().count(f'done {order}\n')

    def order(self, order):
        before, end = self.count(order), time.monotonic() + PATIENCE
        os.write(self.control, f'{order}\n'.encode())
        while self.count(order) == before:
            if time.monotonic() > end:
                raise SystemExit(f'fakestore does not: {order}')
            time.sleep(0.0005)


def recovers(work):
    """Whether all is as before, within the time that there is."""
    end, got = time.monotonic() + PATIENCE, None
    while time.monotonic() < end:
        got = attempt(work.prepare) or attempt(work.do_read)
        if not got:
            return None
        time.sleep(0.01)
    return got


def strike(fake, work, name, operation, fault, number):
    """Returns what is wrong, or None; and the errno, or 0."""
    if number:
        fake.order(f'after {number} {fault}')
    else:
        fake.order(fault)
    got = attempt(operation)
    fake.order('ok')
    wrong, fitting = None, set(FAULTS[fault])
    # A transaction is gone with its connection, and so is its directory.
    if name == 'transaction' and fitting:
        fitting.add(errno.ENOENT)
    if isinstance(got, str) or (got and got not in fitting):
        wrong = got if isinstance(got, str) else errno.errorcode[got]
    # An order that is still put off would come in the midst of what follows.
    for _ in range(number):
        attempt(lambda: slurp(f'{work.dir}/gone'))
    fake.order('ok')
    bad = recovers(work)
    if bad:
        wrong = f'{wrong or ""} and afterwards {bad}'
    return wrong, got


def main():
    mount, path, requests = sys.argv[1], sys.argv[2], int(sys.argv[3])
    signal.signal(signal.SIGALRM, on_alarm)
    fake, work, sound = Fake(path), Workload(mount), []
    for name, operation in work.operations():
        work.prepare()
        got = attempt(operation)
        if got:
            print(f'{name}: fakestore cannot: {got}')
        else:
            sound.append((name, operation))
    result(len(sound) >= 12, 'most operations work on fakestore')
    for turn, fault in enumerate(FAULTS):
        wrong, seen, begin = [], {}, time.monotonic()
        whole = fault in QUICK or requests > 2
        for name, operation in sound if whole else sound[turn % 5::5]:
            for number in range(requests if whole else 1):
                bad, got = strike(fake, work, name, operation, fault, number)
                seen[got] = seen.get(got, 0) + 1
                if bad:
                    wrong.append(f'{name}, request {number}: {bad}')
        took = time.monotonic() - begin
        named = ', '.join(f'{errno.errorcode.get(e, e) if e else "right"} {n}' for e, n in sorted(seen.items(), key=str))
        print(f'{fault}: {named}; {took:.1f} s')
        result(not wrong, f'{fault}: each operation, and afterwards everything works', *wrong[:20])


main()
