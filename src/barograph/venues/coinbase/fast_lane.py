"""Plain ticker lines straight into arrays, for recordings that are read at once.

`ExchangeFeed` says what a line means. This lane takes the lines about which there is nothing to
say: plain in every byte (see `plain`), no hole, no repeat, no silence. Each gives one event, and
everything else is left to the machine. So for any bytes, lane and machine together give what the
machine alone gives.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from barograph.arrays import Int64, Records, UInt8
from barograph.codec import NAT, TICK
from barograph.compiled import compiled
from barograph.plain_json import words
from barograph.types import NS_PER_S, Frame, Tick
from barograph.venues.coinbase import plain_lines
from barograph.venues.coinbase.advanced import AdvancedTrade
from barograph.venues.coinbase.exchange import ExchangeFeed
from barograph.venues.coinbase.plain_lines import (
    ASK,
    ASK_SIZE,
    BID,
    BID_SIZE,
    LAST_SIZE,
    PRICE,
    VOLUME,
)
from barograph.venues.coinbase.tick_values import NOWHERE, TickValues, write_value
from barograph.venues.continuity import Continuity
from barograph.venues.continuity_state import ProductContinuity
from barograph.venues.entries import Dialect, Opening

LINE = np.dtype(
    [
        ("name_high", "u8"),
        ("name_low", "u8"),
        ("product", "i4"),
        ("plain", "i1"),
        ("touched", "i1"),
        # Where the last line that the lane took stands in the block.
        ("start", "i8"),
        ("stop", "i8"),
        # What the machine knows of the product: `ProductContinuity` and its last tick as numbers.
        ("last_ns", "i8"),
        ("counted_trade_id", "i8"),
        ("event_time_ns", "i8"),
        ("trade_id", "i8"),
        ("sequence", "i8"),
        ("price", "f8"),
        ("bid", "f8"),
        ("ask", "f8"),
        ("bid_size", "f8"),
        ("ask_size", "f8"),
        ("volume_24h", "f8"),
    ],
    align=True,
)
"""One product in the lane. Unknown numbers are −1 where they count and NaN where they measure.

`plain` says that the lane may take its lines; `touched` that it took some since the machine knew.
"""


class Columns:
    """The lane of one connection, beside the machine that shares its `continuity`.

    Its turns are `take`, then `give_back`, then whatever the machine receives, then `learn`. Events
    come as codec.event_array makes them. `product_index` as the featurizer has it.
    """

    def __init__(
        self,
        opening: Opening,
        continuity: Continuity,
        silence_timeout_s: float | None,
        product_index: Callable[[str], int],
    ) -> None:
        self._opening, self._continuity = opening, continuity
        self._product_index = product_index
        self._timeout_ns = (
            2**63 - 1 if silence_timeout_s is None else int(silence_timeout_s * NS_PER_S)
        )
        self._names: list[str] = []
        self._slots: dict[str, int] = {}
        self._lines = np.zeros(0, LINE)
        self._last: dict[int, bytes] = {}
        self._frames = 0
        self._guess = np.zeros(256, np.int64)
        self._layout = np.zeros(plain_lines.MEMBERS, plain_lines.LAYOUT)
        self._memo = np.zeros(2, np.int64)
        self._ticker = np.zeros(1, plain_lines.TICKER)

    @property
    def products(self) -> list[str]:
        """The products that the lane has learned."""
        return self._names

    def take(
        self,
        block: bytes,
        place: int,
        events: Records,
        filled: int,
        values: TickValues | None = None,
    ) -> tuple[int, int]:
        """Read plain lines into `events`, from `place` in `block` and from `filled` on.

        block: whole lines, each with its newline. values: where the bytes of their ticks go, each
        in the place of its event. Returns where the first line begins that is not
        plain, or the block's end, and how far `events` is filled now; it stops when they are full.
        """
        lines = self._lines
        place, now = _scan(
            np.frombuffer(block, np.uint8),
            place,
            (self._layout, self._memo, self._ticker, self._guess),
            lines,
            (self._opening.continuity == "trade_id", self._timeout_ns),
            events,
            filled,
            NOWHERE if values is None else values.arrays,
        )
        self._frames += now - filled
        # The last lines are copied out of the block: the machine needs them as ticks later.
        touched = np.flatnonzero(lines["touched"])
        starts, stops = lines["start"][touched].tolist(), lines["stop"][touched].tolist()
        for slot, start, stop in zip(touched.tolist(), starts, stops, strict=True):
            self._last[slot] = block[start:stop]
        lines["touched"] = 0
        return place, now

    def give_back(self) -> None:
        """Update the machine's continuity with all that the lane took."""
        self._continuity.connections[self._opening.connection].frames += self._frames
        self._frames = 0
        for slot, text in self._last.items():
            line = self._continuity.lines[self._names[slot]]
            line.tick = tick_of(text, self._opening)
            count_on(line, self._lines[slot])
        self._last.clear()

    def learn(self, products: Iterable[str]) -> None:
        """Load the state of the machine's latest products into the lane."""
        for product in products:
            name = product.encode()
            slot = self._slots.get(product)
            if slot is None:
                if len(name) > plain_lines.MAX_NAME_BYTES or b"\0" in name:
                    continue
                slot = self._slots[product] = len(self._names)
                self._names.append(product)
                self._lines = np.concatenate([self._lines, np.zeros(1, LINE)])
                self._lines[slot]["name_high"], self._lines[slot]["name_low"] = words(name)
                self._lines[slot]["product"] = self._product_index(product)
            know(self._lines[slot], self._continuity.lines[product], self._opening)


def know(lane: Any, line: ProductContinuity, opening: Opening) -> None:
    """Load the state of a machine's product into its place of LINE."""
    tick = line.tick
    lane["plain"] = (
        tick is not None and line.settled_trade_id is None and line.is_plain(opening.connection)
    )
    if tick is None or not lane["plain"]:
        return
    lane["last_ns"] = line.last_ns
    lane["counted_trade_id"] = _known(line.trade_id)
    lane["event_time_ns"] = tick.event_time_ns
    lane["trade_id"] = _known(tick.trade_id)
    lane["sequence"] = _known(tick.sequence)
    for field in ("price", "bid", "ask", "bid_size", "ask_size", "volume_24h"):
        text = getattr(tick, field)
        lane[field] = np.nan if text is None else float(text)


def count_on(line: ProductContinuity, lane: Any) -> None:
    """Give the time and the trade id of a place of LINE back to the machine's product."""
    line.last_ns = int(lane["last_ns"])
    counted = int(lane["counted_trade_id"])
    line.trade_id = None if counted < 0 else counted


def tick_of(text: bytes, opening: Opening) -> Tick:
    """Return the tick of a plain line, as a fresh machine reads it."""
    machine = ExchangeFeed() if opening.dialect is Dialect.EXCHANGE else AdvancedTrade()
    machine.open(opening)
    (tick,) = machine.receive(Frame(data=text, connection=opening.connection)).events
    if not isinstance(tick, Tick):
        raise TypeError(tick)
    return tick


def _known(count: int | None) -> int:
    return -1 if count is None else count


@compiled
def _scan(  # noqa: PLR0913 - the block, what is remembered of lines and products, and the events
    block: UInt8,
    place: int,
    memory: Any,
    lines: Records,
    rules: Any,
    events: Records,
    filled: int,
    values: Any,
) -> tuple[int, int]:
    """See `Columns.take`. rules: whether `trade_id` counts what should come, and the time-out."""
    layout, memo, tickers, guess = memory
    counts, timeout_ns = rules
    ticker = tickers[0]
    while place < len(block) and filled < len(events):
        stop = plain_lines.read_line(block, place, layout, memo, ticker)
        if stop < 0:
            break
        slot = _slot(lines, guess, ticker.name_high, ticker.name_low)
        if slot < 0 or not sound(ticker) or not follows(ticker, lines[slot], counts, timeout_ns):
            break
        note(ticker, lines[slot], counts, place, stop)
        write(ticker, lines[slot].product, events[filled])
        if len(values[1]):
            write_value(block, ticker, filled, values)
        filled += 1
        place = stop
    return place, filled


@compiled
def sound(ticker: Any) -> bool:
    """Whether a quote is one."""
    n = ticker.numbers
    return n[PRICE] > 0.0 and 0.0 < n[BID] <= n[ASK]


@compiled
def follows(ticker: Any, line: Any, counts: bool, timeout_ns: int) -> bool:
    """Whether a tick is news of its product, and no hole lies before it."""
    elapsed_ns = ticker.event_time_ns - line.last_ns
    if not line.plain or elapsed_ns > timeout_ns:
        return False
    if elapsed_ns < 0 and ticker.event_time_ns // NS_PER_S < line.last_ns // NS_PER_S:
        return False  # its second has closed
    next_id = line.counted_trade_id + 1
    if counts and ticker.trade_id >= 0 and (next_id < 1 or ticker.trade_id != next_id):
        return False  # a hole, late, or the last id once more, perhaps of another trade
    return not _may_repeat(ticker, line)


@compiled
def _may_repeat(ticker: Any, line: Any) -> bool:
    """Whether a tick equals the last one in numbers; the machine compares the text."""
    n = ticker.numbers
    if ticker.trade_id >= 0:
        same = ticker.trade_id == line.trade_id
    elif ticker.sequence >= 0:
        same = ticker.sequence == line.sequence
    else:
        same = ticker.event_time_ns == line.event_time_ns and _equal(n[VOLUME], line.volume_24h)
    return (
        same
        and n[PRICE] == line.price
        and n[BID] == line.bid
        and n[ASK] == line.ask
        and _equal(n[BID_SIZE], line.bid_size)
        and _equal(n[ASK_SIZE], line.ask_size)
    )


@compiled
def _equal(a: float, b: float) -> bool:
    return a == b or (np.isnan(a) and np.isnan(b))


@compiled
def note(ticker: Any, line: Any, counts: bool, place: int, stop: int) -> None:
    """Make the line's tick the product's last one."""
    if counts and ticker.trade_id >= 0:
        line.counted_trade_id = ticker.trade_id
    line.last_ns = max(line.last_ns, ticker.event_time_ns)
    line.event_time_ns = ticker.event_time_ns
    line.trade_id = ticker.trade_id
    line.sequence = ticker.sequence
    line.price = ticker.numbers[PRICE]
    line.bid = ticker.numbers[BID]
    line.ask = ticker.numbers[ASK]
    line.bid_size = ticker.numbers[BID_SIZE]
    line.ask_size = ticker.numbers[ASK_SIZE]
    line.volume_24h = ticker.numbers[VOLUME]
    line.touched = 1
    line.start = place
    line.stop = stop


@compiled
def write(ticker: Any, product: int, event: Any) -> None:
    """Write a ticker without a receive time as an event."""
    event.event_time_ns = ticker.event_time_ns
    event.receive_time_ns = NAT
    event.gap_start_ns = 0
    event.trade_id = ticker.trade_id
    event.price = ticker.numbers[PRICE]
    event.bid = ticker.numbers[BID]
    event.ask = ticker.numbers[ASK]
    event.bid_size = ticker.numbers[BID_SIZE]
    event.ask_size = ticker.numbers[ASK_SIZE]
    event.volume_24h = ticker.numbers[VOLUME]
    event.last_size = ticker.numbers[LAST_SIZE]
    event.product = product
    event.kind = TICK
    event.side = ticker.side


@compiled
def _slot(lines: Records, guess: Int64, high: Any, low: Any) -> int:
    """Return the index of a product in `lines`; −1 when it is not there."""
    hashed = (low ^ high * np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0x9E3779B97F4A7C15)
    place = np.int64(hashed >> np.uint64(56))
    slot = guess[place]
    if slot < len(lines) and lines[slot].name_low == low and lines[slot].name_high == high:
        return slot
    for slot in range(len(lines)):
        if lines[slot].name_low == low and lines[slot].name_high == high:
            guess[place] = slot
            return slot
    return -1
