"""Coinbase Exchange's REST candles: addresses and reading a page; no key is needed.

Pure: nothing is sent from here. A page holds at most 300 candles, newest first, each
`[time, low, high, open, close, volume]`. An interval without a trade is left out. Source:
docs.cdp.coinbase.com, Exchange REST, Get product candles.
"""

from decimal import Decimal
from urllib.parse import urlencode

import msgspec

from barograph.candle_records import HOUR_S, CandleSource
from barograph.codec import UNREADABLE
from barograph.times import format_time
from barograph.types import NS_PER_S
from barograph.venues.candle_pages import (
    CandlePage,
    CandleRow,
    Hours,
    PageError,
    page_of,
    text_of,
)

NAME: CandleSource = "coinbase"
URL = "https://api.exchange.coinbase.com"
PAGE_HOURS = 300
LEAVES_OUT_EMPTY = True
"""Whether an hour without a trade is not in a page."""


_Bar = tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]
_decode = msgspec.json.Decoder(list[_Bar]).decode


def url_of(base: str, product: str, hours: Hours) -> str:
    """The address of a page; both ends are of candles that belong to it."""
    query = {
        "granularity": HOUR_S,
        "start": _iso(hours.from_s),
        "end": _iso(hours.to_s - HOUR_S),
    }
    return f"{base}/products/{product}/candles?{urlencode(query)}"


def headers_of(_key: str) -> tuple[tuple[str, str], ...]:
    """No header: there is no key."""
    return ()


def read(body: bytes, hours: Hours) -> CandlePage:
    """The page that a body is; hours that it leaves out are not in it. Raises PageError."""
    try:
        bars = _decode(body)
    except UNREADABLE as error:
        raise PageError(f"it cannot be read ({error})") from None
    return page_of(map(_row, bars), hours)


def _row(bar: _Bar) -> CandleRow:
    start_s, low, high, open_, close, volume = bar
    return CandleRow(
        start_s=start_s,
        open=text_of(open_),
        high=text_of(high),
        low=text_of(low),
        close=text_of(close),
        volume=text_of(volume),
    )


def _iso(time_s: int) -> str:
    return f"{format_time(time_s * NS_PER_S)[:19]}Z"
