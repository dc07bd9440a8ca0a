"""What an hour comes to, in whole numbers.

Each quantity of an hour is rounded once to a fixed point, and all windows are sums of these whole
numbers: a sum depends on what is in the window, not on how it was reached.

No sum overflows int64 (9.22e18). An hour is taken when high/low ≤ e² (`MAX_RANGE`), realised
volatility ≤ 3 (`MAX_REALIZED`), and prices are within 1e-18 … 1e18; a price that jumps by more than
e (`MAX_JUMP_E9`) between two hours makes no return. So |C − O| ≤ 2 and |r| ≤ 3, and the largest
summand times the 720 hours of the longest window is:

    g, Garman–Klass variance in 1e-15     2.0e15 · 720 = 1.4e18
    (H − L)² / (4 ln 2) in 1e-15          1.5e15 · 720 = 1.1e18
    Rogers–Satchell variance in 1e-15     4.0e15 · 720 = 2.9e18     at most (H − L)²
    r² and realised variance in 1e-15     9.0e15 · 720 = 6.5e18
    (C − O)² in 1e-15                     4.0e15 · 720 = 2.9e18
    (r − (C − O))² in 1e-15               1.0e15 · 720 = 7.2e17
    sqrt(g) in 1e-12                      1.5e12 · 720 = 1.1e15
    ℓ and ln volume in 1e-9               4.2e10 · 720 = 3.1e13
    r, |r|, r − (C − O) in 1e-9           3.0e9  · 720 = 2.2e12
    P, the path of the log close, 1e-9    2.2e12 · 720 = 1.6e15     the sum of up to 720 r
"""

import math
from typing import Any

import numpy as np

from barograph.arrays import Int64
from barograph.compiled import compiled
from barograph.feature_set.hourly.catalogue import LOG_FLOOR_VOL, LOG_FLOOR_VOLUME
from barograph.feature_set.window import log_e9

# The quantities of an hour that windows sum up.
KNOWN, QUIET, GK, VOL, LOG_VOL, PARKINSON, ROGERS_SATCHELL = 0, 1, 2, 3, 4, 5, 6
RETURN, ABS_RETURN, SQUARE, FALLING, BETWEEN, BETWEEN_SQUARE, BODY_SQUARE = 7, 8, 9, 10, 11, 12, 13
LOG_VOLUME, OFFERED, REALIZED = 14, 15, 16
SUMMED = 17
"""So many quantities of an hour are summed up.

KNOWN and QUIET (no trade) count hours, OFFERED those with a realised volatility. FALLING is g of an
hour with r < 0. BETWEEN is r − (C − O), from the close before to the open; BODY_SQUARE is (C − O)².
"""

# What else is kept of an hour.
OPEN, CLOSE, VERSION = 17, 18, 19
KEPT = 20
"""So many numbers are kept of an hour: those summed up, its log prices in 1e-9, its version.

The version of a candle from ticks is negative, that of one of a service positive, 0 is unknown."""

MAX_RANGE = 2.0
MAX_REALIZED = 3.0
MAX_JUMP_E9 = 1_000_000_000

CANDLE = np.dtype(
    [
        ("hour", "i8"),
        ("receive_time_ns", "i8"),
        ("open", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("close", "f8"),
        ("volume", "f8"),
        ("realized_vol", "f8"),
        ("version", "i4"),
        ("product", "i4"),
    ],
    align=True,
)
"""One record of candles.raw as the kernel sees it: `hour` is its first second / 3600.

NaN prices are those of an hour without a trade, NaN `realized_vol` one that is not offered.
`receive_time_ns` may be NAT; `product` indexes the states; `version` is as it is kept.
"""


@compiled
def is_in_range(high: float, low: float, realized_vol: float) -> bool:
    """Whether the sums can hold an hour; see the proof above. NaN is what it does not have."""
    if realized_vol > MAX_REALIZED:
        return False
    return math.isnan(high) or math.log(high) - math.log(low) <= MAX_RANGE


@compiled
def fill(hour: Int64, candle: Any) -> None:
    """Write what a candle alone says into (KEPT,) of its hour; `join` writes the rest."""
    hour[:] = 0
    hour[KNOWN] = 1
    hour[VERSION] = candle.version
    hour[LOG_VOLUME] = log_e9(max(candle.volume, LOG_FLOOR_VOLUME))
    hour[LOG_VOL] = log_e9(LOG_FLOOR_VOL)
    if not math.isnan(candle.realized_vol):
        hour[OFFERED] = 1
        hour[REALIZED] = _e15(candle.realized_vol * candle.realized_vol)
    if math.isnan(candle.open):
        hour[QUIET] = 1
        return
    o, h = math.log(candle.open), math.log(candle.high)
    l, c = math.log(candle.low), math.log(candle.close)  # noqa: E741 - the letters of the catalogue
    hour[OPEN] = int(np.rint(o * 1e9))
    hour[CLOSE] = int(np.rint(c * 1e9))
    span, body = h - l, c - o
    garman_klass = 0.5 * span * span - (2.0 * math.log(2.0) - 1.0) * body * body
    hour[GK] = _e15(max(garman_klass, 0.0))
    vol = math.sqrt(hour[GK] * 1e-15)
    hour[VOL] = int(np.rint(vol * 1e12))
    hour[LOG_VOL] = log_e9(max(vol, LOG_FLOOR_VOL))
    hour[PARKINSON] = _e15(span * span / (4.0 * math.log(2.0)))
    hour[ROGERS_SATCHELL] = _e15(max((h - c) * (h - o) + (l - c) * (l - o), 0.0))


@compiled
def join(hour: Int64, before: Int64) -> None:
    """Write the returns of an hour, given the (KEPT,) of the one before it, which may be unknown.

    The return is from close to close; from the open where the hour before is unknown, had no trade
    or closed more than a factor e away.
    """
    if not hour[KNOWN] or hour[QUIET]:
        return
    between = 0
    if before[KNOWN] and not before[QUIET]:
        jump = hour[OPEN] - before[CLOSE]
        between = jump if abs(jump) <= MAX_JUMP_E9 else 0
    body = hour[CLOSE] - hour[OPEN]
    move = body + between
    hour[RETURN] = move
    hour[ABS_RETURN] = abs(move)
    hour[SQUARE] = _square_e15(move)
    hour[FALLING] = hour[GK] if move < 0 else 0
    hour[BETWEEN] = between
    hour[BETWEEN_SQUARE] = _square_e15(between)
    hour[BODY_SQUARE] = _square_e15(body)


@compiled
def _e15(value: float) -> int:
    return int(np.rint(value * 1e15))


@compiled
def _square_e15(value_e9: int) -> int:
    """The square in 1e-15 of a number in 1e-9."""
    value = value_e9 * 1e-9
    return _e15(value * value)
