"""Moments as a notebook names them: times, and durations before the newest record."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from barograph.errors import BadInputError
from barograph.times import parse_time
from barograph.types import LATEST_NS, NS_PER_S

Moment = str | int | float | datetime
"""A duration such as "90s", "5m", "1h", "2d"; an ISO 8601 text; epoch seconds; or a datetime."""

_DURATION = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>s|m|min|h|d)").fullmatch
_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment_ns(moment: Moment, name: str, newest_ns: int) -> int:
    """A moment in epoch ns. Times without a zone are UTC.

    name: of the argument, for the error. newest_ns: what a duration is counted back from. Raises
    BadInputError for what is no moment.
    """
    if isinstance(moment, datetime):
        since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
        return (since.days * 86_400 + since.seconds) * NS_PER_S + since.microseconds * 1_000
    if isinstance(moment, str):
        if found := _DURATION(moment.strip()):
            return newest_ns - int(Decimal(found["number"]) * _UNITS_S[found["unit"]] * NS_PER_S)
        try:
            return parse_time(
                moment.strip() if ":" in moment else f"{moment.strip()}T00:00:00", UTC
            )
        except ValueError:
            pass
    elif not isinstance(moment, bool) and 0 <= moment <= LATEST_NS // NS_PER_S:
        return int(Decimal(repr(moment)) * NS_PER_S)
    raise BadInputError(
        f"{name}={moment!r}",
        "it is no moment",
        "Give a duration (90s, 5m, 1h, 2d), a time (2025-06-15T12:00:00Z), epoch seconds or a "
        "datetime",
    )
