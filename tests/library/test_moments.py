"""Moments in a notebook: times, and durations before the newest record."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from barograph.errors import BadInputError
from barograph.library.moments import moment_ns

NS = 10**9
NEWEST_NS = 2_000_000_000 * NS
NOON = datetime(2025, 6, 15, 12, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * NS


@pytest.mark.parametrize(
    ("moment", "expected_ns"),
    [
        ("90s", NEWEST_NS - 90 * NS),
        ("5m", NEWEST_NS - 300 * NS),
        ("5 min", NEWEST_NS - 300 * NS),
        ("1.5h", NEWEST_NS - 5400 * NS),
        ("2d", NEWEST_NS - 2 * 86_400 * NS),
        ("2025-06-15T12:00:00Z", NOON_NS),
        ("2025-06-15 14:00:00+02:00", NOON_NS),
        ("2025-06-15", NOON_NS - 12 * 3600 * NS),
        (NOON, NOON_NS),
        (NOON.replace(tzinfo=None), NOON_NS),
        (NOON.astimezone(timezone(timedelta(hours=2))), NOON_NS),
        (NOON + timedelta(microseconds=1), NOON_NS + 1000),
        (NOON_NS // NS, NOON_NS),
        (NOON_NS / NS + 0.5, NOON_NS + NS // 2),
    ],
    ids=str,
)
def test_a_moment_is_said_in_any_of_these_ways(moment, expected_ns):
    assert moment_ns(moment, "since", NEWEST_NS) == expected_ns


@pytest.mark.parametrize("moment", ["", "an hour", "1y", "-1h", -5, 10**12, True, "2025-13-01"])
def test_what_is_no_moment_is_refused(moment):
    with pytest.raises(BadInputError, match=r"since=.*it is no moment"):
        moment_ns(moment, "since", NEWEST_NS)
