"""Recorded lines of Coinbase: the frame of a single line, when it is due, what its ids count.

A whole recording is read by `venues.forms.reader`, which settles its form from its first lines.
"""

from collections.abc import Iterable
from datetime import UTC, tzinfo
from typing import Literal

import msgspec

from barograph.codec import UNREADABLE
from barograph.times import parse_time
from barograph.types import Frame
from barograph.venues.forms.envelope import Wrapper
from barograph.venues.forms.reader import FormReader, Unwrapped

__all__ = ["Unwrapped", "Wrapper", "continuity_of", "time_of", "unwrap"]


def unwrap(line: bytes, zone: tzinfo = UTC) -> Unwrapped:
    """Return the frame in one recorded line by itself; a naive local time is read in `zone`.

    Raises FrameRefusedError when the line is no JSON object of a known form.
    """
    reader = FormReader(zone)
    reader.settle([line])
    return reader.read(line)


class _Time(msgspec.Struct, gc=False):
    time: str = ""
    timestamp: str = ""


_time = msgspec.json.Decoder(_Time).decode


def time_of(frame: Frame) -> int | None:
    """Return a frame's receive time, or else its event time, in epoch ns; None without both."""
    if frame.receive_time_ns is not None:
        return frame.receive_time_ns
    try:
        times = _time(frame.data)
        return parse_time(times.time or times.timestamp)
    except (*UNREADABLE, ValueError):
        return None


class _TradeId(msgspec.Struct, gc=False):
    type: str = "ticker"
    product_id: str = ""
    trade_id: int | None = None


_trade_id = msgspec.json.Decoder(_TradeId, strict=False).decode


def continuity_of(frames: Iterable[Frame]) -> Literal["trade_id", "none"]:
    """Whether `trade_id` counts what a recording of the Exchange form should hold.

    Coinbase sends one ticker for each trade, so there an id returns only when a connection is new.
    Where more than a tenth of the ids are those of the product's tick before, the venue sends a
    ticker for changed quotes too and may well leave trades out: "none".
    """
    last: dict[str, int] = {}
    seen = repeated = 0
    for frame in frames:
        try:
            ticker = _trade_id(frame.data)
        except UNREADABLE:
            continue
        if ticker.trade_id is not None and ticker.type == "ticker":
            seen += 1
            repeated += last.get(ticker.product_id) == ticker.trade_id
            last[ticker.product_id] = ticker.trade_id
    return "none" if repeated * 10 > seen else "trade_id"
