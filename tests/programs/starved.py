# SPDX-License-Identifier: MIT
"""starved.py run MOUNT FILE KIND STRIDE
   starved.py start MOUNT FILE KIND STRIDE COMMAND...
   starved.py limit MOUNT PID
   starved.py once MOUNT

Lets the n-th allocation, or the n-th new descriptor (KIND: memory, EMFILE, ENFILE), of xsfs fail, for each n, or for
one in STRIDE. FILE is mapped by failing.c, which is preloaded into xsfs.

run: in all that a mount is asked, which takes no new descriptor. Each operation has its right result, or fails by an errno that says why; nothing
waits; afterwards everything works. start: in the start of COMMAND, which mounts at MOUNT, or ends and says why.
limit: all that a mount is asked while its process PID, which has a limit for descriptors, gets each one from none to
some more than it has. once: each operation once, of which the errnos are printed.
Prints assertions for checked() of functions.sh, and comments."""
import errno
import mmap
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import time

from inotify_reader import CLOSE_WRITE, Reader
from store_client import Store

# An operation's share of the time that the test has.
PATIENCE = max(int(os.environ.get('XSFS_TEST_PATIENCE', '120')) // 4, 1)
ALWAYS_COUNT = 1 << 60
FIELDS = 'fail_at', 'calls', 'failed', 'error'
# What may be said of a failure of memory or descriptors; of a raw client's request, and a transaction's.
FITTING = {errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EIO, errno.EAGAIN, errno.EBUSY, errno.ECANCELED,
           errno.ENOTRECOVERABLE, errno.ESTALE}


class Failing:
    """The part of the shared file for one kind."""

    def __init__(self, path, kind):
        with open(path, 'r+b') as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self.base = 0 if kind == 'memory' else 32
        self.put('error', errno.ENOMEM if kind == 'memory' else getattr(errno, kind))

    def put(self, field, value):
        struct.pack_into('=Q', self.map, self.base + 8 * FIELDS.index(field), value)

    def get(self, field):
        return struct.unpack_from('=Q', self.map, self.base + 8 * FIELDS.index(field))[0]

    def arm(self, number):
        self.put('fail_at', 0)
        self.put('calls', 0)
        self.put('failed', 0)
        self.put('fail_at', number)

    def disarm(self):
        self.put('fail_at', 0)


class Hang(Exception):
    pass


def on_alarm(*_):
    raise Hang


class Wrong(Exception):
    pass


def expect(got, right):
    if got != right:
        raise Wrong(f'{got!r} instead of {right!r}')


def slurp(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        text = b''
        while True:
            piece = os.read(fd, 65536)
            if not piece:
                return text
            text += piece
    finally:
        os.close(fd)


def put(path, value, flags=os.O_TRUNC):
    fd = os.open(path, os.O_WRONLY | flags)
    try:
        os.write(fd, value)
    finally:
        os.close(fd)


class Workload:
    """One of each operation, in a directory of its own."""

    def __init__(self, mount):
        self.mount = mount
        self.dir = f'{mount}/starved'
        self.own = f'{mount}/.xsfs'

    def prepare(self):
        """Makes the tree as it has to be, whatever there is of it."""
        os.makedirs(self.dir, exist_ok=True)
        for name in 'made', 'moved', 'excl':
            for remove, path in ((os.unlink, f'{name}/.value'), (os.rmdir, name), (os.unlink, name)):
                try:
                    remove(f'{self.dir}/{path}')
                except OSError:
                    pass
        for name, value in (('a', b'alpha\n'), ('b', b'beta\n'), ('gone', b'x\n')):
            put(f'{self.dir}/{name}', value, os.O_TRUNC | os.O_CREAT)

    def operations(self):
        return [(name[3:], getattr(self, name)) for name in dir(self) if name.startswith('do_')]

    def do_append(self):
        put(f'{self.dir}/b', b'more\n', os.O_APPEND)
        expect(slurp(f'{self.dir}/b'), b'beta\nmore\n')

    def do_control(self):
        fd = os.open(f'{self.own}/control', os.O_RDWR)
        try:
            os.write(fd, b'domain-path 0\n')
            expect(os.read(fd, 100), b'/local/domain/0\n')
        finally:
            os.close(fd)

    def do_create(self):
        os.close(os.open(f'{self.dir}/excl', os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        expect(slurp(f'{self.dir}/excl'), b'')
        os.unlink(f'{self.dir}/excl')

    def do_dump(self):
        if b'/starved/a = "alpha"' not in slurp(f'{self.dir}/.dump'):
            raise Wrong('no line in .dump')
        if b'"alpha"' not in slurp(f'{self.dir}/.json'):
            raise Wrong('no value in .json')

    def do_list(self):
        names = set(os.listdir(self.dir))
        if not {'a', 'b'} <= names:
            raise Wrong(f'names {names}')

    def do_middle(self):
        fd = os.open(f'{self.dir}/a', os.O_RDWR)
        try:
            os.pwrite(fd, b'LP', 1)
            expect(os.pread(fd, 100, 0), b'aLPha\n')
        finally:
            os.close(fd)
        os.truncate(f'{self.dir}/a', 3)
        expect(slurp(f'{self.dir}/a'), b'aLP\n')

    def do_mkdir(self):
        os.mkdir(f'{self.dir}/made')
        os.rename(f'{self.dir}/made', f'{self.dir}/moved')
        os.rmdir(f'{self.dir}/moved')

    def do_next(self):
        os.makedirs(f'{self.dir}/made', exist_ok=True)
        fd = os.open(f'{self.dir}/made/.next', os.O_RDONLY)
        try:
            put(f'{self.dir}/made/.value', b'next\n', os.O_CREAT)
            text = os.read(fd, 100)
            if text not in (b'next\n', b'\n', b''):
                raise Wrong(text)
        finally:
            os.close(fd)

    def do_perms(self):
        expect(slurp(f'{self.dir}/.perms')[:2], b'n0')
        put(f'{self.dir}/.perms', b'n0,r3\n', 0)
        expect(slurp(f'{self.dir}/.perms'), b'n0,r3\n')

    def do_poll(self):
        fd = os.open(f'{self.dir}/a', os.O_RDWR)
        try:
            poll = select.poll()
            poll.register(fd, select.POLLPRI)
            os.pread(fd, 100, 0)
            os.pwrite(fd, b'changed\n', 0)
            events = poll.poll(1000 * PATIENCE)
            if not events:
                raise Hang
        finally:
            os.close(fd)

    def do_raw(self):
        fd = os.open(f'{self.own}/xenbus', os.O_RDWR)
        try:
            body = b'/starved/gone\0'
            os.write(fd, struct.pack('=IIII', 2, 7, 0, len(body)) + body)
            reply = b''
            while len(reply) < 16 or len(reply) < 16 + struct.unpack('=IIII', reply[:16])[3]:
                reply += os.read(fd, 4096)
            kind, number, _, _ = struct.unpack('=IIII', reply[:16])
            expect(number, 7)
            if kind == 16:
                raise OSError(getattr(errno, reply[16:-1].decode()), 'a raw client is told')
            expect(reply[16:], b'x')
        finally:
            os.close(fd)

    def do_read(self):
        expect(slurp(f'{self.dir}/gone'), b'x\n')
        expect(os.stat(f'{self.dir}/gone').st_size, 2)

    def do_reports(self):
        for name in 'stats', 'metrics', 'requests', 'README':
            slurp(f'{self.own}/{name}')
        os.readlink(f'{self.own}/self')

    def do_space(self):
        expect(os.statvfs(self.dir).f_namemax > 0, True)

    def do_stream(self):
        fd = os.open(f'{self.own}/watch', os.O_RDWR)
        try:
            os.write(fd, b'/starved/b\n')
            put(f'{self.dir}/b', b'told\n')
            # Without memory for the path something is still told.
            text = os.read(fd, 100)
            if text != b'overflow\n':
                expect(text, b'changed /starved/b\n')
        finally:
            os.close(fd)

    def do_sync(self):
        fd = os.open(f'{self.dir}/excl', os.O_WRONLY | os.O_CREAT)
        try:
            os.fsync(fd)
            expect(os.path.getsize(f'{self.dir}/excl'), 0)
        finally:
            os.close(fd)
        os.unlink(f'{self.dir}/excl')

    def do_touch(self):
        os.mknod(f'{self.dir}/excl', 0o600)
        os.utime(f'{self.dir}/excl')
        os.chmod(f'{self.dir}/excl', 0o666)
        os.unlink(f'{self.dir}/excl')

    def do_transaction(self):
        fd = os.open(f'{self.own}/transaction', os.O_RDWR)
        try:
            name = os.read(fd, 100).decode().strip()
            inside = f'{self.own}/tx/{name}/starved'
            expect(slurp(f'{inside}/gone'), b'x\n')
            put(f'{inside}/b', b'inside\n')
            os.write(fd, b'commit\n')
        finally:
            os.close(fd)
        expect(slurp(f'{self.dir}/b'), b'inside\n')

    def do_unlink(self):
        put(f'{self.dir}/excl', b'1\n', os.O_CREAT)
        os.unlink(f'{self.dir}/excl')
        expect(os.path.exists(f'{self.dir}/excl'), False)

    def do_xattr(self):
        os.setxattr(f'{self.dir}/a', 'user.xenstore.value', b'raw')
        expect(os.getxattr(f'{self.dir}/a', 'user.xenstore.value'), b'raw')
        os.setxattr(f'{self.dir}/a', 'user.xenstore.perms', b'n0,r4')
        expect(os.getxattr(f'{self.dir}/a', 'user.xenstore.perms'), b'n0,r4')
        os.listxattr(f'{self.dir}/a')
        try:
            os.removexattr(f'{self.dir}/a', 'user.xenstore.perms')
        except OSError as error:
            if error.errno != errno.EPERM:
                raise


def attempt(operation):
    """Returns the errno, 0, or a text that says what is wrong."""
    signal.alarm(PATIENCE)
    try:
        operation()
        return 0
    except OSError as error:
        return error.errno
    except Hang:
        return 'it waits for ever'
    except Wrong as wrong:
        return str(wrong)
    finally:
        signal.alarm(0)


def result(good, name, *why):
    """An assertion, as functions.sh counts them."""
    print('same' if good else 'other', '; '.join(why).replace('\n', ' ') or '-', '-', name, sep='\t', flush=True)


def run(mount, failing, kind, stride):
    work = Workload(mount)
    wrong, errors, struck = [], {}, 0
    for name, operation in work.operations():
        for _ in range(2):
            work.prepare()
            failing.arm(ALWAYS_COUNT)
            sound = attempt(operation)
            count = failing.get('calls')
            failing.disarm()
            if sound:
                wrong.append(f'{name} on a sound mount: {sound}')
        for number in range(1, count + 2, stride):
            work.prepare()
            failing.arm(number)
            got = attempt(operation)
            failed = failing.get('failed')
            failing.disarm()
            struck += failed
            # What was made, or said, may be found although the answer was lost.
            if isinstance(got, str) or (got and got not in FITTING):
                wrong.append(f'{name}, number {number} of {count}: {got}')
            if got:
                errors[got] = errors.get(got, 0) + 1
            if not failed and got:
                wrong.append(f'{name}, number {number}: nothing failed, yet {got}')
    work.prepare()
    for name, operation in work.operations():
        work.prepare()
        got = attempt(operation)
        if got:
            wrong.append(f'{name} afterwards: {got}')
    named = ', '.join(f'{errno.errorcode.get(e, e)} {n}' for e, n in sorted(errors.items(), key=str))
    print(f'{kind}: {struck} failures, of which the callers saw {sum(errors.values())}: {named}')
    result(struck > 0, f'{kind}: something did fail')
    result(not wrong, f'{kind}: an errno or the right result, and afterwards everything works', *wrong[:20])


def descriptors(pid):
    return {int(name) for name in os.listdir(f'/proc/{pid}/fd')}


def left_over(pid, taken):
    """What is open now, if that is more than then. The loopback library opens the server's end of an event channel when
    that is signalled first, which may be late."""
    left = []
    for fd in descriptors(pid) - taken:
        try:
            left.append(os.readlink(f'/proc/{pid}/fd/{fd}'))
        except FileNotFoundError:
            pass
    left = [name for name in left if '/evtchn.' not in name]
    return left if len(descriptors(pid)) > len(taken) else []


def limit(mount, pid):
    """Each limit for descriptors of a process that runs, from none to some more than it needs. Whoever reads inotify's
    events is told of what another client changes when there is no limit any more."""
    work, reader, store = Workload(mount), Reader(), Store()
    work.prepare()
    reader.add(work.dir, 'dir')
    # Some are kept when they have been needed once.
    store.write('/starved/told', b'first')
    reader.until('dir/told', CLOSE_WRITE)
    wrong, errors, taken = [], {}, descriptors(pid)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    for number in range(len(taken) + 6):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (number, before[1]))
        store.write('/starved/told', b'%d' % number)
        store.remove('/starved/untold') if store.exists('/starved/untold') else store.write('/starved/untold', b'')
        attempt(work.do_read)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        if ('nothing more', 0) in reader.until('dir/told', CLOSE_WRITE):
            wrong.append(f'inotify, {number} descriptors: nothing is told')
        for name, operation in work.operations():
            work.prepare()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (number, before[1]))
            got = attempt(operation)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            if isinstance(got, str) or (got and got not in FITTING):
                wrong.append(f'{name}, {number} descriptors: {got}')
            if got:
                errors[got] = errors.get(got, 0) + 1
    for name, operation in work.operations():
        work.prepare()
        got = attempt(operation)
        if got:
            wrong.append(f'{name} afterwards: {got}')
    print(f'limits 0 to {len(taken) + 5}: the callers saw {errors}')
    end = time.monotonic() + PATIENCE
    while left_over(pid, taken) and time.monotonic() < end:
        time.sleep(0.01)
    left = left_over(pid, taken)
    result(not left, 'no descriptor is left over', *left)
    result(not wrong, 'with any limit for descriptors: an errno or the right result, and afterwards everything works',
           *wrong[:20])


def once(mount):
    """Each operation once."""
    work = Workload(mount)
    attempt(work.prepare)
    print(*{str(attempt(operation)) for _, operation in work.operations()})


def mounted(path):
    with open('/proc/self/mountinfo', encoding='utf-8') as file:
        return any(line.split()[4] == path for line in file)


def start_once(mount, failing, number, command):
    """Returns what went wrong, or None; and how many calls there were."""
    failing.arm(number)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + PATIENCE
        while process.poll() is None and not mounted(mount):
            if time.monotonic() > end:
                process.kill()
                return 'neither mounted nor ended', 0
            time.sleep(0.002)
        calls = failing.get('calls')
        failing.disarm()
        if process.poll() is None:
            got = attempt(lambda: os.listdir(mount))
            subprocess.run(['umount', mount], check=False)
            said = process.communicate(timeout=PATIENCE)[1]
            # It may have been mounted for a moment only.
            if 0 < process.returncode <= 125 and said.strip() and not mounted(mount):
                return None, calls
            if got or process.returncode:
                return f'mounted: {got}, status {process.returncode}: {said}', calls
            return None, calls
        said = process.communicate()[1]
        if mounted(mount):
            subprocess.run(['umount', '-l', mount], check=False)
            return f'ended, and left its mount: {said}', calls
        if process.returncode <= 0 or process.returncode > 125 or not said.strip():
            return f'status {process.returncode}: {said!r}', calls
        return None, calls


def start(mount, failing, kind, stride, command):
    _, count = start_once(mount, failing, ALWAYS_COUNT, command)
    wrong, tried = [], 0
    for number in range(1, count + 1, stride):
        tried += 1
        bad, _ = start_once(mount, failing, number, command)
        if bad:
            wrong.append(f'number {number} of {count}: {bad}')
    print(f'{kind}: {tried} starts, of {count} calls each')
    result(tried > 0, f'{kind}: there were starts')
    result(not wrong, f'{kind}: a start works, or ends and says why', *wrong[:20])


def main():
    signal.signal(signal.SIGALRM, on_alarm)
    if sys.argv[1] == 'limit':
        limit(sys.argv[2], int(sys.argv[3]))
        return
    if sys.argv[1] == 'once':
        once(sys.argv[2])
        return
    what, mount, path, kind, stride = sys.argv[1:6]
    failing = Failing(path, kind)
    if what == 'run':
        run(mount, failing, kind, int(stride))
    else:
        start(mount, failing, kind, int(stride), sys.argv[6:])


if __name__ == '__main__':
    main()
