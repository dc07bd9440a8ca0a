"""What single ticks tell that closed seconds do not: how fast the mid moved from quote to quote.

A tick's squared return over its own duration is an estimate of the variance a second, and all ticks
count alike: where they come in bursts, that is nearer to now than the grid's returns are.
"""

import math
from typing import Any

import numpy as np

from barograph.arrays import Float64, UInt8
from barograph.compiled import compiled
from barograph.feature_set.catalogue import COLUMN
from barograph.feature_set.flow import spread_e9
from barograph.feature_set.window import (
    MAX_SECOND_MOVES_E18,
    MAX_SECOND_SPREADS_E9,
    log_e9,
    put,
    roll,
)
from barograph.types import Reason

FIELDS = [
    ("tick_log_mid_e9", "i8"),
    ("second_quotes", "i8"),
    ("second_moves_e18", "i8"),
    ("second_spreads_e9", "i8"),
    ("quotes", "i4", (300,)),
    ("quote_sum_10", "i8"),
    ("quote_sum_30", "i8"),
    ("quote_sum_60", "i8"),
    ("quote_sum_300", "i8"),
    ("moves_e18", "i8", (300,)),
    ("move_sum_10", "i8"),
    ("move_sum_30", "i8"),
    ("move_sum_60", "i8"),
    ("move_sum_300", "i8"),
    ("tick_spreads_e9", "i8", (10,)),
    ("tick_spread_sum_10", "i8"),
]

LEAST_DURATION_S = 0.01
"""Added to every duration: clocks of venues are good to milliseconds, and a price to its increment.
Without it two quotes of one moment that differ by an increment would be an infinite variance.
"""

_TICK_VOL_10 = COLUMN["tick_vol_10s"]
_TICK_VOL_30 = COLUMN["tick_vol_30s"]
_TICK_VOL_60 = COLUMN["tick_vol_60s"]
_TICK_VOL_300 = COLUMN["tick_vol_300s"]
_TICK_SPREAD = COLUMN["tick_spread_bps_mean_10s"]
_SPREAD_BPS = COLUMN["spread_bps"]
_PARKINSON_60 = COLUMN["parkinson_60s"]
_PARKINSON_300 = COLUMN["parkinson_300s"]

INCOMPLETE = 1 << 30
"""Counted in the place of a second's quotes where some of them were lost: no window of complete
seconds counts so many.
"""

MOST_QUOTES = 3_000_000
"""A second counts at most so many quotes: 300 seconds of them are less than INCOMPLETE."""

_GAP = int(Reason.GAP)


@compiled
def first(state: Any, mid: float) -> None:
    """Take in the mid that a series begins with: nothing is known of how it came there."""
    state.tick_log_mid_e9 = log_e9(mid)


@compiled
def take(state: Any, tick: Any, mid: float) -> None:
    """Take in a tick and its mid; the state still has quote and time of the one before."""
    if tick.bid != state.bid or tick.ask != state.ask:
        before_e9 = state.tick_log_mid_e9
        state.tick_log_mid_e9 = log_e9(mid)
        duration_s = max(tick.event_time_ns - state.last_tick_ns, 0) * 1e-9
        move_e9 = float(state.tick_log_mid_e9 - before_e9)
        move_e18 = move_e9 * move_e9 / (duration_s + LEAST_DURATION_S)
        whole_e18 = int(np.rint(min(move_e18, float(MAX_SECOND_MOVES_E18))))
        state.second_moves_e18 = min(state.second_moves_e18 + whole_e18, MAX_SECOND_MOVES_E18)
    if state.second_quotes < MOST_QUOTES:
        state.second_quotes += 1
    state.second_spreads_e9 = min(
        state.second_spreads_e9 + spread_e9(tick.bid, tick.ask), MAX_SECOND_SPREADS_E9
    )


@compiled
def lose(state: Any) -> None:
    """Take in that the open second's line lost a tick: its trade is known, its quote is not."""
    state.second_quotes = INCOMPLETE


@compiled
def open_second(state: Any) -> None:
    """Begin to count another second."""
    state.second_quotes = 0
    state.second_moves_e18 = 0
    state.second_spreads_e9 = 0


@compiled
def clear(state: Any) -> None:
    """Empty the windows of this file."""
    state.quote_sum_10 = 0
    state.quote_sum_30 = 0
    state.quote_sum_60 = 0
    state.quote_sum_300 = 0
    state.move_sum_10 = 0
    state.move_sum_30 = 0
    state.move_sum_60 = 0
    state.move_sum_300 = 0
    state.tick_spread_sum_10 = 0


@compiled
def push(state: Any, second: int, run: int) -> None:
    """Take in one complete second: what its ticks came to."""
    n, quotes = state.quotes, state.second_quotes
    state.quote_sum_10 = roll(state.quote_sum_10, n, second, run, 10, quotes)
    state.quote_sum_30 = roll(state.quote_sum_30, n, second, run, 30, quotes)
    state.quote_sum_60 = roll(state.quote_sum_60, n, second, run, 60, quotes)
    state.quote_sum_300 = roll(state.quote_sum_300, n, second, run, 300, quotes)
    put(n, second, quotes)

    m, moves = state.moves_e18, state.second_moves_e18
    state.move_sum_10 = roll(state.move_sum_10, m, second, run, 10, moves)
    state.move_sum_30 = roll(state.move_sum_30, m, second, run, 30, moves)
    state.move_sum_60 = roll(state.move_sum_60, m, second, run, 60, moves)
    state.move_sum_300 = roll(state.move_sum_300, m, second, run, 300, moves)
    put(m, second, moves)

    s, spreads = state.tick_spreads_e9, state.second_spreads_e9
    state.tick_spread_sum_10 = roll(state.tick_spread_sum_10, s, second, run, 10, spreads)
    put(s, second, spreads)


@compiled
def write(state: Any, run: int, values: Float64, reasons: UInt8) -> None:
    """Fill the columns of this file whose window is full; after those of quote and price.

    What each quote of a window has a say in is missing where one was lost: the ranges, too.
    """
    if run >= 10:
        values[_TICK_VOL_10] = tick_vol(state.move_sum_10, state.quote_sum_10)
        values[_TICK_SPREAD] = values[_SPREAD_BPS]
        if state.quote_sum_10 > 0:
            values[_TICK_SPREAD] = state.tick_spread_sum_10 * 1e-9 / state.quote_sum_10
    if run >= 30:
        values[_TICK_VOL_30] = tick_vol(state.move_sum_30, state.quote_sum_30)
    if run >= 60:
        values[_TICK_VOL_60] = tick_vol(state.move_sum_60, state.quote_sum_60)
    if run >= 300:
        values[_TICK_VOL_300] = tick_vol(state.move_sum_300, state.quote_sum_300)
    if state.quote_sum_300 < INCOMPLETE:
        return
    if state.quote_sum_10 >= INCOMPLETE:
        _withhold(_TICK_VOL_10, values, reasons)
        _withhold(_TICK_SPREAD, values, reasons)
    if state.quote_sum_30 >= INCOMPLETE:
        _withhold(_TICK_VOL_30, values, reasons)
    if state.quote_sum_60 >= INCOMPLETE:
        _withhold(_TICK_VOL_60, values, reasons)
        _withhold(_PARKINSON_60, values, reasons)
    _withhold(_TICK_VOL_300, values, reasons)
    _withhold(_PARKINSON_300, values, reasons)


@compiled
def _withhold(column: int, values: Float64, reasons: UInt8) -> None:
    """Give no value where there would be one; a window that is not full has its own reason."""
    if not math.isnan(values[column]):
        values[column] = np.nan
        reasons[column] = _GAP


@compiled
def tick_vol(move_sum_e18: int, ticks: int) -> float:
    """Root mean over `ticks` of squared return by duration, per √s; 0 where nothing ticked.

    Source: Engle (2000), Econometrica 68(1): the variance of a trade by its duration.
    """
    if ticks == 0:
        return 0.0
    return math.sqrt(move_sum_e18 / ticks) * 1e-9
