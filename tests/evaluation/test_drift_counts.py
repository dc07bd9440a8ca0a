import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from barograph.evaluation.drift_counts import BINS, count, edges_of, grid, merged

VALUES = st.lists(st.one_of(st.just(np.nan), st.integers(-5, 5).map(float)), max_size=60)


def cut_of(values):
    known = values[~np.isnan(values)]
    low, high = (known.min(), known.max()) if len(known) else (np.nan, np.nan)
    return grid([(edges_of(values).tolist(), low, high)])


@given(VALUES)
def test_each_known_value_of_the_reference_is_in_a_bin_that_is_not_empty(values):
    values = np.array(values)
    bins = count(np.arange(len(values)), values[:, None], cut_of(values), 7).bins[:, 0].sum(axis=0)
    assert bins[BINS] == np.isnan(values).sum()
    used = len(edges_of(values)) + 1
    assert bins[used:BINS].sum() == 0
    if (~np.isnan(values)).any():
        assert (bins[:used] > 0).all()


@given(VALUES, VALUES, st.integers(1, 20))
def test_a_count_is_of_the_bins_and_values_beyond_the_range_of_each_row(known, values, interval):
    cut, values = cut_of(np.array(known)), np.array(values)[:, None]
    second = np.arange(len(values))
    counts = count(second, values, cut, interval)
    for place, one in enumerate(counts.interval):
        some = second // interval == one
        bins = np.bincount(cut.of_bins(values)[some, 0], minlength=BINS + 1)
        np.testing.assert_array_equal(counts.bins[place, 0], bins)  # exact: counts
        assert counts.outside[place, 0] == cut.outside(values)[some].sum()


@given(VALUES, st.randoms(use_true_random=True), st.integers(1, 20))
def test_counts_depend_neither_on_the_order_of_rows_nor_on_their_batches(values, chance, interval):
    values = np.array(values)[:, None]
    second = np.arange(len(values))
    cut = cut_of(values[:, 0])
    whole = count(second, values, cut, interval)
    order = list(range(len(values)))
    chance.shuffle(order)
    middle = len(order) // 2
    parts = [
        count(second[some], values[some], cut, interval)
        for some in (order[:middle], order[middle:])
    ]
    for ours, theirs in zip(whole, merged(parts), strict=True):
        np.testing.assert_array_equal(ours, theirs)  # exact: counts


@given(st.lists(st.integers(0, 200), min_size=1, max_size=60, unique=True), st.integers(1, 8))
def test_a_window_has_the_rows_of_its_intervals_also_across_a_hole(seconds, intervals):
    second = np.sort(np.array(seconds))
    counts = count(second, np.zeros((len(second), 1)), grid([((), 0.0, 0.0)]), 10)
    for interval, rows in zip(counts.interval, counts.windows(intervals).rows, strict=True):
        first = (interval - intervals + 1) * 10
        assert rows == ((second >= first) & (second < (interval + 1) * 10)).sum()


def test_a_value_beyond_the_range_is_outside_and_a_missing_one_is_not():
    cut = grid([([1.0, 2.0], 0.0, 3.0)])
    values = np.array([[0.0], [3.0], [-0.1], [3.1], [np.nan]])
    assert cut.outside(values)[:, 0].tolist() == [0, 0, 1, 1, 0]
    assert cut.of_bins(values)[:, 0].tolist() == [0, 2, 0, 2, BINS]
