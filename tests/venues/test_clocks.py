"""How far an event may be ahead of its receipt."""

import msgspec

from barograph.types import NS_PER_S
from barograph.venues.clocks import APART_NS, LEAP_NS, WINDOW_FRAMES, Clock


def believed(*ahead_s, clock=None):
    clock = clock or Clock()
    return [clock.believes(int(each * NS_PER_S), frames) for frames, each in enumerate(ahead_s)]


def test_delays_are_believed_whatever_they_are():
    assert all(believed(-0.05, -30, -0.05, -5, -600, -0.05))


def test_a_leap_is_not_and_what_follows_it_is():
    assert believed(-0.05, 30, -0.05, 30, -0.05) == [True, False, True, False, True]


def test_three_leaps_in_a_row_that_agree_are_a_clock():
    assert believed(30, 30.1, 29.9, 30.2) == [False, False, True, True]
    assert believed(30, 10, 50, 20, 40) == [False] * 5


def test_small_leaps_do_not_add_up():
    clock = Clock()
    believed(*[1.9, -0.05] * 10, clock=clock)
    assert believed(4, clock=clock) == [False]


def test_a_queue_that_is_worked_off_is_believed():
    """Each event 0.4 s after the one before, all of them received at once."""
    clock = Clock(ahead_ns=-30 * NS_PER_S)
    assert all(believed(*(0.4 * n for n in range(-75, 1)), clock=clock))


def test_the_largest_difference_falls_when_a_clock_was_set_back():
    clock = Clock()
    assert clock.believes(0, 1)
    for frames in (2, WINDOW_FRAMES, 2 * WINDOW_FRAMES):
        assert clock.believes(-30 * NS_PER_S, frames)
    assert not clock.believes(-28 * NS_PER_S + LEAP_NS, 2 * WINDOW_FRAMES + 1)


def test_a_market_of_other_days_is_believed_whatever_its_speed():
    clock = Clock()
    for frames in range(1, 3 * WINDOW_FRAMES):
        assert clock.believes((frames * 9 - 100_000) * NS_PER_S - APART_NS, frames)


def test_what_is_plain_is_believed_and_changes_nothing():
    clock = Clock()
    assert not clock.is_plain(-100, 1)
    clock.believes(-100, 1)
    before = msgspec.structs.astuple(clock)
    assert clock.is_plain(-100, 2)
    assert clock.believes(-100, 2)
    assert msgspec.structs.astuple(clock) == before
    assert not clock.is_plain(-99, 2)
    assert not clock.is_plain(-100, WINDOW_FRAMES)
