# SPDX-License-Identifier: MIT
"""Waits for a poll on the descriptor that it inherits, by its number."""
import os
import select

p = select.poll()
p.register(7, select.POLLPRI)
assert p.poll(1000 * int(os.environ['XSFS_TEST_PATIENCE']))
