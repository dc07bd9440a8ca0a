"""Moments in a notebook: times, and durations before the newest record."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
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
        ("2025-06-15T12:00", NOON_NS),
        ("2025-06-15 14:00+02:00", NOON_NS),
        ("2025-06-15T12:00:00", NOON_NS),
        (date(2025, 6, 15), NOON_NS - 12 * 3600 * NS),
        (Decimal(NOON_NS) / NS, NOON_NS),
        (np.int64(NOON_NS // NS), NOON_NS),
        (np.uint32(NOON_NS // NS), NOON_NS),
        (np.float64(NOON_NS / NS + 0.5), NOON_NS + NS // 2),
        (np.datetime64("2025-06-15T12:00:00.000000001"), NOON_NS + 1),
        (np.datetime64("2025-06-15"), NOON_NS - 12 * 3600 * NS),
        (np.str_("90s"), NEWEST_NS - 90 * NS),
        ("99999999d", 0),
    ],
    ids=str,
)
def test_a_moment_is_said_in_any_of_these_ways(moment, expected_ns):
    assert moment_ns(moment, "since", NEWEST_NS) == expected_ns


def test_a_timestamp_of_pandas_keeps_its_nanoseconds():
    pandas = pytest.importorskip("pandas")
    stamp = pandas.Timestamp("2025-06-15T14:00:00.000000001", tz="Etc/GMT-2")
    assert moment_ns(stamp, "since", NEWEST_NS) == NOON_NS + 1
    assert moment_ns(stamp.tz_convert(None), "since", NEWEST_NS) == NOON_NS + 1
    for unknown in (pandas.NaT, pandas.NA):
        with pytest.raises(BadInputError, match="it is no moment"):
            moment_ns(unknown, "since", NEWEST_NS)


@pytest.mark.parametrize(
    "moment",
    [
        "", "an hour", "1y", "-1h", -5, 10**12, True, "2025-13-01", None, [1], float("nan"),
        float("inf"), np.True_, np.datetime64("NaT"), np.datetime64("2500-01-01"), np.array([1, 2]),
        timedelta(minutes=5), np.timedelta64(5, "m"), datetime(1960, 1, 1, tzinfo=UTC),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_moment_is_refused(moment):
    with pytest.raises(BadInputError, match=r"since=.*it is no moment"):
        moment_ns(moment, "since", NEWEST_NS)
