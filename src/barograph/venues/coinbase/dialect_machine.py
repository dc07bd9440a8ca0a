"""What the machines of both Coinbase dialects share: connections, rules and refusals."""

import re
from collections.abc import Callable, Mapping, Sequence

from barograph.times import parse_time
from barograph.types import NS_PER_S, DeadLetter, Fault, Frame, GapCause
from barograph.venues.books import book_of
from barograph.venues.clocks import LEAP_NS
from barograph.venues.continuity import Continuity, Notice, Received
from barograph.venues.continuity_state import Connection
from barograph.venues.entries import Dialect, Opening, Rules
from barograph.venues.holes import Holes
from barograph.venues.refusals import AheadError, FrameRefusedError, dead_letter

NOTHING = Received()

JUDGED = frozenset({Fault.DUPLICATE, Fault.IMPLAUSIBLE, Fault.LATE})
"""Refusals by `Continuity`, which knows by itself what they come to."""

_PRODUCT = re.compile(
    r"(?<![\w-])(?<!\w[./:])[A-Za-z0-9]{1,20}(?:-[A-Za-z0-9]{1,20})+(?![\w-]|[./:]\w)"
)
_LONGEST_TEXT = 1000


class DialectMachine:
    """Frames of one dialect in, events and dead letters out; `receive` never raises.

    Its state, and its rules, are those of `holes` and the continuity below. Both dialects may share
    one, so that holes are seen across them; else a machine has one of its own, with `rules`.
    """

    dialect: Dialect

    def __init__(self, rules: Rules | None = None, *, holes: Holes | None = None) -> None:
        self.holes = holes or Holes(Continuity(rules))
        self._continuity = self.holes.continuity

    def open(self, opening: Opening) -> Received:
        """Open a connection; an open one of that name is closed as lost first."""
        return self.holes.open(opening)

    def _connection(self, frame: Frame) -> Connection:
        connection = self._continuity.connections.get(frame.connection)
        if connection is None:
            self.open(Opening(connection=frame.connection, dialect=self.dialect))
            connection = self._continuity.connections[frame.connection]
        connection.frames += 1
        return connection

    def _time(self, text: str, frame: Frame, product: str, live: Connection | None) -> int:
        """Return an event time of a live connection or of old trades.

        Raises FrameRefusedError when it is not believed.
        """
        try:
            time_ns = parse_time(text)
        except ValueError as error:
            raise FrameRefusedError(Fault.BAD_TIME, str(error), product) from None
        received_ns = frame.receive_time_ns
        if received_ns is not None:
            ahead_ns = time_ns - received_ns
            if live is None or not live.clock.is_plain(ahead_ns, live.frames):
                self._check_ahead(ahead_ns, product, live)
        return time_ns

    def _check_ahead(self, ahead_ns: int, product: str, live: Connection | None) -> None:
        if ahead_ns > self._continuity.future_ns:
            ahead_s = ahead_ns / NS_PER_S
            raise FrameRefusedError(Fault.FUTURE, f"{ahead_s:.3f} s ahead of its receipt", product)
        if live is None:
            return
        clock = live.clock
        believed_ns = clock.ahead_ns
        if not clock.believes(ahead_ns, live.frames):
            raise AheadError(
                Fault.IMPLAUSIBLE,
                f"{ahead_ns / NS_PER_S:.3f} s ahead of its receipt, others of its connection"
                f" {clock.ahead_ns / NS_PER_S:.3f} s: more have to confirm it",
                product,
            )
        if clock.ahead_ns - believed_ns > LEAP_NS:
            # A clock was set, so what the connection's other products missed is unknown.
            self._continuity.break_off(live.opening.connection, GapCause.REFUSED)

    def _product(self, name: str) -> str:
        """Return the product of that name. Raises FrameRefusedError when it is not subscribed."""
        return self._continuity.accepted.get(name) or self._continuity.accept(name)


def ahead_ns(letter: DeadLetter) -> int | None:
    """How far an event was ahead of its receipt, where that is why it was refused; to the ms."""
    if letter.fault is not Fault.FUTURE:
        return None
    return int(float(letter.detail.partition(" ")[0]) * NS_PER_S)


def refusal(frame: Frame, connection: Connection, refused: FrameRefusedError) -> DeadLetter:
    """Return the dead letter of a connection's latest frame."""
    return dead_letter(
        refused, frame.data, frame.connection, str(connection.frames), frame.receive_time_ns
    )


def refused_by_venue(refused: FrameRefusedError) -> tuple[Notice, ...]:
    """Return the notice of a venue's own error message; none for another refusal."""
    if refused.fault is not Fault.VENUE_ERROR:
        return ()
    return (Notice("error", refused.detail, tuple(product_names(refused.detail))),)


def product_names(text: str) -> list[str]:
    """Return the products that a text names by their full names, each once."""
    return list(dict.fromkeys(book_of(name.upper()) for name in _PRODUCT.findall(text)))


def subscribed(channels: Mapping[str, Sequence[str]], book: Callable[[str], str]) -> Notice:
    """Return the notice of the products that each channel sends now. book: a name's product."""
    text = "; ".join(f"{name}: {', '.join(products)}" for name, products in channels.items())
    names = dict.fromkeys(book(product) for product in channels.get("ticker", ()))
    return Notice("subscribed", text[:_LONGEST_TEXT], tuple(names))
