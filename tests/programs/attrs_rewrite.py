# SPDX-License-Identifier: MIT
"""Ways to empty a file and write at its end. Prints sizes before the write."""
import os
import sys
import threading

how, path = sys.argv[1:]
if how == 'w+':
    file = open(path, 'w+')
elif how == 'thread':
    # The thread that opened it is gone when somebody asks.
    opened = []
    thread = threading.Thread(target=lambda: opened.append(open(path, 'w+')))
    thread.start()
    thread.join()
    file = opened[0]
elif how == 'truncate':
    file = open(path, 'r+')
    file.read()
    file.truncate(0)
elif how == 'child':
    # A child has the descriptor too.
    file = open(path, 'w+')
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        os._exit(os.waitstatus_to_exitcode(status))
sizes = [os.fstat(file.fileno()).st_size, os.stat(path).st_size, os.lseek(file.fileno(), 0, os.SEEK_END), file.seek(0, 2)]
print(*sizes)
file.write('new\n')
file.close()
