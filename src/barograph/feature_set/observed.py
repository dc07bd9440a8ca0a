"""Volatility of the seconds that were observed, over windows that carry on over holes.

A window of w seconds at second t holds the returns that are known of (t − w, t]. A return across a
hole is not known: it is neither counted nor guessed. `count` says how many are known, so that a
value tells how much of its window it lacks. Sums are int64, as in `window`: any batching, any
restart and any start a window earlier give the same bits.
"""

import math
from typing import Any

import numpy as np

from barograph.arrays import Float64
from barograph.codec import NAT
from barograph.compiled import compiled
from barograph.feature_set import holed_window
from barograph.feature_set.catalogue import (
    COLUMN,
    EWMA_S,
    EWMA_STEPS_S,
    LONGEST_WINDOW_S,
    OBSERVED_S,
    SHARES_S,
    least_observed,
)
from barograph.feature_set.holed_window import HoledWindows
from barograph.feature_set.variance import realized_vol

FIELDS = [
    ("observed", "i4", (LONGEST_WINDOW_S,)),  # the last returns, by second; UNKNOWN for a hole
    ("observed_since", "i8"),
    ("observed_through", "i8"),
    ("observed_square_sums", "i8", (len(OBSERVED_S),)),
    ("observed_counts", "i8", (len(OBSERVED_S),)),
]
"""State of this file. `observed_since` is the first second of the session, NAT before it."""

_WINDOWS = np.array(OBSERVED_S, np.int64)
_LEAST = np.array([least_observed(w) for w in OBSERVED_S], np.int64)
_VOLS = np.array([COLUMN[f"observed_vol_{w}s"] for w in OBSERVED_S], np.int64)
_SHARES = np.array([COLUMN[f"observed_share_{w}s"] for w in SHARES_S], np.int64)
_SHARED = np.array([OBSERVED_S.index(w) for w in SHARES_S], np.int64)


_EWMA = COLUMN[f"ewma_vol_{EWMA_S}s"]
_VOL_OF_EWMA = COLUMN[f"observed_vol_{EWMA_S}s"]
_STEPS = np.array([OBSERVED_S.index(w) for w in EWMA_STEPS_S], np.int64)


def _steps() -> Float64:
    """What each window's sum counts for, so that together they weigh by age in steps."""
    edges = np.array([0, *EWMA_STEPS_S])
    heights = -np.diff(np.exp(-edges / EWMA_S)) / np.diff(edges)
    steps: Float64 = -np.diff([*heights, 0.0])
    return steps


_STEP_WEIGHTS = _steps()


@compiled
def begin_session(state: Any) -> None:
    """Forget all returns: what comes next has nothing to do with them."""
    state.observed_since = NAT


@compiled
def push(state: Any, second: int, return_e9: int) -> None:
    """Take in a closed second's return in 1e-9, or UNKNOWN; seconds left out are holes."""
    since, through = state.observed_since, state.observed_through
    state.observed_since = holed_window.push(_windows(state), since, through, second, return_e9)
    state.observed_through = second


@compiled
def lose(state: Any, first: int) -> None:
    """Take back what is known of second `first` and of later ones: a gap says they were lost."""
    holed_window.lose(_windows(state), state.observed_since, state.observed_through, first)


@compiled
def _windows(state: Any) -> Any:
    return HoledWindows(
        state.observed, state.observed_square_sums, state.observed_counts, _WINDOWS, squared=True
    )


@compiled
def write(state: Any, values: Any) -> None:
    """Fill the columns of this file whose window has enough known returns."""
    for i in range(len(_WINDOWS)):
        if state.observed_counts[i] >= _LEAST[i]:
            sum_e18, count = state.observed_square_sums[i], state.observed_counts[i]
            values[_VOLS[i]] = realized_vol(sum_e18, count)
    if not math.isnan(values[_VOL_OF_EWMA]):
        total, weight = 0.0, 0.0
        for i in range(len(_STEPS)):
            total += _STEP_WEIGHTS[i] * state.observed_square_sums[_STEPS[i]]
            weight += _STEP_WEIGHTS[i] * state.observed_counts[_STEPS[i]]
        values[_EWMA] = math.sqrt(total / weight) * 1e-9
    for i in range(len(_SHARES)):
        of = _SHARED[i]
        values[_SHARES[i]] = state.observed_counts[of] / _WINDOWS[of]
