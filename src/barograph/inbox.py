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


class Inbox(Generic[T]):
    """Many put, in one event loop; one takes, in another thread.

    `full` counts how often the bound was met.
    """

    def __init__(self, limit: int = 20_000) -> None:
        self.full = 0
        self._limit = limit
        self._items = deque[T]()
        self._news = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._emptied = asyncio.Event()
        self._stalled = False
        self._ended = self._abandoned = False

    def __len__(self) -> int:
        return len(self._items)

    # Of the event loop.

    async def put(self, item: T) -> None:
        """Add an item, waiting for room. Raises AbandonedError when nobody takes any more."""
        if len(self._items) >= self._limit:
            self.full += 1
            await self._room()
        if self._abandoned:
            raise AbandonedError
        self._items.append(item)
        if not self._news.is_set():
            self._news.set()

    def end(self) -> None:
        """Nothing more will be put."""
        self._ended = True
        self._news.set()

    async def _room(self) -> None:
        self._loop = asyncio.get_running_loop()
        while len(self._items) >= self._limit and not self._abandoned:
            self._emptied.clear()
            self._stalled = True
            # Whoever took between the look above and this line saw nobody waiting.
            if len(self._items) >= self._limit and not self._abandoned:
                await self._emptied.wait()

    # Of the taker.

    def take(self, limit: int, timeout_s: float) -> list[T]:
        """Up to so many items, as soon as there is one; none after the time-out."""
        if not self._items:
            self._news.wait(timeout_s)
        # Before the look: what is put after it sets it again.
        self._news.clear()
        taken = [self._items.popleft() for _ in range(min(limit, len(self._items)))]
        if self._items or self._ended:
            self._news.set()
        if len(self._items) <= self._limit // 2:
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
