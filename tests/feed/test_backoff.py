"""Back-off: longer with each failure, never beyond the cap, and anew when it works again."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from barograph.feed.backoff import Backoff


class Most(Random):
    """Always the most that may be drawn."""

    def uniform(self, _low, high):
        return high


@given(st.integers(0, 2**32), st.floats(0.01, 10.0), st.floats(0.01, 100.0), st.integers(1, 3000))
def test_no_wait_is_negative_or_beyond_the_cap(seed, first_s, cap_s, tries):
    backoff = Backoff(Random(seed), first_s=first_s, cap_s=cap_s)
    for n in range(tries):
        assert 0.0 <= backoff.next_s() <= min(cap_s, first_s * 2.0 ** min(n, 1000))


def test_the_bound_doubles_up_to_the_cap_and_begins_anew_after_a_reset():
    backoff = Backoff(Most(), first_s=0.5, cap_s=30.0)
    assert [backoff.next_s() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_waits_are_spread_over_the_whole_range():
    backoff = Backoff(Random(1), first_s=30.0, cap_s=30.0)
    waits = [backoff.next_s() for _ in range(1000)]
    assert min(waits) < 1.0
    assert max(waits) > 29.0
    assert 14.0 < sum(waits) / len(waits) < 16.0
