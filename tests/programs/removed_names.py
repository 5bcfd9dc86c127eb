# SPDX-License-Identifier: MIT
"""Names that this mount removes, replaces and makes again, while somebody has them open."""
import os
import select
import shutil
import tempfile

from removed_common import failed, known, mnt, mode, put, result, store
from store_client import PATIENCE, check

class View:
    """Keys and directories of a layout, at the same paths of the store."""
    def __init__(self, name, top, uniform):
        self.name, self.top, self.uniform = name, top, uniform

    def file(self, path):
        return self.top + path + ('/.value' if self.uniform else '')

    def dir(self, path):
        return self.top + path

    def make_key(self, path, text):
        if self.uniform:
            os.mkdir(self.dir(path))
        put(self.file(path), text)

    def remove_key(self, path):
        if os.path.isdir(self.dir(path)):
            os.unlink(self.dir(path) + '/.value')
            os.rmdir(self.dir(path))
        else:
            os.unlink(self.dir(path))

# ---- a name is used again ----

def nobody(view):
    return lambda: None

def shell(view):
    here = os.open('.', os.O_PATH)
    os.chdir(view.dir('/j'))
    def leave():
        os.chdir(here)
        os.close(here)
    return leave

def directory(view):
    fd = os.open(view.dir('/j'), os.O_RDONLY)
    os.listdir(fd)
    return lambda: os.close(fd)

def watcher(view):
    fd = os.open(view.dir('/j') + '/.watch', os.O_RDONLY)
    return lambda: os.close(fd)

def reader(view):
    view.make_key('/j/k', 'v\n')
    fd = os.open(view.file('/j/k'), os.O_RDONLY)
    os.read(fd, 100)
    view.remove_key('/j/k')
    return lambda: os.close(fd)

def value_writer(view):
    put(view.dir('/j') + '/.value', 'v\n')
    fd = os.open(view.dir('/j') + '/.value', os.O_RDWR)
    os.unlink(view.dir('/j') + '/.value')
    return lambda: os.close(fd)

def removed_and_made(view):
    os.rmdir(view.dir('/j'))
    os.mkdir(view.dir('/j'))

def removed_and_back(view):
    os.rmdir(view.dir('/j'))
    store.write('/j/below', b'')

def replaced(view):
    os.mkdir(view.dir('/j2'))
    os.rename(view.dir('/j2'), view.dir('/j'))

def moved(view):
    os.rename(view.dir('/j'), view.dir('/j2'))
    os.mkdir(view.dir('/j'))

def lost_and_made(view):
    store.remove('/j')
    result(os.rmdir, view.dir('/j'))
    os.mkdir(view.dir('/j'))

def lost_and_made_later(view):
    store.remove('/j')
    known()
    result(os.rmdir, view.dir('/j'))
    os.mkdir(view.dir('/j'))

def made_elsewhere(view):
    other = views[1 - views.index(view)] if view in views else view
    os.rmdir(other.dir('/j'))
    os.mkdir(other.dir('/j'))

HOLDERS = nobody, shell, directory, watcher, reader, value_writer
WAYS = removed_and_made, removed_and_back, replaced, moved, lost_and_made, lost_and_made_later, made_elsewhere

def works(view):
    """Whether the directory is one as any other, and what is not."""
    path = view.dir('/j')
    store.write('/j/data', b'x')
    seen = sorted(set(os.listdir(path)) - {'below', '.value'})
    if seen != ['data']:
        return f'lists {seen}'
    if open(view.file('/j/data')).read() != 'x\n':
        return 'data'
    view.make_key('/j/new', '1\n')
    if store.read('/j/new') != b'1':
        return 'new'
    os.mkdir(path + '/sub')
    os.rename(path + '/sub', path + '/sub2')
    if not store.exists('/j/sub2'):
        return 'sub2'
    shutil.rmtree(path)
    return not store.exists('/j') or 'rm -r'

def name_again(view, ways):
    for way in ways:
        wrong = []
        for holder in HOLDERS:
            if view.name == 'transaction' and holder is watcher:
                continue
            for path in '/j', '/j2':
                if store.exists(path):
                    store.remove(path)
            known()
            os.mkdir(view.dir('/j'))
            leave = holder(view)
            try:
                way(view)
                first = works(view)
            except OSError as e:
                first = str(e)
            leave()
            # It outlived its holder.
            try:
                if store.exists('/j'):
                    store.remove('/j')
                known()
                os.mkdir(view.dir('/j'))
                second = works(view)
            except OSError as e:
                second = str(e)
            if (first, second) != (True, True):
                wrong.append((holder.__name__, first, second))
        check(wrong, [], f'{mode}, {view.name}: {way.__name__}, whoever holds it')

views = [View('tree', mnt, False), View('nodes', mnt + '/.xsfs/nodes', True)]
for view in views:
    name_again(view, WAYS)

# ---- what was removed ----

def gone_file(view, remove, name, error):
    """All that can be done with the open file of a key that was removed, is ENOENT."""
    store.write('/g/k', b'v')
    fd = os.open(view.file('/g/k'), os.O_RDWR)
    cut = os.open(view.file('/g/k'), os.O_WRONLY | os.O_TRUNC)
    end = os.open(view.file('/g/k'), os.O_WRONLY | os.O_APPEND)
    poller = select.poll()
    poller.register(fd, select.POLLPRI)
    poller.poll(0)
    os.pread(fd, 100, 0)
    remove()
    what = {
        'read': lambda: os.pread(fd, 100, 0),
        'write': lambda: os.pwrite(fd, b'w', 0),
        'write in the middle': lambda: os.pwrite(fd, b'w', 1),
        'append': lambda: os.write(end, b'w'),
        'write what was truncated': lambda: os.write(cut, b'w'),
        'truncate': lambda: os.ftruncate(fd, 0),
        'cut': lambda: os.ftruncate(fd, 1),
        'getxattr': lambda: os.getxattr(fd, 'user.xenstore.perms'),
        'setxattr': lambda: os.setxattr(fd, 'user.xenstore.value', b'w'),
        'setxattr of permissions': lambda: os.setxattr(fd, 'user.xenstore.perms', b'n0'),
    }
    if view.uniform:
        what = {k: v for k, v in what.items() if 'xattr' not in k}
    if error == 'ESTALE':
        check((os.pread(fd, 100, 0), os.fstat(fd).st_size), (b'v\n', 2), f'{mode}, {view.name}: {name}: it reads what it had')
        del what['read']
    check({k: failed(f) for k, f in what.items()}, {k: error for k in what}, f'{mode}, {view.name}: {name}: {error}')
    check(os.fstat(fd).st_nlink, 0, f'{mode}, {view.name}: {name}: fstat works, no links')
    events = poller.poll(1000 * PATIENCE)
    check(events and events[0][1] & select.POLLHUP, select.POLLHUP, f'{mode}, {view.name}: {name}: POLLHUP')
    for f in fd, cut, end:
        result(os.close, f)
    os.stat(mnt + '/g')

for view in views:
    store.write('/g/other', b'')
    gone_file(view, lambda: view.remove_key('/g/k'), 'unlinked', 'ENOENT')
    check(store.exists('/g/k'), False, f'{mode}, {view.name}: unlinked: it does not come back')
    def again():
        view.remove_key('/g/k')
        view.make_key('/g/k', 'new\n')
        known()
    gone_file(view, again, 'unlinked and made again', 'ENOENT')
    check(store.read('/g/k'), b'new', f'{mode}, {view.name}: unlinked and made again: the new one is untouched')
    def by_the_store():
        view.remove_key('/g/k')
        store.write('/g/k', b'new')
        known()
    gone_file(view, by_the_store, 'unlinked and made by the store', 'ENOENT')
    check(store.read('/g/k'), b'new', f'{mode}, {view.name}: unlinked and made by the store: untouched')

def rename_over():
    store.write('/g/k2', b'two')
    os.rename(mnt + '/g/k2', mnt + '/g/k')
gone_file(views[0], rename_over, 'replaced by a rename', 'ESTALE')
check(store.read('/g/k'), b'two', f'{mode}: replaced by a rename: the new one is untouched')
check(open(mnt + '/g/k').read(), 'two\n', f'{mode}: and can be read')
store.write('/g/k2', b'three')
moved_fd = os.open(mnt + '/g/k2', os.O_RDWR)
os.rename(mnt + '/g/k2', mnt + '/g/k')
os.pwrite(moved_fd, b'four\n\n', 0)
check((store.read('/g/k'), os.pread(moved_fd, 9, 0)), (b'four\n', b'four\n\n'), f'{mode}: what was moved goes on')
os.close(moved_fd)

os.mkdir(mnt + '/gd')
dir_fd, out = os.open(mnt + '/gd', os.O_RDONLY), mnt + '/g/out'
os.rmdir(mnt + '/gd')
store.write('/g/out', b'1')
for when in 'removed', 'removed and made again':
    what = {
        'stat': lambda: os.stat('x', dir_fd=dir_fd),
        'create': lambda: put('x', '1', dir_fd=dir_fd),
        'mkdir': lambda: os.mkdir('x', dir_fd=dir_fd),
        'mknod': lambda: os.mknod('x', 0o600, dir_fd=dir_fd),
        'rename into': lambda: os.rename(out, 'x', dst_dir_fd=dir_fd),
        'rename out of': lambda: os.rename('x', mnt + '/g/y', src_dir_fd=dir_fd),
        'opendir': lambda: os.open('.', os.O_RDONLY | os.O_DIRECTORY, dir_fd=dir_fd),
        '.value': lambda: put('.value', '1', dir_fd=dir_fd),
    }
    check({k: failed(f) for k, f in what.items()}, {k: 'ENOENT' for k in what}, f'{mode}: in a directory that was {when}')
    check(os.fstat(dir_fd).st_nlink, 0, f'{mode}: fstat of a directory that was {when}')
    check(store.exists('/gd/x') or when == 'removed' and store.exists('/gd'), False, f'{mode}: {when}: nothing comes back')
    if when == 'removed':
        os.mkdir(mnt + '/gd')
os.close(dir_fd)
os.rmdir(mnt + '/gd')

# Whoever asks for the size while a file is removed must not see it empty: it is as it was, without a name.
for size, make in (6, lambda: store.write('/g/sized', b'hello')), (9, lambda: put(mnt + '/g/sized', 'hello, x')):
    make()
    fd = os.open(mnt + '/g/sized', os.O_RDONLY)
    os.stat(mnt + '/g/sized')
    os.unlink(mnt + '/g/sized')
    check((os.fstat(fd).st_size, os.fstat(fd).st_nlink), (size, 0), f'{mode}: of {size} bytes: the size of what was removed')
    os.close(fd)

# Files that have no name, as programs use them.
os.mkdir(mnt + '/tmp')
def temporary():
    with tempfile.TemporaryFile(dir=mnt + '/tmp', buffering=0) as f:
        f.write(b'secret')
check(failed(temporary), 'ENOENT', f'{mode}: tempfile.TemporaryFile')
def unlinked():
    fd, path = tempfile.mkstemp(dir=mnt + '/tmp', prefix='a', suffix='b')
    os.unlink(path)
    try:
        os.write(fd, b'secret')
    finally:
        os.close(fd)
class Names:
    def __next__(self):
        return 'name'
tempfile._get_candidate_names = Names
check(failed(unlinked), 'ENOENT', f'{mode}: mkstemp, unlink, write')
for flags in os.O_TRUNC, os.O_CREAT, os.O_CREAT | os.O_EXCL:
    if flags == os.O_TRUNC:
        store.write('/tmp/k', b'v')
    fd = os.open(mnt + '/tmp/k', os.O_WRONLY | flags)
    os.unlink(mnt + '/tmp/k')
    os.close(fd)
# Who is about to open what is removed that moment is told to look the name up again: O_CREAT makes it then.
put(mnt + '/tmp/k', 'v')
fd = os.open(mnt + '/tmp/k', os.O_RDONLY)
os.unlink(mnt + '/tmp/k')
check(failed(os.open, f'/proc/self/fd/{fd}', os.O_RDWR), 'ESTALE', f'{mode}: open of what was removed on the way')
os.close(fd)
os.stat(mnt + '/tmp')
check(os.listdir(mnt + '/tmp'), [], f'{mode}: nothing of them is left in the mount')
os.rmdir(mnt + '/tmp')
check(store.exists('/tmp'), False, f'{mode}: nor in the store')

# ---- in a transaction ----

os.mkdir(mnt + '/outside')
outside = os.open(mnt + '/outside', os.O_RDONLY)
with open(mnt + '/.xsfs/transaction', 'r+b', buffering=0) as tx:
    top = mnt + '/.xsfs/tx/' + tx.read(100).decode().strip()
    for view in View('transaction', top, False), View('transaction', top + '/.xsfs/nodes', True):
        wrong = []
        for holder in nobody, shell, directory, reader, value_writer:
            for way in removed_and_made, replaced, moved:
                os.mkdir(view.dir('/j'))
                leave = holder(view)
                try:
                    way(view)
                    view.make_key('/j/data', 'x\n')
                    os.mkdir(view.dir('/j/sub'))
                    if sorted(set(os.listdir(view.dir('/j'))) - {'.value'}) != ['data', 'sub']:
                        wrong.append((holder.__name__, way.__name__, os.listdir(view.dir('/j'))))
                    shutil.rmtree(view.dir('/j'))
                    if way is moved:
                        shutil.rmtree(view.dir('/j2'))
                except OSError as e:
                    wrong.append((holder.__name__, way.__name__, str(e)))
                leave()
        check(wrong, [], f'{mode}, {view.name}, uniform {view.uniform}: a name is used again, whoever holds it')
    tree, nodes = View('t', top, False), View('t', top + '/.xsfs/nodes', True)
    for view, other in (tree, tree), (tree, nodes), (nodes, tree):
        view.make_key('/key', 'v\n')
        fd, cut = os.open(view.file('/key'), os.O_RDWR), os.open(view.file('/key'), os.O_RDWR | os.O_TRUNC)
        other.remove_key('/key')
        check((failed(os.pwrite, fd, b'w', 0), failed(os.pwrite, fd, b'w', 1), failed(os.write, cut, b'w')), ('ENOENT',) * 3,
              f'{mode}: an open file of what was removed in the transaction')
        os.close(fd)
        result(os.close, cut)
    os.mkdir(tree.dir('/d'))
    fd = os.open(tree.dir('/d'), os.O_RDONLY)
    os.rmdir(nodes.dir('/d'))
    check((failed(put, 'x', '1', dir_fd=fd), failed(os.mkdir, 'x', dir_fd=fd)), ('ENOENT',) * 2,
          f'{mode}: a directory that was removed in the other layout of the transaction')
    os.close(fd)
    os.rmdir(tree.dir('/outside'))
    check(result(tx.write, b'commit'), 6, f'{mode}: it can be committed')
known()
check([store.exists(path) for path in ('/key', '/d', '/j', '/outside')], [False] * 4, f'{mode}: and nothing is there')
check((failed(put, 'x', '1', dir_fd=outside), failed(os.mkdir, 'x', dir_fd=outside)), ('ENOENT',) * 2, f'{mode}: nor can be made below it')
os.mkdir(mnt + '/outside')
put(mnt + '/outside/k', 'v\n')
check(os.listdir(mnt + '/outside'), ['k'], f'{mode}: it can be made again')
os.close(outside)
