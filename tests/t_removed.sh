#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Nodes that were removed: a name that is used again leads to something new, whoever still holds the old; nothing
# comes back by being written to; nothing is made below what is gone.
. "${0%/*}/functions.sh"
requires python3 xenstore-write xenstore-rm tar

# Rounds of mkdir, create, unlink, rmdir with one name, in each cache mode (10000 for a full run).
: "${XSFS_REMOVED_ROUNDS:=300}"
[[ -z $XSFS_TEST_QUICK ]] || XSFS_REMOVED_ROUNDS=50

cat >"$SCRATCH/common.py" <<'END'
import contextlib, errno, os, select, shutil, subprocess, sys, tempfile
from store_client import Store, check, refused
mnt, mode = sys.argv[1:3]
store = Store()
serial = 0

watched = 'unwatched' not in mode
# What the mount has read when it says that the barrier was written, it has read all that came before.
if watched:
    stream = os.open(mnt + '/.xsfs/watch', os.O_RDWR)
    os.write(stream, b'/barrier\n')

def known():
    """Waits until the mount has got the events of all that the store has done."""
    global serial
    if not watched:
        return
    serial += 1
    store.write('/barrier', b'%d' % serial)
    while b'/barrier' not in os.read(stream, 65536):
        pass

def result(function, *args, **named):
    """What it returns, or the name of the error."""
    try:
        return function(*args, **named)
    except OSError as e:
        return errno.errorcode[e.errno]

def failed(function, *args, **named):
    """The error's name, or "nothing"."""
    value = result(function, *args, **named)
    return value if isinstance(value, str) and value in errno.errorcode.values() else 'nothing'

def stat_number(name):
    for line in open(mnt + '/.xsfs/stats'):
        word, value = line.split()
        if word == name:
            return int(value)
    return 0

def put(path, text, **named):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, **named)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
END

cat >"$SCRATCH/names.py" <<'END'
from common import *

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
    events = poller.poll(5000)
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
END

cat >"$SCRATCH/others.py" <<'END'
from common import *

store.write('/first/k', b'v')
fd = os.open(mnt + '/first/k', os.O_RDWR)
store.remove('/first')
check(failed(os.pwrite, fd, b'w', 0), 'ENOENT', f'{mode}: the first file that is opened, and its directory is removed')
os.close(fd)
check(store.exists('/first'), False, f'{mode}: it does not come back')

# A directory that somebody stands in is removed by another client.
store.write('/x/f', b'1')
store.write('/x/d/k', b'1')
subprocess.run(['tar', '-cf', os.environ['SCRATCH'] + '/x.tar', 'x'], cwd=mnt, check=True)
UNIFORM = ['mkdir data', 'mkdir -p data/a', 'echo 1 >.value', 'printf 1 >>.value', 'mv "$M/.xsfs/nodes/x/d" .', 'truncate -s 0 .value']
QUIET = [': >f', 'exec 3>f; exec 3>&-', 'python3 -c "open(\'f\', \'w\').close()"']
COMMANDS = ['mkdir data', 'mkdir -p data/a', 'echo 1 >f', 'touch f', 'set -C; >f', 'set -C; echo 1 >f', 'mv "$M/x/f" .', 'mv "$M/x/d" .',
            'cp "$M/x/f" .', 'cp -r "$M/x/d" .', 'cp -a "$M/x/d" .', 'printf x >>f', 'truncate -s 3 f', 'dd of=f status=none <<<1',
            'echo 1 >.value', 'tar -xf "$SCRATCH/x.tar"', 'python3 -c "import os; os.mknod(\'f\')"']
for view in '', '/.xsfs/nodes':
    wrong = {}
    for when in 'known', 'at once':
        # Nobody knows of it yet: the file comes into being with its first write, or not.
        for command in UNIFORM if view else COMMANDS + QUIET:
            store.write('/dom/9/name', b'n')
            known()
            # The shell is there before, as a user's is.
            shell = subprocess.Popen(['bash', '-c', 'read x; eval "$x"'], cwd=mnt + view + '/dom/9', stdin=subprocess.PIPE,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                     env={'PATH': os.environ['PATH'], 'LC_ALL': 'C', 'M': mnt, 'SCRATCH': os.environ['SCRATCH']})
            store.remove('/dom/9')
            if when == 'known':
                known()
            error = shell.communicate(command.encode() + b'\n')[1]
            loud = command not in QUIET or when == 'known'
            if loud and b'No such file' not in error or store.exists('/dom/9'):
                wrong[command, when] = error.decode()[:100], store.exists('/dom/9')
            if store.exists('/dom/9'):
                store.remove('/dom/9')
    check(wrong, {}, f'{mode}{view}: nothing is made below a directory that another client has removed')
check(store.exists('/x/f') and store.exists('/x/d/k'), True, f'{mode}: and what was to be moved there stays')

# An open key.
for view, path in ('', '/b/k'), ('', '/b/d/.value'), ('/.xsfs/nodes', '/b/k/.value'):
    node = path.replace('/.value', '')
    wrong = {}
    for name, change in {
        'write': lambda f: os.pwrite(f['whole'], b'w', 0),
        'write after O_TRUNC': lambda f: os.write(f['cut'], b'w'),
        'close after O_TRUNC': lambda f: os.close(f.pop('cut')),
        'fsync after O_TRUNC': lambda f: os.fsync(f['cut']),
        'write in the middle': lambda f: os.pwrite(f['rw'], b'w', 1),
        'append': lambda f: os.write(f['end'], b'w'),
        'truncate, write': lambda f: (os.ftruncate(f['rw'], 0), os.write(f['rw'], b'w')),
        'truncate, close': lambda f: (os.ftruncate(f['rw'], 0), os.close(f.pop('rw'))),
        'cut': lambda f: os.ftruncate(f['rw'], 1),
        'truncate by name': lambda f: os.truncate(f'/proc/self/fd/{f["rw"]}', 0),
        'setxattr': lambda f: os.setxattr(f['rw'], 'user.xenstore.value', b'w'),
    }.items():
        if name == 'setxattr' and '.value' in path:
            continue
        store.write(node, b'v')
        store.write('/b/d/below', b'')
        where = mnt + view + path
        files = {'rw': os.open(where, os.O_RDWR), 'end': os.open(where, os.O_RDWR | os.O_APPEND), 'whole': os.open(where, os.O_RDWR | os.O_TRUNC)}
        os.write(files['whole'], b'v')
        files['cut'] = os.open(where, os.O_RDWR | os.O_TRUNC)
        store.remove('/b')
        known()
        error = failed(change, files)
        if error != 'ENOENT' or store.exists(node):
            wrong[name] = error, store.exists(node)
        for fd in files.values():
            result(os.close, fd)
        os.stat(mnt)
        if store.exists('/b'):
            wrong[name, 'closed'] = store.exists(node)
            store.remove('/b')
    check(wrong, {}, f'{mode}{view}: {path}: another client has removed it, and it stays away')
    store.write(node, b'v')
    store.write('/b/d/below', b'')
    known()
    fd = os.open(mnt + view + path, os.O_RDWR)
    store.remove('/b')
    known()
    store.write(node, b'again')
    store.write('/b/d/below', b'')
    known()
    check((os.pread(fd, 100, 0), os.pwrite(fd, b'AGAIN', 0), store.read(node)), (b'again\n', 5, b'AGAIN'),
          f'{mode}{view}: {path}: made again by another client, the open file is its file')
    os.close(fd)

# A new file that is open while its directory goes.
for name, change in {
    'write': lambda fd: os.write(fd, b'w'), 'fsync': os.fsync, 'utimens': os.utime, 'setxattr': lambda fd: os.setxattr(fd, 'user.xenstore.value', b'w'),
    'rename': lambda fd: os.rename(mnt + '/n/new', mnt + '/n2'),
}.items():
    store.write('/n/k', b'')
    fd = os.open(mnt + '/n/new', os.O_CREAT | os.O_WRONLY)
    store.remove('/n')
    error = failed(change, fd)
    known()
    result(os.close, fd)
    os.stat(mnt)
    check((error, store.exists('/n'), store.exists('/n2')), ('ENOENT', False, False), f'{mode}: a new file whose directory goes: {name}')
store.write('/n/k', b'')
fd = os.open(mnt + '/n/new', os.O_CREAT | os.O_WRONLY)
store.write('/n/new', b'theirs')
os.fsync(fd)
check(store.read('/n/new'), b'theirs', f'{mode}: a new file that another client has made meanwhile keeps its value')
os.close(fd)

# What costs nothing stays so.
def requests():
    return [stat_number('requests_' + kind) for kind in ('READ', 'WRITE', 'TRANSACTION_START', 'DIRECTORY')]
store.write('/c/k', b'v')
store.write('/c/d/below', b'v')
put(mnt + '/c/k', 'v')
known()
for path in '/c/k', '/c/d/.value', '/.xsfs/nodes/c/k/.value':
    fd = os.open(mnt + path, os.O_RDWR | os.O_TRUNC | os.O_CREAT)
    os.write(fd, b'v')
    known()
    before = requests()
    for i in range(100):
        os.pwrite(fd, b'w%d' % i, 0)
    spent = [after - b for after, b in zip(requests(), before)]
    check(spent[1:], [100, 0, 0], f'{mode}: {path}: a write is one XS_WRITE')
    check(spent[0] <= 2 or not watched, True, f'{mode}: {path}: and no XS_READ')
    os.close(fd)
before = requests()
for i in range(10):
    put(mnt + '/c/k', f'v{i}\n')
spent = [after - b for after, b in zip(requests(), before)]
check(spent[1:3], [10, 0], f'{mode}: open, write, close: one XS_WRITE')
subprocess.run(['mkdir', '-p', mnt + '/c/p/q/r'], check=True)
subprocess.run(['cp', '-r', mnt + '/x', mnt + '/c/p/q/r'], check=True)
subprocess.run(['tar', '-C', mnt + '/c/p', '-xf', os.environ['SCRATCH'] + '/x.tar'], check=True)
check([store.read(path) for path in ('/c/p/q/r/x/d/k', '/c/p/x/f')], [b'1', b'1'], f'{mode}: mkdir -p, cp -r, tar')
END

cat >"$SCRATCH/rounds.py" <<'END'
from common import *
wrong = {}
def step(function, *args):
    try:
        function(*args)
    except OSError as e:
        key = function.__name__, errno.errorcode[e.errno]
        wrong[key] = wrong.get(key, 0) + 1
for n in range(int(sys.argv[3])):
    step(os.mkdir, mnt + '/r')
    step(put, mnt + '/r/k', 'v\n')
    step(os.unlink, mnt + '/r/k')
    step(os.rmdir, mnt + '/r')
check(wrong, {}, f'{mode}: mkdir, create, unlink, rmdir, {sys.argv[3]} times with one name')
END

# A domain that may not read everything that it may write to.
guest() {
	local fd
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7/data '' /tool/mine/k 1 /tool/mine/d/k 1 /tool/drop ''
	xs chmod -r /local/domain/7 n7
	xs chmod -r /tool/mine n7
	xs chmod /tool n0 r7
	xs chmod /tool/drop n0 w7
	XSFS_TEST_CACHE=meta XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	succeeds 'a guest: mkdir in its own directory' mkdir "$MNT/local/domain/7/new"
	succeeds 'a guest: a new key' bash -c 'echo 1 >"$1"' - "$MNT/local/domain/7/new/k"
	succeeds 'a guest: a new key elsewhere' bash -c 'echo 1 >"$1"' - "$MNT/tool/mine/new"
	is "$(value /local/domain/7/new/k)$(value /tool/mine/new)" 11 'a guest: both are there'
	exec {fd}<>"$MNT/tool/mine/d/k"
	xs rm /tool/mine/d
	fails ENOENT bash -c 'echo 2 >&"$1"' - "$fd"
	exec {fd}<&-
	absent /tool/mine/d 'a guest: what was removed does not come back, though no event tells a guest of it'
	# xenstored does not say whether there is something below what may not be read.
	if [[ $SERVER_KIND == o ]]; then
		succeeds 'a guest: a new key where it may not read' bash -c 'echo 3 >"$1"' - "$MNT/tool/drop/k"
		is "$(value /tool/drop/k)" 3 'a guest: it is there'
	fi
	umount_xsfs
}

test_removed() {
	local cache
	export SCRATCH
	# Without a watch it has to ask each time.
	mount_xsfs "$STORE" -o cache=off
	checked python3 "$SCRATCH/others.py" "$MNT" 'cache=off, unwatched'
	umount_xsfs
	for cache in off meta; do
		mount_xsfs "$STORE" -o "cache=$cache"
		checked python3 "$SCRATCH/others.py" "$MNT" "cache=$cache"
		checked python3 "$SCRATCH/names.py" "$MNT" "cache=$cache"
		checked python3 "$SCRATCH/rounds.py" "$MNT" "cache=$cache" "$XSFS_REMOVED_ROUNDS"
		umount_xsfs
		stop_server
		start_server "$SERVER_KIND"
	done
	! has_config HAVE_XEN || guest
}
for_each_store test_removed
