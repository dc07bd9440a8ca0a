"""One writer at a time among all processes, each in its turn.

SQLite's own write lock has two faults under several busy writers. It is released before the
writer has checkpointed the write-ahead log, so with another writer always waiting the log never
restarts: it grows without bound and slows every access. And a waiting writer sleeps up to 100 ms
between two attempts, so it starves while the others write.

Here a writer takes the lock `next`, waits with it for `writer`, and releases `next` once it has
both. Whoever has just written needs `next` again and so queues behind the writer that waits. Both
are file locks, which the kernel releases when a process ends.
"""

import fcntl
import os
import time
from pathlib import Path

_PAUSE_S = 0.0005


class WriterGate:
    """The gate of the log whose lock files lie in `folder`. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._files = [
            os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644) for name in ("next", "writer")
        ]

    def enter(self, wait_s: float) -> None:
        """Wait to become the only writer. Raises TimeoutError after `wait_s` seconds."""
        following, writing = self._files
        end_s = time.monotonic() + wait_s
        _lock(following, end_s)
        try:
            _lock(writing, end_s)
        finally:
            fcntl.flock(following, fcntl.LOCK_UN)

    def leave(self) -> None:
        """Let the next writer in."""
        fcntl.flock(self._files[1], fcntl.LOCK_UN)

    def close(self) -> None:
        """Release the files. Idempotent."""
        while self._files:
            os.close(self._files.pop())


def _lock(file: int, end_s: float) -> None:
    # Not a blocking lock: a stopped process that holds it would block without a limit.
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end_s:
                raise TimeoutError from None
            time.sleep(_PAUSE_S)
        else:
            return
