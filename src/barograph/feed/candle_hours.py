"""Rows of a table as candles: decimals checked, shorter steps joined to hours."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby, pairwise

import polars as pl

from barograph.candle_records import HOUR_S, Candle, CandleSource
from barograph.evaluation.quality_report import SCHEMA, TEXTS
from barograph.types import DECIMAL
from barograph.venues.candle_pages import CandleRow, text_of

LEAST_SHARE = 0.75
"""Of an hour's shorter candles: with fewer the hour is missing."""

MINUTE_S = 60

_plain = re.compile(DECIMAL).fullmatch


def rows_of(table: pl.DataFrame) -> list[CandleRow]:
    """The rows of a judged table, in its order. An hour with a volume of 0 had no trade."""
    columns = [table["start_s"].to_list(), *(table[name].to_list() for name in TEXTS)]
    return [_row(start_s, texts) for start_s, *texts in zip(*columns, strict=True)]


def table_of(rows: Sequence[CandleRow]) -> pl.DataFrame:
    """Rows of a page as a table to be judged; their numbers count from 1."""
    columns = {"line": range(1, len(rows) + 1), "start_s": [row.start_s for row in rows]}
    texts = {name: [getattr(row, name) for row in rows] for name in TEXTS}
    return pl.DataFrame({**columns, **texts}, schema=SCHEMA)


def candle_of(
    row: CandleRow,
    product: str,
    source: CandleSource,
    *,
    receive_time_ns: int | None = None,
    realized_vol: float | None = None,
) -> Candle:
    """The first version of an hour."""
    return Candle(
        product=product,
        start_s=row.start_s,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        quote_volume=row.quote_volume,
        source=source,
        receive_time_ns=receive_time_ns,
        realized_vol=realized_vol,
    )


def hours_of(rows: Sequence[CandleRow], step_s: int) -> Iterator[tuple[CandleRow, float | None]]:
    """Join rows of `step_s` seconds, ascending, to hours, each with its realised volatility.

    An hour is left out with fewer than LEAST_SHARE of its rows, at the end of all without its last
    and at their beginning without its first. Volatility (1/√h) is of minutes alone: the root of
    the sum of squared log returns from the open of the first minute over all closes; minutes that
    are not there have returns of 0.
    """
    wanted = HOUR_S // step_s
    for start_s, members in groupby(rows, key=lambda row: row.start_s // HOUR_S * HOUR_S):
        part = list(members)
        begins_late = part[0] is rows[0] and part[0].start_s != start_s
        ends_early = part[-1] is rows[-1] and part[-1].start_s != start_s + HOUR_S - step_s
        if len(part) < LEAST_SHARE * wanted or begins_late or ends_early:
            continue
        hour = _joined(start_s, part)
        yield hour, _volatility(part) if step_s == MINUTE_S and hour.open else None


def _row(start_s: int, texts: Sequence[str | None]) -> CandleRow:
    open_, high, low, close, volume, quote = map(_digits, texts)
    traded = float(volume or 0) > 0 or float(quote or 0) > 0
    return CandleRow(
        start_s=start_s,
        open=open_ if traded else None,
        high=high if traded else None,
        low=low if traded else None,
        close=close if traded else None,
        volume=volume or "0",
        quote_volume=quote,
    )


def _digits(text: str | None) -> str | None:
    return text if text is None or _plain(text) else text_of(Decimal(text))


def _joined(start_s: int, part: Sequence[CandleRow]) -> CandleRow:
    traded = [row for row in part if row.open is not None]
    quotes = [row.quote_volume for row in part]
    return CandleRow(
        start_s=start_s,
        open=traded[0].open if traded else None,
        high=max((row.high for row in traded if row.high), key=Decimal, default=None),
        low=min((row.low for row in traded if row.low), key=Decimal, default=None),
        close=traded[-1].close if traded else None,
        volume=_sum(row.volume for row in part),
        quote_volume=None if None in quotes else _sum(each or "0" for each in quotes),
    )


def _sum(texts: Iterable[str]) -> str:
    return text_of(sum(map(Decimal, texts), Decimal(0)))


def _volatility(part: Sequence[CandleRow]) -> float:
    traded = [row for row in part if row.open is not None]
    prices = [float(traded[0].open or 0), *(float(row.close or 0) for row in traded)]
    return math.sqrt(math.fsum(math.log(after / before) ** 2 for before, after in pairwise(prices)))
