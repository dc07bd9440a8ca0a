"""Where the mid went: log returns and the Parkinson range, over exact windows of log mids."""

import math
from typing import Any

from barograph.arrays import Float64, Int64
from barograph.compiled import compiled
from barograph.feature_set.catalogue import COLUMN
from barograph.feature_set.window import ago, put, slide

FIELDS = [
    ("return_sum_10", "i8"),
    ("return_sum_60", "i8"),
    ("return_sum_300", "i8"),
    ("high_60", "i8", (60,)),
    ("low_60", "i8", (60,)),
    ("high_300", "i8", (300,)),
    ("low_300", "i8", (300,)),
]
"""State of this file; the ring `returns` is variance.py's, put after both have read it."""

_LOG_RETURN_10 = COLUMN["log_return_10s"]
_LOG_RETURN_60 = COLUMN["log_return_60s"]
_LOG_RETURN_300 = COLUMN["log_return_300s"]
_PARKINSON_60 = COLUMN["parkinson_60s"]
_PARKINSON_300 = COLUMN["parkinson_300s"]


@compiled
def clear(state: Any) -> None:
    """Empty the windows of this file."""
    state.return_sum_10 = 0
    state.return_sum_60 = 0
    state.return_sum_300 = 0


@compiled
def push(state: Any, second: int, run: int, return_e9: int, high_e9: int, low_e9: int) -> None:
    """Take in one complete second: its return and the highest and lowest log mid, in 1e-9."""
    r = state.returns
    state.return_sum_10 = slide(state.return_sum_10, return_e9, ago(r, second, 10), run, 10)
    state.return_sum_60 = slide(state.return_sum_60, return_e9, ago(r, second, 60), run, 60)
    state.return_sum_300 = slide(state.return_sum_300, return_e9, ago(r, second, 300), run, 300)
    put(state.high_60, second, high_e9)
    put(state.low_60, second, low_e9)
    put(state.high_300, second, high_e9)
    put(state.low_300, second, low_e9)


@compiled
def write(state: Any, run: int, values: Float64) -> None:
    """Fill the columns of this file whose window is full."""
    if run >= 10:
        values[_LOG_RETURN_10] = state.return_sum_10 * 1e-9
    if run >= 60:
        values[_LOG_RETURN_60] = state.return_sum_60 * 1e-9
        values[_PARKINSON_60] = parkinson(state.high_60, state.low_60)
    if run >= 300:
        values[_LOG_RETURN_300] = state.return_sum_300 * 1e-9
        values[_PARKINSON_300] = parkinson(state.high_300, state.low_300)


@compiled
def parkinson(highs: Int64, lows: Int64) -> float:
    """Volatility per √s from the range of the mid over a whole window.

    highs, lows: (window_s,) int64, log mids in 1e-9 of each second, the mid that the second opened
    with included. ln(high / low) / sqrt(4 ln 2 · window_s). The ring is the window, and a maximum
    does not care for order, so it is looked through as it lies. Source: Parkinson (1980), J.
    Business 53(1).
    """
    high = highs[0]
    low = lows[0]
    for i in range(1, len(highs)):
        high = max(high, highs[i])
        low = min(low, lows[i])
    return (high - low) * 1e-9 / math.sqrt(4.0 * math.log(2.0) * len(highs))
