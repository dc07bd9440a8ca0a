"""The feed's venue machine, and the messages that its entries come to."""

import msgspec

from barograph.archive.continuity_checkpoint import ContinuityCheckpoint
from barograph.codec import encode
from barograph.feed.summary import Summary
from barograph.foreign import one_line
from barograph.log.topics import DEAD_LETTERS, TICKS
from barograph.types import DeadLetter, Message
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.continuity import Received
from barograph.venues.entries import Entry, Heard, Rules


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
        self.continuity.heard()
        joined = self.venue.continuity.joined
        if joined and not joined.keys() <= self.summary.one_book.keys():
            self.summary.one_book |= joined
        events, letters = received.events, received.dead_letters
        for event in events:
            self.messages.append(Message(TICKS, event.product, encode(event)))
            self.summary.count(event)
        for letter in letters:
            if source is None:
                self.refuse(letter)
            else:
                name, line = source
                self.refuse(msgspec.structs.replace(letter, source=name, position=str(line)))
        if not events and not letters:
            self.summary.quiet += type(entry) is Heard
        return received

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
