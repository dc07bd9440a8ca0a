"""Times as recorders write them: ISO 8601 or a number since 1970 in a unit that its size tells."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from barograph.times import parse_time
from barograph.types import LATEST_NS

_ISO = re.compile(
    r"(?P<second>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:[.,](?P<digits>[0-9]+))?"
    r" ?(?P<zone>[Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-5][0-9])?)?"
).fullmatch
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_JITTER_NS = 60_000_000_000
_MOST_DIGITS = 9


class Unit(StrEnum):
    """How a time is written. Its value is what a form of one's own says."""

    ISO = "iso"
    S = "s"
    MS = "ms"
    US = "us"
    NS = "ns"

    @property
    def places(self) -> int:
        """Decimal places from this unit to nanoseconds."""
        return {"s": 9, "ms": 6, "us": 3, "ns": 0}[self]


class Style(StrEnum):
    """What the text of an ISO time says of who wrote it."""

    UTC = "Z"
    OFFSET = "+00:00"
    NAIVE = "naive"
    NONE = ""


def number_of(value: Any) -> Decimal | None:  # noqa: ANN401 - any JSON value
    """Return a number or a string of one as a Decimal, None for anything else."""
    if isinstance(value, str):
        value = value.strip()
        if not _NUMBER(value):
            return None
        try:
            return Decimal(value)
        except InvalidOperation:
            return None
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value if isinstance(value, Decimal) else None


def unit_of(value: Any) -> Unit | None:  # noqa: ANN401 - any JSON value
    """Return how a value tells a time, by its size where it is a number; None where it does not."""
    if isinstance(value, str) and _ISO(value.strip()):
        return Unit.ISO
    number = number_of(value)
    if number is None or not number.is_finite() or number < 0:
        return None
    # 1973 to 5138 in seconds has 9 to 11 digits before the point, each further unit three more.
    digits = number.adjusted() + 1
    return Unit.S if digits <= 11 else Unit.MS if digits <= 14 else Unit.US if digits <= 17 else (
        Unit.NS
    )  # fmt: skip


def style_of(value: Any) -> tuple[Style, int]:  # noqa: ANN401 - any JSON value
    """Return the style of an ISO time and how many digits its second has; NONE for a number."""
    found = _ISO(value.strip()) if isinstance(value, str) else None
    if found is None:
        return Style.NONE, 0
    zone = found["zone"]
    style = Style.NAIVE if not zone else Style.UTC if zone in "Zz" else Style.OFFSET
    return style, len(found["digits"] or "")


class Clock:
    """One clock of a recording: the unit of its field, and the zone of its times without one.

    Where a local clock was put back, times follow the order of the file: of the two moments that
    an hour told twice may mean, the first one that does not lie before the time before it.
    `moment` may be called again for the same line; it then returns the same.
    """

    def __init__(self, name: str, unit: Unit, zone: tzinfo = UTC) -> None:
        self.name, self.unit, self.zone = name, unit, zone
        self._last_ns = 0

    def restart(self) -> None:
        """Forget the times so far: the file is read from its beginning again."""
        self._last_ns = 0

    def moment(self, value: Any) -> int:  # noqa: ANN401 - any JSON value
        """Return a time in nanoseconds since 1970.

        Raises ValueError for what is no time, is written in another unit than this clock, or lies
        outside 1970 to 2262.
        """
        unit = unit_of(value)
        if unit is None:
            raise ValueError(f"`{self.name}` is {str(value)[:64]!r}, which is no time")
        if unit is not self.unit:
            raise ValueError(
                f"`{self.name}` is {str(value)[:64]!r} ({unit}) in a recording of {self.unit}"
            )
        if unit is Unit.ISO:
            return self._iso(value.strip())
        number = number_of(value)
        assert number is not None  # noqa: S101 - unit_of says so
        if number > Decimal(LATEST_NS).scaleb(-unit.places):
            raise ValueError(f"`{self.name}` is {str(value)[:64]!r}, outside 1970 to 2262")
        return int(number.scaleb(unit.places))

    def _iso(self, text: str) -> int:
        found = _ISO(text)
        assert found is not None  # noqa: S101 - unit_of says so
        zone = found["zone"] or ""
        digits = (found["digits"] or "")[:_MOST_DIGITS]
        plain = found["second"] + (f".{digits}" if digits else "")
        if zone:
            if zone in {"Z", "z", "UTC", "GMT"}:
                return parse_time(plain + "Z")
            return parse_time(plain + (zone if len(zone) > 3 else zone + ":00"))
        early_ns = parse_time(plain, self.zone)
        moment_ns = early_ns
        if early_ns < self._last_ns - _JITTER_NS:
            late_ns = early_ns + self._put_back_ns(found["second"])
            if late_ns >= self._last_ns - _JITTER_NS:
                moment_ns = late_ns
        self._last_ns = moment_ns
        return moment_ns

    def _put_back_ns(self, second: str) -> int:
        """By how much the zone's clock was put back over a local second; 0 for most."""
        local = datetime.fromisoformat(second)
        first = local.replace(tzinfo=self.zone).utcoffset()
        again = local.replace(tzinfo=self.zone, fold=1).utcoffset()
        if first is None or again is None:
            return 0
        return max(0, (first - again) // timedelta(microseconds=1)) * 1000
