# SPDX-License-Identifier: MIT
"""In a pid namespace of its own, a process that has there the number which the teller's thread has outside; with a
third argument as that user."""
import os
import sys

mnt, number = sys.argv[1], int(sys.argv[2])
# The next process gets this number plus one, where it is free.
for _ in range(50):
    with open('/proc/sys/kernel/ns_last_pid', 'w', encoding='ascii') as file:
        file.write(str(number - 1))
    child = os.fork()
    if child == 0:
        if os.getpid() == number:
            if len(sys.argv) > 3:
                os.setresuid(*[int(sys.argv[3])] * 3)
            os.unlink(f'{mnt}/y/file')
            os.mkdir(f'{mnt}/y/made')
            os.rmdir(f'{mnt}/y/dir')
            os._exit(0)
        os._exit(3)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 3:
        break
sys.exit(status)
