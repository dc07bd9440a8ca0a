"""Plain ticker lines as the bytes of their ticks in ticks.raw, without an object between.

A plain line's texts stand in its tick as they are (`plain_lines`), so its bytes are copied
together: those that `codec.encode` gives for the tick that the machine makes of the line.
"""

from typing import Any

import msgspec
import numpy as np

from barograph.arrays import Int64, UInt8
from barograph.compiled import compiled
from barograph.venues.coinbase.plain_lines import (
    ASK,
    ASK_SIZE,
    BID,
    BID_SIZE,
    LAST_SIZE,
    PRICE,
    PRODUCT,
    SEQUENCE,
    SIDE,
    TRADE_ID,
    VOLUME,
)
from barograph.venues.entries import Opening

_NAMES = {
    PRODUCT: b'{"type":"tick/1","product":',
    PRICE: b',"price":',
    BID: b',"bid":',
    ASK: b',"ask":',
    BID_SIZE: b',"bid_size":',
    ASK_SIZE: b',"ask_size":',
    VOLUME: b',"volume_24h":',
    TRADE_ID: b',"trade_id":',
    LAST_SIZE: b',"last_size":',
    SIDE: b',"side":',
    SEQUENCE: b',"sequence":',
}
_ORDER = np.array([*_NAMES], np.int64)
_STOPS = np.cumsum([0, *map(len, _NAMES.values())])
_TEXT = np.frombuffer(b"".join(_NAMES.values()), np.uint8)
_TIME = np.frombuffer(b',"event_time_ns":', np.uint8)
_ZERO = 48
_MOST_DIGITS = 19
_OVERHEAD_BYTES = len(_TEXT) + len(_TIME) + _MOST_DIGITS + 1


class TickValues:
    """Values of ticks.raw, one behind the other: of so many lines of a connection, at most.

    lines, size_bytes: the lines' number and length in all. The n-th value ends at `ends[n]` of
    `values`, where the next one begins.
    """

    def __init__(self, opening: Opening, lines: int, size_bytes: int) -> None:
        connection, clock = opening.connection, opening.event_clock
        told = b"" if not connection else b',"connection":' + msgspec.json.encode(connection)
        tail = b"" if clock == "venue" else b',"event_clock":' + msgspec.json.encode(clock)
        self._connection = np.array([*told], np.uint8)
        self._tail = np.array([*tail, *b"}"], np.uint8)
        around = _OVERHEAD_BYTES + len(told) + len(tail)
        self.ends = np.zeros(lines, np.int64)
        self.values = np.empty(size_bytes + lines * around, np.uint8)

    @property
    def arrays(self) -> tuple[UInt8, Int64, UInt8, UInt8]:
        """What `write_value` takes."""
        return self.values, self.ends, self._connection, self._tail

    def first(self, n: int) -> list[bytes]:
        """Return the first `n` values."""
        ends = self.ends[:n].tolist()
        whole = self.values[: max(ends, default=0)].tobytes()
        return [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]


NOWHERE = (
    np.zeros(0, np.uint8),
    np.zeros(0, np.int64),
    np.zeros(0, np.uint8),
    np.zeros(0, np.uint8),
)
"""In place of `TickValues.arrays` where no values are wanted."""


@compiled
def write_value(block: UInt8, ticker: Any, place: int, arrays: Any) -> None:
    """Write the tick of the line that was read last from `block` into place `place` of `arrays`."""
    values, ends, connection, tail = arrays
    at = ends[place - 1] if place else 0
    for i in range(len(_ORDER)):
        kind = _ORDER[i]
        if ticker.seen >> kind & 1:
            at = _copy(_TEXT, _STOPS[i], _STOPS[i + 1], values, at)
            at = _copy(block, ticker.starts[kind], ticker.stops[kind], values, at)
        if kind == PRODUCT:
            at = _copy(_TIME, 0, len(_TIME), values, at)
            at = _digits(ticker.event_time_ns, values, at)
        elif kind == ASK:
            at = _copy(connection, 0, len(connection), values, at)
    ends[place] = _copy(tail, 0, len(tail), values, at)


@compiled
def _copy(source: UInt8, start: int, stop: int, target: UInt8, at: int) -> int:
    """Copy source[start:stop] to `at`; return the place behind it."""
    for i in range(stop - start):
        target[at + i] = source[start + i]
    return at + stop - start


@compiled
def _digits(number: int, target: UInt8, at: int) -> int:
    """Write a natural number in decimal; return the place behind it."""
    length = 1
    rest = number // 10
    while rest:
        rest //= 10
        length += 1
    for i in range(length):
        target[at + length - 1 - i] = _ZERO + number % 10
        number //= 10
    return at + length
