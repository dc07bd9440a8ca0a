"""Which features a history can afford."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.cases.affordable import LEAST_APART, LEAST_HISTORY, MOST_COST, shares, unaffordable
from barograph.feature_set.catalogue import Feature
from barograph.types import Reason

ROWS = 10_000
ONE = np.zeros(ROWS, np.int64)


def features(*reaches_s):
    return [Feature(f"of_{reach_s}", "f", "1", reach_s, "here") for reach_s in reaches_s]


def reasons(*shares, reason=Reason.GAP):
    """Of features that wait in these shares of the rows."""
    of = np.full((ROWS, len(shares)), int(Reason.KNOWN), np.uint8)
    for place, share in enumerate(shares):
        of[: round(share * ROWS), place] = int(reason)
    return of


def test_a_feature_that_costs_more_than_its_share_of_the_rows_is_left_out():
    left_out = unaffordable(features(30, 60), reasons(MOST_COST, MOST_COST + 0.01), ONE, ONE, 1)
    assert left_out == {"of_60": "it would cost 6% of the rows, after holes"}


def test_a_wait_of_half_a_minute_is_never_too_dear():
    assert unaffordable(features(30), reasons(0.5), ONE, ONE, 1) == {}


def test_what_is_not_offered_costs_nothing_here():
    of = reasons(1.0, reason=Reason.NOT_OFFERED)
    assert unaffordable(features(60), of, ONE, ONE, 1) == {}


def test_a_window_is_short_beside_the_history_of_the_longest_key():
    longest = ROWS // 2 // LEAST_HISTORY
    key = np.repeat([0, 1], ROWS // 2)
    left_out = unaffordable(features(300, longest, longest + 1), reasons(0, 0, 0), key, ONE, 1)
    assert list(left_out) == [f"of_{longest + 1}"]
    assert unaffordable(features(longest + 1), reasons(0), key, ONE, 2) == {}


def test_of_regimes_that_lie_apart_windows_may_be_longer():
    regime = np.arange(ROWS) * 3 // ROWS
    assert unaffordable(features(ROWS // LEAST_APART), reasons(0), ONE, regime, 1) == {}
    assert len(unaffordable(features(ROWS // LEAST_APART + 1), reasons(0), ONE, regime, 1)) == 1
    assert len(unaffordable(features(ROWS // LEAST_APART), reasons(0), ONE, regime // 2, 1)) == 1


def test_no_window_of_five_minutes_is_too_long_for_any_history():
    few = np.zeros(50, np.int64)
    assert unaffordable(features(300), reasons(0)[:50], few, few, 1) == {}
    assert unaffordable(features(300), reasons(0)[:0], few[:0], few[:0], 1) == {}


def test_rows_that_stand_for_others_cost_as_much_as_those():
    of, times = reasons(0.04, 0.06, 0.1), np.ones(ROWS, np.int64)
    times[: ROWS // 20] = 4
    every = np.repeat(np.arange(ROWS), times)
    windows = features(30, 60, 900)
    whole = unaffordable(windows, of[every], ONE[0] + every * 0, every * 0, 1)
    assert unaffordable(windows, of, ONE, ONE, 1, times) == whole
    assert whole != unaffordable(windows, of, ONE, ONE, 1)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=1, max_size=30))
def test_a_share_counts_each_row_for_as_many_as_it_stands_for(of):
    true, times = (np.array(column) for column in zip(*of, strict=True))
    expected = np.repeat(true, times).mean()
    assert shares(true[:, None], times).tolist() == [pytest.approx(expected)]
    assert shares(true[:, None]).tolist() == [pytest.approx(true.mean())]
