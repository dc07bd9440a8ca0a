"""Windows: what enters and leaves, exactly, and that no sum can overflow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.feature_set.window import (
    MAX_SECOND_MOVES_E18,
    MAX_SECOND_SPREADS_E9,
    MAX_VOLUME_E8,
    ago,
    put,
    roll,
    slide,
)
from barograph.types import MAX_RETURN_E9

INT64_MAX = 2**63 - 1


@pytest.mark.slow
@given(
    st.lists(st.integers(-(10**15), 10**15), max_size=80),
    st.integers(1, 20),
    st.integers(0, 10**9),
)
def test_a_window_holds_the_last_w_values_and_nothing_else(values, window_s, start):
    ring = np.full(20, 99, np.int64)  # what an earlier run left must not count
    total = 0
    for i, value in enumerate(values):
        second, run = start + i, i + 1
        rolled = roll(total, ring, second, run, window_s, value)
        total = slide(total, value, ago(ring, second, window_s), run, window_s)
        assert rolled == total
        put(ring, second, value)
        assert total == sum(values[max(0, run - window_s) : run])


def test_no_sum_of_the_longest_window_overflows():
    assert 900 * MAX_RETURN_E9**2 <= INT64_MAX
    assert 300 * MAX_RETURN_E9**2 <= INT64_MAX
    assert INT64_MAX >= 300 * 20_000 * 10**9
    assert 60 * MAX_VOLUME_E8 <= INT64_MAX
    assert 300 * MAX_SECOND_MOVES_E18 <= INT64_MAX
    assert 10 * MAX_SECOND_SPREADS_E9 <= INT64_MAX
    assert MAX_RETURN_E9 < 2**31
