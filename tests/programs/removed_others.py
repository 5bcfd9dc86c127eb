# SPDX-License-Identifier: MIT
"""What other clients remove under open files and directories."""
import itertools
import os
import subprocess

from removed_common import failed, known, mnt, mode, result, store
from store_client import check

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
    for seen, (name, change) in itertools.product((False, True), {
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
    }.items()):
        if name == 'setxattr' and '.value' in path:
            continue
        store.write(node, b'v')
        store.write('/b/d/below', b'')
        where = mnt + view + path
        files = {'rw': os.open(where, os.O_RDWR), 'end': os.open(where, os.O_RDWR | os.O_APPEND), 'whole': os.open(where, os.O_RDWR | os.O_TRUNC)}
        os.write(files['whole'], b'v')
        files['cut'] = os.open(where, os.O_RDWR | os.O_TRUNC)
        around = os.open(os.path.dirname(where), os.O_PATH)
        store.remove('/b')
        known()
        # Somebody may have found out already that it is gone.
        if seen:
            result(os.stat, os.path.basename(where), dir_fd=around)
        os.close(around)
        error = failed(change, files)
        if error != 'ENOENT' or store.exists(node):
            wrong[name, seen] = error, store.exists(node)
        for fd in files.values():
            result(os.close, fd)
        os.stat(mnt)
        if store.exists('/b'):
            wrong[name, seen, 'closed'] = store.exists(node)
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

subprocess.run(['mkdir', '-p', mnt + '/c/p/q/r'], check=True)
subprocess.run(['cp', '-r', mnt + '/x', mnt + '/c/p/q/r'], check=True)
subprocess.run(['tar', '-C', mnt + '/c/p', '-xf', os.environ['SCRATCH'] + '/x.tar'], check=True)
check([store.read(path) for path in ('/c/p/q/r/x/d/k', '/c/p/x/f')], [b'1', b'1'], f'{mode}: mkdir -p, cp -r, tar')
