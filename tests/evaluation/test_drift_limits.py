import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from barograph.evaluation.drift_limits import cadence_of, critical, f_exceeded_at


@given(st.floats(1e-9, 0.5), st.floats(1, 5), st.floats(2, 100))
def test_the_limit_is_the_quantile_of_the_f_distribution(level, above, below):
    limit = f_exceeded_at(level, above, below)
    assert stats.f.sf(limit, above, below) == pytest.approx(level, rel=1e-6)


@given(st.integers(1, 86_400))
def test_windows_are_whole_intervals_and_intervals_whole_rows(step_s):
    cadence = cadence_of(step_s)
    assert cadence.window_s % cadence.interval_s == 0
    assert cadence.interval_s % step_s == 0
    assert cadence.rows >= 48
    assert cadence.interval_s >= 300


@given(st.floats(4, 200), st.integers(1, 5000))
def test_more_tests_and_a_shorter_reference_need_a_stronger_signal(windows, tests):
    cadence = cadence_of(1)
    limit = critical(windows, cadence, tests)
    assert critical(windows, cadence, tests + 1) > limit
    assert critical(windows * 1.1, cadence, tests) < limit
