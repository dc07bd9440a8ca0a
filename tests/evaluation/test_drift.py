import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.evaluation.drift import (
    decoded,
    encoded,
    findings,
    out_of_range,
)
from barograph.evaluation.drift import strengths as strengths_of
from barograph.evaluation.drift_calibration import Residuals
from barograph.evaluation.drift_counts import count
from barograph.evaluation.drift_limits import ENOUGH_WINDOWS
from drifting_rows import CADENCE, reference_of, remembering, seconds
from queues import COLUMNS

MANY = reference_of(remembering(5000))
SOME = Residuals(seconds(20), np.full(20, 0.5), np.ones(20))


def strengths(of, values, start=0):
    """Strength of the strongest test of each window of rows."""
    windows = windows_of(of, values, start)
    every = strengths_of(of.keys["north"], windows.bins, CADENCE)
    return np.fmax.reduce([*every.values(), np.zeros(len(windows.interval))])


def windows_of(of, values, start=0):
    key = of.keys["north"]
    places = [COLUMNS.index(one.column) for one in key.columns.values()]
    counts = count(seconds(len(values), start), values[:, places], key.grid(), CADENCE.interval_s)
    return counts.windows(CADENCE.intervals)


@pytest.mark.slow
@settings(max_examples=30)  # each is a stream of hundreds of intervals
@given(st.integers(1, 10**6))
def test_an_unchanged_stream_rarely_reaches_a_limit_whatever_its_memory(seed):
    memory = 0.95 * np.random.default_rng(seed).random()
    of = reference_of(remembering(3000, seed, memory))
    assert (strengths(of, remembering(500, seed + 1, memory)) >= 1).mean() < 0.1


@pytest.mark.slow
@settings(max_examples=30)
@given(st.randoms(use_true_random=True), st.integers(1, 10**6))
def test_a_reference_whose_windows_were_permuted_rarely_reaches_a_limit(chance, seed):
    """The blocks of an unchanged stream, in any order, are the stream."""
    values = remembering(3000, seed)
    blocks = [values[start : start + CADENCE.rows] for start in range(0, 3000, CADENCE.rows)]
    of = reference_of(values)
    chance.shuffle(blocks)
    assert (strengths(of, np.concatenate(blocks)) >= 1).mean() < 0.02


@pytest.mark.slow
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


def test_the_tests_of_a_window_alone_are_those_of_it_among_others():
    bins = windows_of(MANY, remembering(300, 5)).bins
    every = strengths_of(MANY.keys["north"], bins, CADENCE)
    for place in range(len(bins)):
        alone = {
            (one.column, one.statistic): one.strength
            for one in findings("north", MANY.keys["north"], bins[place], CADENCE)
        }
        among = {test: one[place] for test, one in every.items() if not np.isnan(one[place])}
        assert alone == pytest.approx(among, rel=1e-12)


def test_a_reference_that_tests_half_of_its_columns_lacks_nothing():
    assert MANY.keys["north"].lacking(CADENCE) is None


def test_a_short_reference_says_how_many_hours_it_has_and_needs():
    lacking = reference_of(remembering(150)).keys["north"].lacking(CADENCE)
    assert (lacking.has_s, lacking.tested, lacking.varying) == (150 * 60, 0, 4)
    assert lacking.needs_s == ENOUGH_WINDOWS * CADENCE.window_s
    assert str(lacking) == (
        "reference too short to judge: needs about 15 h; the 2.5 h it has test 0 of 4 columns"
    )


def test_what_a_short_reference_needs_tests_half_of_its_columns():
    """The need is read off the variation of few windows, so it is right within a factor of two."""
    values = remembering(2000, seed=11, memory=0.7)
    lacking = reference_of(values[:250]).keys["north"].lacking(CADENCE)
    assert lacking.tested < 2
    rows = lacking.needs_s // CADENCE.step_s
    assert rows > 250
    assert reference_of(values[: 2 * rows]).keys["north"].lacking(CADENCE) is None


def test_a_reference_that_no_length_helps_says_so():
    of = reference_of(remembering(2000, seed=2, memory=0.999)).keys["north"].lacking(CADENCE)
    assert of.needs_s is None
    assert "a week as varied would not do" in str(of)
    constant = reference_of(np.ones((1000, len(COLUMNS))), tau=None).keys["north"].lacking(CADENCE)
    assert str(constant) == "reference cannot judge: no column varies in it"
