"""Candles from our own ticks: records of ticks.raw in, one candle out for each hour heard whole.

The definition is the exchange's: open, high, low and close of the trades in [start, start + 1 h) by
the venue's clock, and the sum of their sizes.
"""

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal

import msgspec

from barograph import codec
from barograph.candle_records import HOUR_S, Candle
from barograph.codec import UnreadableError
from barograph.errors import ForeignStateError
from barograph.types import (
    APPENDED_TIME,
    DAY_S,
    MAX_PRODUCTS,
    NS_PER_S,
    Event,
    Fault,
    Gap,
    GapCause,
    Heartbeat,
    Outcome,
    Record,
    Second,
    Tick,
    Trade,
)

_HOUR_NS = HOUR_S * NS_PER_S
_FUTURE_NS = DAY_S * NS_PER_S
_EXACT = Context(prec=120)
_LARGEST = Decimal(10) ** 18
_PLACES = Decimal(1).scaleb(-18)


class HourOfTicks(msgspec.Struct, kw_only=True, tag="hour-of-ticks/1"):
    """One product's open hour, and all that is remembered of it; its JSON is the checkpoint.

    `start_s` is None before anything was heard. `whole` says that nothing of the hour was missed so
    far, `sized` that every trade of it had a size, `beats` that a heartbeat was heard in it.
    `prices` are open, high, low and close. `last_trade_id` is that of the newest trade, −1 without.
    """

    start_s: Second | None
    whole: bool = False
    sized: bool = True
    beats: bool = False
    prices: tuple[str, str, str, str] | None = None
    volume: Decimal = Decimal(0)
    quote_volume: Decimal = Decimal(0)
    last_trade_id: int = -1

    def begin(self, start_s: int, *, whole: bool) -> None:
        """Begin an hour in which nothing was heard yet."""
        self.start_s, self.whole = start_s, whole
        self.sized, self.beats, self.prices = True, False, None
        self.volume = self.quote_volume = Decimal(0)

    def trade(self, price: str, size: str | None) -> None:
        """Take a trade into the hour; the order is the venue's."""
        open_, high, low, _ = self.prices or (price,) * 4
        value, number = Decimal(price), float(price)
        high = price if number > float(high) else high
        low = price if number < float(low) else low
        self.prices = (open_, high, low, price)
        if size is None:
            self.sized = False
        else:
            amount = Decimal(size)
            self.volume = _EXACT.add(self.volume, amount)
            self.quote_volume = _EXACT.add(self.quote_volume, _EXACT.multiply(value, amount))

    def candle(self, product: str, receive_time_ns: int | None) -> Candle | None:
        """The hour as a candle; None where it was not heard whole, or how much is not known."""
        if not self.whole or self.start_s is None or not (self.prices or self.beats):
            return None
        volume = _size(self.volume)
        if not self.sized or volume is None:
            return None
        open_, high, low, close = self.prices or (None,) * 4
        return Candle(
            product=product,
            start_s=self.start_s,
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=volume,
            quote_volume=_size(self.quote_volume),
            source="ticks",
            receive_time_ns=receive_time_ns,
        )


_decode_state = msgspec.json.Decoder(HourOfTicks).decode


class TickCandles:
    """A machine: records of ticks.raw in, candles of candles.raw out. No clock, no I/O.

    An hour is a candle when it was heard from its first moment to its last: no hole that was not
    filled completely, and no start or end of a session in it. One without a trade is a candle only
    where heartbeats were heard in it; one whose trades came without sizes or numbers is none. It is
    closed by the first event behind it; what comes later for it is a dead letter. Prices of a
    recording without the venue's clock make no candle.
    """

    def __init__(self) -> None:
        self._hours: dict[str, HourOfTicks] = {}
        self._changed: set[str] = set()

    def receive(self, records: Sequence[Record]) -> Outcome:
        """Candles as JSON under their product; what is no event, or late, as dead letters."""
        outcome = Outcome([], [])
        readable, events, refused = codec.decode_event.all_of(records)
        outcome.dead_letters.extend(refused)
        for record, event in zip(readable, events, strict=True):
            try:
                _check_time(record, event)
                candles = self._take(event)
            except UnreadableError as error:
                outcome.dead_letters.append(codec.dead(record, error.fault, error.detail))
            else:
                outcome.values.extend((c.product, codec.encode(c)) for c in candles)
        return outcome

    def _take(self, event: Event) -> list[Candle]:
        hour = self._hours.get(event.product)
        if hour is None:
            if len(self._hours) == MAX_PRODUCTS:
                why = f"there are {MAX_PRODUCTS:,} products already"
                raise UnreadableError(Fault.UNKNOWN_PRODUCT, why)
            hour = self._hours[event.product] = HourOfTicks(start_s=None)
        self._changed.add(event.product)
        if isinstance(event, Gap):
            return _lose(hour, event)
        closed = _advance(hour, event.event_time_ns, event)
        if isinstance(event, Heartbeat):
            hour.beats |= event.event_time_ns // NS_PER_S >= (hour.start_s or 0)
        else:
            _trade(hour, event)
        return closed

    def snapshot(self) -> dict[str, bytes]:
        """The open hours of the products that changed since the last call."""
        changed, self._changed = self._changed, set()
        return {product: codec.encode(self._hours[product]) for product in sorted(changed)}

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Take up each product where its checkpoint left it.

        Raises ForeignStateError for a checkpoint that is damaged or of another kind.
        """
        for product, checkpoint in checkpoints.items():
            try:
                self._hours[product] = _decode_state(checkpoint)
            except codec.UNREADABLE:
                raise ForeignStateError(product) from None


def _advance(hour: HourOfTicks, time_ns: int, event: Event) -> list[Candle]:
    """Close the open hour if `time_ns` lies behind it."""
    start_s = time_ns // _HOUR_NS * HOUR_S
    if hour.start_s is None:
        hour.begin(start_s, whole=False)
        return []
    if start_s <= hour.start_s:
        return []
    candle = hour.candle(event.product, event.receive_time_ns)
    # Behind an hour in which nothing was heard, nobody knows what else was not.
    hour.begin(start_s, whole=start_s == hour.start_s + HOUR_S)
    return [] if candle is None else [candle]


def _lose(hour: HourOfTicks, gap: Gap) -> list[Candle]:
    """Take in a hole: the hours that it touches are not whole, unless all of it was filled."""
    if gap.cause is GapCause.SESSION:
        closed = _advance(hour, gap.start_ns, gap) if hour.start_s is not None else []
        hour.begin(gap.end_ns // _HOUR_NS * HOUR_S, whole=False)
        hour.last_trade_id = -1
        return closed
    if gap.missing is not None and gap.filled >= gap.missing:
        return []
    closed = _advance(hour, gap.start_ns, gap)
    hour.whole = False
    closed += _advance(hour, gap.end_ns, gap)
    hour.whole = False
    return closed


def _trade(hour: HourOfTicks, event: Tick | Trade) -> None:
    """Take in the trade of an event, if it is a new one and belongs to the open hour."""
    number = -1 if event.trade_id is None else event.trade_id
    is_state = number < 0 and isinstance(event, Tick) and event.snapshot
    if is_state or 0 <= number <= hour.last_trade_id:
        return
    if event.event_time_ns // NS_PER_S < (hour.start_s or 0):
        raise UnreadableError(Fault.LATE, "its hour had already closed")
    if isinstance(event, Trade):
        hour.trade(event.price, event.size)
    else:
        hour.whole &= event.event_clock == "venue"
        # Without a number nobody knows whether a tick brings a new trade or repeats the last one.
        hour.trade(event.price, None if number < 0 else event.last_size)
    hour.last_trade_id = max(hour.last_trade_id, number)


def _check_time(record: Record, event: Event) -> None:
    """Raise UnreadableError for an event a day ahead of its receipt: it would close all hours."""
    time_ns = event.end_ns if isinstance(event, Gap) else event.event_time_ns
    came_ns = [event.receive_time_ns, codec.natural(record.headers.get(APPENDED_TIME))]
    earliest_ns = min((each for each in came_ns if each is not None), default=None)
    if earliest_ns is not None and time_ns > earliest_ns + _FUTURE_NS:
        raise UnreadableError(Fault.FUTURE, "it is more than a day ahead of its receipt")


def _size(value: Decimal) -> str | None:
    """A number as the decimal string of a Size, at most 18 places; None for one of 19 digits."""
    if value >= _LARGEST:
        return None
    text = f"{value.quantize(_PLACES, context=_EXACT):f}"
    return text.rstrip("0").rstrip(".")
