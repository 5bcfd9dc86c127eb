# SPDX-License-Identifier: MIT
"""Users whose keys nobody else makes or removes: whatever the teller does beside them, or with their names, each
operation of theirs has the result that it would have alone, and so has the store.

Others write to these keys where they exist, in transactions, and so bring neither back nor take any away; they change
permissions; and beside them they make and remove keys and subtrees in the same directories."""
import os
import random
import sys
import threading
import time

from inotify_reader import Reader
from store_client import SET_PERMS, Store, check, heard

mnt, rounds = sys.argv[1], int(sys.argv[2])
USERS, NAMES = 3, 3
BASE = '/u/at/all'
store = Store()
store.write(f'{BASE}/keep', b'1')


class Unexpected(Exception):
    pass


class User:
    """Knows what is there, and does one thing after the other."""

    def __init__(self, number):
        self.random = random.Random(number)
        self.client = Store()
        self.number = number
        self.files = {}  # name below the base: what was written there last
        self.dirs = {}   # name: the names in it
        self.done = ''

    def path(self, name):
        return f'{mnt}{BASE}/{name}'

    def there(self, name, expected):
        if self.client.exists(f'{BASE}/{name}') != expected:
            raise Unexpected(f'{self.done} {name}: there: {not expected}')

    def value(self, name, expected):
        got = self.client.read(f'{BASE}/{name}')
        # Only existing values are written over by others, and marked so.
        if got != expected and not got.startswith(b'#'):
            raise Unexpected(f'{self.done} {name}: {got!r}, not {expected!r}')
        return got

    def name(self, kind):
        return f'u{self.number}{kind}{self.random.randrange(NAMES)}'

    def make(self, name, place):
        how = self.random.randrange(3)
        self.done = f'make {how}'
        if how == 0:
            os.close(os.open(self.path(place), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            self.there(place, True)
            value = b''
        else:
            with open(self.path(place), 'x' if how == 1 else 'w', encoding='ascii') as file:
                file.write('made')
            value = b'made'
            self.value(place, value)
        self.files[name] = value

    def change(self, name):
        how = self.random.randrange(4)
        self.done = f'change {how}'
        path = self.path(name)
        if how == 0:
            with open(path, 'w', encoding='ascii') as file:
                file.write('again')
            self.value(name, b'again')
        elif how == 1:
            fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
            os.close(os.dup(fd))
            os.close(fd)
            # The last close does not wait for what it still writes; this does.
            os.stat(path)
            self.value(name, b'')
        elif how == 2:
            os.truncate(path, 0)
            self.value(name, b'')
        else:
            os.setxattr(path, 'user.xenstore.perms', b'n0,r%d' % self.random.randrange(1, 9))
            self.there(name, True)

    def append(self, name):
        """Nobody else writes to it: each line comes behind the last one."""
        self.done = 'append'
        path, lines = self.path(name), []
        for n in range(6):
            with open(path, 'ab', buffering=0) as file:
                for part in range(1 + n % 2):
                    lines.append(f'{n}.{part}' * (n + 1))
                    file.write(f'{lines[-1]}\n'.encode())
            text = '\n'.join(lines)
            got, size = self.client.read(f'{BASE}/{name}').decode(), os.stat(path).st_size
            if (got, size) != (text, len(text) + 1):
                raise Unexpected(f'append: {got!r} of {size}, not {text!r}')

    def file(self):
        name = self.name('f')
        if name not in self.files:
            self.make(name, name)
            return
        how = self.random.randrange(6)
        if how == 0:
            self.done = 'unlink'
            os.unlink(self.path(name))
            del self.files[name]
            self.there(name, False)
        elif how == 1:
            other = self.name('f')
            if other == name:
                return
            self.done = f'rename over {other in self.files}'
            os.rename(self.path(name), self.path(other))
            self.files[other] = self.files.pop(name)
            self.there(name, False)
            self.there(other, True)
        elif how == 2:
            self.done = 'read'
            with open(self.path(name), encoding='ascii') as file:
                file.read()
        elif how == 3:
            self.done = 'unlink while it is open'
            with open(self.path(name), encoding='ascii'):
                os.unlink(self.path(name))
            del self.files[name]
            self.there(name, False)
        else:
            self.change(name)

    def fill(self, name):
        self.done = 'mkdir'
        os.mkdir(self.path(name))
        self.dirs[name] = set()
        self.there(name, True)
        os.chdir(self.path(name))
        if os.getcwd() != self.path(name):
            raise Unexpected(f'getcwd: {os.getcwd()}')
        os.mkdir('in')
        with open('in/deep', 'w', encoding='ascii') as file:
            file.write('1')
        self.there(f'{name}/in/deep', True)
        if os.listdir('.') != ['in'] or os.listdir('in') != ['deep']:
            raise Unexpected(f'listed: {os.listdir(".")}, {os.listdir("in")}')
        with open('leaf', 'w', encoding='ascii') as file:
            file.write('1')
        os.chdir(mnt)
        self.dirs[name] = {'in', 'leaf'}

    def empty(self, name):
        self.done = 'remove a tree'
        top = self.path(name)
        os.unlink(f'{top}/in/deep')
        os.rmdir(f'{top}/in')
        os.unlink(f'{top}/leaf')
        self.there(name, True)
        os.rmdir(top)
        del self.dirs[name]
        self.there(name, False)

    def dir(self):
        name = self.name('d')
        if name not in self.dirs:
            self.fill(name)
            return
        how = self.random.randrange(3)
        if how == 0:
            self.empty(name)
        elif how == 1:
            other = self.name('d')
            if other in self.dirs:
                return
            self.done = 'rename a directory'
            os.rename(self.path(name), self.path(other))
            self.dirs[other] = self.dirs.pop(name)
            self.there(name, False)
            self.there(f'{other}/in/deep', True)
            os.stat(self.path(other) + '/in/deep')
        else:
            self.done = 'list'
            if set(os.listdir(self.path(name))) != self.dirs[name]:
                raise Unexpected(f'{name}: {os.listdir(self.path(name))}')

    def work(self):
        problems = []
        for n in range(rounds):
            try:
                kind = self.random.randrange(5)
                if kind == 4:
                    own = f'own{self.number}'
                    self.append(own)
                    os.unlink(self.path(own))
                    self.there(own, False)
                elif kind < 2:
                    self.dir()
                else:
                    self.file()
                mine = {*self.files, *self.dirs}
                listed = {x for x in os.listdir(f'{mnt}{BASE}') if x.startswith(f'u{self.number}')}
                if listed != mine:
                    raise Unexpected(f'listed {listed}, made {mine}')
            except (OSError, Unexpected) as e:
                problems.append(f'{n}: {self.done}: {e!r}')
                # What is there is no longer known.
                break
        return problems


def flicker(number):
    """Keys and subtrees that others make and remove in the directory of the users, and above."""
    client, rnd, n = Store(), random.Random(number), 0
    while not stop.is_set():
        n += 1
        if n % 50 == 0:
            heard(mnt)
        name = f'{BASE}/t{number}x{rnd.randrange(4)}'
        if rnd.randrange(2):
            client.write(f'{name}/a/b' if rnd.randrange(2) else name, b'1')
        elif client.exists(name):
            client.remove(name)
        if rnd.randrange(4) == 0:
            client.write(f'/u/at/beside{number}', b'1')
            client.remove(f'/u/at/beside{number}')
        time.sleep(0.001 * rnd.random())


def touch():
    """Writes to keys of the users where they are."""
    client, rnd, n = Store(), random.Random(99), 0
    while not stop.is_set():
        n += 1
        if n % 50 == 0:
            heard(mnt)
        user, number = rnd.randrange(USERS), rnd.randrange(NAMES)
        path = f'{BASE}/u{user}{rnd.choice((f"f{number}", f"d{number}/in/deep", f"d{number}/leaf"))}'
        try:
            tx = client.start()
            try:
                client.read(path, tx)
                if rnd.randrange(2):
                    client.call(SET_PERMS, path.encode() + b'\0n0\0r%d\0' % rnd.randrange(1, 9), tx)
                else:
                    client.write(path, b'#%d' % rnd.randrange(1000), tx)
            finally:
                client.commit(tx)
        except OSError:
            pass  # it is not there; or a conflict, and nothing has happened


def watch():
    """A process that has the kernel know everything, and listens."""
    reader = Reader()
    while True:
        reader.know(f'{mnt}/u')
        for _ in range(5):
            reader.read(0.005)


def forked(function):
    pid = os.fork()
    if pid == 0:
        function()
        os._exit(0)
    return pid


watcher = forked(watch)
users, ends = [], []
for n in range(USERS):
    end, other = os.pipe()

    def user(number=n, out=other):
        os.write(out, '\n'.join(User(number).work()).encode())

    users.append(forked(user))
    os.close(other)
    ends.append(end)
stop = threading.Event()
threads = [threading.Thread(target=flicker, args=(n,)) for n in range(2)] + [threading.Thread(target=touch)]
for thread in threads:
    thread.start()
said = [os.fdopen(end, encoding='utf-8').read() for end in ends]
statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in users]
stop.set()
for thread in threads:
    thread.join()
os.kill(watcher, 9)
os.waitpid(watcher, 0)
check(said, [''] * USERS, 'each operation of a user has the result that it would have alone')
check(statuses, [0] * USERS, 'and each comes to its end')
