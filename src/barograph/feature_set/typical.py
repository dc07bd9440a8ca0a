"""Typical volatility: the geometric mean of a window's minutes, which a single storm hardly moves.

A root mean square over an hour is that of its wildest minutes; the mean of the logarithms tells
what most of its minutes were like. A minute is `observed_vol_60s` at each second with a known
return, and belongs to the window of w seconds at second t if it lies within (t − w, t], so that a
value depends on those seconds alone. Logarithms are whole numbers of 1e-8 and sums int64, as in
`window`: any batching, any restart and any start a window earlier give the same bits.
"""

import math
from typing import Any

import numpy as np

from barograph.codec import NAT
from barograph.compiled import compiled
from barograph.feature_set import holed_window
from barograph.feature_set.catalogue import (
    COLUMN,
    LONGEST_WINDOW_S,
    MINUTE_S,
    OBSERVED_S,
    TYPICAL_S,
    least_observed,
)
from barograph.feature_set.holed_window import UNKNOWN, HoledWindows
from barograph.feature_set.variance import realized_vol

_MINUTES = LONGEST_WINDOW_S - MINUTE_S + 1  # seconds at which a minute within the window ends

FIELDS = [
    ("minutes_e8", "i4", (_MINUTES,)),  # ln of the last minutes, by second; UNKNOWN without one
    ("minutes_since", "i8"),
    ("minutes_through", "i8"),
    ("minute_sums_e8", "i8", (len(TYPICAL_S),)),
    ("minute_counts", "i8", (len(TYPICAL_S),)),
]
"""State of this file. `minutes_since` is the first second of the session, NAT before it."""

FLOOR = 1e-7
"""A minute's volatility counts as at least this, in 1/√s: one without a move has no logarithm."""

_COUNTED = np.array([w - MINUTE_S + 1 for w in TYPICAL_S], np.int64)
_TYPICAL = np.array([COLUMN[f"typical_vol_{w}s"] for w in TYPICAL_S], np.int64)
_MINUTE = OBSERVED_S.index(MINUTE_S)
_LEAST = least_observed(MINUTE_S)


@compiled
def begin_session(state: Any) -> None:
    """Forget all minutes: what comes next has nothing to do with them."""
    state.minutes_since = NAT


@compiled
def push(state: Any, second: int, return_e9: int) -> None:
    """Take in the minute that ends with a closed second, of whose return `observed` knows."""
    minute_e8 = UNKNOWN if return_e9 == UNKNOWN else _minute_e8(state)
    since, through = state.minutes_since, state.minutes_through
    state.minutes_since = holed_window.push(_windows(state), since, through, second, minute_e8)
    state.minutes_through = second


@compiled
def lose(state: Any, first: int) -> None:
    """Take back the minutes that end at second `first` or later: a gap says they were lost."""
    holed_window.lose(_windows(state), state.minutes_since, state.minutes_through, first)


@compiled
def _windows(state: Any) -> Any:
    return HoledWindows(
        state.minutes_e8, state.minute_sums_e8, state.minute_counts, _COUNTED, squared=False
    )


@compiled
def write(state: Any, values: Any) -> None:
    """Fill the columns of this file whose window holds a minute."""
    for i in range(len(_COUNTED)):
        if state.minute_counts[i] > 0:
            values[_TYPICAL[i]] = math.exp(state.minute_sums_e8[i] / state.minute_counts[i] * 1e-8)


@compiled
def _minute_e8(state: Any) -> int:
    """Ln of the volatility of the last minute in 1e-8, UNKNOWN if too little is known."""
    count = state.observed_counts[_MINUTE]
    if count < _LEAST:
        return UNKNOWN
    vol = max(realized_vol(state.observed_square_sums[_MINUTE], count), FLOOR)
    return int(np.rint(math.log(vol) * 1e8))
