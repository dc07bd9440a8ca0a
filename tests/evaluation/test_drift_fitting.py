import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.evaluation.drift import EXCEEDANCE, encoded
from barograph.evaluation.drift_fitting import KeyRows, reference
from drifting_rows import CADENCE, TAU, reference_of, remembering, seconds
from queues import COLUMNS

MANY = reference_of(remembering(5000))


@pytest.mark.slow
@given(st.randoms(use_true_random=True))
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


def test_a_column_that_follows_the_clock_is_not_tested():
    values = remembering(1440)
    values[:, 2] = np.sin(2 * np.pi * np.arange(1440) / 1440)
    columns = reference_of(values).keys["north"].columns
    assert columns["arriving"].untested == "its windows differ too much in the reference"
    assert columns["waiting"].untested == ""


def test_how_often_tau_is_reached_is_a_column_of_its_own():
    column = MANY.keys["north"].columns[EXCEEDANCE]
    assert (column.column, column.edges) == ("waiting", (TAU,))
    assert column.shares[1] == pytest.approx(0.067, abs=0.03)
    assert MANY.tests == 3 * 2 + 1


def test_the_memory_of_a_column_is_its_integrated_autocorrelation_time():
    """(1 + 0.8) / (1 − 0.8) minutes, less what windows of 50 minutes do not see."""
    for name in COLUMNS:
        assert 400 < MANY.keys["north"].columns[name].memory_s < 600
