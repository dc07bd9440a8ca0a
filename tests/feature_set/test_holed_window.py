"""Windows with holes: their sums and counts are those of the seconds that are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codec import NAT
from barograph.feature_set import holed_window
from barograph.feature_set.holed_window import MAX_SQUARE_E18, UNKNOWN, HoledWindows

WINDOWS_S = (1, 3, 7)
RING_S = 8
INT64_MAX = 2**63 - 1

values = st.one_of(st.just(UNKNOWN), st.integers(-(10**8), 10**8), st.just(UNKNOWN + 1))
pushed = st.tuples(st.just("push"), st.integers(1, 12), values)
lost = st.tuples(st.just("lose"), st.integers(-12, 2), st.none())


def naive(known, through, squared):
    """Sums and counts over what is known, by second."""
    inside = [
        [value for second, value in known.items() if through - window_s < second <= through]
        for window_s in WINDOWS_S
    ]
    if squared:
        inside = [[min(value * value, MAX_SQUARE_E18) for value in window] for window in inside]
    return [sum(window) for window in inside], [len(window) for window in inside]


@pytest.mark.slow
@given(st.lists(st.one_of(pushed, pushed, lost), max_size=60), st.booleans(), st.integers(0, 10**9))
def test_windows_hold_the_known_values_of_their_seconds_and_nothing_else(steps, squared, start):
    # What an earlier session left must not count.
    sums, counts = np.full(3, 99, np.int64), np.full(3, 99, np.int64)
    ring = np.full(RING_S, 99, np.int32)
    windows = HoledWindows(ring, sums, counts, np.array(WINDOWS_S), squared)
    known, since, through = {}, int(NAT), start
    for kind, step, value in [("push", 1, 5), *steps]:
        if kind == "push":
            second = through + step
            since = holed_window.push(windows, since, through, second, value)
            through = second
            if value != UNKNOWN:
                known[second] = value
        else:
            holed_window.lose(windows, since, through, through + step)
            known = {second: each for second, each in known.items() if second < through + step}
        assert (sums.tolist(), counts.tolist()) == naive(known, through, squared)


def test_before_the_first_second_there_is_nothing_to_lose():
    windows = HoledWindows(
        np.full(RING_S, 99, np.int32), np.zeros(3, np.int64), np.zeros(3, np.int64),
        np.array(WINDOWS_S), squared=True,
    )  # fmt: skip
    holed_window.lose(windows, int(NAT), 0, 0)
    assert windows.ring.tolist() == [99] * RING_S
    assert windows.counts.tolist() == [0, 0, 0]


def test_no_sum_of_the_longest_window_overflows():
    assert 3600 * MAX_SQUARE_E18 <= INT64_MAX
    assert INT64_MAX >= 3600 * 2**31
