"""Values ↔ bytes ↔ arrays: one versioned JSON object a record, by msgspec.

The version stands in each record's `type` ("tick/1"), so old and new records can lie in one topic
and an unknown one is refused by name rather than misread.

What is unreadable is defined here and nowhere else: every `decode_*` takes any bytes and returns a
word within the bounds of its Struct, or raises UnreadableError and nothing else.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from math import nan
from operator import attrgetter
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
import numpy as np
from msgspec import Meta

from barograph.alert_records import AlertRecord, HealthSample, Undelivered
from barograph.arrays import Records
from barograph.candle_records import Candle, CandleCheck, contradiction
from barograph.earlier import FirstPrediction, present_prediction
from barograph.types import (
    Count,
    DeadLetter,
    Event,
    Fault,
    FeatureRow,
    FeedStatus,
    Gap,
    GapCause,
    Name,
    Prediction,
    Reason,
    Record,
    RecordPrediction,
    Tick,
    TimeNs,
)

T = TypeVar("T")

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises for bytes that are not what was asked for."""

_LONGEST_DETAIL = 500
LONGEST_KEY = 100  # of it in a detail
_LONGEST_NATURAL = 19  # digits; as many as int64 has


class UnreadableError(msgspec.DecodeError):
    """Bytes are not what their topic holds; a dead letter is made of it. Never reaches a user."""

    def __init__(self, fault: Fault, detail: str) -> None:
        self.fault, self.detail = fault, detail[:_LONGEST_DETAIL]
        super().__init__(self.detail)


def unreadable(error: Exception) -> UnreadableError:
    """What one of UNREADABLE says."""
    if isinstance(error, UnreadableError):
        return error
    if isinstance(error, UnicodeDecodeError):
        return UnreadableError(Fault.NOT_UTF8, str(error))
    if isinstance(error, RecursionError):
        return UnreadableError(Fault.WRONG_SHAPE, "nested too deeply")
    return UnreadableError(Fault.WRONG_SHAPE, str(error))


class Reader(Generic[T]):
    """Bytes → a word of `kind`; raises UnreadableError and nothing else.

    check: raises ValueError for a word whose fields do not go together. strict: whether a number
    may not come as a string of its digits. key: the field by which its records are keyed; under
    another key a record may lie in a partition that is read by another machine. array_checked:
    whether `event_array` checks for `all_of`, in a thousandth of the time. present: makes today's
    word of one that an earlier version wrote.
    """

    def __init__(  # noqa: PLR0913 - what is read, and how
        self,
        kind: Any,  # noqa: ANN401 - a union is no type to mypy
        check: Callable[[T], None] | None = None,
        *,
        strict: bool = True,
        key: str | None = "product",
        array_checked: bool = False,
        present: Callable[[Any], T] | None = None,
    ) -> None:
        decode: Callable[[bytes], T] = msgspec.json.Decoder(kind, strict=strict).decode
        self._decode = decode if present is None else lambda value: present(decode(value))
        self._check, self._array_checked = check, array_checked
        self._key: Callable[[T], str] | None = attrgetter(key) if key else None

    def __call__(self, value: bytes) -> T:
        """The word that these bytes are."""
        try:
            if not value.isascii():
                value.decode()  # msgspec does not look inside ignored fields
            word = self._decode(value)
            if self._check is not None:
                self._check(word)
        except (*UNREADABLE, ValueError) as error:
            raise unreadable(error) from None
        return word

    def of(self, record: Record) -> T:
        """The word that a record of a log is, which lies under its own key."""
        word = self(record.value)
        if self._key is not None and self._key(word) != record.key:
            detail = f"{self._key(word)!r} lies under the key {record.key[:LONGEST_KEY]!r}"
            raise UnreadableError(Fault.WRONG_SHAPE, detail)
        return word

    def all_of(
        self, records: Sequence[Record]
    ) -> tuple[Sequence[Record], list[T], list[DeadLetter]]:
        """Those that can be read, their words, and a dead letter for each of the others."""
        values = [record.value for record in records]
        quick = self._check is None or self._array_checked
        if quick and all(map(bytes.isascii, values)):
            try:
                words = list(map(self._decode, values))
            except UNREADABLE:
                pass  # one by one, then
            else:
                if self._key is None or list(map(self._key, words)) == [r.key for r in records]:
                    return records, words, []
        readable: list[Record] = []
        words = []
        dead_letters: list[DeadLetter] = []
        for record in records:
            try:
                words.append(self.of(record))
            except UnreadableError as error:
                dead_letters.append(dead(record, error.fault, error.detail))
            else:
                readable.append(record)
        return readable, words, dead_letters


def natural(text: str | bytes | None) -> int | None:
    """The number that a header or checkpoint holds in decimal; None for anything else."""
    if text is None or len(text) > _LONGEST_NATURAL or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def check_name(name: str) -> None:
    """Raise ValueError for a name with control characters: NUL marks checkpoints that are ours."""
    if not name.isprintable():
        raise ValueError(f"{name!r} is no name")


def _check_event(event: Event) -> None:
    check_name(event.product)
    if isinstance(event, Tick):
        if float(event.bid) > float(event.ask):
            raise ValueError(_CROSSED)
        if min(float(event.price), float(event.bid)) == 0.0:
            raise ValueError("a price is 0")
    elif isinstance(event, Gap):
        _check_gap(event)


def _check_gap(gap: "Gap | GapNumbers") -> None:
    if gap.end_ns < gap.start_ns and gap.cause != GapCause.SESSION:
        raise ValueError("the gap ends before it starts")


def _check_candle(candle: Candle) -> None:
    check_name(candle.product)
    if why := contradiction(candle):
        raise UnreadableError(Fault.CONTRADICTION, why)


def _check_row(row: FeatureRow) -> None:
    check_name(row.product)
    if len(row.reasons) != len(row.values) or not _are_reasons(row.reasons):
        raise ValueError("its reasons are not one digit of Reason for each value")


def _check_prediction(prediction: Prediction) -> None:
    check_name(prediction.product)
    check_name(prediction.model)


_CROSSED = "bid is above ask"
_are_reasons = re.compile(f"[{''.join(str(int(reason)) for reason in Reason)}]*").fullmatch

encode = msgspec.json.Encoder().encode
"""Any word of `types` → its JSON bytes."""

decode_event = Reader[Event](Event, _check_event)
decode_candle = Reader[Candle](Candle, _check_candle)
decode_candle_check = Reader[CandleCheck](CandleCheck)
decode_row = Reader[FeatureRow](FeatureRow, _check_row)
decode_prediction = Reader[Prediction](
    Prediction | FirstPrediction, _check_prediction, present=present_prediction
)
decode_record_prediction = Reader[RecordPrediction](RecordPrediction, key="key")
decode_dead_letter = Reader[DeadLetter](DeadLetter, key=None)
decode_status = Reader[FeedStatus](FeedStatus, key="venue")
decode_health = Reader[HealthSample](HealthSample, key="source")
decode_alert = Reader[AlertRecord](AlertRecord, key="id")
decode_undelivered = Reader[Undelivered](Undelivered, key="sink")

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

SIDES = {"buy": 1, "sell": -1}
"""The `side` of an EVENT by its word; 0 without one."""

_NAT = int(NAT)
_SIDE_OF = {"": 0, **SIDES}

# The bounds of `venues.refusals`; the proof in `kernels.window` is for what lies within them.
_Price = Annotated[float, Meta(ge=1e-18, le=1e18)]
_Size = Annotated[float, Meta(ge=0.0, le=1e18)]


class _TickNumbers(msgspec.Struct, gc=False, tag="tick/1"):
    """A Tick read for the kernels: decimal strings become floats in C, unknown is NaN or NAT."""

    product: Name
    event_time_ns: TimeNs
    price: _Price
    bid: _Price
    ask: _Price
    receive_time_ns: TimeNs = _NAT
    bid_size: _Size = nan
    ask_size: _Size = nan
    volume_24h: _Size = nan
    trade_id: Count = -1
    last_size: _Size = nan
    side: Literal["", "buy", "sell"] = ""


class _HeartbeatNumbers(msgspec.Struct, gc=False, tag="heartbeat/1"):
    product: Name
    event_time_ns: TimeNs
    receive_time_ns: TimeNs = _NAT


class _TradeNumbers(msgspec.Struct, gc=False, tag="trade/1"):
    product: Name
    event_time_ns: TimeNs
    price: _Price
    size: _Size
    trade_id: Count
    receive_time_ns: TimeNs = _NAT
    side: Literal["buy", "sell"] | None = None
    filled: bool = False


class GapNumbers(msgspec.Struct, gc=False, tag="gap/1"):
    """A Gap read for the kernels."""

    product: Name
    start_ns: TimeNs
    end_ns: TimeNs
    receive_time_ns: TimeNs = _NAT
    cause: str = ""


Numbers = _TickNumbers | _HeartbeatNumbers | _TradeNumbers | GapNumbers


def check_numbers(numbers: Numbers) -> None:
    """Raise ValueError for numbers that do not go together."""
    check_name(numbers.product)
    if isinstance(numbers, _TickNumbers) and numbers.bid > numbers.ask:
        raise ValueError(_CROSSED)
    if isinstance(numbers, GapNumbers):
        _check_gap(numbers)


decode_numbers = Reader[Numbers](Numbers, check_numbers, strict=False, array_checked=True)
"""A record of ticks.raw as numbers, for `event_array`."""


def numbers_of(events: Iterable[Event], refuse: Callable[[DeadLetter], None]) -> list[Numbers]:
    """Events as a reader of the log sees them; what it would refuse is refused here too."""
    numbers = []
    for event in events:
        value = encode(event)
        try:
            numbers.append(decode_numbers(value))
        except UnreadableError as error:
            refuse(
                DeadLetter(
                    fault=error.fault,
                    detail=error.detail,
                    source=event.connection,
                    position=f"{type(event).__name__} of {event.receive_time_ns}",
                    key=event.product,
                    original=value,
                )
            )
    return numbers


def event_array(numbers: Sequence[Numbers], product_index: Callable[[str], int]) -> Records:
    """(n,) of EVENT from decoded records, in their order.

    Raises ValueError where `check_numbers` would for one of them, and what `product_index` raises.
    """
    events = np.zeros(len(numbers), EVENT)
    products = [n.product for n in numbers]
    index = dict.fromkeys(products, 0)
    for product in index:
        check_name(product)
        index[product] = product_index(product)
    events["product"] = np.fromiter(map(index.__getitem__, products), np.int32, len(numbers))
    if set(map(type, numbers)) == {_TickNumbers}:
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
            event["side"] = _SIDE_OF[n.side or ""]
        else:
            check_numbers(n)
            event["kind"] = GAP
            event["gap_start_ns"] = n.start_ns
            event["event_time_ns"] = n.end_ns
    return events


def _fill_ticks(events: Records, ticks: Sequence[_TickNumbers]) -> None:
    # Column by column, and each read by `fromiter`, which need not look for the type first: NumPy
    # fills them several times faster than records, and a quarter faster than from bare lists.
    n, whole, number = len(ticks), np.int64, np.float64
    events["kind"] = TICK
    events["event_time_ns"] = np.fromiter([t.event_time_ns for t in ticks], whole, n)
    events["receive_time_ns"] = np.fromiter([t.receive_time_ns for t in ticks], whole, n)
    events["trade_id"] = np.fromiter([t.trade_id for t in ticks], whole, n)
    events["price"] = np.fromiter([t.price for t in ticks], number, n)
    events["bid"] = np.fromiter([t.bid for t in ticks], number, n)
    events["ask"] = np.fromiter([t.ask for t in ticks], number, n)
    if (events["bid"] > events["ask"]).any():
        raise ValueError(_CROSSED)
    events["bid_size"] = np.fromiter([t.bid_size for t in ticks], number, n)
    events["ask_size"] = np.fromiter([t.ask_size for t in ticks], number, n)
    events["volume_24h"] = np.fromiter([t.volume_24h for t in ticks], number, n)
    events["last_size"] = np.fromiter([t.last_size for t in ticks], number, n)
    events["side"] = np.fromiter([_SIDE_OF[t.side] for t in ticks], np.int8, n)


def dead(record: Record, fault: Fault, detail: str) -> DeadLetter:
    """The dead letter of a record of a log, with its place as identity."""
    place, key, value = f"{record.partition}:{record.offset}", record.key, record.value
    return DeadLetter(
        fault=fault, detail=detail, source=record.topic, position=place, key=key, original=value
    )
