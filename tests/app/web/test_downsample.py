"""Buckets against an oracle: no spike, no alarm and no gap disappears."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.app.web.downsample import DRAWN_BUCKETS, downsampled, step_for
from barograph.app.web.series_rows import GapSpan, SeriesRows
from barograph.types import DAY_S, Verdict
from watched_predictions import prediction

NS = 10**9
HORIZON_S = 5

VALUES = st.one_of(st.none(), st.floats(0, 1))
SECONDS = st.lists(st.integers(1, 4), min_size=1, max_size=60).map(
    lambda steps: np.cumsum(steps).tolist()
)


@st.composite
def series(draw):
    """Predictions of some seconds with any values, and gaps."""
    predictions = []
    for second in draw(SECONDS):
        probability = draw(VALUES)
        predictions.append(
            prediction(
                "A", second, probability, value_now=draw(VALUES), mid=draw(VALUES),
                tau=draw(st.one_of(st.none(), st.floats(0.2, 0.8))), horizon_s=HORIZON_S,
                verdict=draw(st.sampled_from([Verdict.GAP, Verdict.WARMUP]))
                if probability is None else Verdict.PREDICTED,
            )
        )  # fmt: skip
    spans = st.tuples(st.integers(0, 250 * NS), st.integers(0, 3 * NS))
    gaps = [
        GapSpan(start, start + length, "trade_id", 1)
        for start, length in draw(st.lists(spans, max_size=5))
    ]
    return predictions, gaps


def buckets_of(predictions, gaps, step_s, span=(0, 400)):
    rows = SeriesRows()
    for each in predictions:
        rows.add(each, 0, 1000)
    start, end = span
    return downsampled(
        "A", rows.between(start - 2, end + HORIZON_S), gaps, from_ns=start * NS, to_ns=end * NS,
        step_s=step_s, row_step_s=1, horizon_s=HORIZON_S,
    )  # fmt: skip


def in_bucket(predictions, time_ns, step_s):
    return [p for p in predictions if time_ns - step_s * NS < p.event_time_ns <= time_ns]


def known(values):
    return [value for value in values if value is not None]


def same(number, expected):
    return math.isnan(number) if expected is None else number == expected


@given(series(), st.integers(1, 40))
def test_each_bucket_has_the_extremes_and_the_last_of_its_rows(drawn, step_s):
    predictions, gaps = drawn
    made = buckets_of(predictions, gaps, step_s)
    ends = sorted({-(-(p.second + 1) // step_s) * step_s * NS for p in predictions})
    assert made.time_ns == ends
    for at, time_ns in enumerate(made.time_ns):
        inside = in_bucket(predictions, time_ns, step_s)
        for name, field in (
            ("mid", "mid"), ("volatility", "value_now"), ("probability", "probability"),
        ):  # fmt: skip
            values = known(getattr(p, field) for p in inside)
            extremes = getattr(made, name)
            assert same(extremes.min[at], min(values, default=None))
            assert same(extremes.max[at], max(values, default=None))
            assert same(extremes.last[at], values[-1] if values else None)
        assert same(made.tau[at], ([None, *known(p.tau for p in inside)])[-1])
        assert made.alarm[at] == any(p.alarm for p in inside)
        odd = [str(p.verdict) for p in inside if p.verdict is not Verdict.PREDICTED]
        assert made.verdict[at] == [*odd, "PREDICTED"][0]


@given(series(), st.integers(1, 40))
def test_the_greatest_of_all_buckets_is_the_greatest_of_all_rows(drawn, step_s):
    predictions, gaps = drawn
    made = buckets_of(predictions, gaps, step_s)
    for extremes, field in (
        (made.mid, "mid"), (made.volatility, "value_now"), (made.probability, "probability"),
    ):  # fmt: skip
        values = known(getattr(p, field) for p in predictions)
        found = [number for number in extremes.max if not math.isnan(number)]
        assert max(found, default=None) == max(values, default=None)


@given(series(), st.integers(1, 40))
def test_an_outcome_matures_one_horizon_later_by_the_tau_of_its_prediction(drawn, step_s):
    predictions, gaps = drawn
    by_second = {p.second: p for p in predictions}
    made = buckets_of(predictions, gaps, step_s)
    for at, time_ns in enumerate(made.time_ns):
        outcomes = []
        for each in in_bucket(predictions, time_ns, step_s):
            later = by_second.get(each.second + HORIZON_S)
            if later is None or None in (later.value_now, each.tau, each.probability):
                continue
            outcomes.append(later.value_now >= each.tau)
        assert made.outcome[at] == (any(outcomes) if outcomes else None)


@given(series(), st.integers(1, 40), st.integers(0, 100), st.integers(1, 200))
def test_each_gap_that_the_span_touches_is_listed(drawn, step_s, start, length):
    predictions, gaps = drawn
    span = (start, start + length)
    made = buckets_of(predictions, gaps, step_s, span)
    touched = [g for g in gaps if g.end_ns >= start * NS and g.start_ns <= (start + length) * NS]
    listed = [(h.start_ns, h.end_ns) for h in made.gaps if h.cause is not None]
    assert sorted(listed) == sorted((g.start_ns, g.end_ns) for g in touched)
    seconds = [p.second for p in predictions]
    for before, after in pairwise(seconds):
        if after - before > 1 and start < before and after < start + length:
            assert any(
                h.start_ns <= after * NS and h.end_ns >= (before + 1) * NS for h in made.gaps
            )


def test_a_span_without_rows_has_no_buckets():
    made = buckets_of([prediction("A", 5, 0.5)], [], 1, (100, 200))
    assert made.time_ns == made.mid.max == made.verdict == made.outcome == []


@pytest.mark.parametrize("span_s", [1, 900, 3_600, 6 * 3_600, DAY_S])
def test_a_span_is_drawn_with_a_bounded_number_of_buckets(span_s):
    step_s = step_for(span_s, 1)
    assert span_s / step_s <= DRAWN_BUCKETS
    assert step_for(span_s, 60) % 60 == 0


def test_a_series_without_a_level_has_no_forecasts():
    assert buckets_of([prediction("A", 5, 0.5)], [], 1).level is None


def test_a_bucket_with_one_value_outside_its_interval_is_outside():
    rows = SeriesRows(level=True)
    values = [1.0, 2.0, 9.0, 1.0, 1.0, 1.0]
    for second, value in enumerate(values):
        said = {"median": 1.5, "forecast": 1.6, "low": 0.5, "high": 2.5}
        said |= {"low": None, "high": None} if second == 3 else {}
        rows.add(prediction("A", second, 0.1, value_now=value, horizon_s=1, **said), 0, 100)
    made = downsampled(
        "A", rows.between(-1, 9), [], from_ns=0, to_ns=6 * NS, step_s=1, row_step_s=1, horizon_s=1
    )
    assert made.level.inside == [True, False, True, None, True, None]
    assert list(map(math.isnan, made.level.low)) == [False, False, False, True, False, False]
    made = downsampled(
        "A", rows.between(-1, 9), [], from_ns=0, to_ns=6 * NS, step_s=3, row_step_s=1, horizon_s=1
    )
    assert made.level.inside == [False, True]
