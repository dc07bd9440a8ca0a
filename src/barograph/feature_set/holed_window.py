"""Exact sums over windows of closed seconds, some of which are holes.

A window of w seconds at second t holds the known values of (t − w, t]: their sum, or that of their
capped squares, and their count. Sums are int64, as in `window`: any batching, any restart and any
start a window earlier give the same bits.
"""

from typing import Any, NamedTuple

from barograph.arrays import Int32, Int64
from barograph.codec import NAT
from barograph.compiled import compiled_into_callers

UNKNOWN = -(2**31)
"""Stands in a ring for a second without a value; values lie above it and below 2³¹."""

MAX_SQUARE_E18 = 2_500_000_000_000_000
"""A squared return counts as at most this, that of 5 %: 3,600 of them do not overflow int64."""


class HoledWindows(NamedTuple):
    """Windows of several lengths over one series of seconds; the arrays are fields of a state.

    ring: (n,) int32, the value of second s at s mod n, n ≥ the longest window. sums, counts,
    windows_s: (k,) int64. squared: sums are of squares, each at most MAX_SQUARE_E18.
    """

    ring: Int32
    sums: Int64
    counts: Int64
    windows_s: Int64
    squared: bool


@compiled_into_callers
def push(windows: HoledWindows, since: int, through: int, second: int, value: int) -> Any:
    """Take in the value of `second` > `through`, or UNKNOWN; seconds left out are holes.

    since: the first second of the session, NAT before it; through: the last one that was pushed.
    Returns the `since` to keep: `second` where nothing of an earlier one is left.
    """
    if since == NAT or second - through > len(windows.ring):
        since = second
        for i in range(len(windows.windows_s)):
            windows.sums[i] = 0
            windows.counts[i] = 0
    else:
        for hole in range(through + 1, second):
            _shift(windows, since, hole, UNKNOWN)
    _shift(windows, since, second, value)
    return since


@compiled_into_callers
def lose(windows: HoledWindows, since: int, through: int, first: int) -> None:
    """Take back the values of second `first` and of later ones: a gap says they were lost.

    since, through: as of `push`.
    """
    if since == NAT:
        return
    ring, sums, counts, windows_s, squared = windows
    oldest = max(since, through - len(ring) + 1)
    for second in range(max(first, oldest), through + 1):
        lost = int(ring[second % len(ring)])
        if lost == UNKNOWN:
            continue
        for i in range(len(windows_s)):
            if second > through - windows_s[i]:
                sums[i] -= _summand(lost, squared)
                counts[i] -= 1
        ring[second % len(ring)] = UNKNOWN


@compiled_into_callers
def _shift(windows: HoledWindows, since: int, second: int, value: int) -> None:
    """Move every window on by the second that follows, and put its value away."""
    ring, sums, counts, windows_s, squared = windows
    for i in range(len(windows_s)):
        left = second - windows_s[i]
        if left >= since:
            leaving = int(ring[left % len(ring)])
            if leaving != UNKNOWN:
                sums[i] -= _summand(leaving, squared)
                counts[i] -= 1
        if value != UNKNOWN:
            sums[i] += _summand(value, squared)
            counts[i] += 1
    ring[second % len(ring)] = value


@compiled_into_callers
def _summand(value: int, squared: bool) -> Any:
    """What a known value adds to a sum."""
    return min(value * value, MAX_SQUARE_E18) if squared else value
