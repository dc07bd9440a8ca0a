"""How far a venue's clock is from ours, as its events tell: exchange − receive time, in a window.

The difference holds the way through the network too, and may be negative. It is estimated and
reported; no time is ever corrected by it.
"""

from collections import Counter

import msgspec

from barograph.types import NS_PER_MS, NS_PER_S

_BIN_NS = 100_000
_MOST_BINS = 1000
_COARSE = 10_000
"""Beyond so many bins in a second new ones are as wide as so many: a second each."""


class Offset(msgspec.Struct, frozen=True, kw_only=True):
    """Exchange − receive over a window, in milliseconds: the median to 0.1 ms, the ends exactly."""

    median_ms: float
    min_ms: float
    max_ms: float


class ClockOffset:
    """The offsets of the last `window_s` seconds of receive time, as one histogram a second.

    So the memory follows from how much the offsets differ, not from how many there are, and is
    bounded. Where the clock was set back by more than two windows, they begin anew.
    """

    def __init__(self, window_s: int = 60) -> None:
        self._window_s = window_s
        self._seconds: dict[int, _Second] = {}

    def add(self, event_time_ns: int, receive_time_ns: int) -> None:
        """Add the offset of one event, from its times in epoch nanoseconds."""
        offset_ns = event_time_ns - receive_time_ns
        second = receive_time_ns // NS_PER_S
        bucket = self._seconds.get(second)
        if bucket is None:
            bucket = self._seconds[second] = _Second(offset_ns)
            newest = max(self._seconds)
            if second < newest - 2 * self._window_s:
                # No event is delayed that long, so our own clock was set back.
                self._seconds, newest = {second: bucket}, second
            for old in [each for each in self._seconds if each <= newest - self._window_s]:
                del self._seconds[old]
        bin_number = offset_ns // _BIN_NS
        if len(bucket.bins) >= _MOST_BINS and bin_number not in bucket.bins:
            farthest = _MOST_BINS * _COARSE
            bin_number = max(-farthest, min(farthest, bin_number // _COARSE * _COARSE))
        bucket.bins[bin_number] += 1
        if offset_ns < bucket.low_ns:
            bucket.low_ns = offset_ns
        elif offset_ns > bucket.high_ns:
            bucket.high_ns = offset_ns

    def offset(self) -> Offset | None:
        """Return the median, smallest and largest offset of the window; None while it is empty."""
        if not self._seconds:
            return None
        seconds = self._seconds.values()
        return Offset(
            median_ms=_median_ms(sum((each.bins for each in seconds), Counter[int]())),
            min_ms=min(each.low_ns for each in seconds) / NS_PER_MS,
            max_ms=max(each.high_ns for each in seconds) / NS_PER_MS,
        )


class _Second:
    __slots__ = ("bins", "high_ns", "low_ns")

    def __init__(self, offset_ns: int) -> None:
        self.bins = Counter[int]()
        self.low_ns = self.high_ns = offset_ns


def _median_ms(bins: Counter[int]) -> float:
    """The middle of the bin that holds the lower median."""
    place = (bins.total() + 1) // 2
    for number in sorted(bins):
        place -= bins[number]
        if place <= 0:
            break
    return (number + 0.5) * _BIN_NS / NS_PER_MS
