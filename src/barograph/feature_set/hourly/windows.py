"""Sums over windows of hours, and which of them have a value.

A window of n hours at the hour t holds (t − n, t]. All sums are of whole numbers, so `slide` gives
the bits of `sum_up`, which makes them of what is known of the hours now, revised ones too.
"""

from typing import Any

import numpy as np

from barograph.arrays import Float64, Int64, UInt8
from barograph.compiled import compiled
from barograph.feature_set.hourly import catalogue
from barograph.feature_set.hourly.hours import GK, KNOWN, RETURN, SUMMED
from barograph.feature_set.hourly.state import RING_H
from barograph.types import Reason

PATH, GREATEST_PATH, LEAST_PATH, GREATEST_GK = SUMMED, SUMMED + 1, SUMMED + 2, SUMMED + 3
"""Of a window beside the sums of SUMMED quantities: the sum, the greatest and the least of P, the
log close relative to the last one in 1e-9, and the greatest g."""
WIDTH = SUMMED + 4

MACD_H = (12, 26, 9)
MACD_SPAN_H = MACD_H[1] + MACD_H[2] - 1

_ALL_H = (
    *catalogue.GK_WINDOWS_H, *catalogue.LOG_WINDOWS_H, *catalogue.RANGE_WINDOWS_H,
    *catalogue.CLOSE_WINDOWS_H, *catalogue.YANG_ZHANG_WINDOWS_H, *catalogue.MAX_WINDOWS_H,
    *catalogue.VARIATION_WINDOWS_H, *catalogue.RETURN_WINDOWS_H, *catalogue.DOWNSIDE_WINDOWS_H,
    *catalogue.RSI_WINDOWS_H, *catalogue.PLACE_WINDOWS_H, *catalogue.REALIZED_WINDOWS_H,
    *(n for pair in catalogue.VOLUME_WINDOWS_H for n in pair),
    *(n for pair in catalogue.AVERAGE_WINDOWS_H for n in pair),
    *(24 * days for days in catalogue.SEASON_DAYS),
    *(168 * weeks for weeks in catalogue.SEASON_WEEKS),
    *MACD_H[:2], MACD_SPAN_H,
)  # fmt: skip
WINDOWS_H = tuple(sorted(set(_ALL_H)))
"""Every window that a feature has, in hours, rising."""
PLACE = {n: place for place, n in enumerate(WINDOWS_H)}
WINDOWS = np.array(WINDOWS_H, np.int64)

LENIENT_FROM_H = 24
"""A window of so many hours has a value when LEAST_PERCENT of them are known; a shorter one needs
all of them."""
LEAST_PERCENT = 95

_GAP = int(Reason.GAP)
_FARTHEST_P = 1 << 62


@compiled
def sum_up(hours: Int64, last: int, sums: Int64) -> None:
    """Sum the hours up to `last` over each window.

    hours: (KEPT, RING_H) int64; sums: (len(WINDOWS), WIDTH) int64, filled. Unknown hours are
    zeros, so means are by the sum of KNOWN; without a known hour the greatest of P is below its
    least.
    """
    done = 0
    for window in range(len(WINDOWS)):
        start = (last + 1 - WINDOWS[window]) % RING_H
        stop = start + WINDOWS[window] - done
        done = WINDOWS[window]
        for quantity in range(SUMMED):
            total = _sum(hours[quantity, start : min(stop, RING_H)])
            if stop > RING_H:
                total += _sum(hours[quantity, : stop - RING_H])
            sums[window, quantity] = total + (sums[window - 1, quantity] if window else 0)
    _follow(hours, last, sums)


@compiled
def slide(hours: Int64, last: int, sums: Int64) -> None:
    """Make the sums up to `last` of those up to the hour before: what `sum_up` makes, sooner."""
    entering = last % RING_H
    for window in range(len(WINDOWS)):
        leaving = (last - WINDOWS[window]) % RING_H
        for quantity in range(SUMMED):
            sums[window, quantity] += hours[quantity, entering] - hours[quantity, leaving]
    _follow(hours, last, sums)


@compiled
def _sum(numbers: Int64) -> int:
    total = 0
    for number in numbers:
        total += number
    return total


@compiled
def _follow(hours: Int64, last: int, sums: Int64) -> None:
    """Write what is no sum of a quantity: the path of the close, and the greatest variance."""
    known, moves, variances = hours[KNOWN], hours[RETURN], hours[GK]
    path, total, greatest_gk = 0, 0, 0
    greatest, least = -_FARTHEST_P, _FARTHEST_P
    place = last % RING_H
    done = 0
    for window in range(len(WINDOWS)):
        for _ in range(done, WINDOWS[window]):
            if known[place]:
                total += path
                greatest = max(greatest, path)
                least = min(least, path)
                greatest_gk = max(greatest_gk, variances[place])
                path -= moves[place]
            place = place - 1 if place > 0 else RING_H - 1
        done = WINDOWS[window]
        sums[window, PATH] = total
        sums[window, GREATEST_PATH] = greatest
        sums[window, LEAST_PATH] = least
        sums[window, GREATEST_GK] = greatest_gk


@compiled
def is_enough(known: int, hours: int) -> bool:
    """Whether a window of so many hours has a value when so many of them are known."""
    if hours < LENIENT_FROM_H:
        return known == hours
    return 100 * known >= LEAST_PERCENT * hours


@compiled
def why_not(state: Any, span_h: int) -> int:
    """Why what reaches `span_h` hours back has no value: not so many have passed, or a hole."""
    return int(state.reason) if state.last - state.first + 1 < span_h else _GAP


@compiled
def is_full(state: Any, sums: Int64, window: int, column: int, reasons: UInt8) -> bool:
    """Whether a window has a value; writes the reason of `column` where it has none."""
    hours = WINDOWS[window]
    if is_enough(sums[window, KNOWN], hours):
        return True
    reasons[column] = why_not(state, hours)
    return False


@compiled
def put(column: int, value: float, values: Float64, reasons: UInt8) -> None:
    """Write a value."""
    values[column] = value
    reasons[column] = 0
