"""A recording as arrays of events: what the feed would make of it, without a log between."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import msgspec
import numpy as np

from barograph import codec
from barograph.archive.recording import Archived, Line, Recording
from barograph.arrays import Records
from barograph.codec import EVENT
from barograph.files.lines import Unended
from barograph.types import DeadLetter, Event
from barograph.venues.coinbase.fast_lane import Columns
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.coinbase.recorded_lines import Wrapper
from barograph.venues.continuity import Continuity
from barograph.venues.entries import Heard, Rules

_EVENTS_AT_A_TIME = 8192
_LONGEST_RUN = 256
_GOOD_RUN = 32


def recording_events(
    recording: Recording,
    continuity: Continuity | None = None,
    *,
    product_index: Callable[[str], int],
    refuse: Callable[[DeadLetter], None] = lambda _letter: None,
) -> Iterator[Records]:
    """Yield all events of a recording in their order, in arrays (n,) of EVENT.

    continuity: what was heard before, and the rules; a new one where it is not given.
    product_index: returns a product's index in the arrays; called in the order of first events.
    refuse: called with every line that is a dead letter, in order. Plain lines of the Exchange form
    take some 0.3 µs each, all others the time of the venue machine.
    Raises BadInputError and FileChangedError as Recording does.
    """
    return _Reading(recording, continuity or Continuity(), product_index, refuse).events()


def events_of_recordings(
    recordings: Iterable[Recording],
    rules: Rules,
    *,
    product_index: Callable[[str], int],
    refuse: Callable[[DeadLetter], None] = lambda _letter: None,
    read: Callable[[Recording], None] = lambda _recording: None,
) -> Iterator[Records]:
    """Yield the events that a feed would make of recordings, each on its own connections.

    rules: those of an empty home. read: called with each recording behind its last event. The rest
    is as for `recording_events`.
    """
    continuity = Continuity(rules)
    for recording in recordings:
        recording.open()
        for connection in list(continuity.connections):
            if not connection.startswith(recording.connection):
                continuity.close(connection)
        yield from recording_events(
            recording, continuity, product_index=product_index, refuse=refuse
        )
        read(recording)


class _Reading:
    """One pass over a recording: blocks, lane, machines, and the array that is being filled."""

    def __init__(
        self,
        recording: Recording,
        continuity: Continuity,
        product_index: Callable[[str], int],
        refuse: Callable[[DeadLetter], None],
    ) -> None:
        self.continuity = continuity
        self._recording, self._product_index, self._refuse = recording, product_index, refuse
        self._timeout_s = continuity.rules.silence_timeout_s
        self._machine = Coinbase(continuity=continuity)
        self._lane: Columns | None = None
        self._lines, self._run = 0, 1
        self._events, self._filled = np.zeros(_EVENTS_AT_A_TIME, EVENT), 0

    def events(self) -> Iterator[Records]:
        for block in self._recording.blocks():
            if not block:
                rest = self._recording.rest(self._lines)
                while entries := list(islice(rest, _LONGEST_RUN)):
                    yield from self._put(entries)
            elif block.endswith(b"\n"):
                yield from self._block(block)
            else:
                # The lane stops at a newline, so the last line needs one.
                yield from self._put(self._read([Unended(block)]))
        self._recording.refuse_if_changed()
        self._recording.close()
        if self._lane is not None:
            self._lane.give_back()
        yield self._events[: self._filled]

    def _block(self, block: bytes) -> Iterator[Records]:
        place = 0
        while place < len(block):
            if self._lane is None:
                run = _LONGEST_RUN if self._lines else 1
            else:
                before = self._filled
                place, self._filled = self._lane.take(block, place, self._events, before)
                taken = self._filled - before
                self._lines += taken
                if self._filled == len(self._events):
                    yield from self._flush()
                    continue
                if place == len(block):
                    return
                # Where few lines are plain, trying the lane on each costs more than it saves.
                self._run = run = min(2 * self._run, _LONGEST_RUN) if taken < _GOOD_RUN else 1
            lines, place = _next_lines(block, place, run)
            yield from self._put(self._read(lines))

    def _read(self, lines: list[bytes]) -> Iterator[Line]:
        for line in lines:
            self._lines += 1
            entry = self._recording.read(self._lines, line)
            if entry is not None:
                yield entry

    def _put(self, entries: Iterable[Line]) -> Iterator[Records]:
        """Pass lines to the machines and put their events into the array."""
        if self._lane is not None:
            self._lane.give_back()
        # As the log would carry them.
        heard = (event for entry in entries for event in self._heard(entry))
        numbers = codec.numbers_of(heard, self._refuse)
        events = codec.event_array(numbers, self._product_index)
        if self._lane is not None:
            self._lane.learn(dict.fromkeys([*self._lane.products, *(n.product for n in numbers)]))
        if len(events) > len(self._events) - self._filled:
            yield from self._flush()
        if len(events) > len(self._events):
            yield events
        else:
            self._events[self._filled : self._filled + len(events)] = events
            self._filled += len(events)

    def _heard(self, entry: Line) -> Sequence[Event]:
        if isinstance(entry, DeadLetter):
            self._refuse(entry)
            return ()
        opening = entry.opening
        # Only a frame opens a connection, besides an opening.
        opens = not isinstance(entry, Archived) or type(entry.entry) is Heard
        if opens and opening.connection not in self.continuity.connections:
            self._machine.take(opening)
        is_bare = opening.connection.endswith(f"/{Wrapper.EXCHANGE}")
        is_plain = is_bare and self._recording.reader.exchange_is_plain
        if self._lane is None and is_plain and not isinstance(entry, Archived):
            self._lane = Columns(opening, self.continuity, self._timeout_s, self._product_index)
        if isinstance(entry, Archived):
            received = self._machine.take(entry.entry)
        else:
            received = self._machine.take(Heard(entry.frame, opening.dialect))
        for letter in received.dead_letters:
            # A letter's identity is its place in the file, as in the feed.
            position = str(entry.line)
            self._refuse(
                msgspec.structs.replace(letter, source=self._recording.name, position=position)
            )
        return received.events

    def _flush(self) -> Iterator[Records]:
        if self._filled:
            yield self._events[: self._filled]
            self._events, self._filled = np.zeros(_EVENTS_AT_A_TIME, EVENT), 0


def _next_lines(block: bytes, place: int, n: int) -> tuple[list[bytes], int]:
    """Up to `n` lines from `place` on, without their newlines, and where the next one begins."""
    lines: list[bytes] = []
    while place < len(block) and len(lines) < n:
        end = block.index(b"\n", place)
        lines.append(block[place:end].removesuffix(b"\r"))
        place = end + 1
    return lines, place
