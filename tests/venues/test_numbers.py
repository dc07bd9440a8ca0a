from hypothesis import given
from hypothesis import strategies as st

from barograph.venues.numbers import CONFIRMED_BY, MOST_PER_S, Doubt, doubted, may_follow
from coinbase_messages import S


def test_a_number_may_stay_and_rise_by_what_a_second_can_bring():
    assert may_follow(5, 5, 0)
    assert may_follow(5 + MOST_PER_S, 5, 0)
    assert not may_follow(6 + MOST_PER_S, 5, 0)


def test_a_number_may_not_go_back():
    assert not may_follow(4, 5, 10**18)


def test_with_the_time_more_may_have_come():
    assert may_follow(5 + 3 * MOST_PER_S, 5, 2 * S)
    assert not may_follow(6 + 3 * MOST_PER_S, 5, 2 * S)


def test_a_time_that_goes_back_gives_no_less_than_none_at_all():
    assert may_follow(5 + MOST_PER_S, 5, -(10**18))


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**62))
def test_numbers_in_a_row_are_confirmed_whatever_was_doubted_before(number, time_ns):
    doubt = Doubt(7, 2**62, CONFIRMED_BY - 1)
    for n in range(CONFIRMED_BY + 1):
        doubt = doubted(doubt, number + n, time_ns + n)
    assert doubt.confirmed


def test_a_number_that_does_not_follow_begins_a_new_doubt():
    first = doubted(None, 10**15, S)
    assert doubted(first, 5, 2 * S) == Doubt(5, 2 * S, 1)
    assert doubted(first, 10**15 + 1, 0) == Doubt(10**15 + 1, 0, 1), "time went back"
    assert not first.confirmed
