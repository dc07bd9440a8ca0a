"""Lines as a form of one's own wants them: some passed over, two rows of a quote made one."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from barograph.codec import UNREADABLE
from barograph.venues.forms.envelope import object_of
from barograph.venues.forms.names import TIME
from barograph.venues.forms.own import OwnForm, Sides
from barograph.venues.forms.own_reader import value_at
from barograph.venues.refusals import FrameRefusedError

MAX_LINE_BYTES = 1 << 20
"""A longer line passes as it stands."""


def prepared(chunks: Iterable[bytes], form: OwnForm) -> Iterator[bytes]:
    """Yield the same lines in chunks, each with its number.

    A line without the values of `only` becomes an empty one. Of two rows of a quote, one after the
    other and of the same time, the first becomes an empty line and the second an object with both
    under `bid` and `ask`; a row without its other half passes as it stands.
    """
    if not form.only and form.sides is None:
        yield from chunks
        return
    rows = _Rows(form)
    rest = b""
    passing = False
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        if whole and passing:
            yield whole.pop(0) + b"\n"
            passing = False
        if lines := b"".join(rows.lines(line) for line in whole):
            yield lines
        if len(rest) > MAX_LINE_BYTES:
            yield rows.end()
            yield rest
            rest, passing = b"", True
    if last := rows.end() + rest:
        yield last


class _Rows:
    def __init__(self, form: OwnForm) -> None:
        self._only, self._sides, self._time = form.only, form.sides, form.fields[TIME]
        self._half: tuple[bytes, dict[str, Any]] | None = None
        self._between = 0

    def lines(self, line: bytes) -> bytes:
        """Return what a line, which has its newline, comes to: none while a half is waited for."""
        if not line or line.isspace():
            return self._blank()
        try:
            members = object_of(line)
        except (*UNREADABLE, FrameRefusedError):
            return self.end() + line + b"\n"
        for name, wanted in self._only.items():
            if _text(value_at(members, name)) != wanted:
                return self._blank()
        if self._sides is None:
            return line + b"\n"
        return self._side(line, members, self._sides)

    def end(self) -> bytes:
        """Return the half that is waited for, as it stands."""
        if self._half is None:
            return b""
        line, self._half = self._half[0], None
        return line + b"\n" + self._blanks()

    def _blank(self) -> bytes:
        if self._half is None:
            return b"\n"
        self._between += 1
        return b""

    def _blanks(self) -> bytes:
        blanks, self._between = b"\n" * self._between, 0
        return blanks

    def _side(self, line: bytes, members: dict[str, Any], sides: Sides) -> bytes:
        if self._half is not None:
            other = self._half[1]
            both = {_text(other.get(sides.field)), _text(members.get(sides.field))}
            same_time = other.get(self._time) == members.get(self._time)
            if same_time and both == {sides.bid, sides.ask}:
                is_bid = _text(members.get(sides.field)) == sides.bid
                bid, ask = (members, other) if is_bid else (other, members)
                self._half = None
                row = msgspec.json.encode({**members, "bid": bid, "ask": ask}, enc_hook=_number)
                return b"\n" + self._blanks() + row + b"\n"
        before = self.end()
        self._half = (line, members)
        return before


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _number(value: Any) -> str:  # noqa: ANN401 - what msgspec asks for
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value))
