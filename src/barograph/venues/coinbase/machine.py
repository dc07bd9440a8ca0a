"""Both dialects of Coinbase as one machine: entries in, events out.

What passes here is sound: prices are positive and sizes not negative, as `refusals.check_quote`
says; the quote is not crossed (bid = ask is fine), the time is exact. What does not pass becomes a
dead letter with its bytes, and nothing is raised whatever the bytes are. Fields that the venue adds
are ignored, a number where a string was promised is read as its digits, an empty optional field as
not offered.
"""

from collections.abc import Callable, Iterable, Iterator

from barograph.types import DeadLetter, Event, Frame
from barograph.venues.coinbase.advanced import AdvancedTrade
from barograph.venues.coinbase.exchange import ExchangeFeed
from barograph.venues.continuity import Continuity, Received
from barograph.venues.entries import (
    Answer,
    Closing,
    Dialect,
    Entry,
    Heard,
    Hole,
    Opening,
    Rules,
)
from barograph.venues.holes import Holes


class Coinbase:
    """The machine of a feed: the same entries in the same order give the same events.

    No clock decides anything in it, and no I/O. Products that move to another connection or to the
    other dialect keep their story.
    """

    def __init__(self, rules: Rules | None = None, *, continuity: Continuity | None = None) -> None:
        self._holes = Holes(continuity or Continuity(rules))
        self.continuity = self._holes.continuity
        self._exchange = ExchangeFeed(holes=self._holes)
        self._advanced = AdvancedTrade(holes=self._holes)

    @property
    def connections(self) -> list[str]:
        """The names of the open connections."""
        return list(self.continuity.connections)

    def take(self, entry: Entry) -> Received:
        """Return what an entry comes to, in order; never raises, whatever the bytes are.

        A frame of an unknown connection opens it. An answer or a settlement that belongs to no open
        hole has no effect.
        """
        if type(entry) is Heard:
            return self.receiver(entry.dialect)(entry.frame)
        if type(entry) is Opening:
            return self._holes.open(entry)
        if type(entry) is Closing:
            return self._holes.close(entry.connection)
        if type(entry) is Answer:
            return self._exchange.answer(entry)
        return self._exchange.settle(entry)  # type: ignore[arg-type]  # the others left above

    def receiver(self, dialect: Dialect) -> Callable[[Frame], Received]:
        """Return what takes the frames of a dialect, as `take` does."""
        return self._exchange.receive if dialect is Dialect.EXCHANGE else self._advanced.receive

    def hear(
        self, entries: Iterable[Entry | DeadLetter], refuse: Callable[[DeadLetter], object]
    ) -> Iterator[Event]:
        """The events of what an archive holds, in order; dead letters, its own too, to `refuse`."""
        for entry in entries:
            if isinstance(entry, DeadLetter):
                refuse(entry)
                continue
            received = self.take(entry)
            yield from received.events
            for letter in received.dead_letters:
                refuse(letter)

    def holes(self) -> list[Hole]:
        """The open holes of held products, the oldest first."""
        return self._holes.open_holes()

    def snapshot(self) -> bytes:
        """Return the state as JSON, with held and waiting events and recovered trades."""
        return self.continuity.snapshot()

    def restore(self, state: bytes) -> None:
        """Become what `snapshot` was taken of; raises msgspec.DecodeError when it is none."""
        self.continuity.restore(state)
