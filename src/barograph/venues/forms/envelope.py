"""What is around a frame in a recorded line: nothing, a field of an object, a number before it.

An envelope is told by what it holds, whatever the order of its members: a whole frame of the venue,
at the top or in a field of any name, as an object or as a string of one; or the fields of a ticker.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from barograph.codec import UNREADABLE
from barograph.types import Fault
from barograph.venues.coinbase.frames import EXCHANGE_TYPES
from barograph.venues.entries import Dialect
from barograph.venues.forms.names import ASK, BID, PRICE, PRODUCT, is_time, role_of
from barograph.venues.refusals import FrameRefusedError

PREFIX = "prefix"
"""The name that a number before a line's object gets."""

_PREFIXED = re.compile(rb"\s*([0-9]{9,20}(?:\.[0-9]{1,12})?)\s*:?\s*(?=\{)")
_DEEPEST = 3
_FIRST_FIELDS = ("payload", "raw", "data", "message", "msg", "frame", "body", "event", "value")
_OBJECTS = (b"{", b'"{', b'" {')
_NO_TEXT = msgspec.Raw(b"0")
_QUOTED_TICKER = b'"ticker"'

Members = Mapping[str, msgspec.Raw]


class Wrapper(StrEnum):
    """The form of a recorded line."""

    EXCHANGE = "exchange"
    ADVANCED = "advanced"
    PAYLOAD = "payload"
    PAIR = "pair"
    RAW = "raw"
    FLAT = "flat"
    NESTED = "nested"
    OWN = "own"


class Envelope(NamedTuple):
    """A line taken apart.

    `path` are the names of the fields that the innermost object lies in, `outer` the members around
    it, `inner` its own. `frame` is a whole frame of `dialect`, byte for byte; None where `inner`
    are fields of a ticker. `raw` is the text of the innermost object.
    """

    wrapper: Wrapper
    path: tuple[str, ...]
    outer: Members
    inner: Members
    raw: bytes
    frame: bytes | None = None
    dialect: Dialect = Dialect.ADVANCED


def _exact(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_value = msgspec.json.Decoder(float_hook=_exact).decode
_NONE: Members = {}


def value_of(raw: msgspec.Raw | None) -> Any:  # noqa: ANN401 - any JSON value
    """Return a member's value, floats as Decimal; None where it is absent. Raises UNREADABLE."""
    return None if raw is None else _decode_value(raw)


def text_of(raw: msgspec.Raw | None) -> str | None:
    """Return a member that is a string; None for anything else."""
    if raw is None or not bytes(raw).startswith(b'"'):
        return None
    return _decode_text(raw)


def object_of(line: bytes) -> dict[str, Any]:
    """Return the object in a line with all its values, a number before it under `prefix`.

    Raises FrameRefusedError where it is no object, and UNREADABLE where it is no JSON.
    """
    prefixed = _PREFIXED.match(line)
    value = _decode_value(line[prefixed.end() :] if prefixed else line)
    if not isinstance(value, dict):
        raise refuse_shape("it is no object")
    if prefixed is not None:
        value[PREFIX] = prefixed[1].decode()
    return value


def envelope_of(line: bytes) -> Envelope:
    """Take a line apart. Raises FrameRefusedError, or UNREADABLE where it is no JSON object."""
    prefixed = _PREFIXED.match(line)
    if prefixed is not None:
        outer = {PREFIX: msgspec.Raw(prefixed[1])}
        inner = line[prefixed.end() :]
        return _within(inner, _decode_members(inner), outer, (PREFIX,))
    members = _decode_members(line)
    return _top(line, members)


def _top(line: bytes, members: Members) -> Envelope:
    dialect = _dialect_of(members, at_top=True)
    if dialect is not None:
        return _bare(line, members, dialect)
    nested = _nested(members, _NONE, ())
    if nested is not None:
        return nested
    if not _is_ticker(members):
        # What has no fields of a ticker is left to the machine that its kind belongs to.
        if "channel" in members:
            return _bare(line, members, Dialect.ADVANCED)
        if "type" in members:
            return _bare(line, members, Dialect.EXCHANGE)
    return Envelope(Wrapper.FLAT, (), _NONE, members, line)


def _bare(line: bytes, members: Members, dialect: Dialect) -> Envelope:
    wrapper = Wrapper.EXCHANGE if dialect is Dialect.EXCHANGE else Wrapper.ADVANCED
    return Envelope(wrapper, (), _NONE, members, line, line, dialect)


def _dialect_of(members: Members, *, at_top: bool = False) -> Dialect | None:
    """Return the dialect of an object that is a whole frame, None for another.

    A ticker without any time is one where nothing stands around it: its machine refuses it.
    """
    kind = members.get("type")
    if kind is not None:
        if bytes(kind) == _QUOTED_TICKER:
            if "time" in members or (at_top and not any(is_time(name) for name in members)):
                return Dialect.EXCHANGE
        elif text_of(kind) in EXCHANGE_TYPES:
            return Dialect.EXCHANGE
    if "channel" in members and "events" in members:
        return Dialect.ADVANCED
    return None


def _is_ticker(members: Members) -> bool:
    return _are_a_tickers(tuple(members))


@lru_cache(maxsize=1024)
def _are_a_tickers(names: tuple[str, ...]) -> bool:
    roles = {role_of(name) for name in names}
    return {BID, ASK} <= roles or {PRODUCT, PRICE} <= roles


def _nested(members: Members, outer: Members, path: tuple[str, ...]) -> Envelope | None:
    if len(path) >= _DEEPEST:
        return None
    objects = [name for name, raw in members.items() if bytes(raw).startswith(_OBJECTS)]
    if not path and bytes(members.get("raw", _NO_TEXT)).startswith(b'"'):
        objects.append("raw")
    # Fields that hold frames by convention come first; the order in the line means nothing.
    for name in sorted(set(objects), key=_place) if objects else ():
        inner = bytes(members[name])
        if inner.startswith(b'"'):
            inner = _decode_text(members[name]).encode()
            if not path and name == "raw":
                return _string_frame(inner, members)
        around = {**outer, **{key: raw for key, raw in members.items() if key != name}}
        try:
            inside = _decode_members(inner)
        except UNREADABLE:
            continue
        found = _inside(inner, inside, around, (*path, name))
        if found is not None:
            return found
    return None


def _place(name: str) -> tuple[int, str]:
    is_first = name in _FIRST_FIELDS
    return _FIRST_FIELDS.index(name) if is_first else len(_FIRST_FIELDS), name


def _string_frame(frame: bytes, members: Members) -> Envelope:
    """The envelope of a frame that stands as a string in `raw`."""
    inside: Members = _NONE
    with suppress(*UNREADABLE):
        inside = _decode_members(frame)
    outer: Members = {key: raw for key, raw in members.items() if key != "raw"}
    dialect = _dialect_of(inside)
    if dialect is None and {BID, ASK} <= {role_of(name) for name in inside}:
        return Envelope(Wrapper.NESTED, ("raw",), outer, inside, frame)
    if dialect is None and "channel" in inside:
        dialect = Dialect.ADVANCED
    return Envelope(
        Wrapper.PAIR, ("raw",), outer, inside, frame, frame, dialect or Dialect.EXCHANGE
    )


def _inside(
    inner: bytes, inside: Members, outer: Members, path: tuple[str, ...]
) -> Envelope | None:
    dialect = _dialect_of(inside)
    if path == ("payload",) and dialect is not Dialect.EXCHANGE and not _is_ticker(inside):
        payload = Envelope(Wrapper.PAYLOAD, path, outer, inside, inner, inner, Dialect.ADVANCED)
        return payload if dialect else _nested(inside, outer, path) or payload
    if path == ("raw",) and dialect is None:
        nested = _nested(inside, outer, path)
        return nested or Envelope(Wrapper.RAW, path, outer, inside, inner)
    if dialect is not None:
        return Envelope(Wrapper.NESTED, path, outer, inside, inner, inner, dialect)
    if nested := _nested(inside, outer, path):
        return nested
    return Envelope(Wrapper.NESTED, path, outer, inside, inner) if _is_ticker(inside) else None


def _within(inner: bytes, inside: Members, outer: Members, path: tuple[str, ...]) -> Envelope:
    """The envelope of an object behind a number."""
    dialect = _dialect_of(inside)
    if dialect is not None:
        return Envelope(Wrapper.NESTED, path, outer, inside, inner, inner, dialect)
    if nested := _nested(inside, outer, path):
        return nested
    if not _is_ticker(inside) and "type" in inside:
        return Envelope(Wrapper.NESTED, path, outer, inside, inner, inner, Dialect.EXCHANGE)
    return Envelope(Wrapper.NESTED, path, outer, inside, inner)


def refuse_shape(detail: str) -> FrameRefusedError:
    """Return the refusal of a line whose fields do not make a tick."""
    return FrameRefusedError(Fault.WRONG_SHAPE, detail)
