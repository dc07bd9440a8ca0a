import pytest

from barograph.venues.forms.clock import Style, Unit
from barograph.venues.forms.times_seen import TimesSeen, received_of, times_of

NS_Z = "2026-02-02T02:40:00.008035246Z"
OFFSET = "2026-02-02T02:40:00.008035+00:00"
NAIVE = "2026-02-02T02:40:00.008035"


def seen(**values):
    times = []
    for name, value in values.items():
        each = TimesSeen(name)
        each.add(value)
        times.append(each)
    return times


@pytest.mark.parametrize(
    ("values", "event", "whose", "received"),
    [
        ({"timestamp": NS_Z}, "timestamp", "venue", None),
        ({"timestamp": OFFSET}, "timestamp", "recorder", None),
        ({"timestamp": NAIVE}, "timestamp", "recorder", None),
        ({"timestamp": "2026-02-02T02:40:00.008Z"}, "timestamp", "recorder", None),
        ({"time": "2026-02-02T02:40:00Z"}, "time", "venue", None),
        ({"ts": 1770000000}, "ts", "recorder", None),
        ({"unix_timestamp": 1770000000}, "unix_timestamp", "recorder", None),
        ({"ws_timestamp": NS_Z, "received_at": OFFSET}, "ws_timestamp", "venue", "received_at"),
        ({"timestamp": NS_Z, "ingest_ts": OFFSET}, "timestamp", "venue", "ingest_ts"),
        ({"timestamp": 2, "exchange_timestamp": 5}, "exchange_timestamp", "venue", "timestamp"),
        ({"ts_ms": 10**12, "exch_ts_ms": 10**12}, "exch_ts_ms", "venue", "ts_ms"),
        ({"ts": 10**9, "timestamp": NS_Z}, "timestamp", "venue", "ts"),
        ({"received_at": NAIVE, "timestamp": NS_Z}, "timestamp", "venue", None),
    ],
)
def test_name_digits_and_company_tell_whose_clock_a_time_is(values, event, whose, received):
    for names in (values, dict(reversed(values.items()))):
        times = times_of(seen(**names))
        assert (times.event.name, times.whose) == (event, whose)
        assert (times.received and times.received.name) == received


def test_no_time_is_none():
    assert times_of([]) is None
    assert received_of(seen(received_at=NAIVE)) is None


def test_a_venues_time_that_is_mostly_empty_is_not_the_clock():
    venue, recorder = TimesSeen("exchange_timestamp"), TimesSeen("timestamp")
    for number in range(10):
        venue.add(10**12 if number == 0 else "")
        recorder.add(10**9)
    assert times_of([venue, recorder]).event is recorder


def test_most_values_tell_unit_and_style():
    times = TimesSeen("t")
    for value in (NS_Z, NS_Z, 5, "x"):
        times.add(value)
    assert (times.unit, times.style, times.count, times.digits) == (Unit.ISO, Style.UTC, 3, 9)
