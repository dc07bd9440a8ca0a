"""Quiet hours in local time, past midnight and over a change of the clocks."""

from datetime import UTC, datetime

import pytest

from barograph.app.alerting.quiet import quiet_hours

NS = 10**9


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS


@pytest.mark.parametrize(
    ("hours", "moment", "quiet"),
    [
        ("22:00-07:00", "2025-06-01 21:59:59", False),
        ("22:00-07:00", "2025-06-01 22:00:00", True),
        ("22:00-07:00", "2025-06-02 06:59:59", True),
        ("22:00-07:00", "2025-06-02 07:00:00", False),
        ("09:00-17:00", "2025-06-02 12:00:00", True),
        ("09:00-17:00", "2025-06-02 17:00:00", False),
        ("22:00-07:00 Europe/Berlin", "2025-06-01 20:00:00", True),
        ("22:00-07:00 Europe/Berlin", "2025-12-01 20:30:00", False),
        ("02:30-03:30 Europe/Berlin", "2025-10-26 01:45:00", True),
    ],
)
def test_a_moment_lies_within_or_not(hours, moment, quiet):
    assert quiet_hours(hours).holds(at(moment)) is quiet


def test_no_text_is_no_quiet_hours():
    assert quiet_hours("") is None
    assert quiet_hours("  ") is None


@pytest.mark.parametrize(
    "text", ["22-7", "25:00-07:00", "22:00-07:00 Nowhere/Town", "22:00-22:00", "22:00-07:00 ../x"]
)
def test_other_texts_are_refused_in_words(text):
    with pytest.raises(ValueError, match=r"form|exist|once|zone"):
        quiet_hours(text)
