"""Intervals of a series: how often they hold what comes, and that no cut changes a bit."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError
from barograph.evaluation.conformal import (
    Intervals,
    IntervalState,
    LevelRule,
    SlotState,
    covered,
    replay,
    residual_of,
    seeded,
)

HOUR = 3600
TAIL = 50_000_000
FIXED = LevelRule(slots=1, step=0.0)
ADAPTIVE = LevelRule(slots=2, window=40, coverage=0.8, step=0.05, centred=True)

residuals = st.integers(-20_000_000, 20_000_000)
values = st.floats(0.0, 1e6)
positive = st.floats(1e-6, 1e6)


def intervals_of(rule, *slots):
    tail = round(rule.tail * 1e9)
    return Intervals(rule, HOUR, IntervalState([SlotState(list(of), tail, tail) for of in slots]))


@given(st.lists(residuals, min_size=20, max_size=80))
def test_exchangeable_residuals_are_covered_as_often_as_promised(several):
    """Whichever of n + 1 values comes last: of so many, at most a tenth lie outside."""
    outside = 0
    for place, last in enumerate(several):
        others = several[:place] + several[place + 1 :]
        bounds = intervals_of(FIXED, others).predict(0, 1.0)
        inside = bounds.low <= math.exp(last / 1e6) <= bounds.high
        outside += not inside
    assert outside <= 0.1 * len(several)


@given(st.lists(residuals, min_size=19, max_size=60))
def test_an_interval_goes_from_one_residual_to_another_by_rank(several):
    bounds = intervals_of(FIXED, several).predict(0, 2.0)
    ranked = sorted(several)
    rank = (len(several) + 1) // 20
    low, high = (2.0 * math.exp(of / 1e6) for of in (ranked[rank - 1], ranked[-rank]))
    assert (bounds.low, bounds.high) == pytest.approx((low, high), rel=1e-12)


@given(st.lists(st.integers(-3_000_000, 3_000_000), min_size=19, max_size=60), positive)
def test_both_means_are_those_of_the_residuals(several, median):
    bounds = intervals_of(FIXED, several).predict(0, median)
    factors = [math.exp(residual / 1e6) for residual in several]
    mean = math.fsum(factors) / len(several)
    square = math.fsum(factor**2 for factor in factors) / len(several)
    assert bounds.mean == pytest.approx(median * mean, rel=1e-9)
    assert bounds.root_mean_square == pytest.approx(median * math.sqrt(square), rel=1e-9)
    assert bounds.root_mean_square >= bounds.mean * (1 - 1e-12)


@given(st.lists(st.integers(-3_000_000, 3_000_000), min_size=19, max_size=60), positive)
def test_a_centred_median_is_moved_by_the_mean_residual_and_any_other_is_the_models(several, model):
    assert intervals_of(FIXED, several).predict(0, model).median == model
    centred = LevelRule(slots=1, step=0.0, window=50, centred=True)
    intervals, kept = intervals_of(centred, several[-50:]), several[-50:]
    mean = math.fsum(kept) / len(kept) / 1e6
    assert intervals.predict(0, model).median == pytest.approx(model * math.exp(mean), rel=1e-12)
    intervals.learn(HOUR, model * 2.0)  # its own residual is of the model's median
    kept = [*kept, residual_of(model, model * 2.0, centred.floor)][-50:]
    mean = math.fsum(kept) / len(kept) / 1e6
    assert intervals.predict(HOUR, model).median == pytest.approx(model * math.exp(mean), rel=1e-12)


def test_before_there_are_residuals_in_both_tails_there_is_no_interval():
    assert FIXED.least == 19
    assert intervals_of(FIXED, range(18)).predict(0, 1.0) is None
    assert intervals_of(FIXED, range(19)).predict(0, 1.0) is not None


@dataclass
class Row:
    second: int
    value: float | None
    median: float | None


@st.composite
def series(draw):
    """Rows of a series with holes; some without value, some without forecast."""
    hours = draw(st.lists(st.integers(1, 3), min_size=1, max_size=60))
    rows, second = [], HOUR - 1
    for step in hours:
        second += step * HOUR
        value = draw(st.none() | values)
        rows.append(Row(second, value, draw(st.none() | positive)))
    return rows


def run(intervals, rows):
    """What is said of each row, live."""
    said = []
    for row in rows:
        if row.value is not None:
            intervals.learn(row.second, row.value)
        said.append(None if row.median is None else intervals.predict(row.second, row.median))
    return said


def ready():
    of = list(range(-1_000_000, 1_000_000, 100_000))
    return intervals_of(ADAPTIVE, of, of)


@given(series(), st.data())
def test_a_state_that_is_stored_and_read_anywhere_changes_no_bit(rows, data):
    cut = data.draw(st.integers(0, len(rows)))
    whole, first, second = ready(), ready(), Intervals(ADAPTIVE, HOUR)
    expected = run(whole, rows)
    before = run(first, rows[:cut])
    second.load(first.dump())
    assert before + run(second, rows[cut:]) == expected
    assert second.dump() == whole.dump()


@given(series())
def test_live_and_replay_say_the_same_to_the_bit(rows):
    live, batch = ready(), ready()
    said = run(live, rows)
    value_at = {row.second: row.value for row in rows if row.value is not None}
    known = [
        (row, bounds)
        for row, bounds in zip(rows, said, strict=True)
        if row.median is not None and row.second + HOUR in value_at
    ]
    second = np.array([row.second for row, _ in known], np.int64)
    median = np.array([row.median for row, _ in known], np.float64)
    came = np.array([value_at[row.second + HOUR] for row, _ in known], np.float64)
    replayed = replay(batch, HOUR, second, median, came)
    assert np.column_stack(replayed).tolist() == [list(bounds) for _, bounds in known]
    assert batch.settled() == live.settled()


def test_intervals_of_a_series_that_becomes_wilder_widen_until_they_hold_enough():
    """With fixed levels half of the values lie outside while the window is still of calm days."""
    rng = np.random.default_rng(1)
    scale = np.where(np.arange(6000) < 3000, 0.1, 0.3)
    outcome = np.exp(scale * rng.standard_normal(6000))
    second = np.arange(6000, dtype=np.int64) * HOUR
    shares = {}
    for step in (0.0, 0.02):
        rule = LevelRule(slots=1, window=3000, step=step)
        start = seeded(rule, HOUR, second[:1000], np.ones(1000), outcome[:1000])
        out = replay(start, HOUR, second[1000:], np.ones(5000), outcome[1000:])
        held = covered(outcome[1000:], out.low, out.high)
        shares[step] = held[:2000].mean(), held[2300:4000].mean()
    assert shares[0.0][0] == pytest.approx(0.9, abs=0.02)
    assert shares[0.02][0] == pytest.approx(0.9, abs=0.02)
    assert shares[0.0][1] < 0.8
    assert shares[0.02][1] == pytest.approx(0.9, abs=0.03)


def test_a_slot_is_a_part_of_the_day_by_the_end_of_the_second():
    rule = LevelRule()
    assert [rule.slot(hour * HOUR - 1) for hour in (0, 5, 6, 11, 12, 18, 23, 24)] == [
        0, 0, 1, 1, 2, 3, 3, 0,
    ]  # fmt: skip


def test_each_slot_keeps_its_last_residuals():
    rule = LevelRule(slots=2, window=20)
    second = np.arange(48, dtype=np.int64) * HOUR + HOUR - 1
    state = seeded(rule, HOUR, second, np.ones(48), np.exp(np.arange(48) / 10)).state
    first, later = ([round(of / 1e5) for of in slot.residuals] for slot in state.slots)
    assert first == [*range(3, 11), *range(23, 35), 47][-20:]
    assert later == [*range(11, 23), *range(35, 47)][-20:]


def test_a_zero_counts_as_the_floor():
    assert residual_of(1.0, 0.0, math.exp(-3)) == residual_of(math.exp(3), 1.0, 1.0) == -3_000_000
    assert residual_of(0.0, 1e30, 1e-7) == 20_000_000


@pytest.mark.parametrize(
    "checkpoint",
    [
        b"",
        b"\xc1",
        Intervals(LevelRule(slots=3), HOUR).dump(),
        intervals_of(LevelRule(slots=1, window=60), range(50)).dump(),
        Intervals(ADAPTIVE, HOUR).dump().replace(b"intervals/1", b"intervals/0"),
    ],
    ids=["empty", "no MessagePack", "other slots", "a longer window", "another form"],
)
def test_a_checkpoint_of_another_form_is_refused(checkpoint):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
        Intervals(ADAPTIVE, HOUR).load(checkpoint)


@pytest.mark.parametrize(
    "wrong", [{"coverage": 1.0}, {"slots": 7}, {"window": 18}, {"step": 1.0}, {"floor": 0.0}]
)
def test_a_rule_without_sense_is_refused(wrong):
    with pytest.raises(BadInputError, match="a level"):
        LevelRule(**wrong)


def test_what_waits_is_bounded_by_the_horizon():
    intervals = ready()
    for hour in range(100):
        intervals.predict(hour * HOUR, 1.0)
    assert len(intervals.state.waiting) == 2
