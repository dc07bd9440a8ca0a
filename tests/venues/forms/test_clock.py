from contextlib import suppress
from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.times import format_time, parse_time
from barograph.types import LATEST_NS
from barograph.venues.forms.clock import Clock, Style, Unit, number_of, style_of, unit_of

NEW_YORK = ZoneInfo("America/New_York")
MOMENT = parse_time("2026-02-02T02:40:00.008035246Z")


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1_770_000_000, Unit.S),
        (Decimal("1770000000.008"), Unit.S),
        ("1770000000.5", Unit.S),
        (1_770_000_000_008, Unit.MS),
        ("1770000000008035", Unit.US),
        (1_770_000_000_008_035_246, Unit.NS),
        ("1.77e9", Unit.S),
        ("2026-02-02T02:40:00Z", Unit.ISO),
        ("2026-02-02 02:40:00.0080352461234 UTC", Unit.ISO),
        ("yesterday", None),
        ("", None),
        (None, None),
        (True, None),
        (-1, None),
        ("NaN", None),
        ([], None),
    ],
)
def test_the_size_of_a_number_tells_its_unit(value, unit):
    assert unit_of(value) is unit


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-02T02:40:00.008035246Z",
        "2026-02-02 02:40:00.008035246999+00:00",
        "2026-02-02T03:40:00,008035246+01",
        "2026-02-01T21:40:00.008035246-0500",
        "2026-02-02T02:40:00.008035246 UTC",
    ],
)
def test_an_iso_time_may_have_any_number_of_digits_and_any_zone(text):
    assert Clock("t", Unit.ISO).moment(text) == MOMENT


@given(st.integers(10**18, LATEST_NS), st.sampled_from(list(Unit)), st.booleans())
def test_a_time_is_the_same_in_every_unit_as_number_and_text(time_ns, unit, as_text):
    if unit is Unit.ISO:
        value = format_time(time_ns)
    else:
        number = Decimal(time_ns).scaleb(-unit.places)
        value = str(number) if as_text else number
    assert unit_of(value) is unit
    assert Clock("t", unit).moment(value) == time_ns


@pytest.mark.parametrize(
    "value", [1_770_000_000_008, "2026-02-02T02:40:00Z", None, "", "x", {}, Decimal("1e300")]
)
def test_a_value_of_another_unit_is_no_time_of_this_clock(value):
    with pytest.raises(ValueError, match="`ts`"):
        Clock("ts", Unit.S).moment(value)


def test_a_time_beyond_int64_is_refused():
    with pytest.raises(ValueError, match="outside 1970 to 2262"):
        Clock("ts", Unit.NS).moment(2**64)


@given(st.text() | st.integers() | st.floats() | st.none() | st.decimals())
def test_any_value_is_a_time_or_a_value_error(value):
    clock = Clock("t", unit_of(value) or Unit.ISO)
    with suppress(ValueError):
        assert 0 <= clock.moment(value) <= LATEST_NS
    number_of(value)
    style_of(value)


def test_the_style_of_a_time_is_that_of_its_zone():
    assert style_of("2026-02-02T02:40:00.123Z") == (Style.UTC, 3)
    assert style_of("2026-02-02T02:40:00+00:00") == (Style.OFFSET, 0)
    assert style_of("2026-02-02T02:40:00.5") == (Style.NAIVE, 1)
    assert style_of(5) == (Style.NONE, 0)


def local(*texts):
    clock = Clock("timestamp", Unit.ISO, NEW_YORK)
    return [clock.moment(text) for text in texts]


def test_where_clocks_were_put_back_times_follow_the_order_of_the_file():
    before, after, later = local(
        "2025-11-02T01:59:59.9", "2025-11-02T01:00:00.1", "2025-11-02T02:00:00"
    )
    assert after - before == 200_000_000
    assert later - before == 3_600_100_000_000


def test_a_time_that_is_told_again_means_the_same():
    clock = Clock("timestamp", Unit.ISO, NEW_YORK)
    clock.moment("2025-11-02T01:59:59")
    first = clock.moment("2025-11-02T01:10:00")
    assert clock.moment("2025-11-02T01:10:00") == first
    clock.restart()
    assert first - clock.moment("2025-11-02T01:10:00") == 3_600_000_000_000


def test_a_clock_that_steps_back_a_little_stays_in_its_hour():
    first, second = local("2025-11-02T01:30:00", "2025-11-02T01:29:30")
    assert first - second == 30_000_000_000


def test_outside_that_hour_a_local_time_means_one_moment():
    first, second = local("2025-11-02T05:00:00", "2025-11-02T03:00:00")
    assert first - second == 7_200_000_000_000
    assert Clock("t", Unit.ISO, UTC).moment("1970-01-01T00:00:01") == 1_000_000_000
