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
    """The writer is gone: nobody will take what is put. Ends the sockets' thread."""


MAX_BYTES = 64 << 20
"""Of all that waits; frames have up to 1 MiB each, so that a bound in entries is none."""

TAKE_BYTES = 8 << 20
"""Taken at a time, and a little more: what is taken makes room for as much."""


class Inbox(Generic[T]):
    """Many put, in one event loop; one takes, in another thread.

    `full` counts how often a bound was met, of `limit` items or of `max_bytes`. An item that is
    larger than `max_bytes` passes alone.
    """

    def __init__(self, limit: int = 20_000, max_bytes: int = MAX_BYTES) -> None:
        self.full = 0
        self._limit, self._max_bytes = limit, max_bytes
        self._items = deque[tuple[T, int]]()
        # Each is counted up by one thread only.
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
        """How many bytes wait to be taken."""
        return self._put_bytes - self._taken_bytes

    # Of the event loop.

    async def put(self, item: T, size_bytes: int = 0) -> None:
        """Add an item, waiting for room. Raises AbandonedError when nobody takes any more."""
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
        """Nothing more will be put."""
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
            # Whoever took between the look above and this line saw nobody waiting.
            if not self._has_room(size_bytes) and not self._abandoned:
                await self._emptied.wait()

    # Of the taker.

    def take(self, limit: int, timeout_s: float) -> list[T]:
        """Up to so many items or TAKE_BYTES, as soon as there is one; none after the time-out."""
        if not self._items:
            self._news.wait(timeout_s)
        # Before the look: what is put after it sets it again.
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
        """Nothing more will be taken."""
        self._abandoned = True
        self._wake()

    def _wake(self) -> None:
        if self._stalled and self._loop is not None:
            self._stalled = False
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                self._loop.call_soon_threadsafe(self._emptied.set)
