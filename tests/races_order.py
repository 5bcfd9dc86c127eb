# SPDX-License-Identifier: MIT
"""races_order.py MOUNT DIRECTORY PART: PART is the server, c or o, or `deadline`. Operations through a mount that has between.py, with its files in DIRECTORY,
before the server; in what order they meet another client is certain. For `checked` of functions.sh."""
import errno
import os
import select
import sys
import threading
import time

from store_client import Store, check

mount, directory, part = sys.argv[1:]
top = mount + '/w/'
store = Store()


def rules(*lines):
    """Rules for what comes next."""
    open(directory + '/log', 'w').close()
    with open(directory + '/rules.new', 'w') as file:
        file.writelines(line + '\n' for line in lines)
    os.rename(directory + '/rules.new', directory + '/rules')


def before(*lines):
    """A fresh tree, and rules for the next operation."""
    if store.exists('/w'):
        store.remove('/w')
    for path, value in (('p/k', b'v'), ('p/other', b'1'), ('q/t', b'old'), ('q/other', b'1'), ('p/dir/a', b'1'),
                        ('p/dir/b', b'2')):
        store.write('/w/' + path, value)
    os.mkdir(top + 'p/empty')
    rules(*lines)


def hits():
    with open(directory + '/log') as log:
        return len(log.read().splitlines())


def answer(function, *args):
    """What a call says: ok, or the name of an errno."""
    try:
        function(*args)
        return 'ok'
    except OSError as e:
        return errno.errorcode[e.errno]


def says(name, expected, happened, function, *paths):
    """An operation on paths below the top says `expected`, and a rule comes true so often, or `happened`[0] times or
    more."""
    check(answer(function, *(top + path for path in paths)), expected, f'{name}: {expected}')
    if isinstance(happened, list):
        check(hits() >= happened[0], True, f'{name}: it happened')
    else:
        check(hits(), happened, f'{name}: it happened so often')


def value(path):
    return store.read('/w/' + path).decode() if store.exists('/w/' + path) else None


def opened(flags, use=None):
    def function(path):
        fd = os.open(path, os.O_WRONLY | flags)
        try:
            if use:
                use(fd)
        finally:
            os.close(fd)
    return function


append = opened(os.O_APPEND, lambda fd: os.write(fd, b'x\n'))
write_middle = opened(0, lambda fd: os.pwrite(fd, b'X', 1))
create = opened(os.O_CREAT | os.O_EXCL)


def truncate(path):
    os.truncate(path, 1)


def removals():
    before('RM /w/p/k 1 remove /w/p/k')
    says('unlink of what is removed meanwhile', 'ENOENT', 1, os.unlink, 'p/k')
    before('RM /w/p/k 1 write /w/p/k new')
    says('unlink of what is written meanwhile', 'ok', 1, os.unlink, 'p/k')
    before('RM /w/p/k 1 remove /w/p/k; write /w/p/k new')
    says('unlink of what is renewed meanwhile', 'ok', 1, os.unlink, 'p/k')
    check(value('p/k'), None, 'it is gone')
    before('RM /w/p/k 1 write /w/p/k/c 1')
    says('unlink of what gets a child meanwhile', 'EISDIR', 1, os.unlink, 'p/k')
    check(value('p/k/c'), '1', 'it is there')
    before('RM /w/p/k 1 remove /w/p')
    says('unlink, the parent is removed meanwhile', 'ENOENT', 1, os.unlink, 'p/k')
    before('RM /w/p/k 1 remove /w/p; write /w/p/k new')
    says('unlink, the parent is renewed meanwhile', 'ok', 1, os.unlink, 'p/k')
    before('RM /w/p/empty 1 remove /w/p/empty')
    says('rmdir of what is removed meanwhile', 'ENOENT', 1, os.rmdir, 'p/empty')
    before('RM /w/p/empty 1 write /w/p/empty/c 1')
    says('rmdir of what gets a child meanwhile', 'ENOTEMPTY', 1, os.rmdir, 'p/empty')
    before('RM /w/p/empty 1 remove /w/p')
    says('rmdir, the parent is removed meanwhile', 'ENOENT', 1, os.rmdir, 'p/empty')
    before('READ /w/p/k 1 remove /w/p/k')
    says('unlink of what is removed before it is looked at', 'ENOENT', 1, os.unlink, 'p/k')
    before('READ /w/p/k 1 remove /w/p')
    says('unlink, the parent is removed before', 'ENOENT', 1, os.unlink, 'p/k')


def renames():
    before('RM /w/q/t 1 remove /w/q/t')
    says('replace what is removed meanwhile', 'ok', 1, os.rename, 'p/k', 'q/t')
    check(value('q/t'), 'v', 'it is the new one')
    before('RM /w/q/t 1 remove /w/q/t; write /w/q/t newer')
    says('replace what is renewed meanwhile', 'ok', 1, os.rename, 'p/k', 'q/t')
    check(value('q/t'), 'v', 'it is the new one')
    before('RM /w/q/t 1 write /w/q/t/c 1')
    says('replace what gets a child meanwhile', 'ENOTEMPTY', 1, os.rename, 'p/k', 'q/t')
    check([value('q/t/c'), value('p/k')], ['1', 'v'], 'both are there')
    before('RM /w/q/t 1 remove /w/q')
    says('replace, the parent of the target is removed meanwhile', 'ENOENT', 1, os.rename, 'p/k', 'q/t')
    check([value('q'), value('p/k')], [None, 'v'], 'it does not come back, and the source stays')
    before('WRITE /w/q/new 1 remove /w/q')
    says('rename, the parent of the target is removed meanwhile', 'ENOENT', 1, os.rename, 'p/k', 'q/new')
    check([value('q'), value('p/k')], [None, 'v'], 'it does not come back, and the source stays')
    before('READ /w/q 1 remove /w/q')
    says('rename, the parent of the target is removed before', 'ENOENT', 1, os.rename, 'p/k', 'q/new')
    check([value('q'), value('p/k')], [None, 'v'], 'it does not come back, and the source stays')
    before('RM /w/p/k 1 remove /w/p/k')
    says('rename of what is removed meanwhile', 'ENOENT', 1, os.rename, 'p/k', 'q/new')
    check(value('q/new'), None, 'it is not made')
    before('RM /w/p/k 1 remove /w/p')
    says('rename, the parent is removed meanwhile', 'ENOENT', 1, os.rename, 'p/k', 'q/new')
    before('READ /w/p/dir/a 1 remove /w/p/dir/a')
    says('rename of a directory, a child is removed meanwhile', 'ok', 1, os.rename, 'p/dir', 'q/dir')
    check([value('q/dir/a'), value('q/dir/b'), value('p/dir')], [None, '2', None], 'what is left has moved')
    before('READ /w/p/dir/a 1 remove /w/p/dir')
    says('rename of a directory that is removed meanwhile', 'ENOENT', 1, os.rename, 'p/dir', 'q/dir')
    check(value('q/dir'), None, 'it is not made')
    before('READ /w/q 1 remove /w/p/k; write /w/q/new/c 1')
    says('rename of what was removed when the target came', 'ENOENT', 1, os.rename, 'p/k', 'q/new')
    uniform = '../.xsfs/nodes/w/'
    before('READ /w/q/new 1 write /w/q/new v')
    says('replace what got a value meanwhile, in the uniform view', 'ENOTEMPTY', 1, os.rename,
         uniform + 'p/dir', uniform + 'q/new')
    check([value('q/new'), value('p/dir/a')], ['v', '1'], 'both are there')


def written_during(path, function, *paths):
    """A file that was opened and emptied is written while the commit of an operation of the same mount is held up.
    Returns what the write says."""
    before('END T 1 sleep 0.5')
    fd = os.open(top + path, os.O_WRONLY | os.O_TRUNC)
    other = threading.Thread(target=function, args=[top + name for name in paths])
    other.start()
    while not hits():
        time.sleep(0.001)
    said = answer(os.write, fd, b'new\n')
    other.join()
    os.close(fd)
    return said


def writes():
    said = written_during('p/dir/a', os.rename, 'p/dir', 'q/dir')
    check([said, value('q/dir/a'), value('p/dir')], ['ok', 'new', None], 'a write while its directory moves follows it')
    said = written_during('p/k', os.rename, 'p/k', 'q/new')
    check([said, value('q/new'), value('p/k')], ['ok', 'new', None], 'a write while its file moves follows it')
    said = written_during('q/t', os.rename, 'p/k', 'q/t')
    check([said in ('ENOENT', 'ESTALE'), value('q/t')], [True, 'v'], 'a write while its file is replaced: ' + said)
    said = written_during('p/k', os.unlink, 'p/k')
    check([said, value('p/k')], ['ENOENT', None], 'a write while its file is removed')


def answers():
    """What the server answers in a transaction is believed only if it says so again and again, but for what cannot be
    due to others."""
    before('RM /w/p/k 3 answer EIO')
    says('EIO three times', 'ok', 3, os.unlink, 'p/k')
    before('RM /w/p/k 3 answer EINVAL')
    says('EINVAL three times', 'ok', 3, os.unlink, 'p/k')
    before('MKDIR /w/p/new 2 answer EIO')
    says('EIO for mkdir', 'ok', 2, os.mkdir, 'p/new')
    before('WRITE /w/p/new 2 answer EINVAL')
    says('EINVAL for an exclusive create', 'ok', 2, create, 'p/new')
    before('WRITE /w/p/k 2 answer ENOENT')
    says('ENOENT for an append', 'ok', 2, append, 'p/k')
    before('READ /w/p/k 2 answer EIO')
    says('EIO for a write in the middle', 'ok', 2, write_middle, 'p/k')
    before('WRITE /w/p/k 2 answer EIO')
    says('EIO for a truncate', 'ok', 2, truncate, 'p/k')
    before('WRITE /w/q/t 2 answer EIO')
    says('EIO for a rename', 'ok', 2, os.rename, 'p/k', 'q/t')
    before('RM /w/p/k 1000 answer EIO')
    says('EIO each time', 'EIO', [2], os.unlink, 'p/k')
    before('RM /w/p/k 1000 answer EACCES')
    says('EACCES is believed at once', 'EACCES', 1, os.unlink, 'p/k')
    before('WRITE /w/p/k 1000 answer ENOSPC')
    says('and so is a quota', 'EDQUOT', 1, append, 'p/k')
    before('SET_PERMS /w/q/new 1000 answer ENOENT')
    says('and an owner who is no more', 'ENOENT', 1, os.rename, 'p/k', 'q/new')


def deadline():
    """It is one of real time, not of the pauses between the tries. The mount has timeout=1."""
    begin = time.monotonic()
    before('END T 100000 write /w/p/k new#; sleep 0.2')
    says('a conflict each time', 'EBUSY', [2], os.rename, 'p/k', 'q/t')
    took = time.monotonic() - begin
    check(took if took > 6 else 'at most 6', 'at most 6', 'a conflict each time: seconds')
    check(value('q/t'), 'old', 'nothing was changed')
    before('RM /w/p/k 100000 answer EIO; sleep 0.3')
    says('doubt until the end', 'EBUSY', [2], os.unlink, 'p/k')


def inside():
    """In a user's transaction, where nothing can be tried again by itself. xenstored's answer to the removal is EIO;
    oxenstored sees nothing of the other client until the commit."""
    before('READ /w/p 1 remove /w/p/k')
    fd = os.open(mount + '/.xsfs/transaction', os.O_RDWR)
    name = os.read(fd, 100).decode().strip()
    key = mount + '/.xsfs/tx/' + name + '/w/p/k'
    with open(key) as file:
        file.read()
    poll = select.poll()
    poll.register(fd, select.POLLIN | select.POLLPRI)
    check(poll.poll(0)[0][1] & select.POLLPRI, 0, 'inside: no conflict yet')
    said = answer(os.unlink, key)
    check(said in (['ECANCELED'] if part == 'c' else ['ok']), True, 'inside: unlink of what was removed: ' + said)
    check(bool(poll.poll(0)[0][1] & select.POLLPRI), said == 'ECANCELED', 'inside: who polls the transaction is told')
    check(answer(os.write, fd, b'commit'), 'ECANCELED', 'inside: the commit')
    check(hits(), 1, 'inside: it happened')
    os.close(fd)


if part == 'deadline':
    deadline()
else:
    removals()
    renames()
    writes()
    answers()
    inside()
