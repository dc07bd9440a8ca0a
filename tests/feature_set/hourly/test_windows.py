"""Windows of hours: the sum of what is in them, however it was reached, and when it is enough."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.feature_set.hourly.hours import GK, KEPT, KNOWN, RETURN, SUMMED
from barograph.feature_set.hourly.state import RING_H, new_states
from barograph.feature_set.hourly.windows import (
    GREATEST_GK,
    GREATEST_PATH,
    LEAST_PATH,
    PATH,
    WIDTH,
    WINDOWS_H,
    is_enough,
    slide,
    sum_up,
    why_not,
)
from barograph.types import Reason

seeds = st.integers(0, 2**32 - 1)


def ring(seed):
    rng = np.random.default_rng(seed)
    hours = rng.integers(-1000, 1000, (KEPT, RING_H))
    hours[KNOWN] = rng.random(RING_H) < 0.7
    hours[GK] = abs(hours[GK])
    return hours * hours[KNOWN]


def sums_of(hours, last):
    sums = np.zeros((len(WINDOWS_H), WIDTH), np.int64)
    sum_up(hours, last, sums)
    return sums


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(RING_H, 10**6))
def test_sums_are_those_of_the_hours_in_the_window(seed, last):
    hours = ring(seed)
    sums = sums_of(hours, last)
    for place, n in enumerate(WINDOWS_H):
        inside = hours[:, np.arange(last, last - n, -1) % RING_H]
        assert sums[place, :SUMMED].tolist() == inside[:SUMMED].sum(axis=1).tolist()
        path = -np.concatenate([[0], np.cumsum(inside[RETURN])[:-1]])
        path = path[inside[KNOWN] == 1]
        assert sums[place, PATH] == path.sum()
        if len(path):
            assert sums[place, GREATEST_PATH] == path.max()
            assert sums[place, LEAST_PATH] == path.min()
            assert sums[place, GREATEST_GK] == inside[GK].max()


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(RING_H, 10**6), st.integers(0, 50))
def test_sliding_on_gives_the_sums_of_the_hours(seed, last, more):
    hours, following = ring(seed), ring(seed + 1)
    sums = sums_of(hours, last)
    for hour in range(last + 1, last + 1 + more):
        hours[:, hour % RING_H] = following[:, hour % RING_H]
        slide(hours, hour, sums)
    assert sums.tolist() == sums_of(hours, last + more).tolist()


@pytest.mark.parametrize(
    ("known", "hours", "enough"),
    [
        (1, 1, True), (22, 23, False), (23, 23, True), (22, 24, False), (23, 24, True),
        (683, 720, False), (684, 720, True),
    ],
)  # fmt: skip
def test_a_window_of_a_day_or_more_has_a_value_when_95_percent_are_known(known, hours, enough):
    assert is_enough(known, hours) == enough


def test_what_is_missing_waits_for_the_start_as_long_as_that_may_be_why():
    state = new_states(1)[0]
    state["first"], state["last"] = 100, 109
    assert why_not(state, 10) == Reason.GAP
    assert why_not(state, 11) == Reason.WARMUP
    state["reason"] = Reason.STALE
    assert why_not(state, 11) == Reason.STALE
