"""The offset of a venue's clock: a window's median and ends, whatever their order."""

from statistics import median_low

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.feed.clock_offset import ClockOffset
from barograph.types import NS_PER_S

START_S = 1_750_000_000
offsets_ns = st.integers(-5 * NS_PER_S, 5 * NS_PER_S)
samples = st.lists(st.tuples(st.integers(0, 90 * 10), offsets_ns), min_size=1, max_size=200)


@given(samples)
def test_the_window_has_the_median_and_the_ends_of_its_samples(drawn):
    clock = ClockOffset(window_s=60)
    received = [(START_S * 10 + tenth) * NS_PER_S // 10 for tenth, _ in sorted(drawn)]
    offsets = [offset for _, offset in sorted(drawn)]
    for receive_ns, offset in zip(received, offsets, strict=True):
        clock.add(receive_ns + offset, receive_ns)
    newest = received[-1] // NS_PER_S
    kept = [
        offset / 1e6
        for receive_ns, offset in zip(received, offsets, strict=True)
        if receive_ns // NS_PER_S > newest - 60
    ]
    window = clock.offset()
    assert window.median_ms == pytest.approx(median_low(kept), abs=0.0501)
    assert (window.min_ms, window.max_ms) == (min(kept), max(kept))


@given(samples, st.randoms(use_true_random=True))
def test_the_order_within_a_window_does_not_matter(drawn, random):
    there, back = ClockOffset(window_s=1000), ClockOffset(window_s=1000)
    for tenth, offset in drawn:
        receive_ns = (START_S * 10 + tenth) * NS_PER_S // 10
        there.add(receive_ns + offset, receive_ns)
    random.shuffle(drawn)
    for tenth, offset in drawn:
        receive_ns = (START_S * 10 + tenth) * NS_PER_S // 10
        back.add(receive_ns + offset, receive_ns)
    assert there.offset() == back.offset()


def test_nothing_is_known_before_the_first_sample():
    assert ClockOffset().offset() is None


def test_what_is_older_than_the_window_counts_no_more():
    clock = ClockOffset(window_s=60)
    now_ns = START_S * NS_PER_S
    clock.add(now_ns + 3 * NS_PER_S, now_ns)
    for second in range(1, 61):
        later_ns = now_ns + second * NS_PER_S
        clock.add(later_ns - NS_PER_S // 10, later_ns)
    assert clock.offset().max_ms == -100.0
    assert len(clock._seconds) == 60
    clock.add(now_ns, now_ns)  # what was held may come this late
    assert clock.offset().max_ms == -100.0


def test_memory_follows_from_how_much_offsets_differ_and_not_from_their_number():
    clock = ClockOffset()
    for _ in range(100_000):
        clock.add(START_S * NS_PER_S - 7, START_S * NS_PER_S)
    (second,) = clock._seconds.values()
    assert len(second.bins) == 1


def test_memory_is_bounded_however_much_offsets_differ():
    clock, now_ns = ClockOffset(), START_S * NS_PER_S
    for n in range(20_000):
        clock.add(now_ns + n * NS_PER_S // 100, now_ns)
    (second,) = clock._seconds.values()
    assert len(second.bins) < 3000
    assert clock.offset().median_ms == pytest.approx(100_000, abs=1000)
    assert clock.offset().max_ms == 199_990


def test_where_our_clock_is_set_back_the_window_begins_anew():
    clock, now_ns = ClockOffset(), START_S * NS_PER_S
    clock.add(now_ns + 3600 * NS_PER_S, now_ns + 3600 * NS_PER_S)
    for second in range(3):
        received_ns = now_ns + second * NS_PER_S
        clock.add(received_ns - NS_PER_S, received_ns)
    assert (clock.offset().max_ms, len(clock._seconds)) == (-1000, 3)
