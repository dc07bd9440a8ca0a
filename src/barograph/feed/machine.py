"""The feed's venue machine, and the messages that its entries come to."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import repeat

import msgspec

from barograph.archive.continuity_checkpoint import ContinuityCheckpoint
from barograph.archive.writer import ArchiveWriter
from barograph.codec import encode
from barograph.feed.plain_ticks import plain_ticks
from barograph.feed.summary import Summary
from barograph.foreign import one_line
from barograph.log.topics import DEAD_LETTERS, TICKS
from barograph.types import DeadLetter, Frame, Message, Tick
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.continuity import Received
from barograph.venues.entries import Entry, Heard, Opening, Rules


class FeedMachine:
    """A venue machine, its checkpoint, and what it came to since `messages` was last emptied.

    `summary` counts all of it. Not thread-safe.
    """

    def __init__(self, rules: Rules) -> None:
        self.summary = Summary()
        self.venue = Coinbase(rules)
        self.continuity = ContinuityCheckpoint(self.venue)
        self.messages: list[Message] = []

    def take(self, entry: Entry, source: tuple[str, int] | None = None) -> Received:
        """Pass an entry to the machine. source: the file and line that its dead letters name."""
        received = self.venue.take(entry)
        self._heard(1)
        self._came(received, source)
        if not received.events and not received.dead_letters:
            self.summary.quiet += type(entry) is Heard
        return received

    def take_frames(
        self,
        frames: Sequence[Frame],
        opening: Opening,
        source: tuple[str, Sequence[int]],
        archive: ArchiveWriter,
    ) -> list[DeadLetter]:
        """Pass frames of a connection to the machine; return their dead letters.

        source: the file that their letters name, and the line of each, and perhaps of more behind
        them. archive: counts what they come to.
        """
        receive, add = self.venue.receiver(opening.dialect), self.messages.append
        times: defaultdict[str, list[int]] = defaultdict(list)
        refused: list[DeadLetter] = []
        name, lines = source
        for frame, line in zip(frames, lines, strict=False):
            received = receive(frame)
            events, letters, _ = received
            if len(events) == 1 and type(events[0]) is Tick and not letters:
                tick = events[0]
                add(Message(TICKS, tick.product, encode(tick)))
                times[tick.product].append(tick.event_time_ns)
                continue
            # Counted in order: what a letter belongs to depends on the products known by then.
            self._count(times, archive)
            self._came(received, (name, line))
            self.summary.quiet += not events and not letters
            archive.note(events, letters)
            refused += letters
        self._count(times, archive)
        self._heard(len(frames))
        return refused

    def take_plain(self, lines: Sequence[bytes], opening: Opening, archive: ArchiveWriter) -> int:
        """Take the first lines that are plain, as `plain_ticks` does; returns how many.

        archive: gets them, and counts what they come to.
        """
        ticks = plain_ticks(lines, opening, self.venue.continuity)
        taken = len(ticks.values)
        if taken:
            archive.write_lines(lines[:taken], opening)
            archive.note_ticks(ticks.times)
            self.summary.count_ticks(ticks.times)
            self.messages += map(Message, repeat(TICKS), ticks.products, ticks.values)
            self._heard(taken)
        return taken

    def _count(self, times: dict[str, list[int]], archive: ArchiveWriter) -> None:
        self.summary.count_ticks(times)
        archive.note_ticks(times)
        times.clear()

    def _heard(self, entries: int) -> None:
        self.continuity.heard(entries)
        joined = self.venue.continuity.joined
        if joined and not joined.keys() <= self.summary.one_book.keys():
            self.summary.one_book |= joined

    def _came(self, received: Received, source: tuple[str, int] | None) -> None:
        """Take up what an entry came to."""
        events, letters, _ = received
        for event in events:
            self.messages.append(Message(TICKS, event.product, encode(event)))
            self.summary.count(event)
        for letter in letters:
            if source is None:
                self.refuse(letter)
            else:
                name, line = source
                self.refuse(msgspec.structs.replace(letter, source=name, position=str(line)))

    def refuse(self, letter: DeadLetter) -> Message:
        """Add a dead letter to the messages and to the summary."""
        message = Message(DEAD_LETTERS, letter.key, encode(letter))
        self.messages.append(message)
        counts = self.summary.dead_letters
        counts[letter.fault] = counts.get(letter.fault, 0) + 1
        if letter.fault not in self.summary.first_letters:
            where = f"{letter.source}, {letter.position}"
            self.summary.first_letters[letter.fault] = one_line(f"{letter.detail} ({where})")
        return message
