"""What is settled of a state is all that its future depends on, and no more."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph.codec import TICK
from barograph.feature_set.catalogue import LONGEST_WINDOW_S
from barograph.feature_set.featurizer import Featurizer
from barograph.feature_set.settled import digest_of, settled
from barograph.feature_set.state import checkpoint_of, new_states
from invented_markets import market, markets

long_runs = settings(
    max_examples=min(60, settings().max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def state_after(events):
    """The state of a product that has seen these events."""
    featurizer = Featurizer()
    featurizer.product_index("0")
    featurizer.update(events)
    return featurizer.state(0)


def rows_from(state, events):
    """What a featurizer makes of events from a state on."""
    featurizer = Featurizer()
    featurizer.restore({"0": checkpoint_of(state)})
    rows, late = featurizer.update(events)
    return rows.tobytes(), late.tolist(), digest_of(featurizer.state(0))


@pytest.mark.slow
@long_runs
@given(markets, st.integers(0, 3000))
def test_what_is_not_settled_reaches_no_later_row(drawn, cut):
    events = market(drawn)
    cut = min(cut, len(events))
    state = state_after(events[:cut])
    # exact: the promise is the same bits
    assert rows_from(settled(state), events[cut:]) == rows_from(state, events[cut:])


@pytest.mark.slow
@long_runs
@given(markets, st.integers(0, 3000), st.integers(0, 3000))
def test_who_began_later_and_agrees_in_it_makes_the_same_rows(drawn, begin, cut):
    events = market(drawn)
    begin, cut = sorted((min(begin, len(events)), min(cut, len(events))))
    whole, later = state_after(events[:cut]), state_after(events[begin:cut])
    if digest_of(whole) == digest_of(later):
        # exact: the promise is the same bits
        assert rows_from(later, events[cut:]) == rows_from(whole, events[cut:])


def segment(seconds, before="", **changes):
    return {
        "seconds": seconds, "ticks_per_s": 0.5, "heartbeats": True, "vol": 5e-5, "sizes": True,
        "volume": True, "trades": "", "before": before,
    } | changes  # fmt: skip


@pytest.mark.parametrize("before", ["", "gap", "silence", "crash"])
def test_after_the_longest_window_of_ticks_nothing_else_is_left(before):
    """Whatever there was before: otherwise every stretch would be computed twice."""
    events = market((1, [segment(300), segment(LONGEST_WINDOW_S + 120, before)]))
    begin = np.searchsorted(events["event_time_ns"], events["event_time_ns"][-1] - 3_700 * 10**9)
    assert begin > 0
    whole, later = state_after(events), state_after(events[begin:])
    assert checkpoint_of(whole) != checkpoint_of(later)
    assert digest_of(whole) == digest_of(later)


def test_a_hole_within_the_longest_window_is_seen_by_both():
    events = market((2, [segment(300), segment(1500), segment(2000, "gap"), segment(120, "gap")]))
    begin = np.searchsorted(events["event_time_ns"], events["event_time_ns"][-1] - 3_700 * 10**9)
    assert begin > 0
    assert digest_of(state_after(events)) == digest_of(state_after(events[begin:]))


def test_another_price_is_another_state():
    events = market((3, [segment(400)]))
    other = events.copy()
    other["ask"][np.flatnonzero(events["kind"] == TICK)[-1]] += 0.01
    assert digest_of(state_after(events)) != digest_of(state_after(other))


def test_a_state_without_events_is_settled():
    (state,) = new_states(1)
    assert digest_of(state) == digest_of(settled(state))
