"""Validation at the border: which numbers and frames pass, and why the others do not."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from barograph.codec import UNREADABLE
from barograph.types import DECIMAL, DECIMAL_SIZE, DeadLetter, Fault

_price = re.compile(DECIMAL).fullmatch
_size = re.compile(DECIMAL_SIZE).fullmatch
_seven = re.compile(f"{DECIMAL} {DECIMAL} {DECIMAL}(?: (?:{DECIMAL_SIZE})?){{4}}").fullmatch


def _decimal(text: str) -> Decimal | str:
    """Return the number, or the text itself where its exponent exceeds any Decimal."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


_anything = msgspec.json.Decoder(float_hook=_decimal)


class FrameRefusedError(Exception):
    """Something may not pass; its machine makes a dead letter of it. Never leaves a machine."""

    def __init__(self, fault: Fault, detail: str, product: str = "") -> None:
        self.fault, self.detail, self.product = fault, detail, product
        super().__init__(detail)


class AheadError(FrameRefusedError):
    """An event time is further ahead of its receipt than others of its connection."""


def dead_letter(
    refused: FrameRefusedError,
    original: bytes,
    connection: str,
    position: str,
    receive_time_ns: int | None,
) -> DeadLetter:
    """Return the dead letter of a frame; `position` is its count on the connection."""
    return DeadLetter(
        fault=refused.fault,
        detail=refused.detail,
        source=connection,
        position=position,
        key=refused.product,
        original=original,
        receive_time_ns=receive_time_ns,
    )


def check_quote(  # noqa: PLR0913 - a quote has seven numbers
    product: str,
    price: str,
    bid: str,
    ask: str,
    bid_size: str | None,
    ask_size: str | None,
    volume_24h: str | None,
    last_size: str | None,
) -> None:
    """Raise FrameRefusedError unless all are decimals, prices positive and bid ≤ ask.

    A decimal has 1 to 18 digits before and at most 18 after the point: no sign, leading zero,
    exponent, space, NaN or Infinity. The four sizes may be None or empty (not offered) and may end
    in `e-NN`, as recorders write small ones.
    """
    joined = (
        f"{price} {bid} {ask} "
        f"{bid_size or ''} {ask_size or ''} {volume_24h or ''} {last_size or ''}"
    )
    if _seven(joined) and float(price) > 0.0 and 0.0 < float(bid) <= float(ask):
        return
    for name, text in (("price", price), ("bid", bid), ("ask", ask)):
        _check_decimal(product, name, text, _price)
        if float(text) == 0.0:
            raise FrameRefusedError(Fault.NOT_POSITIVE, f"{name} is {text[:64]}", product)
    for name, size in (
        ("bid size", bid_size),
        ("ask size", ask_size),
        ("24-hour volume", volume_24h),
        ("last size", last_size),
    ):
        if size:
            _check_decimal(product, name, size, _size)
    raise FrameRefusedError(Fault.CROSSED_QUOTE, f"bid {bid} is above ask {ask}", product)


def check_trade(product: str, price: str, size: str) -> None:
    """Raise FrameRefusedError unless both are decimals as above and the price is positive."""
    _check_decimal(product, "price", price, _price)
    if float(price) == 0.0:
        raise FrameRefusedError(Fault.NOT_POSITIVE, f"price is {price[:64]}", product)
    _check_decimal(product, "size", size, _size)


def _check_decimal(product: str, name: str, text: str, matches: Callable[[str], object]) -> None:
    if matches(text):
        return
    if text.startswith("-") and matches(text[1:]):
        raise FrameRefusedError(Fault.NOT_POSITIVE, f"{name} is {text}", product)
    raise FrameRefusedError(Fault.NOT_A_NUMBER, f"{name} is {text[:64]!r}", product)


def require_utf8(frame: bytes) -> None:
    """Raise UnicodeDecodeError for what is no text: msgspec does not look inside ignored fields."""
    if not frame.isascii():
        frame.decode()


def with_numbers_as_text(frame: bytes) -> bytes:
    """The same JSON with every number as a string of its digits, for readers that are not strict.

    Documents promise strings where production has sent numbers. Raises one of UNREADABLE.
    """
    return msgspec.json.encode(_as_text(_anything.decode(frame)))


def _as_text(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {name: _as_text(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_as_text(member) for member in value]
    if isinstance(value, Decimal):
        # 1e999999999 would be a gigabyte of digits; left as it is, every reader refuses it.
        return f"{value:f}" if abs(value.adjusted()) <= 40 else str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{Decimal(value):f}"
    return value


def fields(frame: bytes) -> dict[str, Any]:
    """Return the members of a refused frame, as far as it can be read at all."""
    try:
        value = _anything.decode(frame)
    except UNREADABLE:
        return {}
    return value if isinstance(value, dict) else {}


def fault_of(frame: bytes, error: Exception, tag: str, known: frozenset[str]) -> tuple[Fault, str]:
    """Why `frame` could not be decoded, in order: its encoding, syntax, kind, shape.

    `tag` is the field that names a frame's kind, `known` the kinds that are understood.
    """
    try:
        frame.decode()
        value = _anything.decode(frame)
    except UnicodeDecodeError as wrong:
        return Fault.NOT_UTF8, str(wrong)
    except RecursionError:
        return Fault.NOT_JSON, "nested too deeply"
    except msgspec.DecodeError as wrong:
        return Fault.NOT_JSON, str(wrong)
    members = value if isinstance(value, dict) else {}
    kind = members.get(tag)
    if members.get("type") == "error":
        words = [str(members[name]) for name in ("message", "reason") if name in members]
        return Fault.VENUE_ERROR, ": ".join(words)[:1000]
    if isinstance(kind, str) and kind not in known:
        return Fault.UNKNOWN_TYPE, f"{tag} {kind[:64]!r}"
    return Fault.WRONG_SHAPE, str(error)
