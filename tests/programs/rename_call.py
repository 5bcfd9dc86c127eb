# SPDX-License-Identifier: MIT
"""renameat2(2) itself: FROM TO FLAGS."""
import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
if libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), int(sys.argv[3])):
    sys.exit(os.strerror(ctypes.get_errno()))
