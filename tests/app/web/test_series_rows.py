"""Rows in memory: those of the window, once a second, in order, within their bound."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.app.web import series_rows
from barograph.app.web.series_rows import WINDOW_S, SeriesRows, window_of
from barograph.types import Verdict
from watched_predictions import prediction

ARRIVALS = st.lists(
    st.tuples(st.integers(0, 3 * WINDOW_S), st.integers(1, 30)), min_size=1, max_size=8
).map(lambda runs: [start + n for start, length in runs for n in range(length)])


def kept(seconds, limit):
    """The oracle: what is kept of predictions that came in this order."""
    rows = []
    for second in seconds:
        if second in rows or (rows and second <= max(rows) - WINDOW_S):
            continue
        rows = [*rows, second]
        rows = sorted(row for row in rows if row > max(rows) - WINDOW_S)[-limit:]
    return rows


@given(ARRIVALS, st.integers(1, 100))
def test_rows_are_the_newest_of_the_window_in_order(seconds, limit):
    rows = SeriesRows()
    for second in seconds:
        rows.add(prediction("A", second, 0.5), 0, limit)
    assert rows.seconds.tolist() == kept(seconds, limit)
    assert len(rows) == len(rows.seconds)


@given(ARRIVALS, st.integers(1, 100), st.data())
def test_what_the_log_has_before_comes_later_and_makes_the_same_rows(seconds, limit, data):
    """By parts of any size, the newest first; of one second the first in the log counts."""
    arrived = [(prediction("A", s, 0.5, mid=float(n)), n) for n, s in enumerate(seconds)]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(arrived)), max_size=5)), reverse=True)
    rows, end = SeriesRows(), len(arrived)
    for start in cuts[:1]:
        for each in arrived[start:end]:
            rows.add(*each, limit)
        end = start
    for start in [*cuts[1:], 0]:
        rows.add_older(arrived[start:end], limit)
        end = start
    whole = SeriesRows()
    for each in arrived:
        whole.add(*each, limit)
    assert rows.seconds.tolist() == whole.seconds.tolist() == kept(seconds, limit)
    columns = ["second", "mid", "model"]
    assert rows.between(-1, 2**62)[columns].tolist() == whole.between(-1, 2**62)[columns].tolist()


def test_a_day_that_comes_backwards_takes_little_more_memory_than_one_that_does_not():
    rows, day = SeriesRows(), 20_000
    rows.add(prediction("A", day, 0.5), 0, day)
    for start in range(day - 500, -1, -500):
        rows.add_older([(prediction("A", start + n, 0.5), 0) for n in range(500)], day)
    assert len(rows) == day
    assert rows.bytes <= (2 * day + 1_000) * series_rows.ROW.itemsize


def test_of_predictions_for_one_second_the_first_counts():
    rows = SeriesRows()
    assert rows.add(prediction("A", 5, 0.1), 0, 10)
    assert not rows.add(prediction("A", 5, 0.9), 1, 10)
    assert rows.at(5)["probability"] == 0.1  # exact: what was stored
    assert rows.at(6) is None


def test_a_span_is_a_copy_with_the_row_before_it():
    rows = SeriesRows()
    for second in range(100, 120):
        rows.add(prediction("A", second, second / 1000), 0, 1000)
    span = rows.between(104, 107)
    assert span["second"].tolist() == [104, 105, 106, 107]
    span["probability"] = 0.0
    assert rows.at(105)["probability"] == 0.105  # exact: what was stored


def test_what_is_not_known_is_nan_and_a_verdict_keeps_its_name():
    rows = SeriesRows()
    rows.add(prediction("A", 1, None, tau=None, mid=None, value_now=None), 3, 10)
    row = rows.at(1)
    assert all(row[name] != row[name] for name in ("probability", "tau", "mid", "value"))
    assert series_rows.VERDICTS[row["verdict"]] is Verdict.GAP
    assert row["model"] == 3


@pytest.mark.slow
def test_a_day_takes_no_more_memory_than_twice_its_rows():
    rows, limit = SeriesRows(), 5_000
    for second in range(40_000):
        rows.add(prediction("A", second, 0.5), 0, limit)
    assert len(rows) == limit
    assert rows.bytes <= 2 * (limit + 256) * series_rows.ROW.itemsize


@pytest.mark.slow
def test_a_smaller_part_gives_memory_back():
    rows = SeriesRows()
    for second in range(20_000):
        rows.add(prediction("A", second, 0.5), 0, 20_000)
    before = rows.bytes
    rows.add(prediction("A", 20_000, 0.5), 0, 100)
    assert len(rows) == 100
    assert rows.bytes < before / 100


def test_rows_of_a_level_have_what_was_forecast_and_grow_with_it():
    rows = SeriesRows(level=True)
    for second in range(600):
        rows.add(prediction("A", second, 0.5, median=second / 10, low=1.0, high=None), 0, 1_000)
    span = rows.between(-1, 599)
    assert span["median"].tolist() == [second / 10 for second in range(600)]
    assert set(span["low"]) == {1.0}
    assert all(map(math.isnan, span["high"]))
    assert "low" not in (SeriesRows().between(-1, 9).dtype.names or ())


def test_of_rows_that_are_farther_apart_more_time_is_kept():
    assert [window_of(step_s) for step_s in (1, 60, 3_600)] == [86_400, 86_400, 60 * 86_400]
    rows = SeriesRows(window_s=window_of(3_600))
    for hour in range(1_500):
        rows.add(prediction("A", hour * 3_600, 0.5), 0, 2_000)
    assert len(rows) == 1_440
