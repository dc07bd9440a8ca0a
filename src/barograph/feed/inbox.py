"""Between the sockets' thread and the writer's: a queue with a bound, and what happens at it.

When it is full whoever puts waits, so nothing is read from the socket, the venue's buffers fill,
and it may drop the connection: a gap that is recorded. Nothing is thrown away here.
"""

import asyncio
import threading
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class AbandonedError(Exception):
    """The writer is gone and nothing more is taken. Ends the sockets' thread."""


MAX_BYTES = 64 << 20
"""Of all that waits; frames have up to 1 MiB each, so that a bound in entries is none."""

TAKE_BYTES = 8 << 20
"""Taken at a time, and a little more: what is taken makes room for as much."""


class Inbox(Generic[T]):
    """A bounded queue from many producers in one event loop to one consumer in another thread.

    `full` counts how often a bound was met, of `limit` items or of `max_bytes`. An item that is
    larger than `max_bytes` passes alone.
    """

    def __init__(self, limit: int = 20_000, max_bytes: int = MAX_BYTES) -> None:
        self.full = 0
        self._limit, self._max_bytes = limit, max_bytes
        self._items = deque[tuple[T, int]]()
        # Each counter is written by one thread only.
        self._put_bytes = self._taken_bytes = 0
        self._news = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._emptied = asyncio.Event()
        self._stalled = False
        self._ended = self._abandoned = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def waiting_bytes(self) -> int:
        """The size of the queued items, in bytes."""
        return self._put_bytes - self._taken_bytes

    # Called in the event loop.

    async def put(self, item: T, size_bytes: int = 0) -> None:
        """Add an item, waiting for room. Raises AbandonedError after `abandon`."""
        if not self._has_room(size_bytes):
            self.full += 1
            await self._room(size_bytes)
        if self._abandoned:
            raise AbandonedError
        self._put_bytes += size_bytes
        self._items.append((item, size_bytes))
        if not self._news.is_set():
            self._news.set()

    def end(self) -> None:
        """Declare that nothing more will be put."""
        self._ended = True
        self._news.set()

    def _has_room(self, size_bytes: int) -> bool:
        waiting = len(self._items)
        return not waiting or (
            waiting < self._limit and self.waiting_bytes + size_bytes <= self._max_bytes
        )

    async def _room(self, size_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        while not self._has_room(size_bytes) and not self._abandoned:
            self._emptied.clear()
            self._stalled = True
            # A take between the check above and this line saw no waiter and woke nobody.
            if not self._has_room(size_bytes) and not self._abandoned:
                await self._emptied.wait()

    # Called in the consumer's thread.

    def take(self, limit: int, timeout_s: float) -> list[T]:
        """Return items up to the limit or TAKE_BYTES once there is one; none after the time-out."""
        if not self._items:
            self._news.wait(timeout_s)
        # Cleared before the queue is read: a later put sets it again.
        self._news.clear()
        taken: list[T] = []
        taken_bytes = 0
        for _ in range(min(limit, len(self._items))):
            item, size_bytes = self._items.popleft()
            taken.append(item)
            taken_bytes += size_bytes
            if taken_bytes >= TAKE_BYTES:
                break
        self._taken_bytes += taken_bytes
        if self._items or self._ended:
            self._news.set()
        if len(self._items) <= self._limit // 2 and self.waiting_bytes <= self._max_bytes // 2:
            self._wake()
        return taken

    def ended(self) -> bool:
        """Whether everything that was ever put has been taken."""
        return self._ended and not self._items

    def abandon(self) -> None:
        """Declare that nothing more will be taken: every `put` raises AbandonedError."""
        self._abandoned = True
        self._wake()

    def _wake(self) -> None:
        if self._stalled and self._loop is not None:
            self._stalled = False
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                self._loop.call_soon_threadsafe(self._emptied.set)
