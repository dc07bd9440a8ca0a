import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from barograph.evaluation.drift_usual import kolmogorov_smirnov, stability_index

SIDES = st.lists(st.integers(-5, 5), min_size=1, max_size=40)


@given(SIDES, SIDES)
def test_the_distance_is_the_largest_of_the_distribution_functions_also_with_ties(before, after):
    def below(side, value):
        return sum(each <= value for each in side) / len(side)

    expected = max(abs(below(before, value) - below(after, value)) for value in before + after)
    distance, _ = kolmogorov_smirnov(np.array(before, float), np.array(after, float))
    assert distance == pytest.approx(expected, abs=1e-12)


def test_the_p_value_is_that_of_scipy_for_many_rows():
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=3000), rng.normal(0.05, size=2000)
    expected = stats.ks_2samp(before, after, method="asymp").pvalue
    assert kolmogorov_smirnov(before, after)[1] == pytest.approx(expected, rel=0.1)


def test_equal_spans_have_no_index_and_a_moved_one_a_large_one():
    values = np.arange(1000.0)
    assert stability_index(values, values) == pytest.approx(0.0, abs=1e-12)
    assert stability_index(values, values + 500) > 0.2


def test_without_a_value_nothing_is_defined():
    nothing, something = np.array([math.nan]), np.array([1.0])
    assert math.isnan(kolmogorov_smirnov(nothing, something)[0])
    assert math.isnan(stability_index(something, nothing))
