"""Rows to learn from, and the law around a regression by maximum likelihood."""

import numpy as np
import pytest

from barograph.errors import BadInputError, TooLittleDataError
from barograph.learning.examples import Examples, both_kinds


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
