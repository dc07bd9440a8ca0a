"""The fields of a tick as a recorder kept them, put into a frame of the venue again."""

import re
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any

import msgspec

from barograph.types import DECIMAL_SIZE
from barograph.venues.decimals import is_short, plain
from barograph.venues.entries import Dialect
from barograph.venues.forms.clock import number_of
from barograph.venues.forms.envelope import refuse_shape
from barograph.venues.forms.names import (
    ASK,
    ASK_SIZE,
    BID,
    BID_SIZE,
    KIND,
    LAST_SIZE,
    MID,
    PRICE,
    PRODUCT,
    SEQUENCE,
    SIDE,
    SPREAD,
    SPREAD_BPS,
    TRADE_ID,
    VOLUME,
)

_SIZES = (BID_SIZE, ASK_SIZE, VOLUME, LAST_SIZE)
_size = re.compile(DECIMAL_SIZE).fullmatch
_natural = re.compile(r"([0-9]{1,18})(\.0*)?").fullmatch
_PLACES = Decimal("1e-12")
_BPS = Context(prec=12)
_MOST_PLACES = 18
_LEAST = Decimal("1e-18")
_WIDE = Context(prec=100)
_no_number = re.compile(r"(?i:nan|[+-]?inf(?:inity)?)").fullmatch
"""What writers of tables make of a float that is no number."""

_to_rewrite = re.compile(r"[eE]|\.[0-9]{19}").search
MOST_EXACT = 2**53
"""The largest number up to which a float tells whole numbers apart."""
_EXCHANGE_NAMES = {
    BID_SIZE: "best_bid_size",
    ASK_SIZE: "best_ask_size",
    VOLUME: "volume_24h",
    LAST_SIZE: "last_size",
}
_ADVANCED_NAMES = {BID_SIZE: "best_bid_quantity", ASK_SIZE: "best_ask_quantity"}

Values = Mapping[str, Any]
"""The values of one tick by their roles (`names`), as JSON has them."""


def plain_decimal(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """Return a number, or a string of one, as plain digits; None where nothing is there.

    NaN and the infinities are nothing. Beyond 18 decimals it is rounded: a float that was computed
    has more than a price. A string that is no number is returned as it is, and so is one whose
    exponent has no end.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if not text or _no_number(text):
            return None
        if not _to_rewrite(text):
            return text
        number = number_of(text)
        return text if number is None else _digits(number)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return str(value)
    return _digits(Decimal(value))


def _digits(number: Decimal) -> str:
    if is_short(number) and number.as_tuple().exponent < -_MOST_PLACES:  # type: ignore[operator]  # a short number is finite
        number = _WIDE.quantize(number, _LEAST)
    return plain(number, str(number))


def frame_of(values: Values, time: str, dialect: Dialect) -> bytes:
    """Return the frame of a ticker with these values at `time`, an ISO text.

    Optional values that are empty or odd are left out. Raises FrameRefusedError where product, or
    bid and ask, are missing.
    """
    product = values.get(PRODUCT)
    if isinstance(product, str):
        product = product.strip()
    if not isinstance(product, str) or not product:
        raise refuse_shape("no product")
    bid, ask = quote_of(values)
    price = plain_decimal(values.get(PRICE)) or middle_of(bid, ask)
    sizes = {role: text for role in _SIZES if (text := _optional_size(values.get(role)))}
    if dialect is Dialect.EXCHANGE:
        return _exchange(values, product, (price, bid, ask), sizes, time)
    ticker = {"type": "ticker", "product_id": product, "price": price}
    if VOLUME in sizes:
        ticker["volume_24_h"] = sizes[VOLUME]
    ticker["best_bid"], ticker["best_ask"] = bid, ask
    ticker |= {name: sizes[role] for role, name in _ADVANCED_NAMES.items() if role in sizes}
    kind = "snapshot" if values.get(KIND) == "snapshot" else "update"
    return enveloped(time, kind, msgspec.json.encode(ticker))


def enveloped(time: str, kind: str, ticker: bytes) -> bytes:
    """Return the Advanced Trade frame around a ticker, without a number that proves nothing."""
    return b'{"channel":"ticker","timestamp":%b,"events":[{"type":%b,"tickers":[%b]}]}' % (
        msgspec.json.encode(time),
        msgspec.json.encode(kind),
        ticker,
    )


def _exchange(
    values: Values, product: str, quote: tuple[str, str, str], sizes: Values, time: str
) -> bytes:
    price, bid, ask = quote
    ticker: dict[str, Any] = {"type": "ticker"}
    if sequence := _natural_of(values.get(SEQUENCE)):
        ticker["sequence"] = int(sequence)
    ticker |= {"product_id": product, "price": price, "best_bid": bid, "best_ask": ask}
    ticker |= {name: sizes[role] for role, name in _EXCHANGE_NAMES.items() if role in sizes}
    if values.get(SIDE) in ("buy", "sell"):
        ticker["side"] = values[SIDE]
    ticker["time"] = time
    if trade_id := _natural_of(values.get(TRADE_ID)):
        ticker["trade_id"] = int(trade_id)
    return msgspec.json.encode(ticker)


def quote_of(values: Values) -> tuple[str, str]:
    """Return bid and ask, or what a middle and a spread make of them.

    Raises FrameRefusedError where neither is there.
    """
    bid, ask = plain_decimal(values.get(BID)), plain_decimal(values.get(ASK))
    if bid is not None and ask is not None:
        return bid, ask
    middle, spread = number_of(values.get(MID)), number_of(values.get(SPREAD))
    bps = number_of(values.get(SPREAD_BPS))
    if middle is None or (spread is None and bps is None):
        raise refuse_shape("no bid and ask")
    if not all(is_short(each) for each in (middle, spread, bps) if each is not None):
        raise refuse_shape("no bid and ask")
    if spread is None and bps is not None:
        # Written by a float, so the last digits of what comes out are noise.
        half = _BPS.divide(_BPS.multiply(middle, bps), Decimal(20_000))
        return _rounded(_BPS.subtract(middle, half)), _rounded(_BPS.add(middle, half))
    assert spread is not None  # noqa: S101 - one of both is there
    return _rounded(middle - spread / 2), _rounded(middle + spread / 2)


def middle_of(bid: str, ask: str) -> str:
    """Return the middle of bid and ask, which stands for a price that is not there."""
    low, high = number_of(bid), number_of(ask)
    if low is None or high is None or not (is_short(low) and is_short(high)):
        return bid  # the machine refuses the quote, with its own words
    return _rounded((low + high) / 2)


def _rounded(number: Decimal) -> str:
    text = f"{number.quantize(_PLACES) if number.adjusted() < 15 else number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _optional_size(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    text = plain_decimal(value)
    return text if text is not None and _size(text) else None


def _natural_of(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """The digits of a whole number; of one that was a float, where a float holds it exactly."""
    if isinstance(value, Decimal):
        is_whole = is_short(value) and value == value.to_integral_value()
        return str(int(value)) if is_whole and 0 <= value <= MOST_EXACT else None
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    found = _natural(str(value).strip())
    if found is None or (found[2] and int(found[1]) > MOST_EXACT):
        return None
    return found[1]
