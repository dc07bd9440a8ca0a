"""Exact sliding windows over closed seconds: one rule for what enters and what leaves.

A window of `w` seconds at second t holds (t − w, t]: what stood at t − w has left. Sums are int64
in fixed point, so adding and removing are exact and a sum depends on what is in the window, not on
how it was reached: any batching, any restart and any start earlier than one window ago give the
same bits.

No sum overflows int64 (9.22e18). Each bound below is the largest summand times the longest window:

    squared returns      (1e8)² · 900 = 9.0e18      |return_e9| ≤ MAX_RETURN_E9 = 1e8, or 10.5 %
    |return| products    (1e8)² · 300 = 3.0e18      in one second; a larger one ends the run
    spread_bps in 1e-9    2e13  · 300 = 6.0e15      ask − bid < 2 mid, as both are positive
    imbalance in 1e-9     1e9   ·  60 = 6.0e10      at most 1 by its definition
    volume in 1e-8        1e17  ·  60 = 6.0e18      MAX_VOLUME_E8 a second; a larger one is missing
    ticks                 2³¹   · 300 = 6.5e11      a batch cannot hold more in one second
    quotes                2³⁰   · 300 = 3.3e11      INCOMPLETE of ticks.py; MOST_QUOTES else
    ticks' moves in 1e-18 3e16  · 300 = 9.0e18      more in a second counts as this much, which
    ticks' spreads        9e17  ·  10 = 9.0e18      does not depend on the order of its ticks
"""

import math
from typing import Any

import numpy as np

from barograph.arrays import Int64
from barograph.compiled import compiled

MAX_VOLUME_E8 = 100_000_000_000_000_000
MAX_SECOND_MOVES_E18 = 30_000_000_000_000_000
MAX_SECOND_SPREADS_E9 = 900_000_000_000_000_000


@compiled
def log_e9(value: float) -> int:
    """The natural logarithm in 1e-9, rounded to even."""
    return int(np.rint(math.log(value) * 1e9))


@compiled
def slide(total: int, entering: int, leaving: int, run: int, window_s: int) -> int:
    """The sum over (t − window_s, t], given that over (t − 1 − window_s, t − 1].

    total, entering, leaving: int64; `leaving` is the summand of t − window_s. run: how many
    summands were added since the last hole, this one included; what was never added does not leave.
    """
    total += entering
    if run > window_s:
        total -= leaving
    return total


@compiled
def ago(ring: Int64, second: int, back_s: int) -> Any:
    """What was put `back_s` ≤ len(ring) seconds before `second`, while `second` is not yet put."""
    return ring[(second - back_s) % len(ring)]


@compiled
def put(ring: Int64, second: int, value: float) -> None:
    """Write a second's value at its place, over the one that is len(ring) seconds old."""
    ring[second % len(ring)] = value


@compiled
def roll(total: int, ring: Int64, second: int, run: int, window_s: int, entering: int) -> int:
    """`slide` where the summands themselves are put into `ring`, `entering` not yet."""
    return slide(total, entering, int(ago(ring, second, window_s)), run, window_s)
