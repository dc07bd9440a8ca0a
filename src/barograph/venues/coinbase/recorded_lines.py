"""The line forms in which people record Coinbase: each line gives back the venue's own frame.

Known are bare frames of both dialects, and four wrappers: `payload` (an Advanced Trade frame beside
`ingest_time`), `pair` (`ts`, `pair` and the frame as a string in `raw`), `raw` (flattened fields, a
naive local `timestamp`, and the ticker object in `raw`) and `flat` (flattened fields with
`ws_timestamp` and `received_at`). The last two kept no envelope: one is put around the ticker
again, without the `sequence_num`, because they kept only tickers and its holes prove nothing.
"""

from collections.abc import Iterable
from datetime import UTC, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from barograph.codec import UNREADABLE
from barograph.times import format_time, parse_time
from barograph.types import NS_PER_S, Fault, Frame
from barograph.venues.entries import Dialect
from barograph.venues.refusals import FrameRefusedError, fault_of


class Wrapper(StrEnum):
    """The form of a recorded line."""

    EXCHANGE = "exchange"
    ADVANCED = "advanced"
    PAYLOAD = "payload"
    PAIR = "pair"
    RAW = "raw"
    FLAT = "flat"


class Unwrapped(NamedTuple):
    """The venue's frame and what the recorder knew of it."""

    frame: bytes
    dialect: Dialect
    wrapper: Wrapper
    receive_time_ns: int | None = None
    event_clock: Literal["venue", "recorder"] = "venue"


_ABSENT = msgspec.Raw()


class _Line(msgspec.Struct, gc=False):
    type: msgspec.Raw = _ABSENT
    channel: msgspec.Raw = _ABSENT
    payload: msgspec.Raw = _ABSENT
    raw: msgspec.Raw = _ABSENT
    ts: Decimal | None = None
    ingest_time: str | None = None
    timestamp: str | None = None


class _Flat(msgspec.Struct, gc=False):
    product_id: str
    price: str
    best_bid: str
    best_ask: str
    ws_timestamp: str
    best_bid_qty: str | None = None
    best_ask_qty: str | None = None
    volume_24h: str | None = None
    event_type: str = "update"
    received_at: str | None = None


_line = msgspec.json.Decoder(_Line).decode
_flat = msgspec.json.Decoder(_Flat).decode
_text = msgspec.json.Decoder(str).decode


def unwrap(line: bytes, zone: tzinfo = UTC) -> Unwrapped:
    """Return the frame in one recorded line; a naive local time is read in `zone`.

    Raises FrameRefusedError when the line is no JSON object of a known form.
    """
    # Bare frames are not parsed here: their machine does that.
    if line.startswith(b'{"type":'):
        return Unwrapped(line, Dialect.EXCHANGE, Wrapper.EXCHANGE)
    if line.startswith((b'{"channel":', b'{"channel" :')):
        return Unwrapped(line, Dialect.ADVANCED, Wrapper.ADVANCED)
    try:
        return _unwrap(line, zone)
    except UNREADABLE as error:
        raise FrameRefusedError(*fault_of(line, error, "", frozenset())) from None
    except ValueError as error:
        raise FrameRefusedError(Fault.BAD_TIME, str(error)) from None


def _unwrap(line: bytes, zone: tzinfo) -> Unwrapped:
    wrapped = _line(line)
    if wrapped.payload is not _ABSENT:
        received_ns = None if wrapped.ingest_time is None else parse_time(wrapped.ingest_time)
        return Unwrapped(bytes(wrapped.payload), Dialect.ADVANCED, Wrapper.PAYLOAD, received_ns)
    if wrapped.raw is not _ABSENT:
        inner = bytes(wrapped.raw)
        if inner.startswith(b'"'):
            received_ns = None if wrapped.ts is None else _nanoseconds(wrapped.ts)
            frame = _text(inner).encode()
            dialect = Dialect.ADVANCED if frame.startswith(b'{"channel"') else Dialect.EXCHANGE
            return Unwrapped(frame, dialect, Wrapper.PAIR, received_ns)
        if wrapped.timestamp is None:
            raise FrameRefusedError(Fault.WRONG_SHAPE, "a raw ticker without a timestamp")
        # This recorder kept its own clock only; it stands for the event time, marked as such.
        time = format_time(parse_time(wrapped.timestamp, zone))
        frame = _envelope(time, "update", inner)
        return Unwrapped(frame, Dialect.ADVANCED, Wrapper.RAW, None, "recorder")
    if wrapped.channel is not _ABSENT:
        return Unwrapped(line, Dialect.ADVANCED, Wrapper.ADVANCED)
    if wrapped.type is not _ABSENT:
        return Unwrapped(line, Dialect.EXCHANGE, Wrapper.EXCHANGE)
    return _unflatten(line)


def _nanoseconds(seconds: Decimal) -> int:
    if not seconds.is_finite() or not 0 <= seconds < 2**63 // NS_PER_S:
        raise ValueError(f"{seconds} is no second since 1970")
    return int(seconds.scaleb(9))


def _unflatten(line: bytes) -> Unwrapped:
    flat = _flat(line)
    received_ns = None if flat.received_at is None else parse_time(flat.received_at)
    ticker = {
        "type": "ticker",
        "product_id": flat.product_id,
        "price": flat.price,
        "volume_24_h": flat.volume_24h,
        "best_bid": flat.best_bid,
        "best_ask": flat.best_ask,
        "best_bid_quantity": flat.best_bid_qty,
        "best_ask_quantity": flat.best_ask_qty,
    }
    offered = {name: value for name, value in ticker.items() if value is not None}
    frame = _envelope(flat.ws_timestamp, flat.event_type, msgspec.json.encode(offered))
    return Unwrapped(frame, Dialect.ADVANCED, Wrapper.FLAT, received_ns)


def _envelope(time: str, kind: str, ticker: bytes) -> bytes:
    return b'{"channel":"ticker","timestamp":%b,"events":[{"type":%b,"tickers":[%b]}]}' % (
        msgspec.json.encode(time),
        msgspec.json.encode(kind),
        ticker,
    )


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
