from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.times import (
    clock_of,
    format_time,
    minute_of,
    parse_time,
    time_of,
    widened,
    widened_by,
)

LATEST_NS = 2**63 - 2 * 10**9


@given(st.integers(0, LATEST_NS))
def test_every_nanosecond_survives_its_text(time_ns):
    assert parse_time(format_time(time_ns)) == time_ns


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_value_error(text):
    with suppress(ValueError):
        assert 0 <= parse_time(text) < 2**63


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-04-04T21:13:43.52889452Z", 1775337223528894520),
        ("2026-04-04T21:13:43.291084825Z", 1775337223291084825),
        ("2026-04-04T21:13:43.291084+00:00", 1775337223291084000),
        ("2026-04-04T23:13:43.291084+02:00", 1775337223291084000),
        ("2026-04-04T15:43:43.291084-0530", 1775337223291084000),
        ("2026-04-04 21:13:43Z", 1775337223000000000),
    ],
)
def test_digits_and_offsets_count(text, time_ns):
    assert parse_time(text) == time_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-04-04",
        "2026-04-04T21:13:43",
        "2026-04-04T21:13:43.291084",
        "2026-02-30T21:13:43Z",
        "2026-04-04T25:13:43Z",
        "2026-04-04T21:13:43.1234567890Z",
        "2026-04-04T21:13:43.Z",
        "2026-04-04T21:13:43.١٢Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+01:00",
        "2263-01-01T00:00:00Z",
        "20260404T211343Z",
        "1775337223",
    ],
)
def test_what_is_no_exact_time_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


def test_a_naive_time_is_read_in_the_zone_that_is_given():
    text = "2025-07-06T06:47:16.986134"
    expected = int(datetime(2025, 7, 6, 10, 47, 16, tzinfo=UTC).timestamp()) * 10**9 + 986134000
    assert parse_time(text, ZoneInfo("America/New_York")) == expected


def test_where_the_clock_was_put_back_the_earlier_hour_is_meant():
    zone = ZoneInfo("Europe/Berlin")
    twice = parse_time("2025-10-26T02:30:00", zone)
    assert format_time(twice) == "2025-10-26T00:30:00.000000000Z"


@given(st.lists(st.integers(0, LATEST_NS), min_size=1))
def test_a_span_widens_to_the_first_and_the_last_moment_in_whatever_order_they_come(moments):
    first, last = None, None
    for moment in moments:
        first, last = widened(first, last, moment)
    assert (first, last) == (min(moments), max(moments))


@given(st.integers(0, LATEST_NS))
def test_shorter_forms_are_the_beginning_and_the_middle_of_the_exact_one(time_ns):
    exact = format_time(time_ns)
    day, clock = exact[:10], exact[11:]
    assert time_of(time_ns) == f"{day} {clock[:8]}Z"
    assert minute_of(time_ns) == f"{day} {clock[:5]}"
    assert (clock_of(time_ns), clock_of(time_ns, 3)) == (clock[:8], clock[:12])


@given(st.lists(st.integers(0, LATEST_NS), min_size=1), st.lists(st.integers(0, LATEST_NS)))
def test_a_span_widens_by_many_moments_at_once(moments, before):
    first, last = (min(before), max(before)) if before else (None, None)
    everything = [*before, *moments]
    assert widened_by(first, last, moments) == (min(everything), max(everything))
