# SPDX-License-Identifier: MIT
"""What a read gives of descriptor 5, once it is readable."""
import errno
import os
import select

poller = select.poll()
poller.register(5, select.POLLIN)
poller.poll(1000 * int(os.environ['XSFS_TEST_PATIENCE']))
try:
    print(os.read(5, 100))
except OSError as e:
    print(errno.errorcode[e.errno])
