"""Markets for a simulated exchange: generated, or from a recording."""

from collections.abc import Iterator
from pathlib import Path

from barograph.archive.recording import Recorded, Recording
from barograph.errors import BadInputError
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.tape import Beat, MarketEvent, Print
from barograph.types import NS_PER_S, Tick
from barograph.venues.books import UNIFIED
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Heard, Rules

RECORDER_HOLE_S = 10
"""A longer hole in all products is taken as a break of the recorder, without heartbeats."""


class Source:
    """A market's events in order, returned by time. `start_ns` is before the first event."""

    def __init__(
        self, products: tuple[str, ...], start_ns: int, events: Iterator[MarketEvent]
    ) -> None:
        self.products, self.start_ns = products, start_ns
        self._events = events
        self._next = next(events, None)

    @property
    def ended(self) -> bool:
        """Whether all events were returned."""
        return self._next is None

    def until(self, time_ns: int) -> list[MarketEvent]:
        """Return the next events up to `time_ns`, inclusive."""
        dealt: list[MarketEvent] = []
        event = self._next
        while event is not None and event.time_ns <= time_ns:
            dealt.append(event)
            event = next(self._events, None)
        self._next = event
        return dealt


def simulated(market: SimulatedMarket) -> Source:
    """An endless generated market from its current time on."""

    def events() -> Iterator[MarketEvent]:
        while True:
            yield from market.events(1)

    return Source(market.products, market.now_ns, events())


def recorded(path: Path) -> Source:
    """The ticks of any recording that can be replayed, at their recorded times.

    Without recorded trade ids a product's ticks are numbered from 1. A quote update without a new
    trade is sent on the ticker only. One heartbeat per second is added for each product that has
    ticked.
    Raises BadInputError for an unreadable recording or one without ticks.
    """
    products: dict[str, None] = {}
    start_ns = None
    for tick in _ticks(path):
        products[tick.product] = None
        start_ns = tick.event_time_ns if start_ns is None else start_ns
    if start_ns is None:
        raise BadInputError(str(path), "it has no tick", "Name a recording of a ticker")
    return Source(tuple(products), start_ns // NS_PER_S * NS_PER_S, _with_beats(_prints(path)))


def _ticks(path: Path) -> Iterator[Tick]:
    venue = Coinbase(Rules(silence_timeout_s=None, books=UNIFIED))
    for entry in Recording(path):
        if isinstance(entry, Recorded):
            if entry.opening.connection not in venue.connections:
                venue.take(entry.opening)
            for event in venue.take(Heard(entry.frame, entry.opening.dialect)).events:
                if isinstance(event, Tick):
                    yield event


def _prints(path: Path) -> Iterator[Print]:
    last: dict[str, int] = {}
    for n, tick in enumerate(_ticks(path)):
        before = last.get(tick.product, 0)
        trade_id = before + 1 if tick.trade_id is None else tick.trade_id
        traded = trade_id > before
        last[tick.product] = max(trade_id, before)
        yield Print(
            tick.product,
            tick.event_time_ns,
            trade_id,
            n + 1 if tick.sequence is None else tick.sequence,
            price=tick.price,
            bid=tick.bid,
            ask=tick.ask,
            size=tick.last_size if traded else None,
            side=tick.side,
            bid_size=tick.bid_size,
            ask_size=tick.ask_size,
            volume_24h=tick.volume_24h,
        )


def _with_beats(prints: Iterator[Print]) -> Iterator[MarketEvent]:
    """Insert a heartbeat of every product at each full second, before that second's events."""
    last: dict[str, Print] = {}
    second: int | None = None
    for print_ in prints:
        coming = print_.time_ns // NS_PER_S
        if second is not None and coming - second <= RECORDER_HOLE_S:
            for each in range(second + 1, coming + 1):
                for product, before in last.items():
                    yield Beat(product, each * NS_PER_S, before.trade_id, before.sequence)
        second = coming if second is None else max(second, coming)
        last[print_.product] = print_
        yield print_
