"""One writer at a time among all processes, each in its turn.

SQLite has a write lock of its own, and two faults under several busy writers. It ends before the
writer has moved the write-ahead log into the database, so that there is never a moment in which the
log is all moved and can start again, and it only grows (seen: 400 MB in 15 s, and everything slower
by it). And who waits for it sleeps up to 100 ms between two tries, so that one of three was seen to
wait for seconds while the others wrote a thousand times.

Here a writer first takes `next`, with it waits for `writer`, and only then gives `next` back: who
has just written must take `next` too, and so lets the one before it in. Both are file locks, which
the kernel releases when a process ends.
"""

import fcntl
import os
import time
from pathlib import Path

_PAUSE_S = 0.0005


class WriterGate:
    """The gate of the log whose lock files lie in `folder`. For one thread at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._files = [
            os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644) for name in ("next", "writer")
        ]

    def enter(self, wait_s: float) -> None:
        """Be the only writer. Raises TimeoutError after `wait_s`."""
        following, writing = self._files
        end_s = time.monotonic() + wait_s
        _lock(following, end_s)
        try:
            _lock(writing, end_s)
        finally:
            fcntl.flock(following, fcntl.LOCK_UN)

    def leave(self) -> None:
        """Let the next one in."""
        fcntl.flock(self._files[1], fcntl.LOCK_UN)

    def close(self) -> None:
        """Release the files. Idempotent."""
        while self._files:
            os.close(self._files.pop())


def _lock(file: int, end_s: float) -> None:
    # Not a blocking lock: that of a stopped process would be waited for without an end.
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end_s:
                raise TimeoutError from None
            time.sleep(_PAUSE_S)
        else:
            return
