"""Lines of the Exchange form that are plain in every byte, read without making objects of them.

Plain is a flat object that begins with its type, of ASCII strings without escapes and natural
numbers, with the members of a ticker once each: decimals that a float64 holds exactly up to their
last division, and a time in UTC. Readers return the place after what they read, or −1 where it is
not plain. They stop at a newline, so a block that ends with one is never left.
"""

from typing import Any

import numpy as np

from barograph.arrays import Int64, UInt8
from barograph.compiled import compiled
from barograph.plain_json import count, decimal, word, words
from barograph.types import NS_PER_S

MAX_NAME_BYTES = 16
"""The longest product name that is plain: it fits two words."""

# Kinds of members; those below 16 that are decimals have their place in `numbers`.
_OTHER, _TYPE, PRODUCT, PRICE, BID, ASK, TIME = 0, 1, 2, 3, 4, 5, 6
BID_SIZE, ASK_SIZE, VOLUME, LAST_SIZE, SIDE, TRADE_ID, SEQUENCE = 7, 8, 9, 10, 11, 12, 13

TICKER = np.dtype(
    [
        ("name_high", "u8"),
        ("name_low", "u8"),
        ("seen", "i8"),
        ("event_time_ns", "i8"),
        ("trade_id", "i8"),
        ("sequence", "i8"),
        ("side", "i8"),
        ("numbers", "f8", (LAST_SIZE + 1,)),
        ("starts", "i8", (SEQUENCE + 1,)),
        ("stops", "i8", (SEQUENCE + 1,)),
    ],
    align=True,
)
"""One line as it was read. `seen` has a bit for each kind of member; unknown counts are −1.

`starts` and `stops` say where in the block the value of each kind stands, with its quotes.
"""

LAYOUT = np.dtype([("high", "u8"), ("low", "u8"), ("kind", "i8")])
"""A member's name, as two words, and its kind: the next line's members come in the same order."""

MEMBERS = 32

_NAMES = {
    _TYPE: b"type",
    PRODUCT: b"product_id",
    PRICE: b"price",
    BID: b"best_bid",
    ASK: b"best_ask",
    TIME: b"time",
    BID_SIZE: b"best_bid_size",
    ASK_SIZE: b"best_ask_size",
    VOLUME: b"volume_24h",
    LAST_SIZE: b"last_size",
    SIDE: b"side",
    TRADE_ID: b"trade_id",
    SEQUENCE: b"sequence",
}
_NEEDED = sum(1 << kind for kind in (PRODUCT, PRICE, BID, ASK, TIME))


_KEYS = np.array([(*words(name), kind) for kind, name in _NAMES.items()], LAYOUT)
_BUY, _SELL = words(b"buy")[1], words(b"sell")[1]
_HEAD = np.frombuffer(b'{"type":', np.uint8)
_TICKER = np.frombuffer(b'"ticker"', np.uint8)
_SHORTEST = 64  # bytes; no line with what a ticker needs is shorter

_QUOTE, _COLON, _COMMA, _CLOSE = 34, 58, 44, 125
_SPACE, _NEWLINE, _RETURN, _POINT, _MINUS, _ZERO = 32, 10, 13, 46, 45, 48
_T, _Z = 84, 90
_DAYS_BEFORE = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365])


@compiled
def read_line(block: UInt8, place: int, layout: Any, memo: Int64, ticker: Any) -> int:
    """Read the line at `place` into `ticker`, a TICKER; return the place after its newline.

    layout: (MEMBERS,) of LAYOUT, what the lines before had; memo: (2,) int64, the last date and its
    days since 1970. Both begin as zeros and are changed.
    """
    p = _head(block, place)
    if p < 0:
        return -1
    ticker.seen = 1 << _TYPE
    ticker.trade_id = -1
    ticker.sequence = -1
    ticker.side = 0
    ticker.numbers[BID_SIZE] = np.nan
    ticker.numbers[ASK_SIZE] = np.nan
    ticker.numbers[VOLUME] = np.nan
    ticker.numbers[LAST_SIZE] = np.nan
    member = 0
    while True:
        p = _blank(block, p)
        if block[p] != _COMMA:
            break
        p, kind = _kind(block, _blank(block, p + 1), layout, member)
        if p < 0 or (kind != _OTHER and ticker.seen >> kind & 1):
            return -1
        ticker.seen |= 1 << kind
        ticker.starts[kind] = p
        p = _value(block, p, kind, memo, ticker)
        if p < 0:
            return -1
        ticker.stops[kind] = p
        member += 1
    if block[p] != _CLOSE or ticker.seen & _NEEDED != _NEEDED:
        return -1
    p += 1
    if block[p] == _RETURN:
        p += 1
    return p + 1 if block[p] == _NEWLINE else -1


@compiled
def _head(block: UInt8, p: int) -> int:
    if len(block) - p < _SHORTEST:
        return -1
    for i in range(len(_HEAD)):
        if block[p + i] != _HEAD[i]:
            return -1
    p = _blank(block, p + len(_HEAD))
    for i in range(len(_TICKER)):
        if block[p + i] != _TICKER[i]:
            return -1
    return p + len(_TICKER)


@compiled
def _blank(block: UInt8, p: int) -> int:
    while block[p] == _SPACE:
        p += 1
    return p


@compiled
def _kind(block: UInt8, p: int, layout: Any, member: int) -> Any:
    """(place of the value, kind of the member) of a member's name and colon."""
    if block[p] != _QUOTE:
        return -1, _OTHER
    p, high, low, _ = word(block, p + 1)
    if p < 0 or block[p] != _COLON:
        return -1, _OTHER
    p = _blank(block, p + 1)
    if member >= len(layout):
        return p, _look_up(high, low)
    seen = layout[member]
    if seen.low != low or seen.high != high:
        seen.high = high
        seen.low = low
        seen.kind = _look_up(high, low)
    return p, seen.kind


@compiled
def _look_up(high: int, low: int) -> int:
    for i in range(len(_KEYS)):
        if _KEYS[i].low == low and _KEYS[i].high == high:
            return _KEYS[i].kind
    return _OTHER


@compiled
def _value(block: UInt8, p: int, kind: int, memo: Int64, ticker: Any) -> int:
    if kind == TRADE_ID:
        p, ticker.trade_id = count(block, p)
    elif kind == SEQUENCE:
        p, ticker.sequence = count(block, p)
    elif block[p] != _QUOTE:
        p = count(block, p)[0] if kind == _OTHER else -1
    elif kind == _OTHER:
        p = word(block, p + 1)[0]
    elif kind == PRODUCT:
        p, ticker.name_high, ticker.name_low, length = word(block, p + 1)
        if length == 0 or length > MAX_NAME_BYTES:
            return -1
    elif kind == SIDE:
        p, ticker.side = _side(block, p + 1)
    elif kind == TIME:
        p, ticker.event_time_ns = _time(block, p + 1, memo)
    else:
        p, ticker.numbers[kind] = decimal(block, p + 1)
    return p


@compiled
def _side(block: UInt8, p: int) -> Any:
    p, _, low, _ = word(block, p)
    if low not in (_BUY, _SELL):
        return -1, 0
    return p, 1 if low == _BUY else -1


@compiled
def _two(block: UInt8, p: int) -> int:
    """Return the value of two digits, or a number that no date has."""
    tens = np.uint8(block[p] - _ZERO)
    ones = np.uint8(block[p + 1] - _ZERO)
    if tens > 9 or ones > 9:
        return 1000
    return int(tens) * 10 + int(ones)


@compiled
def _time(block: UInt8, p: int, memo: Int64) -> Any:
    """(place after the closing quote or −1, ns since 1970) of YYYY-MM-DDThh:mm:ss[.1-9 digits]Z."""
    if len(block) - p < 20:
        return -1, 0
    signs = (
        block[p + 4] == _MINUS
        and block[p + 7] == _MINUS
        and block[p + 10] == _T
        and block[p + 13] == _COLON
        and block[p + 16] == _COLON
    )
    day = _day(block, p, memo)
    hour = _two(block, p + 11)
    minute = _two(block, p + 14)
    second = _two(block, p + 17)
    if not signs or day < 0 or hour > 23 or minute > 59 or second > 59:
        return -1, 0
    p, nanoseconds = _fraction(block, p + 19)
    if p < 0 or block[p] != _Z or block[p + 1] != _QUOTE:
        return -1, 0
    return p + 2, (day * 86_400 + hour * 3600 + minute * 60 + second) * NS_PER_S + nanoseconds


@compiled
def _fraction(block: UInt8, p: int) -> Any:
    """(place after it or −1, nanoseconds) of .1-9 digits or of nothing."""
    if block[p] != _POINT:
        return p, 0
    p += 1
    start = p
    nanoseconds = 0
    while np.uint8(block[p] - _ZERO) <= 9:
        nanoseconds = nanoseconds * 10 + int(block[p] - _ZERO)
        p += 1
    digits = p - start
    if digits == 0 or digits > 9:
        return -1, 0
    for _ in range(9 - digits):
        nanoseconds *= 10
    return p, nanoseconds


@compiled
def _day(block: UInt8, p: int, memo: Int64) -> int:
    """Days since 1970 of YYYY-MM-DD in 1970 to 2261; −1 where there is none."""
    year = _two(block, p) * 100 + _two(block, p + 2)
    month = _two(block, p + 5)
    day = _two(block, p + 8)
    date = (year * 10_000 + month) * 10_000 + day
    if memo[0] != date:
        days = _days(year, month, day)
        if days < 0:
            return -1
        memo[0] = date
        memo[1] = days
    return memo[1]


@compiled
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970 of a date of the Gregorian calendar; −1 for one that is none or too far."""
    if year < 1970 or year > 2261 or month < 1 or month > 12 or day < 1:
        return -1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    length = _DAYS_BEFORE[month] - _DAYS_BEFORE[month - 1] + (1 if leap and month == 2 else 0)
    if day > length:
        return -1
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 - 719_162
    return days + _DAYS_BEFORE[month - 1] + (1 if leap and month > 2 else 0) + day - 1
