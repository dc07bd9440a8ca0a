"""One writer at a time among all processes, each in its turn.

SQLite's own write lock has two faults under several busy writers. It is released before the
writer has checkpointed the write-ahead log, so with another writer always waiting the log never
restarts: it grows without bound and slows every access. And a waiting writer sleeps up to 100 ms
between two attempts, so it starves while the others write.

Here a writer takes the lock `next`, waits with it for `writer`, and releases `next` once it has
both. Whoever has just written needs `next` again and so queues behind the writer that waits. Both
are file locks, which the kernel releases when a process ends.

File locks cannot be waited for with a limit except by trying again after a pause. So the threads
of one process queue for a lock in memory first: each is woken by the one before it, without a
pause, and only one of them at a time tries the file locks.
"""

import fcntl
import os
import threading
import time
from collections import deque
from pathlib import Path
from weakref import WeakValueDictionary

_PAUSE_S = 0.0005


class WriterQueue:
    """A lock that its waiters get in the order in which they came. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_held = False
        self._tickets: deque[threading.Lock] = deque()
        """A locked lock of each waiter, released when it is that one's turn."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._tickets)

    def acquire(self, wait_s: float) -> None:
        """Wait for the turn. Raises TimeoutError after `wait_s` seconds."""
        with self._guard:
            if not self._is_held:
                self._is_held = True
                return
            ticket = threading.Lock()
            ticket.acquire()
            self._tickets.append(ticket)
        is_turn = False
        try:
            is_turn = ticket.acquire(timeout=max(wait_s, 0.0))
        finally:  # also where a signal ends the wait
            if not is_turn:
                self._withdraw(ticket)
        if not is_turn:
            raise TimeoutError

    def release(self) -> None:
        """Hand the lock to the one that waits longest."""
        with self._guard:
            if self._tickets:
                self._tickets.popleft().release()
            else:
                self._is_held = False

    def _withdraw(self, ticket: threading.Lock) -> None:
        """Stop waiting; a turn that came meanwhile goes to the next one."""
        with self._guard:
            if ticket in self._tickets:
                self._tickets.remove(ticket)
                return
        self.release()


_queues: WeakValueDictionary[tuple[int, int], WriterQueue] = WeakValueDictionary()
"""This process's queue for each folder of lock files, by device and inode."""

_queues_guard = threading.Lock()


class WriterGate:
    """The gate of the log whose lock files lie in `folder`. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._files = [
            os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644) for name in ("next", "writer")
        ]
        stat = os.fstat(self._files[1])
        with _queues_guard:
            self.queue = _queues.setdefault((stat.st_dev, stat.st_ino), WriterQueue())

    def enter(self, wait_s: float) -> None:
        """Wait to become the only writer. Raises TimeoutError after `wait_s` seconds."""
        following, writing = self._files
        end_s = time.monotonic() + wait_s
        self.queue.acquire(wait_s)
        is_inside = False
        try:
            _lock(following, end_s)
            try:
                _lock(writing, end_s)
                is_inside = True
            finally:
                fcntl.flock(following, fcntl.LOCK_UN)
        finally:
            if not is_inside:
                self.queue.release()

    def leave(self) -> None:
        """Let the next writer in."""
        fcntl.flock(self._files[1], fcntl.LOCK_UN)
        self.queue.release()

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
