from barograph.feed.seconds import Seconds
from barograph.types import NS_PER_S, Gap, GapCause, Heartbeat


def beats(product, *times_s):
    return [Heartbeat(product=product, event_time_ns=round(t * NS_PER_S)) for t in times_s]


def test_the_first_event_in_a_later_second_ends_the_one_before():
    seconds = Seconds()
    ended = [seconds.end(beats("A-USD", at)) for at in (7.0, 7.999999999, 8.0, 8.5, 7.9, 11.2)]
    assert ended == [False, False, True, False, False, True]


def test_each_product_has_seconds_of_its_own():
    seconds = Seconds()
    seconds.end(beats("A-USD", 7.0))
    assert not seconds.end(beats("B-USD", 8.0))
    assert seconds.end(beats("A-USD", 8.0) + beats("B-USD", 8.1))


def test_a_gap_ends_no_second():
    seconds = Seconds()
    seconds.end(beats("A-USD", 7.0))
    gap = Gap(product="A-USD", start_ns=7 * NS_PER_S, end_ns=9 * NS_PER_S, cause=GapCause.SILENCE)
    assert not seconds.end([gap])
