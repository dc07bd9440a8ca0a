"""What the book and the tape look like: quotes, their imbalance, ticks, volumes, the hour."""

import math
from typing import Any

import numpy as np

from barograph.arrays import Float64, Int64, UInt8
from barograph.compiled import compiled
from barograph.feature_set.catalogue import COLUMN
from barograph.feature_set.variance import ratio
from barograph.feature_set.window import MAX_VOLUME_E8, ago, put, roll, slide
from barograph.types import Reason

FIELDS = [
    ("ticks", "i4", (300,)),
    ("tick_sum_10", "i8"),
    ("tick_sum_60", "i8"),
    ("tick_sum_300", "i8"),
    ("quiet_sum_60", "i8"),
    ("spreads_e9", "i8", (300,)),
    ("spread_sum_30", "i8"),
    ("spread_sum_300", "i8"),
    ("imbalances_e9", "i8", (60,)),
    ("imbalance_sum_60", "i8"),
    ("no_imbalance", "i1", (60,)),
    ("no_imbalance_sum_60", "i8"),
    ("volumes_24h", "f8", (300,)),
    ("volume_24h_change_60", "f8"),
    ("volume_24h_change_300", "f8"),
    ("bought_e8", "i8", (60,)),
    ("sold_e8", "i8", (60,)),
    ("bought_sum_60", "i8"),
    ("sold_sum_60", "i8"),
    ("no_sizes", "i1", (60,)),
    ("no_sizes_sum_60", "i8"),
    ("oversized", "i1", (60,)),
    ("oversized_sum_60", "i8"),
]

_SPREAD = COLUMN["spread"]
_SPREAD_BPS = COLUMN["spread_bps"]
_SPREAD_MEAN_30 = COLUMN["spread_bps_mean_30s"]
_SPREAD_MEAN_300 = COLUMN["spread_bps_mean_300s"]
_MICROPRICE = COLUMN["microprice_deviation_bps"]
_IMBALANCE = COLUMN["book_imbalance"]
_IMBALANCE_MEAN = COLUMN["book_imbalance_mean_60s"]
_INTENSITY_10 = COLUMN["tick_intensity_10s"]
_INTENSITY_60 = COLUMN["tick_intensity_60s"]
_INTENSITY_300 = COLUMN["tick_intensity_300s"]
_INTENSITY_RATIO = COLUMN["tick_intensity_ratio_60_300s"]
_QUIET_SHARE = COLUMN["quiet_share_60s"]
_STALENESS = COLUMN["staleness_s"]
_VOLUME_CHANGE_60 = COLUMN["volume_24h_change_60s"]
_VOLUME_CHANGE_300 = COLUMN["volume_24h_change_300s"]
_TRADED = COLUMN["traded_volume_60s"]
_FLOW = COLUMN["flow_imbalance_60s"]
_HOUR_SIN = COLUMN["hour_sin"]
_HOUR_COS = COLUMN["hour_cos"]

_OUT_OF_RANGE = int(Reason.OUT_OF_RANGE)
_NOT_OFFERED = int(Reason.NOT_OFFERED)


@compiled
def imbalance(bid_size: float, ask_size: float) -> float:
    """(bid_size − ask_size) / (both); NaN where a size is unknown or both are 0."""
    both = bid_size + ask_size
    if not both > 0.0:
        return np.nan
    return (bid_size - ask_size) / both


@compiled
def spread_bps(bid: float, ask: float) -> float:
    """10⁴ (ask − bid) / mid."""
    return 2e4 * (ask - bid) / (ask + bid)


@compiled
def spread_e9(bid: float, ask: float) -> int:
    """The same in 1e-9 bps, rounded."""
    return int(np.rint(spread_bps(bid, ask) * 1e9))


@compiled
def clear(state: Any) -> None:
    """Empty the windows of this file."""
    state.tick_sum_10 = 0
    state.tick_sum_60 = 0
    state.tick_sum_300 = 0
    state.quiet_sum_60 = 0
    state.spread_sum_30 = 0
    state.spread_sum_300 = 0
    state.imbalance_sum_60 = 0
    state.no_imbalance_sum_60 = 0
    state.bought_sum_60 = 0
    state.sold_sum_60 = 0
    state.no_sizes_sum_60 = 0
    state.oversized_sum_60 = 0


@compiled
def anchor(state: Any, second: int) -> None:
    """Take in the closing second that a run starts from: only its level counts, not its ticks."""
    put(state.volumes_24h, second, state.volume_24h)


@compiled
def push(state: Any, second: int, run: int) -> None:
    """Take in one complete second: the closing quote and what the grid counted in it."""
    ticks = state.tick_count
    t = state.ticks
    state.tick_sum_10 = roll(state.tick_sum_10, t, second, run, 10, ticks)
    state.tick_sum_60 = roll(state.tick_sum_60, t, second, run, 60, ticks)
    state.tick_sum_300 = roll(state.tick_sum_300, t, second, run, 300, ticks)
    state.quiet_sum_60 = slide(
        state.quiet_sum_60, int(ticks == 0), int(ago(t, second, 60) == 0), run, 60
    )
    put(t, second, ticks)

    s = state.spreads_e9
    spread = spread_e9(state.bid, state.ask)
    state.spread_sum_30 = roll(state.spread_sum_30, s, second, run, 30, spread)
    state.spread_sum_300 = roll(state.spread_sum_300, s, second, run, 300, spread)
    put(s, second, spread)

    balance = imbalance(state.bid_size, state.ask_size)
    unknown = int(math.isnan(balance))
    balance_e9 = 0 if unknown else int(np.rint(balance * 1e9))
    state.imbalance_sum_60 = _roll_60(
        state.imbalance_sum_60, state.imbalances_e9, second, run, balance_e9
    )
    state.no_imbalance_sum_60 = _roll_60(
        state.no_imbalance_sum_60, state.no_imbalance, second, run, unknown
    )

    # A difference of the venue's own rolling figure is no sum of ours: floats do not drift here.
    v = state.volumes_24h
    state.volume_24h_change_60 = state.volume_24h - ago(v, second, 60)
    state.volume_24h_change_300 = state.volume_24h - ago(v, second, 300)
    put(v, second, state.volume_24h)

    oversized = int(state.second_bought_e8 + state.second_sold_e8 > MAX_VOLUME_E8)
    bought = 0 if oversized else state.second_bought_e8
    sold = 0 if oversized else state.second_sold_e8
    state.bought_sum_60 = _roll_60(state.bought_sum_60, state.bought_e8, second, run, bought)
    state.sold_sum_60 = _roll_60(state.sold_sum_60, state.sold_e8, second, run, sold)
    state.oversized_sum_60 = _roll_60(
        state.oversized_sum_60, state.oversized, second, run, oversized
    )
    state.no_sizes_sum_60 = _roll_60(
        state.no_sizes_sum_60, state.no_sizes, second, run, int(state.second_without_sizes)
    )


@compiled
def _roll_60(total: int, ring: Int64, second: int, run: int, entering: int) -> int:
    total = roll(total, ring, second, run, 60, entering)
    put(ring, second, entering)
    return total


@compiled
def write(state: Any, second: int, run: int, values: Float64, reasons: UInt8) -> None:
    """Fill the columns of this file that are known; say where the venue does not offer them."""
    _write_quote(state, run, values, reasons)
    _write_tape(state, run, values, reasons)
    values[_STALENESS] = ((second + 1) * 1_000_000_000 - state.last_tick_ns) * 1e-9
    angle = 2.0 * math.pi * (second % 86_400) / 86_400.0
    values[_HOUR_SIN] = math.sin(angle)
    values[_HOUR_COS] = math.cos(angle)


@compiled
def _write_quote(state: Any, run: int, values: Float64, reasons: UInt8) -> None:
    values[_SPREAD] = state.ask - state.bid
    values[_SPREAD_BPS] = spread_bps(state.bid, state.ask)
    if run >= 30:
        values[_SPREAD_MEAN_30] = state.spread_sum_30 * 1e-9 / 30
    if run >= 300:
        values[_SPREAD_MEAN_300] = state.spread_sum_300 * 1e-9 / 300
    balance = imbalance(state.bid_size, state.ask_size)
    if math.isnan(balance):
        reasons[_IMBALANCE] = _NOT_OFFERED
        reasons[_MICROPRICE] = _NOT_OFFERED
    else:
        # The microprice leaves the mid by half the spread times the imbalance.
        values[_IMBALANCE] = balance
        values[_MICROPRICE] = 0.5 * balance * values[_SPREAD_BPS]
    if run >= 60:
        if state.no_imbalance_sum_60:
            reasons[_IMBALANCE_MEAN] = _NOT_OFFERED
        else:
            values[_IMBALANCE_MEAN] = state.imbalance_sum_60 * 1e-9 / 60


@compiled
def _write_tape(state: Any, run: int, values: Float64, reasons: UInt8) -> None:
    if run >= 10:
        values[_INTENSITY_10] = state.tick_sum_10 / 10
    if run >= 60:
        values[_INTENSITY_60] = state.tick_sum_60 / 60
        values[_QUIET_SHARE] = state.quiet_sum_60 / 60
        _write_volume_change(state.volume_24h_change_60, _VOLUME_CHANGE_60, values, reasons)
        _write_flow(state, values, reasons)
    if run >= 300:
        values[_INTENSITY_300] = state.tick_sum_300 / 300
        values[_INTENSITY_RATIO] = ratio(values[_INTENSITY_60], values[_INTENSITY_300])
        _write_volume_change(state.volume_24h_change_300, _VOLUME_CHANGE_300, values, reasons)


@compiled
def _write_volume_change(change: float, column: int, values: Float64, reasons: UInt8) -> None:
    if math.isnan(change):
        reasons[column] = _NOT_OFFERED
    else:
        values[column] = change


@compiled
def _write_flow(state: Any, values: Float64, reasons: UInt8) -> None:
    if state.oversized_sum_60:
        reasons[_TRADED] = _OUT_OF_RANGE
        reasons[_FLOW] = _OUT_OF_RANGE
    elif state.no_sizes_sum_60 or state.tick_sum_60 == 0:
        # Without a tick in the window nothing tells whether sizes are offered at all.
        reasons[_TRADED] = _NOT_OFFERED
        reasons[_FLOW] = _NOT_OFFERED
    else:
        traded = state.bought_sum_60 + state.sold_sum_60
        values[_TRADED] = traded * 1e-8
        balance = state.bought_sum_60 - state.sold_sum_60
        values[_FLOW] = 0.0 if traded == 0 else balance / traded
