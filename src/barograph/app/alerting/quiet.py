"""Quiet hours: a daily span of local time in which alerts are recorded and not sent."""

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from barograph.types import NS_PER_S

_FORM = re.compile(r"([0-2][0-9]:[0-5][0-9])-([0-2][0-9]:[0-5][0-9])(?: +(\S+))?").fullmatch
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class QuietHours(msgspec.Struct, frozen=True):
    """From `start` up to `end` each day, in `zone`; past midnight where the end comes first."""

    start: time
    end: time
    zone: tzinfo = UTC

    def holds(self, time_ns: int) -> bool:
        """Whether a moment, in Unix nanoseconds, lies within."""
        moment = _EPOCH + timedelta(seconds=time_ns // NS_PER_S)
        now = moment.astimezone(self.zone).time()
        if self.start <= self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end


def quiet_hours(text: str) -> QuietHours | None:
    """Quiet hours of "22:00-07:00" or "22:00-07:00 Europe/Berlin"; None for an empty text.

    Raises ValueError for any other text.
    """
    if not text.strip():
        return None
    found = _FORM(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not of the form 22:00-07:00 Europe/Berlin")
    try:
        start, end = time.fromisoformat(found[1]), time.fromisoformat(found[2])
    except ValueError:
        raise ValueError(f"{text!r} has a time of day that does not exist") from None
    if start == end:
        raise ValueError(f"{text!r} begins and ends at once: leave it empty for no quiet hours")
    try:
        return QuietHours(start, end, ZoneInfo(found[3]) if found[3] else UTC)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{found[3]!r} is no time zone of the tz database") from None
