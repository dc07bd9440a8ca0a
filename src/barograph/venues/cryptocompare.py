"""CryptoCompare's (CoinDesk's) `histohour`: addresses, the key's header, and reading a page.

Pure: nothing is sent from here. A page ends with the hour of `toTs`, and has `limit` + 1 candles.
An hour without a trade is there: flat, with a volume of 0. Hours before the market began are
zeros. Errors come with status 200. Source: min-api.cryptocompare.com/documentation, Historical
Hourly OHLCV.
"""

from decimal import Decimal
from urllib.parse import urlencode

import msgspec

from barograph.candle_records import HOUR_S, CandleSource
from barograph.codec import UNREADABLE
from barograph.venues.candle_pages import (
    CandlePage,
    CandleRow,
    Hours,
    PageError,
    RefusedError,
    page_of,
    text_of,
)

NAME: CandleSource = "cryptocompare"
URL = "https://min-api.cryptocompare.com"
KEY = "CRYPTOCOMPARE_API_KEY"
"""The environment's name for the key of an account."""

PAGE_HOURS = 2000
LEAVES_OUT_EMPTY = False
"""Whether an hour without a trade is not in a page."""

PATH = "/data/v2/histohour"

_DIRECT = {"direct", "force_direct", ""}


class _Bar(msgspec.Struct):
    time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volumefrom: Decimal
    volumeto: Decimal
    conversionType: str = ""  # noqa: N815 - the service's own name
    conversionSymbol: str = ""  # noqa: N815 - as above


class _Data(msgspec.Struct):
    Data: list[_Bar] = []


class _Answer(msgspec.Struct):
    Response: str
    Message: str = ""
    Data: msgspec.Raw = msgspec.Raw(b"{}")


_decode = msgspec.json.Decoder(_Answer).decode
_decode_data = msgspec.json.Decoder(_Data).decode


def url_of(base: str, product: str, hours: Hours) -> str:
    """The address of a page."""
    asset, _, currency = product.partition("-")
    query = {
        "fsym": asset,
        "tsym": currency,
        "limit": hours.candles - 1,
        "toTs": hours.to_s - HOUR_S,
        "tryConversion": "false",
    }
    return f"{base}{PATH}?{urlencode(query)}"


def headers_of(key: str) -> tuple[tuple[str, str], ...]:
    """The header with an account's key, which so stands in no address; none for an empty key."""
    return (("Authorization", f"Apikey {key}"),) if key else ()


def read(body: bytes, hours: Hours) -> CandlePage:
    """The page that a body is. Raises PageError, RefusedError for the service's own error."""
    try:
        answer = _decode(body)
        if answer.Response != "Success":
            raise RefusedError(answer.Message[:200])
        bars = _decode_data(answer.Data).Data
    except UNREADABLE as error:
        raise PageError(f"it cannot be read ({error})") from None
    converted = next((bar for bar in bars if bar.conversionType not in _DIRECT), None)
    if converted is not None:
        symbol = converted.conversionSymbol or "another currency"
        raise PageError(f"its prices were converted from {symbol[:20]}")
    listed = [bar for bar in bars if bar.high or bar.volumefrom]
    return page_of(map(_row, listed), hours, unlisted=len(bars) - len(listed))


def _row(bar: _Bar) -> CandleRow:
    traded = bool(bar.volumefrom or bar.volumeto) or bar.high != bar.low
    prices = [
        text_of(each) if traded else None for each in (bar.open, bar.high, bar.low, bar.close)
    ]
    return CandleRow(
        start_s=bar.time,
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        volume=text_of(bar.volumefrom),
        quote_volume=text_of(bar.volumeto),
    )
