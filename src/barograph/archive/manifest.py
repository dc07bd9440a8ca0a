"""What a file of the archive holds: counted while it is written, and kept beside it then."""

from collections.abc import Mapping, Sequence

import msgspec

from barograph.times import widened, widened_by
from barograph.types import DeadLetter, Event, Frame, Gap, Heartbeat, Tick
from barograph.venues.entries import Answer, Entry, Heard, connection_of, received_of


class ProductCounts(msgspec.Struct, kw_only=True):
    """What the venue machine made of one product's frames in a file.

    Times are of ticks, trades and heartbeats, on the venue's clock; `gaps` are counted by cause,
    `dead_letters` by fault.
    """

    ticks: int = 0
    trades: int = 0
    heartbeats: int = 0
    first_event_time_ns: int | None = None
    last_event_time_ns: int | None = None
    gaps: dict[str, int] = {}
    dead_letters: dict[str, int] = {}


class ArchiveManifest(msgspec.Struct, kw_only=True):
    """One file of the archive.

    `sha256` and `bytes` are of the file as it lies on the disk. `lines` are entries of any kind,
    `frames` the venue's messages among them, `answers` its pages of trades, `unreadable` what a
    torn write left; `connections` counts the lines of each. `dead_letters` counts by fault those
    that belong to no product of the file.
    """

    file: str = ""
    sha256: str = ""
    bytes: int = 0
    lines: int = 0
    frames: int = 0
    answers: int = 0
    unreadable: int = 0
    connections: dict[str, int] = {}
    first_receive_time_ns: int | None = None
    last_receive_time_ns: int | None = None
    products: dict[str, ProductCounts] = {}
    dead_letters: dict[str, int] = {}

    def add(self, entry: Entry | DeadLetter) -> None:
        """Count the entry of a line."""
        if type(entry) is Heard:
            self.frames += 1
        elif type(entry) is Answer:
            self.answers += 1
        elif isinstance(entry, DeadLetter):
            self.unreadable += 1
            return
        received_ns = received_of(entry)
        self._add(connection_of(entry), 1, () if received_ns is None else (received_ns,))

    def add_frames(self, frames: Sequence[Frame]) -> None:
        """Count the lines of frames of one connection."""
        self.frames += len(frames)
        received = [ns for frame in frames if (ns := frame.receive_time_ns) is not None]
        self._add(frames[0].connection, len(frames), received)

    def add_lines(self, connection: str, lines: int) -> None:
        """Count so many lines of frames of a connection, without a receive time."""
        self.frames += lines
        self._add(connection, lines, ())

    def _add(self, connection: str, lines: int, received: Sequence[int]) -> None:
        self.lines += lines
        self.connections[connection] = self.connections.get(connection, 0) + lines
        if received:
            self.first_receive_time_ns, self.last_receive_time_ns = widened_by(
                self.first_receive_time_ns, self.last_receive_time_ns, received
            )

    def note_ticks(self, times: Mapping[str, Sequence[int]]) -> None:
        """Count ticks that lines came to: the event times of each product's."""
        for product, times_ns in times.items():
            counts = self._of(product)
            counts.ticks += len(times_ns)
            counts.first_event_time_ns, counts.last_event_time_ns = widened_by(
                counts.first_event_time_ns, counts.last_event_time_ns, times_ns
            )

    def _of(self, product: str) -> ProductCounts:
        counts = self.products.get(product)
        if counts is None:
            counts = self.products[product] = ProductCounts()
        return counts

    def note(self, events: Sequence[Event], dead_letters: Sequence[DeadLetter] = ()) -> None:
        """Count the events and dead letters that lines came to."""
        for event in events:
            counts = self._of(event.product)
            # Not `isinstance`, which costs a call for such classes: every tick comes here.
            if type(event) is Gap:
                counts.gaps[event.cause] = counts.gaps.get(event.cause, 0) + 1
                continue
            if type(event) is Tick:
                counts.ticks += 1
            elif type(event) is Heartbeat:
                counts.heartbeats += 1
            else:
                counts.trades += 1
            time_ns = event.event_time_ns  # type: ignore[union-attr]  # a gap has left above
            counts.first_event_time_ns, counts.last_event_time_ns = widened(
                counts.first_event_time_ns, counts.last_event_time_ns, time_ns
            )
        for letter in dead_letters:
            # A broken frame's product name does not count as a product, which bounds their number.
            known = self.products.get(letter.key, self)
            known.dead_letters[letter.fault] = known.dead_letters.get(letter.fault, 0) + 1
