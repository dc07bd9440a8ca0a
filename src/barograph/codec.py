"""Values ↔ bytes ↔ arrays: one versioned JSON object a record, by msgspec.

The version stands in each record's `type` ("tick/1"), so old and new records can lie in one topic
and an unknown one is refused by name rather than misread.
"""

from collections.abc import Callable, Iterator, Sequence
from math import nan

import msgspec
import numpy as np
import numpy.typing as npt

from barograph.types import (
    DeadLetter,
    Event,
    Fault,
    FeatureRow,
    Prediction,
    Record,
    RecordPrediction,
)

encode = msgspec.json.Encoder().encode
"""Any word of `types` → its JSON bytes."""

decode_event = msgspec.json.Decoder(Event).decode
"""A record of ticks.raw → a word of Event; msgspec.DecodeError on anything else."""

decode_row = msgspec.json.Decoder(FeatureRow).decode
decode_prediction = msgspec.json.Decoder(Prediction).decode
decode_record_prediction = msgspec.json.Decoder(RecordPrediction).decode
decode_dead_letter = msgspec.json.Decoder(DeadLetter).decode

Records = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

NAT = np.int64(np.iinfo(np.int64).min)
"""An unknown time or return in an int64 column."""

TICK, HEARTBEAT, GAP, TRADE, FILLED = 0, 1, 2, 3, 4
"""The kinds of an EVENT; FILLED is a Trade that was asked for afterwards."""

EVENT = np.dtype(
    [
        ("event_time_ns", "i8"),
        ("receive_time_ns", "i8"),
        ("gap_start_ns", "i8"),
        ("trade_id", "i8"),
        ("price", "f8"),
        ("bid", "f8"),
        ("ask", "f8"),
        ("bid_size", "f8"),
        ("ask_size", "f8"),
        ("volume_24h", "f8"),
        ("last_size", "f8"),
        ("product", "i4"),
        ("kind", "i1"),
        ("side", "i1"),
    ],
    align=True,
)
"""One record of ticks.raw as the kernels see it.

A gap's `event_time_ns` is its end, a trade's size its `last_size`. `product` indexes the states.
Unknown: NAT for times, −1 for `trade_id`, NaN for numbers, 0 for `side` (+1 bought, −1 sold).
"""

_NAT = int(NAT)
_SIDES = {"": 0, "buy": 1, "sell": -1}


class _TickNumbers(msgspec.Struct, gc=False, tag="tick/1"):
    """A Tick read for the kernels: decimal strings become floats in C, unknown is NaN or NAT."""

    product: str
    event_time_ns: int
    price: float
    bid: float
    ask: float
    receive_time_ns: int = _NAT
    bid_size: float = nan
    ask_size: float = nan
    volume_24h: float = nan
    trade_id: int = -1
    last_size: float = nan
    side: str = ""


class _HeartbeatNumbers(msgspec.Struct, gc=False, tag="heartbeat/1"):
    product: str
    event_time_ns: int
    receive_time_ns: int = _NAT


class _TradeNumbers(msgspec.Struct, gc=False, tag="trade/1"):
    product: str
    event_time_ns: int
    price: float
    size: float
    trade_id: int
    receive_time_ns: int = _NAT
    side: str | None = None
    filled: bool = False


class _GapNumbers(msgspec.Struct, gc=False, tag="gap/1"):
    product: str
    start_ns: int
    end_ns: int
    receive_time_ns: int = _NAT


Numbers = _TickNumbers | _HeartbeatNumbers | _TradeNumbers | _GapNumbers

decode_numbers = msgspec.json.Decoder(Numbers, strict=False).decode
"""A record of ticks.raw as numbers, for `event_array`; msgspec.DecodeError on anything else."""


def event_array(numbers: Sequence[Numbers], product_index: Callable[[str], int]) -> Records:
    """(n,) of EVENT from decoded records, in their order."""
    events = np.zeros(len(numbers), EVENT)
    events["product"] = [product_index(n.product) for n in numbers]
    if all(type(n) is _TickNumbers for n in numbers):
        _fill_ticks(events, numbers)  # type: ignore[arg-type]  # just checked
        return events
    places = [i for i, n in enumerate(numbers) if type(n) is _TickNumbers]
    ticks = np.zeros(len(places), EVENT)
    ticks["product"] = events["product"][places]
    _fill_ticks(ticks, [numbers[i] for i in places])  # type: ignore[misc]
    events[places] = ticks
    for i, n in enumerate(numbers):
        if isinstance(n, _TickNumbers):
            continue
        event = events[i]
        event["receive_time_ns"] = n.receive_time_ns
        if isinstance(n, _HeartbeatNumbers):
            event["kind"] = HEARTBEAT
            event["event_time_ns"] = n.event_time_ns
        elif isinstance(n, _TradeNumbers):
            event["kind"] = FILLED if n.filled else TRADE
            event["event_time_ns"] = n.event_time_ns
            event["trade_id"] = n.trade_id
            event["price"] = n.price
            event["last_size"] = n.size
            event["side"] = _SIDES[n.side or ""]
        else:
            event["kind"] = GAP
            event["gap_start_ns"] = n.start_ns
            event["event_time_ns"] = n.end_ns
    return events


def _fill_ticks(events: Records, ticks: Sequence[_TickNumbers]) -> None:
    # Column by column: NumPy fills a column from a list several times faster than records.
    events["kind"] = TICK
    events["event_time_ns"] = [t.event_time_ns for t in ticks]
    events["receive_time_ns"] = [t.receive_time_ns for t in ticks]
    events["trade_id"] = [t.trade_id for t in ticks]
    events["price"] = [t.price for t in ticks]
    events["bid"] = [t.bid for t in ticks]
    events["ask"] = [t.ask for t in ticks]
    events["bid_size"] = [t.bid_size for t in ticks]
    events["ask_size"] = [t.ask_size for t in ticks]
    events["volume_24h"] = [t.volume_24h for t in ticks]
    events["last_size"] = [t.last_size for t in ticks]
    events["side"] = [_SIDES[t.side] for t in ticks]


def feature_rows(rows: Records, products: Sequence[str], feature_set: str) -> Iterator[FeatureRow]:
    """Each of (n,) of `kernels.ROW` as a word; NaN becomes None in its JSON."""
    for second, log_mid, log_return, received, values, reasons, product in zip(
        rows["second"].tolist(),
        rows["log_mid_e9"].tolist(),
        rows["return_e9"].tolist(),
        rows["receive_time_ns"].tolist(),
        rows["values"].tolist(),
        rows["reasons"] + ord("0"),
        rows["product"].tolist(),
        strict=True,
    ):
        yield FeatureRow(
            product=products[product],
            second=second,
            feature_set=feature_set,
            log_mid_e9=log_mid,
            return_e9=None if log_return == _NAT else log_return,
            receive_time_ns=None if received == _NAT else received,
            values=values,
            reasons=reasons.tobytes().decode(),
        )


def dead(record: Record, fault: Fault, detail: str) -> DeadLetter:
    """The dead letter of a record of a log, with its place as identity."""
    return DeadLetter(
        fault=fault,
        detail=detail,
        source=record.topic,
        position=f"{record.partition}:{record.offset}",
        key=record.key,
        original=record.value,
    )
