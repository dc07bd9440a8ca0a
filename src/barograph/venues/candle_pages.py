"""Candles as services answer with them: spans of hours, rows, and one order for a page.

A page is what one request brought. Its numbers stay the decimal texts that the service wrote.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from barograph.candle_records import HOUR_S
from barograph.venues.decimals import is_short

_MOST_DECIMALS = 18  # of a Price


class PageError(ValueError):
    """An answer is no page of the candles that were asked for; it may be asked for again."""


class Hours(NamedTuple):
    """Whole hours from `from_s` to before `to_s`: Unix seconds of the first open and of the end."""

    from_s: int
    to_s: int

    @property
    def candles(self) -> int:
        """How many hours, and so candles at most, these are."""
        return (self.to_s - self.from_s) // HOUR_S


class CandleRow(msgspec.Struct, frozen=True, kw_only=True):
    """One candle of a page: `start_s` is the Unix second of its open.

    Prices are None in an hour without a trade. `quote_volume` is None where there is none.
    """

    start_s: int
    open: str | None
    high: str | None
    low: str | None
    close: str | None
    volume: str
    quote_volume: str | None = None

    def same_as(self, other: "CandleRow") -> bool:
        """Whether both say the same in numbers: 1.50 is 1.5."""
        return all(
            _same(getattr(self, name), getattr(other, name)) for name in self.__struct_fields__[1:]
        )


class CandlePage(msgspec.Struct, frozen=True, kw_only=True):
    """The candles of a page within the hours that were asked for, ascending.

    `reordered`: whether the service sent them in no order. `repeated` candles came twice alike,
    `outside` lie before or after the hours asked for (the unfinished last one among them),
    `unlisted` are of hours before the market had a price.
    """

    rows: tuple[CandleRow, ...]
    reordered: bool = False
    repeated: int = 0
    outside: int = 0
    unlisted: int = 0


def page_of(rows: Iterable[CandleRow], hours: Hours, unlisted: int = 0) -> CandlePage:
    """Bring what a service sent into order and within `hours`.

    Raises PageError for an open that is no whole hour, and for two candles of one hour that differ.
    """
    sent = list(rows)
    if odd := next((row for row in sent if row.start_s % HOUR_S), None):
        raise PageError(f"a candle opens at {odd.start_s}, which is no whole hour")
    starts = [row.start_s for row in sent]
    ordered = starts == sorted(starts) or starts == sorted(starts, reverse=True)
    by_hour: dict[int, CandleRow] = {}
    repeated = 0
    for row in sent:
        first = by_hour.setdefault(row.start_s, row)
        if first is row:
            continue
        if not row.same_as(first):
            raise PageError(f"two different candles of the hour {row.start_s}")
        repeated += 1
    inside = [by_hour[each] for each in sorted(by_hour) if hours.from_s <= each < hours.to_s]
    return CandlePage(
        rows=tuple(inside),
        reordered=not ordered,
        repeated=repeated,
        outside=len(by_hour) - len(inside),
        unlisted=unlisted,
    )


def text_of(number: Decimal) -> str:
    """A number in plain digits, with at most 18 decimals. Raises PageError for one out of range."""
    if not is_short(number):
        raise PageError(f"{str(number)[:40]} is no price or volume")
    if -int(number.as_tuple().exponent) > _MOST_DECIMALS:
        number = number.quantize(Decimal(1).scaleb(-_MOST_DECIMALS)).normalize()
    return f"{number or number.copy_abs():f}"  # -0 is 0


def _same(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    return Decimal(one) == Decimal(other)


class RefusedError(PageError):
    """The service answers with an error of its own; `limited` says that it was asked too often."""

    def __init__(self, why: str) -> None:
        self.limited = "rate limit" in why.lower()
        super().__init__(f"the service refuses: {why}")
