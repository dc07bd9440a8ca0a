import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.evaluation.drift import (
    EXCEEDANCE,
    KeyRows,
    decoded,
    encoded,
    findings,
    out_of_range,
    psi,
    reference,
    shift,
)
from barograph.evaluation.drift_calibration import Residuals
from barograph.evaluation.drift_counts import count
from drifting_rows import CADENCE, TAU, reference_of, remembering, seconds
from queues import COLUMNS

MANY = reference_of(remembering(5000))
SOME = Residuals(seconds(20), np.full(20, 0.5), np.ones(20))


def strengths(of, values, start=0):
    """Strength of the strongest test of each window of rows."""
    key = of.keys["north"]
    places = [COLUMNS.index(one.column) for one in key.columns.values()]
    counts = count(seconds(len(values), start), values[:, places], key.grid(), CADENCE.interval_s)
    windows = counts.windows(CADENCE.intervals)
    return np.array(
        [
            max((one.strength for one in findings("north", key, bins, CADENCE)), default=0.0)
            for bins in windows.bins
        ]
    )


@given(st.lists(st.integers(0, 50), min_size=2, max_size=10), st.data())
def test_the_statistics_are_those_of_the_formulas(counts, data):
    others = data.draw(st.lists(st.integers(0, 50), min_size=len(counts), max_size=len(counts)))
    p, q = (np.array(one) / max(1, sum(one)) for one in (counts, others))
    whole = 1 + 0.01 * len(p)
    pairs = [((a + 0.01) / whole, (b + 0.01) / whole) for a, b in zip(p, q, strict=True)]
    assert psi(p, q) == pytest.approx(
        math.fsum((a - b) * math.log(a / b) for a, b in pairs), abs=1e-12
    )
    apart = [abs(math.fsum(p[: k + 1]) - math.fsum(q[: k + 1])) for k in range(len(p))]
    assert shift(p, q) == pytest.approx(max(apart) ** 2, abs=1e-12)


@given(st.randoms())
def test_a_reference_does_not_depend_on_the_order_of_its_rows(chance):
    values, second = remembering(400, seed=3), seconds(400)
    order = list(range(400))
    chance.shuffle(order)
    shuffled = reference(
        {"north": KeyRows(second[order], values[order])},
        COLUMNS,
        cadence=CADENCE,
        feature_set=MANY.feature_set,
        span_ns=(0, 1),
    )
    ordered = reference(
        {"north": KeyRows(second, values)},
        COLUMNS,
        cadence=CADENCE,
        feature_set=MANY.feature_set,
        span_ns=(0, 1),
    )
    assert encoded(shuffled) == encoded(ordered)


@given(st.integers(1, 10**6))
def test_an_unchanged_stream_rarely_reaches_a_limit_whatever_its_memory(seed):
    memory = 0.95 * np.random.default_rng(seed).random()
    of = reference_of(remembering(3000, seed, memory))
    assert (strengths(of, remembering(500, seed + 1, memory)) >= 1).mean() < 0.1


@given(st.randoms(), st.integers(1, 10**6))
def test_a_reference_whose_windows_were_permuted_rarely_reaches_a_limit(chance, seed):
    """The blocks of an unchanged stream, in any order, are the stream."""
    values = remembering(3000, seed)
    blocks = [values[start : start + CADENCE.rows] for start in range(0, 3000, CADENCE.rows)]
    of = reference_of(values)
    chance.shuffle(blocks)
    assert (strengths(of, np.concatenate(blocks)) >= 1).mean() < 0.02


def test_an_unchanged_stream_alarms_less_than_once_a_week():
    weeks, alarms = 8, 0
    for seed in range(weeks):
        of = reference_of(remembering(3000, seed, 0.9))
        above = strengths(of, remembering(10_080, 1000 + seed, 0.9)) >= 1
        twice = above[1:] & above[:-1]
        alarms += int((twice[1:] & ~twice[:-1]).sum())
    assert alarms < weeks


def test_a_stream_whose_deviation_trebled_or_whose_level_moved_alarms():
    of = reference_of(remembering(5000, memory=0.3))
    late = strengths(of, remembering(500, 7, memory=0.3, scale=3.0))[CADENCE.intervals :]
    assert (late > 1).mean() > 0.5
    moved = strengths(MANY, remembering(500, 7) + 2.5)[CADENCE.intervals :]
    assert (moved > 1).mean() > 0.9


def test_the_memory_of_a_column_is_its_integrated_autocorrelation_time():
    """(1 + 0.8) / (1 − 0.8) minutes, less what windows of 50 minutes do not see."""
    for name in COLUMNS:
        assert 400 < MANY.keys["north"].columns[name].memory_s < 600


def test_a_column_that_follows_the_clock_is_not_tested():
    values = remembering(1440)
    values[:, 2] = np.sin(2 * np.pi * np.arange(1440) / 1440)
    columns = reference_of(values).keys["north"].columns
    assert columns["arriving"].untested == "its windows differ too much in the reference"
    assert columns["waiting"].untested == ""


def test_a_short_reference_and_a_column_without_values_say_why_they_are_not_tested():
    short = reference_of(remembering(150)).keys["north"].columns["waiting"]
    assert short.untested == "the reference holds 3.0 windows, and 4 are needed"
    values = remembering(1000)
    values[:, 1] = np.nan
    of = reference_of(values)
    column = of.keys["north"].columns["waiting_mean_10min"]
    assert (column.untested, column.low, column.missing) == (
        "it has no value in the reference",
        None,
        1.0,
    )
    assert strengths(of, remembering(100, 1)).max() < 1


def test_a_window_with_few_known_rows_is_not_tested():
    key = MANY.keys["north"]
    bins = np.zeros((len(key.columns), 11), np.int64)
    bins[:, 9] = CADENCE.rows // 2 - 1
    assert list(findings("north", key, bins, CADENCE)) == []
    bins[:, 9] += 1
    assert {one.statistic for one in findings("north", key, bins, CADENCE)} == {"psi", "shift"}


def test_how_often_tau_is_reached_is_a_column_of_its_own():
    column = MANY.keys["north"].columns[EXCEEDANCE]
    assert (column.column, column.edges) == ("waiting", (TAU,))
    assert column.shares[1] == pytest.approx(0.067, abs=0.03)
    assert MANY.tests == 3 * 2 + 1


def test_a_constant_column_is_not_tested_and_what_leaves_it_is_out_of_range():
    values = remembering(3000)
    values[:, 2] = 5.0
    key = reference_of(values).keys["north"]
    column = key.columns["arriving"]
    assert column.untested == "it has one value in the reference"
    assert (column.edges, column.low, column.high) == ((), 5.0, 5.0)
    assert key.grid().outside(np.full((1, 4), 5.1))[0, 2] == 1


def test_the_share_out_of_range_is_of_the_known_values():
    cut = MANY.keys["north"].grid()
    far = np.full((2, 4), 100.0)
    far[0, :2] = 0.0
    far[1, 1:] = np.nan
    share = out_of_range(far, cut)
    np.testing.assert_allclose(share, [0.5, 1.0])
    assert np.isnan(out_of_range(np.full((1, 4), np.nan), cut)).all()


def test_a_reference_is_read_as_it_was_written_and_a_damaged_one_is_refused():
    assert decoded(encoded(MANY)) == MANY
    untested = reference_of(remembering(100), residuals={"north": SOME})
    assert decoded(encoded(untested)) == untested
    with pytest.raises(ValueError, match="rows"):
        decoded(encoded(MANY).replace(b'"rows"', b'"sows"'))
