"""How much the mid moved: realised and bipower volatility, jumps, and the regime's ratios."""

import math
from typing import Any

from barograph.arrays import Float64, Int64
from barograph.compiled import compiled
from barograph.feature_set.catalogue import COLUMN
from barograph.feature_set.window import ago, put, slide

_LONGEST_S = 900

FIELDS = [
    ("returns", "i4", (_LONGEST_S,)),  # |return_e9| ≤ MAX_RETURN_E9 < 2³¹
    ("square_sum_10", "i8"),
    ("square_sum_30", "i8"),
    ("square_sum_60", "i8"),
    ("square_sum_300", "i8"),
    ("square_sum_900", "i8"),
    ("product_sum_60", "i8"),
    ("product_sum_300", "i8"),
]

_REALIZED_10 = COLUMN["realized_vol_10s"]
_REALIZED_30 = COLUMN["realized_vol_30s"]
_REALIZED_60 = COLUMN["realized_vol_60s"]
_REALIZED_300 = COLUMN["realized_vol_300s"]
_REALIZED_900 = COLUMN["realized_vol_900s"]
_BIPOWER_60 = COLUMN["bipower_vol_60s"]
_BIPOWER_300 = COLUMN["bipower_vol_300s"]
_JUMP_SHARE = COLUMN["jump_share_60s"]
_RATIO_10_300 = COLUMN["vol_ratio_10_300s"]
_RATIO_30_300 = COLUMN["vol_ratio_30_300s"]
_RATIO_60_300 = COLUMN["vol_ratio_60_300s"]
_RATIO_60_900 = COLUMN["vol_ratio_60_900s"]


@compiled
def clear(state: Any) -> None:
    """Empty the windows of this file."""
    state.square_sum_10 = 0
    state.square_sum_30 = 0
    state.square_sum_60 = 0
    state.square_sum_300 = 0
    state.square_sum_900 = 0
    state.product_sum_60 = 0
    state.product_sum_300 = 0


@compiled
def push(state: Any, second: int, run: int, return_e9: int) -> None:
    """Take in one complete second's return in 1e-9 and, as the last to see it, put it away."""
    r = state.returns
    state.square_sum_10 = _slide_square(state.square_sum_10, r, second, run, 10, return_e9)
    state.square_sum_30 = _slide_square(state.square_sum_30, r, second, run, 30, return_e9)
    state.square_sum_60 = _slide_square(state.square_sum_60, r, second, run, 60, return_e9)
    state.square_sum_300 = _slide_square(state.square_sum_300, r, second, run, 300, return_e9)
    state.square_sum_900 = _slide_square(state.square_sum_900, r, second, run, 900, return_e9)
    if run >= 2:
        state.product_sum_60 = _slide_product(state.product_sum_60, r, second, run, 60, return_e9)
        state.product_sum_300 = _slide_product(
            state.product_sum_300, r, second, run, 300, return_e9
        )
    put(r, second, return_e9)


@compiled
def _slide_square(
    total: int, returns: Int64, second: int, run: int, window_s: int, return_e9: int
) -> int:
    left = int(ago(returns, second, window_s))
    return slide(total, return_e9 * return_e9, left * left, run, window_s)


@compiled
def _slide_product(
    total: int, returns: Int64, second: int, run: int, window_s: int, return_e9: int
) -> int:
    # A window of w returns has w − 1 neighbouring pairs; the pair that leaves had its later return
    # at t − w + 1, so there is one only when run > w.
    entering = abs(return_e9) * abs(int(ago(returns, second, 1)))
    leaving = abs(int(ago(returns, second, window_s - 1))) * abs(
        int(ago(returns, second, window_s))
    )
    return slide(total, entering, leaving, run - 1, window_s - 1)


@compiled
def write(state: Any, run: int, values: Float64) -> None:
    """Fill the columns of this file whose window is full."""
    if run >= 10:
        values[_REALIZED_10] = realized_vol(state.square_sum_10, 10)
    if run >= 30:
        values[_REALIZED_30] = realized_vol(state.square_sum_30, 30)
    if run >= 60:
        values[_REALIZED_60] = realized_vol(state.square_sum_60, 60)
        values[_BIPOWER_60] = bipower_vol(state.product_sum_60, 60)
        values[_JUMP_SHARE] = jump_share(values[_REALIZED_60], values[_BIPOWER_60])
    if run >= 300:
        values[_REALIZED_300] = realized_vol(state.square_sum_300, 300)
        values[_BIPOWER_300] = bipower_vol(state.product_sum_300, 300)
        values[_RATIO_10_300] = ratio(values[_REALIZED_10], values[_REALIZED_300])
        values[_RATIO_30_300] = ratio(values[_REALIZED_30], values[_REALIZED_300])
        values[_RATIO_60_300] = ratio(values[_REALIZED_60], values[_REALIZED_300])
    if run >= 900:
        values[_REALIZED_900] = realized_vol(state.square_sum_900, 900)
        values[_RATIO_60_900] = ratio(values[_REALIZED_60], values[_REALIZED_900])


@compiled
def realized_vol(square_sum_e18: int, window_s: int) -> float:
    """Root mean square of `window_s` one-second log returns, per √s.

    Source: Andersen, Bollerslev, Diebold, Labys (2003), Econometrica 71(2).
    """
    return math.sqrt(square_sum_e18 / window_s) * 1e-9


@compiled
def bipower_vol(product_sum_e18: int, window_s: int) -> float:
    """Volatility that a single jump does not move: π/2 · mean of neighbouring |r||r|, rooted.

    Source: Barndorff-Nielsen, Shephard (2004), J. Financial Econometrics 2(1).
    """
    return math.sqrt(0.5 * math.pi * product_sum_e18 / (window_s - 1)) * 1e-9


@compiled
def jump_share(realized: float, bipower: float) -> float:
    """The share of the realised variance that jumps made, in [0, 1]; 0 where nothing moved."""
    if realized == 0.0:
        return 0.0
    return max(0.0, 1.0 - (bipower / realized) ** 2)


@compiled
def ratio(short: float, long: float) -> float:
    """Short over long; 1 where the long window, and so the short one, saw nothing."""
    if long == 0.0:
        return 1.0
    return short / long
