"""Rows of a table of ticks straight into arrays, for tables that are in memory.

As `fast_lane` takes plain lines, this lane takes the rows about which there is nothing to say: a
sound quote, no hole, no repeat, no silence. Everything else is left to the machine, so lane and
machine together give what the machine alone gives.
"""

from typing import Any, NamedTuple

import numpy as np

from barograph.arrays import Float64, Int32, Int64, Records
from barograph.compiled import compiled
from barograph.types import LATEST_NS, NS_PER_S
from barograph.venues.coinbase import plain_lines
from barograph.venues.coinbase.fast_lane import (
    LINE,
    count_on,
    follows,
    know,
    note,
    sound,
    tick_of,
    write,
)
from barograph.venues.coinbase.plain_lines import (
    ASK,
    ASK_SIZE,
    BID,
    BID_SIZE,
    LAST_SIZE,
    PRICE,
    VOLUME,
)
from barograph.venues.continuity import Continuity
from barograph.venues.entries import Opening

_LEAST, _MOST = 1e-9, 1e17


class Rows(NamedTuple):
    """Columns (n,) of a table of ticks, C-contiguous.

    `name`: a number of the product's name, −1 for none; `time_ns`, `received_ns`: NAT for unknown;
    `trade_id`, `sequence`: −1 for none; `side`: +1 bought, −1 sold, else 0; all
    others NaN for unknown.
    """

    name: Int32
    time_ns: Int64
    received_ns: Int64
    trade_id: Int64
    sequence: Int64
    side: Int32
    price: Float64
    bid: Float64
    ask: Float64
    bid_size: Float64
    ask_size: Float64
    volume_24h: Float64
    last_size: Float64


class RowLane:
    """The lane beside a machine that shares its `continuity`, on one connection.

    `take` reads plain rows; of the row where it stops, `give_back` its product, let the machine
    receive it, and `learn` the product. One instance reads one table. names: how many there are.
    """

    def __init__(self, rows: Rows, names: int, opening: Opening, continuity: Continuity) -> None:
        self._rows, self._opening, self._continuity = rows, opening, continuity
        timeout_s = continuity.rules.silence_timeout_s
        timeout_ns = 2**63 - 1 if timeout_s is None else int(timeout_s * NS_PER_S)
        self._rules = (opening.continuity == "trade_id", timeout_ns)
        self._slots = np.full(names, -1, np.int32)
        self._places: dict[str, int] = {}
        self._lines = np.zeros(0, LINE)
        self._ticker = np.zeros(1, plain_lines.TICKER)

    def take(self, row: int, events: Records, filled: int) -> tuple[int, int]:
        """Read plain rows from `row` on into `events`, from `filled` on.

        Returns the first row that is not plain, or their number, and how far `events` is filled.
        """
        next_row, now = _scan(
            self._rows, row, self._ticker, self._slots, self._lines, self._rules, events, filled
        )
        self._continuity.connections[self._opening.connection].frames += now - filled
        return next_row, now

    def last_row(self, product: str) -> int | None:
        """The last row of a product that the lane took since the machine knew, or None."""
        slot = self._places.get(product)
        if slot is None:
            return None
        lane = self._lines[slot]
        return int(lane["start"]) if lane["touched"] else None

    def give_back(self, product: str, frame: bytes) -> None:
        """Update the machine's continuity of a product; frame: that of its `last_row`."""
        lane = self._lines[self._places[product]]
        line = self._continuity.lines[product]
        line.tick = tick_of(frame, self._opening)
        count_on(line, lane)
        lane["touched"] = 0

    def learn(self, name: int, product: str, place: int) -> None:
        """Load the machine's state of the product of a name; place: its index among events."""
        slot = self._places.get(product)
        if slot is None:
            slot = self._places[product] = len(self._places)
            self._lines = np.concatenate([self._lines, np.zeros(1, LINE)])
            self._lines[slot]["product"] = place
        self._slots[name] = slot
        know(self._lines[slot], self._continuity.lines[product], self._opening)


@compiled
def _scan(  # noqa: PLR0913 - the rows, what is remembered of products, and the events
    rows: Any,
    row: int,
    tickers: Records,
    slots: Int32,
    lines: Records,
    rules: Any,
    events: Records,
    filled: int,
) -> tuple[int, int]:
    """See `RowLane.take`. rules: whether `trade_id` counts what should come, and the time-out."""
    counts, timeout_ns = rules
    ticker = tickers[0]
    while row < len(rows.time_ns) and filled < len(events):
        name = rows.name[row]
        slot = slots[name] if name >= 0 else -1
        if slot < 0:
            break
        _read(rows, row, ticker)
        line = lines[slot]
        if not (_bounded(ticker) and sound(ticker) and follows(ticker, line, counts, timeout_ns)):
            break
        note(ticker, line, counts, row, row + 1)
        write(ticker, line.product, events[filled])
        events[filled].receive_time_ns = rows.received_ns[row]
        filled += 1
        row += 1
    return row, filled


@compiled
def _read(rows: Any, row: int, ticker: Any) -> None:
    ticker.event_time_ns = rows.time_ns[row]
    ticker.trade_id = rows.trade_id[row]
    ticker.sequence = rows.sequence[row]
    ticker.side = rows.side[row]
    n = ticker.numbers
    n[PRICE] = rows.price[row]
    n[BID] = rows.bid[row]
    n[ASK] = rows.ask[row]
    n[BID_SIZE] = rows.bid_size[row]
    n[ASK_SIZE] = rows.ask_size[row]
    n[VOLUME] = rows.volume_24h[row]
    n[LAST_SIZE] = rows.last_size[row]


@compiled
def _bounded(ticker: Any) -> bool:
    """Whether all numbers are far from where the machine would refuse them; NaN sizes are."""
    n = ticker.numbers
    if not 0 <= ticker.event_time_ns <= LATEST_NS:
        return False
    if not (_LEAST <= n[PRICE] <= _MOST and n[BID] >= _LEAST and n[ASK] <= _MOST):
        return False
    for size in (n[BID_SIZE], n[ASK_SIZE], n[VOLUME], n[LAST_SIZE]):
        if size < 0.0 or size > _MOST:
            return False
    return True
