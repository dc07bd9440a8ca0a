"""One fan-out of events to many readers, each with a bound of its own.

Events are encoded once and shared by all. A reader that does not take them keeps at most
MAX_WAITING events; then it is let go with a reason, and nobody waits for it. Use it on one event
loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import msgspec

MAX_WAITING = 1_000
"""Events that wait for one reader at most."""


class Event(msgspec.Struct, frozen=True, dict=True):
    """One event of a stream: its name, the cursor behind it, its JSON, and whose it is.

    key: the product or record that it is about; empty for what concerns all. Each of its two forms
    is made when the first reader wants it.
    """

    name: str
    id: str
    data: bytes
    key: str = ""

    @cached_property
    def sse(self) -> bytes:
        """As a server-sent event."""
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (
            self.id.encode(),
            self.name.encode(),
            self.data,
        )

    @cached_property
    def message(self) -> bytes:
        """As one JSON object."""
        return b'{"id":"%b","event":"%b","data":%b}' % (
            self.id.encode(),
            self.name.encode(),
            self.data,
        )


class StreamReader:
    """One reader: what waits for it, and why it was let go.

    keys: only events of these, and those of none; empty for all.
    """

    def __init__(self, keys: frozenset[str], on_behind: Callable[[], None]) -> None:
        self._keys, self._on_behind = keys, on_behind
        self._waiting: deque[Event] = deque()
        self._wake = asyncio.Event()
        self.behind = ""
        """Why it was let go; empty while it is not."""
        self.closed = False

    def offer(self, events: Iterable[Event]) -> None:
        """Queue the events that are its own; lets it go where that is too many."""
        if self.behind:
            return
        keys = self._keys
        self._waiting.extend(
            each for each in events if not keys or not each.key or each.key in keys
        )
        if len(self._waiting) > MAX_WAITING:
            self._waiting.clear()
            self.behind = f"more than {MAX_WAITING:,} events waited: the reader was too slow"
            self._on_behind()
        if self._waiting or self.behind:
            self._wake.set()

    def close(self) -> None:
        """Let `take` return nothing any more: the server stops."""
        self.closed = True
        self._wake.set()

    async def take(self, timeout_s: float) -> Sequence[Event]:
        """What waits, as soon as there is something; empty after `timeout_s` or at the end."""
        if not (self._waiting or self.behind or self.closed):
            try:
                async with asyncio.timeout(timeout_s):
                    await self._wake.wait()
            except TimeoutError:
                return ()
        self._wake.clear()
        taken, self._waiting = self._waiting, deque()
        return taken


class Fanout:
    """The readers of one stream."""

    def __init__(self) -> None:
        self.readers: set[StreamReader] = set()
        self._closed = False
        self.let_go = 0
        """How many readers were too slow."""

    def join(
        self, keys: frozenset[str] = frozenset(), on_behind: Callable[[], None] = lambda: None
    ) -> StreamReader:
        """A new reader of what is published from now on. on_behind: called when it is let go.

        Once the fan-out is closed the reader is, too.
        """

        def behind() -> None:
            self.let_go += 1
            on_behind()

        reader = StreamReader(keys, behind)
        reader.closed = self._closed
        self.readers.add(reader)
        return reader

    def leave(self, reader: StreamReader) -> None:
        """Forget a reader. Idempotent."""
        self.readers.discard(reader)

    def publish(self, events: Sequence[Event]) -> None:
        """Give the events to all readers."""
        for reader in list(self.readers):
            reader.offer(events)

    def close(self) -> None:
        """End all readers, those to come too."""
        self._closed = True
        for reader in self.readers:
            reader.close()
