"""ISO 8601 texts ↔ int64 nanoseconds since 1970 UTC, exact to the last digit.

A datetime keeps microseconds and venues send nanoseconds, so only whole seconds go through one.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from barograph.types import NS_PER_S

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}").fullmatch
_TIME = re.compile(
    r"(?P<second>.{19})(?:\.(?P<digits>[0-9]{1,9}))?"
    r"(?:(?P<utc>[Zz])|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-5][0-9]))?"
).fullmatch
_UNIT_NS: tuple[int, ...] = tuple(10 ** (9 - digits) for digits in range(10))
_LATEST = 2**63 // NS_PER_S - 1


@lru_cache(maxsize=4096)
def _whole_second(text: str) -> int:
    if not _SECOND(text):
        raise ValueError(f"{text!r} is not a date and a time of day")
    since = datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH
    second = since // timedelta(seconds=1)
    if not 0 <= second <= _LATEST:
        raise ValueError(f"{text!r} lies outside 1970 to 2262")
    return second


def parse_time(text: str, naive_zone: tzinfo | None = None) -> int:
    """Nanoseconds since 1970 UTC of `YYYY-MM-DDThh:mm:ss[.1-9 digits][Z|±hh:mm]`.

    A text without a zone is read in `naive_zone`, the earlier one where the clock was put back.
    Raises ValueError when it is anything else, names no zone and none is given, or lies outside
    1970 to 2262.
    """
    digits = text[20:-1] if len(text) <= 30 else ""
    if text[19:20] == "." and text[-1:] == "Z" and digits.isdecimal() and text.isascii():
        return _whole_second(text[:19]) * NS_PER_S + int(digits) * _UNIT_NS[len(digits)]
    found = _TIME(text)
    if found is None:
        raise ValueError(f"{text[:64]!r} is not an ISO 8601 time")
    second = _whole_second(found["second"])
    if found["sign"]:
        offset_s = int(found["hours"]) * 3600 + int(found["minutes"]) * 60
        second += -offset_s if found["sign"] == "+" else offset_s
    elif not found["utc"]:
        if naive_zone is None:
            raise ValueError(f"{text!r} names no zone")
        local = datetime.fromisoformat(found["second"]).replace(tzinfo=naive_zone)
        second = (local - _EPOCH) // timedelta(seconds=1)
    if not 0 <= second <= _LATEST:
        raise ValueError(f"{text!r} lies outside 1970 to 2262")
    fraction: str = found["digits"] or "0"
    return second * NS_PER_S + int(fraction) * _UNIT_NS[len(fraction)]


def format_time(time_ns: int) -> str:
    """`YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ`; the inverse of `parse_time`."""
    return f"{_second_of(time_ns):%Y-%m-%dT%H:%M:%S}.{time_ns % NS_PER_S:09d}Z"


def time_of(time_ns: int) -> str:
    """A moment to the second, in UTC: `YYYY-MM-DD hh:mm:ssZ`."""
    return f"{_second_of(time_ns):%Y-%m-%d %H:%M:%SZ}"


def minute_of(time_ns: int) -> str:
    """A moment to the minute, in UTC: `YYYY-MM-DD hh:mm`, where the place says that it is UTC."""
    return f"{_second_of(time_ns):%Y-%m-%d %H:%M}"


def clock_of(time_ns: int, places: int = 0) -> str:
    """The time of day in UTC: `hh:mm:ss`, with so many decimals of the second."""
    fraction = f".{time_ns % NS_PER_S:09d}"[: places + 1] if places else ""
    return f"{_second_of(time_ns):%H:%M:%S}{fraction}"


def _second_of(time_ns: int) -> datetime:
    # Not by `fromtimestamp`: a float rounds the last nanoseconds of a second up into the next.
    return _EPOCH + timedelta(seconds=time_ns // NS_PER_S)


def widened(first_ns: int | None, last_ns: int | None, time_ns: int) -> tuple[int, int]:
    """The span from `first_ns` to `last_ns`, None where it has no end yet, with a moment in it."""
    return (
        time_ns if first_ns is None or time_ns < first_ns else first_ns,
        time_ns if last_ns is None or time_ns > last_ns else last_ns,
    )


def widened_by(
    first_ns: int | None, last_ns: int | None, times_ns: Sequence[int]
) -> tuple[int, int]:
    """`widened` with several moments in it; `times_ns` is not empty."""
    first_ns, last_ns = widened(first_ns, last_ns, min(times_ns))
    return widened(first_ns, last_ns, max(times_ns))
