"""Holes that are filled by request: a product with one is held until it is settled.

While a product is held, its later events wait in a queue. What was lost comes in three ways: a
ticker or a match that was only late, or a page of trades. When nothing is missing any more, or no
more will be requested, the tickers that came pass in the order of their trades, then what revealed
the hole, then the queue, up to the next hole in it. `Continuity` judges each of them as if it had
come just then, so what is missing still becomes a gap, and trades without a quote stand where their
ticker would.
"""

from collections.abc import Iterable, Mapping

from barograph.types import DeadLetter, Event, Fault, Frame, Heartbeat, Tick, Trade
from barograph.venues import sessions
from barograph.venues.continuity import Continuity, Received
from barograph.venues.continuity_state import Held, Hold, ProductContinuity
from barograph.venues.entries import Hole, Opening
from barograph.venues.numbers import BEAT_NS, may_follow
from barograph.venues.refusals import FrameRefusedError, dead_letter
from barograph.venues.trade_ids import check_match, tells_otherwise

MAX_QUEUE = 20_000
"""Behind so many events a hole is settled with what there is, and so is each that is in them."""

MAX_QUEUE_BYTES = 32 << 20
"""And behind so many bytes of frames."""

_NOTHING = Received()


class Holes:
    """The products of a continuity that are held for a hole: one `Holes` for each `Continuity`.

    Its state stands in `continuity.holds`, so that one snapshot has all of it.
    """

    def __init__(self, continuity: Continuity) -> None:
        self.continuity = self._continuity = continuity

    def open_holes(self) -> list[Hole]:
        """Return the holes that miss trades, the oldest first."""
        return [self._hole(product, hold) for product, hold in self._continuity.holds.items()]

    def take(self, event: Tick | Heartbeat, opening: Opening, frame: Frame, count: int) -> Received:
        """Take an event of a connection's frame `count`; return it and what it sets free.

        Returns nothing while it waits. Raises FrameRefusedError as `Continuity.hear` does.
        """
        product = event.product
        hold = self._continuity.holds.get(product)
        if hold is None:
            revealed = self._revealed(event, opening) if opening.fill else None
            if revealed is None:
                return Received(self._continuity.hear(event, opening))
            revealed.queue.append(Held(event, frame.data, str(count)))
            self._continuity.holds[product] = revealed
            return _NOTHING
        if hold.connection != event.connection:
            return self._moved(event, opening, frame, count)
        passed = _Passed(self._continuity)
        held = Held(event, frame.data, str(count))
        try:
            _wait(held, hold, self._continuity.lines[product])
        except FrameRefusedError as refused:
            passed.refuse(held, refused)
        hold.size_bytes += len(frame.data)
        if len(hold.queue) + len(hold.ticks) > MAX_QUEUE or hold.size_bytes > MAX_QUEUE_BYTES:
            self._end(product, passed, everything=True)
        elif hold.quoted and not hold.unknown:
            self._end(product, passed, everything=False)
        return passed.received()

    def match(self, trade: Trade, opening: Opening) -> Received:
        """Take a trade of the matches channel; return nothing while it waits for its ticker.

        Raises FrameRefusedError where its id contradicts the line.
        """
        if opening.continuity != "trade_id":
            return _NOTHING
        line = self._continuity.lines.get(trade.product)
        if line is not None:
            if opening.recorded and sessions.is_before(trade.event_time_ns, line):
                return _NOTHING  # its ticker begins the session
            check_match(trade, line, opening)
        if not self._continuity.wait(trade):
            return _NOTHING
        hold = self._continuity.holds.get(trade.product)
        return _NOTHING if hold is None else self._fill([trade.trade_id], trade.product, hold)

    def answer(self, product: str, connection: str, trades: list[Trade]) -> Received:
        """Take a page of trades; those that the product's hole does not miss are ignored.

        Raises FrameRefusedError, and takes none of them, when one is known otherwise.
        """
        hold = self._continuity.holds.get(product)
        if hold is None or hold.connection != connection:
            return _NOTHING
        _check_page(trades, hold, self._continuity.lines[product])
        missed = [
            trade
            for trade in trades
            if hold.after < trade.trade_id <= hold.last and trade.trade_id not in hold.ticks
        ]
        trade_ids = [trade.trade_id for trade in missed if self._continuity.wait(trade)]
        return self._fill(trade_ids, product, hold)

    def settle(self, product: str, connection: str) -> Received:
        """End a product's open hole with the trades that came: no further page will come."""
        passed = _Passed(self._continuity)
        hold = self._continuity.holds.get(product)
        if hold is not None and hold.connection == connection:
            self._end(product, passed, everything=False)
        return passed.received()

    def open(self, opening: Opening) -> Received:
        """Open a connection; an open one of that name is closed as lost first."""
        lost = opening.connection in self._continuity.connections
        received = self.close(opening.connection) if lost else _NOTHING
        self._continuity.open(opening)
        return received

    def close(self, connection: str) -> Received:
        """Close a connection: its holes end, then each of its products has a new one."""
        passed = _Passed(self._continuity)
        held = [p for p, hold in self._continuity.holds.items() if hold.connection == connection]
        for product in held:
            self._end(product, passed, everything=True)
        self._continuity.close(connection)
        return passed.received()

    def give_way(self, product: str, connection: str) -> Received:
        """End the hole of a product on other connections: it is heard on `connection` now."""
        passed = _Passed(self._continuity)
        hold = self._continuity.holds.get(product)
        if hold is not None and hold.connection != connection:
            self._end(product, passed, everything=True)
        return passed.received()

    def refuse(self, product: str) -> Received:
        """A tick of a product became a dead letter: its hole ends here, and the line is broken."""
        passed = _Passed(self._continuity)
        if product in self._continuity.holds:
            self._end(product, passed, everything=True)
        self._continuity.refuse(product)
        return passed.received()

    def _moved(
        self, event: Tick | Heartbeat, opening: Opening, frame: Frame, count: int
    ) -> Received:
        """Take an event of a product that is held on another connection: that hold ends."""
        passed = _Passed(self._continuity)
        self._end(event.product, passed, everything=True)
        try:
            passed.add(self.take(event, opening, frame, count))
        except FrameRefusedError as refused:
            passed.refuse(Held(event, frame.data, str(count)), refused)
        return passed.received()

    def _fill(self, trade_ids: list[int], product: str, hold: Hold) -> Received:
        hold.unknown -= sum(hold.after < n <= hold.last and n not in hold.ticks for n in trade_ids)
        passed = _Passed(self._continuity)
        if hold.quoted and not hold.unknown:
            self._end(product, passed, everything=False)
        return passed.received()

    def _revealed(self, event: Tick | Heartbeat, opening: Opening) -> Hold | None:
        """The hole before an event that is to be filled, if there is one; nothing waits in it.

        There is none before an event whose id is not believed.
        """
        line = self._continuity.lines.get(event.product)
        if line is None or line.trade_id is None:
            return None
        quoted = type(event) is Tick
        last = event.trade_id if quoted else event.last_trade_id  # type: ignore[union-attr]
        if last is None or last - quoted <= line.trade_id or opening.continuity != "trade_id":
            return None
        if not may_follow(last, line.trade_id, event.event_time_ns - line.last_ns):
            return None
        last -= quoted
        unknown = last - line.trade_id - len(line.known(last))
        if quoted and not unknown:
            return None
        return Hold(event.connection, line.trade_id, last, unknown, quoted, {}, [])

    def _end(self, product: str, passed: "_Passed", *, everything: bool) -> None:
        """Let go what a hole held, up to the next hole; with `everything` that one ends as well."""
        hold = self._continuity.holds.pop(product)
        opening = self._continuity.connections[hold.connection].opening
        passed.filled(hold.ticks, opening)
        passed.let(hold.queue[0], opening)
        queue = hold.queue[1:]
        later: dict[int, Held] = {}
        for held in queue:
            if type(held.event) is Tick and held.event.trade_id is not None:
                later.setdefault(held.event.trade_id, held)
        highest = max(later, default=-1)
        drawn: set[str] = set()
        for place, held in enumerate(queue):
            if held.position in drawn:
                continue
            # Removed first: if it is refused, its line stays behind and would select it again.
            trade_id = held.event.trade_id if type(held.event) is Tick else None
            if trade_id is not None and later.get(trade_id) is held:
                del later[trade_id]
            revealed = self._revealed(held.event, opening)
            if revealed is not None:
                # Tickers of the next hole may stand further back already.
                for n in _between(later, revealed.after, revealed.last):
                    if later[n].event.event_time_ns > held.event.event_time_ns:
                        continue
                    ticker = later.pop(n)
                    drawn.add(ticker.position)
                    _note(n, ticker, revealed, self._continuity.lines[product])
                revealed.quoted |= highest >= revealed.last
                if not everything and (revealed.unknown or not revealed.quoted):
                    revealed.queue += [h for h in queue[place:] if h.position not in drawn]
                    self._continuity.holds[product] = revealed
                    return
                passed.filled(revealed.ticks, opening)
            passed.let(held, opening)

    def _hole(self, product: str, hold: Hold) -> Hole:
        line = self._continuity.lines[product]
        trades = line.waiting if hold.unknown else {}

        def missing(n: int) -> bool:
            return n not in hold.ticks and n not in trades

        return Hole(
            hold.connection,
            product,
            next(filter(missing, range(hold.after + 1, hold.last + 1)), hold.last),
            next(filter(missing, range(hold.last, hold.after, -1)), hold.last),
            hold.unknown,
            hold.queue[0].event.receive_time_ns,
        )


class _Passed:
    """Collects what comes out of a hold, in order."""

    def __init__(self, continuity: Continuity) -> None:
        self._continuity = continuity
        self._events: list[Event] = []
        self._letters: list[DeadLetter] = []

    def received(self) -> Received:
        return Received(self._events, self._letters)

    def add(self, received: Received) -> None:
        self._events += received.events
        self._letters += received.dead_letters

    def let(self, held: Held, opening: Opening) -> None:
        """Judge an event: add its events, or its dead letter."""
        try:
            self._events += self._continuity.hear(held.event, opening)
        except FrameRefusedError as refused:
            self.refuse(held, refused)

    def filled(self, ticks: Mapping[int, Held], opening: Opening) -> None:
        """Let the tickers of a hole pass, in the order of their trades."""
        for trade_id in sorted(ticks):
            self.let(ticks[trade_id], opening)

    def refuse(self, held: Held, refused: FrameRefusedError) -> None:
        self._letters.append(
            dead_letter(
                refused,
                held.original,
                held.event.connection,
                held.position,
                held.event.receive_time_ns,
            )
        )


def _wait(held: Held, hold: Hold, line: ProductContinuity) -> None:
    """Keep an event while its product is held: in the hole, where it belongs there, or behind it.

    Raises FrameRefusedError for a repeated ticker. One whose id belongs before its time contradicts
    its line; it is judged in its turn.
    """
    event = held.event
    trade_id = event.trade_id if type(event) is Tick else None
    if trade_id is not None and trade_id <= hold.last:
        before = hold.ticks.get(trade_id)
        last_ns = line.last_ns if before is None else before.event.event_time_ns
        if before is None and trade_id > hold.after:
            # If it happened after the event that revealed the hole, one of the two ids is wrong.
            if event.event_time_ns <= _latest_ns(hold):
                _note(trade_id, held, hold, line)
                return
        elif event.event_time_ns <= last_ns:
            raise FrameRefusedError(
                Fault.DUPLICATE,
                f"trade {trade_id} comes late or again: counted already",
                event.product,
            )
    hold.queue.append(held)
    hold.quoted |= type(event) is Tick


def _latest_ns(hold: Hold) -> int:
    """Return the latest time at which a trade of the hole can have happened."""
    revealed = hold.queue[0].event
    if type(revealed) is Tick or len(hold.queue) > 1:
        return revealed.event_time_ns
    return revealed.event_time_ns + BEAT_NS


def _note(trade_id: int, held: Held, hold: Hold, line: ProductContinuity) -> None:
    """Note a ticker that belongs to the hole."""
    hold.ticks[trade_id] = held
    hold.unknown -= trade_id not in line.waiting
    hold.quoted |= trade_id == hold.last


def _check_page(trades: Iterable[Trade], hold: Hold, line: ProductContinuity) -> None:
    """Raise FrameRefusedError when a page tells a trade otherwise than it is known, or twice."""
    came = [line.tick, hold.queue[0].event, *(held.event for held in hold.ticks.values())]
    known: dict[int | None, Tick | Trade] = {
        tick.trade_id: tick for tick in came if type(tick) is Tick
    }
    for trade in trades:
        n = trade.trade_id
        earlier = known.get(n) or line.waiting.get(n)
        if earlier is not None and tells_otherwise(trade, earlier):
            raise FrameRefusedError(
                Fault.CONTRADICTION, f"trade {n} is known otherwise", trade.product
            )
        known[n] = trade


def _between(ids: Mapping[int, object], after: int, last: int) -> list[int]:
    if last - after <= len(ids):
        return [n for n in range(after + 1, last + 1) if n in ids]
    return [n for n in ids if after < n <= last]
