"""Holes: asked for when they are ripe, a few times, and settled in the end."""

from hypothesis import given
from hypothesis import strategies as st

from barograph.feed.hole_asks import HOLD_FOR_S, LARGEST, RIPE_S, TRIES, TRY_FOR_S, Asks
from barograph.venues.entries import Hole, Settlement


def hole(product="BTC-USD", first=5, last=9, unknown=5, revealed_ns=1):
    return Hole("c", product, first, last, unknown, revealed_ns)


def asks():
    out = []
    return Asks(lambda hole, _for_s: out.append(hole)), out


def test_a_hole_is_asked_for_when_it_is_ripe_and_once_at_a_time():
    asking, out = asks()
    assert asking.look([hole()], 10.0) == []
    assert asking.look([hole()], 10.0 + RIPE_S / 2) == []
    assert out == []
    for _ in range(3):
        assert asking.look([hole(last=8, unknown=4)], 10.0 + RIPE_S) == []
    assert out == [hole(last=8, unknown=4)]
    assert asking.holes_asked == 1


def test_a_hole_that_closes_by_itself_is_never_asked_for():
    asking, out = asks()
    asking.look([hole()], 10.0)
    assert asking.look([], 11.0) == []
    # The next one of the product has its own time to ripen.
    assert asking.look([hole(revealed_ns=2)], 11.0) == []
    assert out == []


@given(st.floats(0.0, 8.0))
def test_a_hole_that_stays_is_asked_for_a_few_times_with_pauses_and_settled_in_time(answer_s):
    """Whatever REST takes to answer, and though its answers are of no use."""
    asking, out = asks()
    times, due_s, step = [], None, 0
    while True:
        now_s = 10.0 + step * 0.05
        if due_s is not None and now_s >= due_s:
            asking.answered(hole(), now_s)
            due_s = None
        settled = asking.look([hole()], now_s)
        if settled:
            break
        if len(out) > len(times):
            times.append(now_s)
            due_s = now_s + answer_s
        step += 1
    assert settled == [Settlement(connection="c", product="BTC-USD")]
    assert 1 <= len(times) <= TRIES
    assert times == sorted(set(times))
    assert now_s <= 10.0 + RIPE_S + TRY_FOR_S + answer_s + 0.1
    assert asking.holes_asked == 1


def test_what_rest_cannot_tell_is_settled_without_asking():
    for hopeless in (hole(unknown=0), hole(first=1, last=LARGEST + 1)):
        asking, out = asks()
        assert asking.look([hopeless], 10.0) == []
        assert asking.look([hopeless], 10.0 + RIPE_S) != []
        assert (out, asking.holes_asked) == ([], 0)
    asking, out = asks()
    asking.look([hole(first=1, last=LARGEST)], 10.0)
    asking.look([hole(first=1, last=LARGEST)], 10.0 + RIPE_S)
    assert len(out) == 1


def test_holes_of_several_products_do_not_wait_for_each_other():
    asking, out = asks()
    both = [hole("BTC-USD"), hole("ETH-USD")]
    asking.look(both, 10.0)
    asking.look(both, 10.0 + RIPE_S)
    assert out == both
    asking.answered(both[0], 10.3)
    asking.look([both[1]], 10.4)
    assert asking.holes_asked == 2


def test_an_answer_about_a_hole_that_is_closed_is_nothing():
    asking, out = asks()
    asking.look([hole()], 10.0)
    asking.look([hole()], 11.0)
    asking.look([], 11.1)
    asking.answered(hole(), 11.2)
    assert asking.look([], 20.0) == []
    assert len(out) == 1


def test_a_hole_is_settled_in_the_end_though_no_answer_ever_follows():
    asking, out = asks()
    asking.look([hole()], 10.0)
    asking.look([hole()], 10.0 + RIPE_S)
    assert len(out) == 1
    assert asking.look([hole()], 10.0 + RIPE_S + HOLD_FOR_S) == []
    assert asking.look([hole()], 10.1 + RIPE_S + HOLD_FOR_S) == [
        Settlement(connection="c", product="BTC-USD")
    ]


@given(st.lists(st.floats(0.0, 4.0), min_size=TRIES, max_size=TRIES))
def test_all_tries_of_a_hole_together_have_the_time_of_one(answers_s):
    """Each answer takes its time, but not more than it was given."""
    given_s = []
    asking = Asks(lambda _hole, for_s: given_s.append(for_s))
    now_s = 10.0 + RIPE_S
    asking.look([hole()], 10.0)
    for takes_s in answers_s:
        before = len(given_s)
        while len(given_s) == before and not asking.look([hole()], now_s):
            now_s += 0.05
        if len(given_s) == before:
            break
        now_s += min(takes_s, given_s[-1])
        asking.answered(hole(), now_s)
    while not asking.look([hole()], now_s):
        now_s += 0.05
    assert now_s <= 10.0 + RIPE_S + TRY_FOR_S + 0.06
    assert given_s[0] == TRY_FOR_S
    assert all(0 < for_s <= TRY_FOR_S for for_s in given_s)
