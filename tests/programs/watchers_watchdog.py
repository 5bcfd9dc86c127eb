# SPDX-License-Identifier: MIT
"""Prints what watchdog's observer reports of a directory and everything below."""
import sys
import time

from watchdog.events import FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver


class Printer(FileSystemEventHandler):
    """One line for each event."""

    def on_any_event(self, event):
        print(event.event_type, event.src_path, flush=True)


observer = InotifyObserver()
observer.schedule(Printer(), sys.argv[1], recursive=True)
observer.start()
while True:
    time.sleep(60)
