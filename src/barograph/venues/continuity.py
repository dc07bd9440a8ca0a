"""What a venue sent before, kept so that holes and repeats are seen: one line a product.

The venue machines of a feed share one `Continuity`, so a product that moves to another connection,
or from one dialect to the other, keeps its story.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from barograph.types import (
    MAX_PRODUCTS,
    NS_PER_S,
    DeadLetter,
    Event,
    Fault,
    GapCause,
    Heartbeat,
    Tick,
    Trade,
)
from barograph.venues import sessions
from barograph.venues.books import UNIFIED, book_of
from barograph.venues.continuity_state import Connection, Hold, ProductContinuity
from barograph.venues.entries import Dialect, Opening, Rules
from barograph.venues.event_times import check_beat_time, check_tick_time, is_late
from barograph.venues.gaps import gap_of, in_its_second
from barograph.venues.refusals import FrameRefusedError
from barograph.venues.regimes import MAX_REGIMES, Loss, Regime, Regimes
from barograph.venues.trade_ids import (
    believe_beat,
    believe_tick,
    check_leap,
    is_behind,
    is_same,
    repeats,
    tells_otherwise,
)

MAX_WAITING = 20_000
"""So many trades of a product wait for their ticker at most; one more is a hole's, if it is."""


class Notice(NamedTuple):
    """The venue's answer to a subscription: the `products` it sends now, or what it refused."""

    kind: Literal["subscribed", "error"]
    text: str
    products: tuple[str, ...] = ()


class Received(NamedTuple):
    """What an entry came to, in order. All empty: understood, and nothing to report."""

    events: Sequence[Event] = ()
    dead_letters: Sequence[DeadLetter] = ()
    notices: Sequence[Notice] = ()


class _State(msgspec.Struct):
    connections: dict[str, Connection]
    lines: dict[str, ProductContinuity]
    holds: dict[str, Hold] = {}
    ended: list[Regime] = []


_state = msgspec.json.Decoder(_State)
_NONE: Sequence[Trade] = ()


class Continuity:
    """Finds holes and repeats; a machine without I/O or clock.

    `holds` are the products that wait for a hole to be filled, the oldest first; see `holes.Holes`.
    `joined` has the names that were heard and are not their book's, with the name of that. `ended`
    are the numbers of recordings that are over, for one that goes on with them.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self.keep_to(rules or Rules(books=UNIFIED))
        self.connections: dict[str, Connection] = {}
        self.lines: dict[str, ProductContinuity] = {}
        self.holds: dict[str, Hold] = {}
        self.joined: dict[str, str] = {}
        self.ended: list[Regime] = []

    def keep_to(self, rules: Rules) -> None:
        """Use these rules from now on."""
        self.rules = rules
        self.accepted: dict[str, str] = {}
        self.future_ns = int(rules.future_s * NS_PER_S)
        timeout_s = rules.silence_timeout_s
        self._timeout_ns = 2**63 - 1 if timeout_s is None else int(timeout_s * NS_PER_S)

    def accept(self, name: str) -> str:
        """Return the product of that name, in `accepted` once heard.

        Raises FrameRefusedError when no rule asks for it.
        """
        product, products = self.book(name), self.rules.products
        if products is not None and product not in map(self.book, products):
            raise FrameRefusedError(Fault.UNKNOWN_PRODUCT, f"{product} was not asked for", product)
        if product in self.lines:
            self.accepted[name] = product
        elif len(self.lines) >= MAX_PRODUCTS:
            raise FrameRefusedError(
                Fault.UNKNOWN_PRODUCT, f"there are {MAX_PRODUCTS:,} products already", product
            )
        if product != name:
            self.joined[name] = product
        return product

    def book(self, name: str) -> str:
        """Return the product that a name is one book with, by the rules."""
        return book_of(name, self.rules.books)

    def open(self, opening: Opening) -> None:
        """Open a connection with fresh counters; an open one of that name is closed as lost first.

        Its rules, where it has some, hold from now on.
        """
        if opening.rules is not None:
            self.keep_to(opening.rules)
        if opening.connection in self.connections:
            self.close(opening.connection)
        self.connections[opening.connection] = Connection(opening=opening)
        if opening.recorded and opening.dialect is Dialect.ADVANCED:
            regimes = Regimes(opening.numbers == "all", self.ended)
            self.connections[opening.connection].regimes = regimes
            self.ended = []

    def close(self, connection: str) -> None:
        """Close a connection: each of its products has a hole that ends with its next event.

        Behind a recording it is none where ids or numbers run on in the next one.
        """
        closed = self.connections.pop(connection, None)
        if closed is not None and closed.opening.recorded:
            for line in self.lines.values():
                if line.connection == connection:
                    line.end_of_file(closed.opening)
            if closed.regimes is not None:
                self.ended = [*self.ended, *closed.regimes.end()][-MAX_REGIMES:]
        self.break_off(connection, GapCause.DISCONNECT)

    def lose(self, connection: str, loss: Loss) -> None:
        """Open a hole for products of a connection that lost something."""
        for product in loss.products:
            line = self.lines.get(product)
            if line is not None and line.connection == connection:
                line.lose(loss.cause, loss.missing)

    def close_seam(self, connection: str, products: Iterable[str]) -> None:
        """Close the holes that the end of a file left, where its numbers run on in a connection."""
        for product in products:
            line = self.lines.get(product)
            if line is not None and line.connection not in self.connections:
                line.go_on(connection)

    def break_off(self, connection: str, cause: GapCause, missing: int | None = None) -> None:
        """Open a hole for each product of a connection that lost something."""
        for line in self.lines.values():
            if line.connection == connection:
                line.lose(cause, missing)

    def refuse(self, product: str) -> None:
        """A tick of a product became a dead letter: its quote is not known until the next one."""
        line = self.lines.get(product)
        if line is not None:
            line.break_off(GapCause.REFUSED, 1)

    def mend(
        self,
        connection: str,
        time_ns: int,
        receive_time_ns: int | None,
        within: Container[str] | None = None,
    ) -> list[Event]:
        """End the open holes of a connection's products at `time_ns`: a gap for each.

        within: only those of its products; None for all.
        """
        gaps: list[Event] = []
        receipt = connection, receive_time_ns
        for product, line in self.lines.items():
            if line.connection != connection or line.broken is None or product in self.holds:
                continue
            if within is not None and product not in within:
                continue
            if line.broken is GapCause.REFUSED and time_ns <= line.last_ns:
                continue
            if is_late(time_ns, line):
                continue
            gaps += line.pay()
            sessions.split(line, time_ns)
            gaps.append(gap_of(product, line, time_ns, line.broken, line.missing, receipt))
            line.broken = line.missing = None
            line.contradicted = False
            line.last_ns = max(line.last_ns, time_ns)
        return gaps

    def products_of(self, connection: str) -> list[str]:
        """The products last heard on a connection, in the order of their first appearance.

        Not those that are held: they are heard on another one.
        """
        return [
            name
            for name, line in self.lines.items()
            if line.connection == connection and name not in self.holds
        ]

    def hear(self, event: Tick | Heartbeat, opening: Opening) -> Sequence[Event]:
        """Judge a tick or a heartbeat: return its events, after the gap that it reveals.

        One of an older session has a line of its own; see `sessions`.
        """
        judge: Callable[..., Sequence[Event]] = self.tick if type(event) is Tick else self.heartbeat
        return sessions.hear(self.lines, event, opening, judge)

    def advance(self, tick: Tick, opening: Opening) -> bool:
        """Take an unremarkable tick and return True; return False and change nothing for others.

        Nothing is open about its line, and it is the next trade or, where ids prove nothing, no
        repeat; as nearly all of them are: `hear` would give the same.
        """
        line = self.lines.get(tick.product)
        if line is None or line.tick is None or not line.is_plain(tick.connection):
            return False
        time_ns = tick.event_time_ns
        if not 0 <= time_ns - line.last_ns <= self._timeout_ns:
            return False
        if opening.continuity == "trade_id":
            last_id = line.tick.trade_id
            if last_id is None or tick.trade_id != last_id + 1 or line.trade_id != last_id:
                return False
            line.trade_id, line.settled_trade_id = tick.trade_id, None
        elif repeats(tick, line.tick):
            return False
        line.tick, line.last_ns = tick, time_ns
        return True

    def tick(self, tick: Tick, opening: Opening) -> Sequence[Event]:
        """Return the tick, after the gap that it reveals.

        Raises FrameRefusedError for repeats and contradictions.
        """
        line = self.lines.get(tick.product)
        if line is None:
            self.lines[tick.product] = ProductContinuity(
                tick.connection,
                tick.event_time_ns,
                tick,
                tick.trade_id,
                since_trade_id=tick.trade_id,
            )
            return (tick,)
        last = line.tick
        moved = line.connection != tick.connection
        if last is not None and repeats(tick, last) and is_same(tick, last, opening, moved=moved):
            raise FrameRefusedError(
                Fault.DUPLICATE, "the same as the product's last tick", tick.product
            )
        check_tick_time(tick, line, opening)
        missing, trades, anew = None, _NONE, False
        if tick.trade_id is not None and opening.continuity == "trade_id":
            anew = believe_tick(tick, tick.trade_id, line, opening)
            if not anew and line.trade_id is not None and tick.trade_id >= line.trade_id:
                missing = max(tick.trade_id - line.trade_id - 1, 0)
                if line.waiting:
                    line.waiting.pop(tick.trade_id, None)
                    trades = line.take_waiting(tick.trade_id)
                    missing -= len(trades)
            if moved or line.trade_id is None or tick.trade_id > line.trade_id:
                line.trade_id, line.settled_trade_id = tick.trade_id, None
                line.heard_from(tick.trade_id, whole=missing == 0 and not trades)
        if anew or moved or not is_behind(tick, last, opening):
            line.tick = tick
        line.prove(missing, opening, whole=missing == 0 and in_its_second(trades, tick))
        missing = line.provable(missing)
        cause = line.broken
        if cause is None and (missing or (trades and not in_its_second(trades, tick))):
            cause = GapCause.TRADE_ID
        return self._heard(line, tick, cause, missing, trades)

    def heartbeat(self, beat: Heartbeat, opening: Opening) -> Sequence[Event]:
        """Return the heartbeat, after the gap that it reveals.

        Raises FrameRefusedError when it contradicts the trades of its product.
        """
        line = self.lines.get(beat.product)
        if line is None:
            self.lines[beat.product] = ProductContinuity(
                beat.connection, beat.event_time_ns, trade_id=beat.last_trade_id
            )
            if beat.last_trade_id is not None:
                self.lines[beat.product].heard_from(beat.last_trade_id + 1)
            return (beat,)
        check_beat_time(beat, line)
        moved = line.connection != beat.connection
        missing, trades = None, _NONE
        last = beat.last_trade_id
        if last is not None and opening.continuity == "trade_id":
            anew = believe_beat(beat, last, line, opening)
            if not anew and line.trade_id is not None and last >= line.trade_id:
                missing = last - line.trade_id
                if missing and line.waiting:
                    known = line.known(last)
                    missing -= len(known)
                    if not (missing or moved or line.broken) and in_its_second(known, beat):
                        # Their ticker may still come, in time for their second.
                        return self._heard(line, beat, None, 0)
                    trades = line.take_waiting(last)
            if moved or line.trade_id is None or last > line.trade_id:
                line.trade_id = last
                line.heard_from(last + 1, whole=missing == 0)
                if trades or (missing and opening.fill):
                    line.settled_trade_id = last
        line.prove(missing, opening, whole=missing == 0 and not trades)
        missing = line.provable(missing)
        cause = line.broken
        if cause is None and (missing or trades):
            cause = GapCause.HEARTBEAT
        return self._heard(line, beat, cause, missing, trades)

    def wait(self, trade: Trade) -> bool:
        """Keep a trade until its ticker comes; return whether it is new.

        Raises FrameRefusedError when the id is known with another content or leaps too far ahead.
        """
        line = self.lines.get(trade.product)
        if line is None or line.trade_id is None or trade.trade_id <= line.trade_id:
            return False
        check_leap(trade, line)
        known = line.waiting.get(trade.trade_id)
        if known is not None:
            if tells_otherwise(trade, known):
                raise FrameRefusedError(
                    Fault.CONTRADICTION,
                    f"trade {trade.trade_id} differs from the one received before",
                    trade.product,
                )
            return False
        if len(line.waiting) >= MAX_WAITING:
            return False
        line.waiting[trade.trade_id] = trade
        return True

    def snapshot(self) -> bytes:
        """Return the state as JSON."""
        return msgspec.json.encode(_State(self.connections, self.lines, self.holds, self.ended))

    def restore(self, state: bytes) -> None:
        """Become what `snapshot` was taken of; raises msgspec.DecodeError when it is none."""
        restored = _state.decode(state)
        self.connections, self.lines = restored.connections, restored.lines
        self.holds, self.ended = restored.holds, restored.ended
        for connection in self.connections.values():
            if connection.opening.rules is not None:
                self.keep_to(connection.opening.rules)

    def _is_recorded(self, connection: str) -> bool:
        at = self.connections.get(connection)
        return at is not None and at.opening.recorded

    def _heard(
        self,
        line: ProductContinuity,
        event: Tick | Heartbeat,
        cause: GapCause | None,
        missing: int | None,
        trades: Sequence[Trade] = _NONE,
    ) -> Sequence[Event]:
        moved = line.connection != event.connection
        time_ns = event.event_time_ns
        # The refused tick came after `last_ns`, so an earlier event does not end its hole.
        stays = line.broken is GapCause.REFUSED and not moved and time_ns <= line.last_ns
        if stays and not missing and not trades:
            cause = None
        # In a file that goes on with the one before, time goes on as well.
        connected = not moved or self._is_recorded(event.connection)
        if cause is None and connected and time_ns - line.last_ns > self._timeout_ns:
            cause = GapCause.SILENCE
        if cause is None:
            events: Sequence[Event] = (*trades, event) if trades else (event,)
        else:
            count = line.missing if missing is None else missing
            # The gap belongs to the connection that brought its end.
            receipt = event.connection, event.receive_time_ns
            gap = gap_of(event.product, line, time_ns, cause, count, receipt, trades)
            line.broken, line.missing = line.broken if stays else None, None
            line.contradicted = False
            events = (gap, *trades, event)
            sessions.split(line, time_ns)
        line.hear(event.connection, time_ns)
        return events
