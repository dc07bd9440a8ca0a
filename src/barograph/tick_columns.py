"""Records of ticks.raw that are ticks as a feed writes them, straight into an array of events.

What a record means says `codec.decode_numbers`. This reader takes a batch of which every record is
a plain tick, in the bytes that `codec.encode` gives it, and leaves every other batch alone.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from barograph.arrays import Int32, Records, UInt8
from barograph.codec import EVENT, NAT, TICK
from barograph.compiled import compiled
from barograph.plain_json import count, decimal, word, words
from barograph.types import Record

_LONGEST_NAME = 16
_NAME = np.dtype([("high", "u8"), ("low", "u8")])
_BUY, _SELL = words(b"buy")[1], words(b"sell")[1]
_QUOTE, _CLOSE, _NEWLINE, _ZERO, _NINE = 34, 125, 10, 48, 57
_TIME_DIGITS = 19


def _text(text: bytes) -> UInt8:
    return np.frombuffer(text, np.uint8)


_HEAD = _text(b'{"type":"tick/1","product":"')
_TIME = _text(b',"event_time_ns":')
_PRICE, _BID, _ASK = _text(b',"price":"'), _text(b',"bid":"'), _text(b',"ask":"')
_CONNECTION, _RECEIVED = _text(b',"connection":"'), _text(b',"receive_time_ns":')
_BID_SIZE, _ASK_SIZE = _text(b',"bid_size":"'), _text(b',"ask_size":"')
_VOLUME, _LAST_SIZE = _text(b',"volume_24h":"'), _text(b',"last_size":"')
_TRADE_ID, _SIDE, _SEQUENCE = _text(b',"trade_id":'), _text(b',"side":"'), _text(b',"sequence":')
_RECORDER = _text(b',"event_clock":"recorder"')


def tick_array(records: Sequence[Record], product_index: Callable[[str], int]) -> Records | None:
    """(n,) of EVENT as `codec.event_array` makes it of these records; None where one is not plain.

    A product's index is asked for only where all are. Raises what `product_index` raises.
    """
    keys = [record.key for record in records]
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    names = np.zeros(len(places), _NAME)
    for key, place in places.items():
        if not key.isascii() or len(key) > _LONGEST_NAME:
            return None
        names[place] = words(key.encode())
    of = np.fromiter(map(places.__getitem__, keys), np.int32, len(keys))
    block = b"\n".join([*(record.value for record in records), b""])
    events = np.zeros(len(records), EVENT)
    if not records or _read(np.frombuffer(block, np.uint8), names, of, events) != len(block):
        return None
    events["product"] = np.array([product_index(key) for key in places], np.int32)[of]
    return events


@compiled
def _read(block: UInt8, names: Records, of: Int32, events: Records) -> int:
    """Read a line into each event; return the place behind the last, or −1 where one is not plain.

    names: those of the products; of: that of each line.
    """
    p = 0
    for i in range(len(events)):
        p = _tick(block, p, names[of[i]], events[i])
        if p < 0:
            return -1
    return p


@compiled
def _tick(block: UInt8, p: int, name: Any, event: Any) -> int:
    p = _behind(block, p, _HEAD)
    if p < 0:
        return -1
    p, high, low, length = word(block, p)
    if p < 0 or length == 0 or length > _LONGEST_NAME or high != name.high or low != name.low:
        return -1
    p, event.event_time_ns = _time(block, _behind(block, p, _TIME))
    p, event.price = _number(block, _behind(block, p, _PRICE))
    p, event.bid = _number(block, _behind(block, p, _BID))
    p, event.ask = _number(block, _behind(block, p, _ASK))
    if p < 0 or not (event.price > 0.0 and 0.0 < event.bid <= event.ask):
        return -1
    if _starts(block, p, _CONNECTION):
        p = word(block, p + len(_CONNECTION))[0]
    event.receive_time_ns = NAT
    if p > 0 and _starts(block, p, _RECEIVED):
        p, event.receive_time_ns = _time(block, p + len(_RECEIVED))
    p, event.bid_size = _size(block, p, _BID_SIZE)
    p, event.ask_size = _size(block, p, _ASK_SIZE)
    p, event.volume_24h = _size(block, p, _VOLUME)
    event.trade_id = -1
    if p > 0 and _starts(block, p, _TRADE_ID):
        p, event.trade_id = count(block, p + len(_TRADE_ID))
    p, event.last_size = _size(block, p, _LAST_SIZE)
    event.kind = TICK
    p, event.side = _side(block, p)
    if p > 0 and _starts(block, p, _SEQUENCE):
        p = count(block, p + len(_SEQUENCE))[0]
    if p > 0 and _starts(block, p, _RECORDER):
        p += len(_RECORDER)
    return p + 2 if p > 0 and block[p] == _CLOSE and block[p + 1] == _NEWLINE else -1


@compiled
def _starts(block: UInt8, p: int, text: UInt8) -> bool:
    """Whether a text, which has no newline, stands at `p`."""
    i = 0
    while i < len(text) and block[p + i] == text[i]:
        i += 1
    return i == len(text)


@compiled
def _behind(block: UInt8, p: int, text: UInt8) -> int:
    return p + len(text) if p >= 0 and _starts(block, p, text) else -1


@compiled
def _number(block: UInt8, p: int) -> Any:
    if p < 0:
        return -1, 0.0
    return decimal(block, p)


@compiled
def _size(block: UInt8, p: int, name: UInt8) -> Any:
    """(place behind it or −1, an optional size: NaN where it does not stand at `p`)."""
    if p < 0 or not _starts(block, p, name):
        return p, np.nan
    return decimal(block, p + len(name))


@compiled
def _side(block: UInt8, p: int) -> Any:
    if p < 0 or not _starts(block, p, _SIDE):
        return p, 0
    p, high, low, _ = word(block, p + len(_SIDE))
    if high != 0 or low not in (_BUY, _SELL):
        return -1, 0
    return p, 1 if low == _BUY else -1


@compiled
def _time(block: UInt8, p: int) -> Any:
    """(place after it or −1, a natural number of at most 19 digits that int64 holds)."""
    if p < 0:
        return -1, 0
    start, value = p, 0
    while np.uint8(block[p] - _ZERO) <= 9 and p - start <= _TIME_DIGITS:
        value = value * 10 + int(block[p] - _ZERO)
        p += 1
    digits = p - start
    if digits == 0 or digits > _TIME_DIGITS or (digits > 1 and block[start] == _ZERO):
        return -1, 0
    if digits == _TIME_DIGITS and block[start] == _NINE:  # beyond 2255
        return -1, 0
    return p, value
