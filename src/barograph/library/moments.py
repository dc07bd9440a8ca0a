"""Moments as a notebook names them: times, and durations before the newest record."""

import math
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from numbers import Integral, Real

import numpy as np

from barograph.errors import BadInputError
from barograph.library.arguments import shown
from barograph.times import parse_time
from barograph.types import LATEST_NS, NS_PER_S

Moment = str | int | float | datetime | date | np.generic
"""A duration such as "90s", "5m", "1h", "2d"; an ISO 8601 text; epoch seconds; a datetime or date,
also of NumPy and pandas. Times without a zone are UTC, whoever says them."""

_DURATION = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>s|m|min|h|d)").fullmatch
_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TO_THE_MINUTE = re.compile(
    r"(.*[T ][0-9]{2}:[0-9]{2})((?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?)"
).fullmatch


def moment_ns(moment: object, name: str, newest_ns: int) -> int:
    """A moment (`Moment`) in epoch ns, from 1970 to 2262. Times without a zone are UTC.

    name: of the argument, for the error. newest_ns: what a duration is counted back from, to 1970
    at the furthest. Raises BadInputError for what is no moment.
    """
    found = _said_ns(moment, newest_ns) if isinstance(moment, str) else _given_ns(moment)
    if found is not None and 0 <= found <= LATEST_NS:
        return found
    beyond = ", which goes from 1970 to 2262" if found is not None else ""
    raise BadInputError(
        f"{name}={shown(moment)}",
        f"it is no moment{beyond}",
        "Give a duration (90s, 5m, 1h, 2d), a time (2025-06-15T12:00:00Z), epoch seconds or a "
        "datetime",
    )


def datetime_ns(moment: datetime) -> int | None:
    """A datetime in epoch ns, also before 1970; without a zone it is UTC. None for pandas' NaT."""
    if moment != moment:  # noqa: PLR0124 - NaT is a datetime, and not itself
        return None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    # A timestamp of pandas has nanoseconds beside its microseconds.
    return micros * 1_000 + int(getattr(moment, "nanosecond", 0))


def _said_ns(text: str, newest_ns: int) -> int | None:
    text = str(text).strip()
    if found := _DURATION(text):
        back_ns = int(Decimal(found["number"]) * _UNITS_S[found["unit"]] * NS_PER_S)
        return max(newest_ns - back_ns, 0)
    if minute := _TO_THE_MINUTE(text):
        text = f"{minute[1]}:00{minute[2]}"
    try:
        return parse_time(text if ":" in text else f"{text}T00:00:00", UTC)
    except ValueError:
        return None


def _given_ns(moment: object) -> int | None:
    """In epoch ns what is no text; None for what is no moment."""
    if isinstance(moment, datetime):
        return datetime_ns(moment)
    if isinstance(moment, date):
        return datetime_ns(datetime.combine(moment, time(), UTC))
    if isinstance(moment, np.datetime64):
        return _datetime64_ns(moment)
    return _seconds_ns(moment)


def _seconds_ns(moment: object) -> int | None:
    """Epoch seconds in ns; None for what is no finite number."""
    if isinstance(moment, bool | np.bool_ | np.timedelta64):  # NumPy counts durations as numbers
        return None
    if isinstance(moment, Integral):
        return int(moment) * NS_PER_S
    if isinstance(moment, Real | Decimal) and math.isfinite(moment):
        # By its digits: what Python writes of a float is what was meant by it.
        digits = moment if isinstance(moment, Decimal) else Decimal(repr(float(moment)))
        return int(digits * NS_PER_S)
    return None


def _datetime64_ns(moment: np.datetime64) -> int | None:
    if np.isnat(moment):
        return None
    second = int(moment.astype("datetime64[s]").astype(np.int64))
    if not 0 <= second <= LATEST_NS // NS_PER_S:  # nanoseconds of it would wrap
        return None
    return int(moment.astype("datetime64[ns]").astype(np.int64))
