"""Candles: what an interval of a market came to. Words of `types`, in a file of their own."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from barograph.types import DAY_S, NS_PER_S, Measure, Name, Price, Second, Size, TimeNs

HOUR_S = 3_600

COMPARED = ("open", "high", "low", "close", "volume", "quote_volume")
"""The numbers of a candle."""

Step = Annotated[int, Meta(ge=1, le=DAY_S)]
Version = Annotated[int, Meta(ge=1, le=2**31 - 1)]
CandleSource = Literal["cryptocompare", "coinbase", "file", "ticks"]


class Candle(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="candle/1"
):
    """Prices and volume of one product in [`start_s`, `start_s` + `step_s`), UTC seconds.

    Open, high, low and close are of trades, in the quote currency, and None together where the
    interval is known to have had no trade; `volume` is in the base currency, `quote_volume` in the
    quote currency. `version` counts what `source` said of the interval: 2 is its first revision.
    `realized_vol` is the root of the sum of squared one-minute log returns, scaled to one hour
    (1/√h), None where it is not offered. `receive_time_ns` is that of the answer it came in.
    """

    product: Name
    start_s: Second
    step_s: Step = HOUR_S
    open: Price | None = None
    high: Price | None = None
    low: Price | None = None
    close: Price | None = None
    volume: Size
    quote_volume: Size | None = None
    source: CandleSource
    version: Version = 1
    receive_time_ns: TimeNs | None = None
    realized_vol: Measure | None = None

    @property
    def end_s(self) -> int:
        """The second at which it is closed: nothing of it may be used before."""
        return self.start_s + self.step_s

    @property
    def known_ns(self) -> int:
        """The moment from which it may be used, in ns: its close."""
        return self.end_s * NS_PER_S

    @property
    def prices(self) -> tuple[float, float, float, float] | None:
        """Open, high, low and close; None where there was no trade."""
        texts = self.open, self.high, self.low, self.close
        numbers = [float(text) for text in texts if text is not None]
        return (numbers[0], numbers[1], numbers[2], numbers[3]) if len(numbers) == 4 else None


class Difference(msgspec.Struct, frozen=True, gc=False):
    """A field in which two candles of an hour differ; None is a price that one does not have."""

    field: Name
    own: Size | None
    other: Size | None


class CandleCheck(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="candle-check/1"
):
    """An hour of our own ticks beside `version` of what `source` says of it.

    `differences` are empty where both say the same, as numbers.
    """

    product: Name
    start_s: Second
    source: CandleSource
    version: Version
    differences: Annotated[list[Difference], Meta(max_length=len(COMPARED))] = []


def compared(own: Candle, other: Candle) -> CandleCheck:
    """Compare two candles of an hour; the volume in the quote currency where both have one."""
    differences = []
    for field in COMPARED:
        texts = getattr(own, field), getattr(other, field)
        if field == "quote_volume" and None in texts:
            continue
        numbers = [text if text is None else Decimal(text) for text in texts]
        if numbers[0] != numbers[1]:
            differences.append(Difference(field, *texts))
    return CandleCheck(
        product=own.product,
        start_s=own.start_s,
        source=other.source,
        version=other.version,
        differences=differences,
    )


def contradiction(candle: Candle) -> str:
    """What in a candle cannot be true together; empty where all can."""
    texts = candle.open, candle.high, candle.low, candle.close
    if candle.start_s % candle.step_s:
        return f"{candle.start_s} is no multiple of {candle.step_s} s"
    if None in texts:
        return _without_trade(candle, texts)
    open_, high, low, close = candle.prices or (0.0,) * 4
    if low == 0.0:
        return "a price is 0"
    if low <= min(open_, close) and max(open_, close) <= high:
        return ""
    return f"open {open_} or close {close} is outside of low {low} … high {high}"


def _without_trade(candle: Candle, texts: Sequence[str | None]) -> str:
    if any(text is not None for text in texts):
        return "some of its prices are missing"
    if float(candle.volume) > 0.0 or float(candle.quote_volume or 0) > 0.0:
        return "there is volume without prices"
    return "" if candle.realized_vol is None else "there is volatility without prices"
