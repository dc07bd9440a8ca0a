"""When hours are asked for: once after each one's end, whatever the clock does."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from barograph.candle_records import HOUR_S
from barograph.feed.candles import SETTLE_S
from barograph.feed.hour_schedule import LONGEST_RETRY_S, HourSchedule
from barograph.types import NS_PER_S

END_S = 486_000 * HOUR_S


def at(seconds):
    return (END_S + seconds) * NS_PER_S


def test_the_last_hour_is_due_at_once_and_the_next_one_when_it_has_settled():
    schedule = HourSchedule(Random(1))
    assert schedule.due_s(at(1800)) == END_S
    assert schedule.wait_s(at(1800)) == 0.0
    schedule.done(END_S)
    assert schedule.due_s(at(1800)) is None
    assert schedule.wait_s(at(1800)) == 1800.0 + SETTLE_S
    assert schedule.due_s(at(3600 + SETTLE_S - 1)) is None
    assert schedule.due_s(at(3600 + SETTLE_S)) == END_S + HOUR_S


def test_hours_that_were_slept_through_are_due_together():
    schedule = HourSchedule(Random(1))
    schedule.done(END_S)
    assert schedule.due_s(at(5 * 3600 + 1800)) == END_S + 5 * HOUR_S


def test_after_a_failure_it_pauses_and_then_the_same_hour_is_due():
    schedule = HourSchedule(Random(1))
    pauses = [schedule.failed(at(100)) for _ in range(20)]
    assert max(pauses) <= LONGEST_RETRY_S
    assert max(pauses) > 60.0
    assert schedule.due_s(at(100)) is None
    assert 0.0 < schedule.wait_s(at(100)) <= LONGEST_RETRY_S
    assert schedule.due_s(at(100 + LONGEST_RETRY_S)) == END_S
    schedule.done(END_S)
    assert schedule.failed(at(200)) <= 60.0


@given(st.lists(st.integers(-7200, 7200), max_size=30))
def test_no_hour_is_asked_for_twice_or_before_its_end_whatever_the_clock_does(steps):
    schedule, now_s, asked = HourSchedule(Random(1)), 0, []
    for step in steps:
        now_s += step
        until_s = schedule.due_s(at(now_s))
        assert (schedule.wait_s(at(now_s)) > 0.0) == (until_s is None)
        if until_s is not None:
            assert until_s + SETTLE_S <= END_S + now_s
            asked.append(until_s)
            schedule.done(until_s)
    assert asked == sorted(set(asked))
