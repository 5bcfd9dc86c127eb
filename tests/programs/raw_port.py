# SPDX-License-Identifier: MIT
"""An event channel port, with nobody at its other end yet: a domain before it is introduced."""
import ctypes
import signal

lib = ctypes.CDLL(None)
lib.xenevtchn_open.restype = ctypes.c_void_p
lib.xenevtchn_bind_unbound_port.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
print(lib.xenevtchn_bind_unbound_port(lib.xenevtchn_open(None, 0), 0), flush=True)
signal.pause()
