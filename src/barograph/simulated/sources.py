"""Where a simulated exchange gets its market from: the generator, or somebody's recording."""

from collections.abc import Iterator
from pathlib import Path

from barograph.archive.recording import Recorded, Recording
from barograph.errors import BadInputError
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.tape import Beat, MarketEvent, Print
from barograph.types import NS_PER_S, Tick
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Heard, Rules

RECORDER_HOLE_S = 10
"""Where no product of a recording ticks for longer, its recorder was not there: no heartbeats."""


class Source:
    """A market's events in order, dealt out by time. `start_ns` is a time before the first."""

    def __init__(
        self, products: tuple[str, ...], start_ns: int, events: Iterator[MarketEvent]
    ) -> None:
        self.products, self.start_ns = products, start_ns
        self._events = events
        self._next = next(events, None)

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self._next is None

    def until(self, time_ns: int) -> list[MarketEvent]:
        """The events that were not dealt out yet, up to the first one later than `time_ns`."""
        dealt: list[MarketEvent] = []
        event = self._next
        while event is not None and event.time_ns <= time_ns:
            dealt.append(event)
            event = next(self._events, None)
        self._next = event
        return dealt


def simulated(market: SimulatedMarket) -> Source:
    """A generated market from where it stands, without end."""

    def events() -> Iterator[MarketEvent]:
        while True:
            yield from market.events(1)

    return Source(market.products, market.now_ns, events())


def recorded(path: Path) -> Source:
    """The ticks of a recording of any form that can be replayed, at their own times.

    Where it kept no trade ids, a product's ticks are counted from 1. A quote without another trade
    is told on the ticker only. Heartbeats are added, one a second for each product that ticked.
    Raises BadInputError when there is nothing to read or no tick in it.
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
    venue = Coinbase(Rules(silence_timeout_s=None))
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
    """At each full second a heartbeat of every product, before what comes in that second."""
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
