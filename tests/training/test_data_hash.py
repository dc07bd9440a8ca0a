"""The hash of a dataset's events: of each in its product's order, and of no way of reading them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codec import EVENT, FILLED, GAP, HEARTBEAT, TICK, TRADE
from barograph.training import data_hash
from barograph.training.data_hash import DataHash, blocks_of, events_by_kind

NAMES = ("BTC-USD", "ETH-USD", "SOL-USD")
drawn = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=1, max_size=60)


def events_of(pairs):
    events = np.zeros(len(pairs), EVENT)
    events["product"] = [product for product, _ in pairs]
    events["event_time_ns"] = [time for _, time in pairs]
    return events


def hashed(events, cuts=()):
    made = DataHash()
    for part in np.split(events, sorted({min(cut, len(events)) for cut in cuts})):
        made.add(part, NAMES.__getitem__)
    return made.hexdigest(NAMES)


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_hash, "BLOCK_EVENTS", 4)
        yield


@given(drawn, st.lists(st.integers(0, 60), max_size=4), st.randoms(use_true_random=False))
def test_it_depends_on_each_products_events_in_their_order_alone(pairs, cuts, random):
    events = events_of(pairs)
    expected = hashed(events)
    assert hashed(events, cuts) == expected
    sorted_ = events[np.argsort(events["product"], kind="stable")]
    assert hashed(sorted_) == expected
    place = random.randrange(len(events))
    events["event_time_ns"][place] += 1
    assert hashed(events) != expected


@given(drawn, st.integers(1, 5))
def test_whole_blocks_can_be_hashed_anywhere(pairs, blocks):
    events, made = events_of(pairs), DataHash()
    for product, name in enumerate(NAMES):
        own = events[events["product"] == product]
        for start in range(0, len(own), 4 * blocks):
            some = own[start : start + 4 * blocks]
            made.add_blocks(name, len(some), blocks_of(some))
    assert made.hexdigest(NAMES) == hashed(events)


def test_it_goes_on_after_it_was_asked_for():
    events, made = events_of([(0, n) for n in range(11)]), DataHash()
    made.add(events[:6], NAMES.__getitem__)
    assert made.hexdigest(NAMES) == hashed(events[:6])
    made.add(events[6:], NAMES.__getitem__)
    assert made.hexdigest(NAMES) == hashed(events)


def test_another_name_or_place_of_a_product_is_another_dataset():
    events, made = events_of([(0, 1), (1, 2)]), DataHash()
    made.add(events, ("BTC-USD", "DOGE-USD").__getitem__)
    assert made.hexdigest(["BTC-USD", "DOGE-USD"]) != hashed(events)
    assert made.hexdigest(["DOGE-USD", "BTC-USD"]) != made.hexdigest(["BTC-USD", "DOGE-USD"])


def test_blocks_follow_whole_blocks_only():
    made = DataHash()
    made.add(events_of([(0, 1)]), NAMES.__getitem__)
    with pytest.raises(ValueError, match="1"):
        made.add_blocks("BTC-USD", 1, [b""])


def test_events_are_counted_by_kind():
    events = np.zeros(6, EVENT)
    events["kind"] = [TICK, TICK, HEARTBEAT, GAP, TRADE, FILLED]
    assert events_by_kind(events) == {"tick": 2, "heartbeat": 1, "gap": 1, "trade": 2}
    assert events_by_kind(events[:0]) == {"tick": 0, "heartbeat": 0, "gap": 0, "trade": 0}
