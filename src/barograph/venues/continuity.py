"""What a venue sent before, kept so that holes and repeats are seen: one line a product.

The venue machines of a feed share one `Continuity`, so a product that moves to another connection,
or from one dialect to the other, keeps its story.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from barograph.types import NS_PER_S, DeadLetter, Event, Fault, Gap, GapCause, Heartbeat, Tick
from barograph.venues.refusals import RefusedError


class Dialect(StrEnum):
    """The protocol that a connection speaks."""

    EXCHANGE = "exchange"
    ADVANCED = "advanced"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed accepts and when it calls a line silent.

    `products` None accepts every product. A product without a tick or heartbeat for more than
    `silence_timeout_s` of event time has a gap; None switches that off. An event more than
    `future_s` ahead of its receive time is refused.
    """

    products: frozenset[str] | None = None
    silence_timeout_s: float | None = 10.0
    future_s: float = 60.0


class Opening(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a connection when it opens.

    `continuity` "trade_id" says that the venue sends one ticker for each trade, so that a jump of
    `trade_id` is a hole; "none" that ids repeat or jump for other reasons and prove nothing.
    `event_clock` goes into each tick. `rules` are those it was opened under, where that is known:
    so they stand in the archive, and whoever reads it again judges as was judged live.
    """

    connection: str
    dialect: Dialect
    continuity: Literal["trade_id", "none"] = "trade_id"
    event_clock: Literal["venue", "recorder"] = "venue"
    rules: Rules | None = None


class Received(NamedTuple):
    """What a frame came to, in order. Both empty: understood, and nothing to report."""

    events: Sequence[Event] = ()
    dead_letters: Sequence[DeadLetter] = ()


class Connection(msgspec.Struct):
    """One open connection: its frames so far and its own counters where the dialect has them."""

    opening: Opening
    frames: int = 0
    last_ns: int | None = None
    sequence: int | None = None
    heartbeat_counter: int | None = None


class Line(msgspec.Struct):
    """One product: the latest event time on its connection, last tick, highest trade id heard of.

    `broken` is the cause of a hole whose end is not known yet.
    """

    connection: str
    last_ns: int
    tick: Tick | None = None
    trade_id: int | None = None
    broken: GapCause | None = None
    missing: int | None = None


class _State(msgspec.Struct):
    connections: dict[str, Connection]
    lines: dict[str, Line]


_state = msgspec.json.Decoder(_State)


class Continuity:
    """Finds holes and repeats; a machine without I/O or clock."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.keep_to(rules or Rules())
        self.connections: dict[str, Connection] = {}
        self.lines: dict[str, Line] = {}

    def keep_to(self, rules: Rules) -> None:
        """Judge by these rules from now on."""
        self.rules = rules
        self.future_ns = int(rules.future_s * NS_PER_S)
        timeout_s = rules.silence_timeout_s
        self._timeout_ns = 2**63 - 1 if timeout_s is None else int(timeout_s * NS_PER_S)

    def open(self, opening: Opening) -> None:
        """A connection begins. Its counters start anew; an open one of that name is lost first.

        Its rules, where it has some, hold from now on.
        """
        if opening.rules is not None:
            self.keep_to(opening.rules)
        if opening.connection in self.connections:
            self.close(opening.connection)
        self.connections[opening.connection] = Connection(opening=opening)

    def close(self, connection: str) -> None:
        """A connection is lost: each of its products has a hole that ends with its next event."""
        self.connections.pop(connection, None)
        self.break_off(connection, GapCause.DISCONNECT)

    def break_off(self, connection: str, cause: GapCause, missing: int | None = None) -> None:
        """Something of a connection was lost: a hole for each of its products."""
        for line in self.lines.values():
            if line.connection == connection and line.broken is not GapCause.DISCONNECT:
                line.broken, line.missing = cause, missing

    def mend(self, connection: str, time_ns: int, receive_time_ns: int | None) -> list[Event]:
        """End the open holes of a connection's products at `time_ns`: a gap for each."""
        gaps: list[Event] = []
        for product, line in self.lines.items():
            if line.connection == connection and line.broken is not None:
                gaps.append(
                    _gap(product, line, time_ns, line.broken, line.missing, receive_time_ns)
                )
                line.broken = line.missing = None
                line.last_ns = max(line.last_ns, time_ns)
        return gaps

    def products_of(self, connection: str) -> list[str]:
        """The products last heard on a connection, in the order of their first appearance."""
        return [name for name, line in self.lines.items() if line.connection == connection]

    def tick(self, tick: Tick, opening: Opening) -> Sequence[Event]:
        """The tick, after the gap that it reveals; RefusedError when it is a repeat."""
        line = self.lines.get(tick.product)
        if line is None:
            self.lines[tick.product] = Line(
                tick.connection, tick.event_time_ns, tick, tick.trade_id
            )
            return (tick,)
        last = line.tick
        if last is not None and _repeats(tick, last):
            raise RefusedError(Fault.DUPLICATE, "the same as the product's last tick", tick.product)
        moved = line.connection != tick.connection
        missing = None
        if tick.trade_id is not None and opening.continuity == "trade_id":
            if line.trade_id is not None and tick.trade_id >= line.trade_id:
                missing = max(tick.trade_id - line.trade_id - 1, 0)
            elif not moved and _goes_back(tick, last):
                raise RefusedError(
                    Fault.DUPLICATE,
                    f"trade {tick.trade_id} comes late or again: counted already",
                    tick.product,
                )
            if moved or line.trade_id is None or tick.trade_id > line.trade_id:
                line.trade_id = tick.trade_id
        line.tick = tick
        cause = line.broken
        if cause is None and missing:
            cause = GapCause.TRADE_ID
        return self._heard(line, tick, cause, missing, moved=moved)

    def heartbeat(self, beat: Heartbeat, opening: Opening) -> Sequence[Event]:
        """The heartbeat, after the gap that it reveals."""
        line = self.lines.get(beat.product)
        if line is None:
            self.lines[beat.product] = Line(
                beat.connection, beat.event_time_ns, trade_id=beat.last_trade_id
            )
            return (beat,)
        moved = line.connection != beat.connection
        missing = None
        if beat.last_trade_id is not None and opening.continuity == "trade_id":
            if line.trade_id is not None and beat.last_trade_id >= line.trade_id:
                missing = beat.last_trade_id - line.trade_id
            if moved or line.trade_id is None or beat.last_trade_id > line.trade_id:
                line.trade_id = beat.last_trade_id
        cause = line.broken
        if cause is None and missing:
            cause = GapCause.HEARTBEAT
        return self._heard(line, beat, cause, missing, moved=moved)

    def snapshot(self) -> bytes:
        """The state as JSON."""
        return msgspec.json.encode(_State(self.connections, self.lines))

    def restore(self, state: bytes) -> None:
        """Become what `snapshot` was taken of; raises msgspec.DecodeError when it is none."""
        restored = _state.decode(state)
        self.connections, self.lines = restored.connections, restored.lines
        for connection in self.connections.values():
            if connection.opening.rules is not None:
                self.keep_to(connection.opening.rules)

    def _heard(
        self,
        line: Line,
        event: Tick | Heartbeat,
        cause: GapCause | None,
        missing: int | None,
        *,
        moved: bool,
    ) -> Sequence[Event]:
        time_ns = event.event_time_ns
        if cause is None and not moved and time_ns - line.last_ns > self._timeout_ns:
            cause = GapCause.SILENCE
        if cause is None:
            events: Sequence[Event] = (event,)
        else:
            count = line.missing if missing is None else missing
            # The gap stands on the connection that brought its end.
            line.connection = event.connection
            gap = _gap(event.product, line, time_ns, cause, count, event.receive_time_ns)
            line.broken = line.missing = None
            events = (gap, event)
        if moved:
            line.connection = event.connection
            line.last_ns = time_ns
        elif time_ns > line.last_ns:
            line.last_ns = time_ns
        return events


def _gap(  # noqa: PLR0913 - the fields of a gap
    product: str,
    line: Line,
    time_ns: int,
    cause: GapCause,
    missing: int | None,
    receive_time_ns: int | None,
) -> Gap:
    # Where event time went back the hole still lies between the two records.
    return Gap(
        product=product,
        start_ns=min(line.last_ns, time_ns),
        end_ns=max(line.last_ns, time_ns),
        cause=cause,
        connection=line.connection,
        receive_time_ns=receive_time_ns,
        missing=missing,
    )


def _repeats(tick: Tick, last: Tick) -> bool:
    if tick.trade_id is not None:
        same = tick.trade_id == last.trade_id
    elif tick.sequence is not None:
        same = tick.sequence == last.sequence
    else:
        same = tick.event_time_ns == last.event_time_ns and tick.volume_24h == last.volume_24h
    return (
        same
        and tick.price == last.price
        and tick.bid == last.bid
        and tick.ask == last.ask
        and tick.bid_size == last.bid_size
        and tick.ask_size == last.ask_size
    )


def _goes_back(tick: Tick, last: Tick | None) -> bool:
    """Below the last tick's trade, not only below one that a heartbeat named ahead of it."""
    return (
        last is not None
        and last.trade_id is not None
        and tick.trade_id is not None
        and tick.trade_id < last.trade_id
    )
