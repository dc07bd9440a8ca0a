"""Rows to learn from, and the law around a regression by maximum likelihood."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError, TooLittleDataError
from barograph.learning.examples import Examples, both_kinds, unweighted


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        (np.zeros((2, 1)), np.zeros(2, np.bool_), "float64"),
        (np.zeros((2, 1), np.float32), np.zeros(2), "labels are float64"),
        (np.zeros((2, 1), np.float32), np.zeros(3, np.bool_), r"not bool \(2,\)"),
        (np.zeros((4, 4), np.float32)[:, ::2], np.zeros(4, np.bool_), "C-contiguous"),
        (np.array([[np.nan]], np.float32), np.zeros(1, np.bool_), "NaN or infinite"),
        (np.array([[np.inf]], np.float32), np.zeros(1, np.bool_), "NaN or infinite"),
    ],
)
def test_unfit_rows_never_enter_training(x, y, why):
    with pytest.raises(BadInputError, match=why):
        Examples(x, y)


def test_without_more_an_outcome_is_the_answer_and_all_rows_weigh_the_same():
    part = Examples(np.zeros((2, 1), np.float32), np.array([False, True]))
    assert part.outcome.tolist() == [0.0, 1.0]
    assert part.weight.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("y", [[True, True], [False, False]])
def test_rows_of_one_kind_are_too_little_to_tell_two(y):
    with pytest.raises(TooLittleDataError, match=f"{sum(y)} positives in 2 rows"):
        both_kinds(np.array(y))
    both_kinds(np.array([*y, not y[0]]))


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.integers(1, 9)), min_size=1, max_size=30),
)
def test_columns_are_standardised_by_the_rows_that_are_stood_for(of):
    value, times = (np.array(column) for column in zip(*of, strict=True))
    every = unweighted(np.repeat(value, times)[:, None])
    ours = unweighted(value[:, None], count=times)
    np.testing.assert_allclose(ours.mean, every.mean, rtol=1e-12, atol=1e-12)
    flat = np.isinf(every.scale)
    assert (np.isinf(ours.scale) == flat).all() or every.scale.min() < 1e-6
    np.testing.assert_allclose(ours.scale[~flat], every.scale[~flat], rtol=1e-6)


def test_some_columns_of_examples_stand_for_as_many_rows():
    part = Examples(np.zeros((2, 2), np.float32), np.array([False, True]), count=np.array([5, 30]))
    assert part.only([1]).count.tolist() == [5, 30]
    assert Examples(np.zeros((1, 1), np.float32), np.array([True])).only([0]).count is None
