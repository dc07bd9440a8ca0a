"""The columns of candles by the names that public files give them.

Case, blanks, underscores and brackets make no difference. A column of volume that names an asset
(`Volume BTC`) is of that asset.
"""

import re
from collections.abc import Sequence

_TIMES = (
    "time", "timestamp", "timeunix", "unix", "unixtime", "unixtimestamp", "opentime", "starttime",
    "timeopen", "timeperiodstart", "datetime", "date", "datetimeutc", "timeutc", "start", "ts", "t",
)  # fmt: skip
"""The first of these that a table has is the time of the open: numbers stand before texts."""

_NAMES = {
    "open": ("open", "openprice", "priceopen", "o"),
    "high": ("high", "highprice", "pricehigh", "h"),
    "low": ("low", "lowprice", "pricelow", "l"),
    "close": ("close", "closeprice", "priceclose", "last", "c"),
    "volume": (
        "volume", "volumefrom", "vol", "v", "basevolume", "volumebase", "volumetraded", "amount",
    ),
    "quote_volume": (
        "volumeto", "quotevolume", "quoteassetvolume", "volumequote", "volumecurrency", "turnover",
    ),
}  # fmt: skip

HEADERLESS = {
    12: ("time", "open", "high", "low", "close", "volume", "closetime", "quotevolume"),
    7: ("time", "open", "high", "low", "close", "volume", "trades"),
    6: ("time", "open", "high", "low", "close", "volume"),
}
"""Columns of files without a header, by their number: Binance's klines, Kraken's, and plain ones.
"""


def folded(name: str) -> str:
    """A column's name as it is compared."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def columns_of(names: Sequence[str], product: str) -> dict[str, str]:
    """Field of a candle → the table's column for it; fields without one are left out."""
    known = {folded(name): name for name in reversed(names)}
    found = {}
    for field, others in (("time", _TIMES), *_NAMES.items()):
        column = next((known[other] for other in others if other in known), None)
        if column is not None:
            found[field] = column
    base, _, quote = (folded(part) for part in product.partition("-"))
    for field, assets in (("volume", (base,)), ("quote_volume", (quote, f"{quote}t"))):
        named = [known[f"volume{each}"] for each in assets if f"volume{each}" in known]
        if named:
            found.setdefault(field, named[0])
    return found
