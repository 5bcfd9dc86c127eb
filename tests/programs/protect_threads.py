# SPDX-License-Identifier: MIT
"""Opens all directories in one thread and removes in another."""
import os
import sys
import threading

def in_a_thread(function, *args, **kwargs):
    result = []
    def call():
        try:
            result.append(function(*args, **kwargs))
        except OSError as error:
            result.append(error)
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    if isinstance(result[0], OSError):
        raise result[0]
    return result[0]
fd = os.open(sys.argv[1], os.O_RDONLY)
os.listdir(fd)
for step in sys.argv[2:] or ['local', 'domain', '7']:
    fd = os.open(step, os.O_RDONLY, dir_fd=fd)
    os.listdir(fd)
in_a_thread(os.unlink, 'name', dir_fd=fd)
