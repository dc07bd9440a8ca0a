"""Candles into states, and a row for every hour that is newer than all before it, compiled.

`update` is the only feature code of hours there is. A live candle is an array of length one,
training the whole file.
"""

from typing import Any

import numpy as np

from barograph.arrays import Records, UInt8
from barograph.candle_records import HOUR_S
from barograph.codec import NAT
from barograph.compiled import compiled
from barograph.feature_set.hourly.catalogue import LONGEST_WINDOW_H
from barograph.feature_set.hourly.columns import write
from barograph.feature_set.hourly.hours import CLOSE, KEPT, QUIET, VERSION, fill, is_in_range, join
from barograph.feature_set.hourly.state import RING_H
from barograph.feature_set.hourly.windows import WIDTH, WINDOWS, slide, sum_up
from barograph.types import Reason

_STALE = int(Reason.STALE)

TAKEN, DUPLICATE, LATE, OUT_OF_RANGE, SECOND_SOURCE = 0, 1, 2, 3, 4
"""What became of a candle. DUPLICATE: its hour is known in this version or a newer one. LATE: older
than all windows. OUT_OF_RANGE: beyond what exact sums hold. SECOND_SOURCE: it is of our own ticks
and the candle that is known of a service, or the other way round."""


@compiled
def update(states: Records, candles: Records, rows: Records, fates: UInt8) -> int:
    """Take candles in, in log order; write a row for each whose hour is the newest of its product.

    states: (products,) of STATE, changed in place; candles: (n,) of CANDLE, `product` < products;
    rows: (≥ n,) of ROW, filled from the start; fates: (≥ n,) uint8, what became of each candle:
    what is not TAKEN changes nothing. A candle of an earlier hour that is missing, or a newer
    version of one, makes no row and is in all later ones. Returns the number of rows.
    """
    sums = np.zeros((len(WINDOWS), WIDTH), np.int64)
    summed_product, summed_hour = -1, -1
    n_rows = 0
    for i in range(len(candles)):
        candle = candles[i]
        state = states[candle.product]
        fates[i] = _fate(state, candle)
        if fates[i] != TAKEN:
            continue
        is_newest = candle.hour > state.last
        _enter(state, candle)
        if not is_newest:
            summed_product = -1
            continue
        if candle.product == summed_product and candle.hour == summed_hour + 1:
            slide(state.hours, candle.hour, sums)
        else:
            sum_up(state.hours, candle.hour, sums)
        summed_product, summed_hour = candle.product, candle.hour
        row = rows[n_rows]
        n_rows += 1
        _head(state, candle, row)
        write(state, sums, row["values"], row.reasons)
    return n_rows


@compiled
def _fate(state: Any, candle: Any) -> int:
    """Whether a candle is taken, or why it is not."""
    if not is_in_range(candle.high, candle.low, candle.realized_vol):
        return OUT_OF_RANGE
    if state.last < 0 or candle.hour > state.last:
        return TAKEN
    if candle.hour <= state.last - RING_H:
        return LATE
    known = state.hours[VERSION, candle.hour % RING_H]
    if known * candle.version < 0:
        return SECOND_SOURCE
    if abs(candle.version) <= abs(known):
        return DUPLICATE
    return TAKEN


@compiled
def _enter(state: Any, candle: Any) -> None:
    """Let a candle into its hour; those between the newest one and a newer one are unknown."""
    hours, hour = state.hours, candle.hour
    if state.last < 0:
        state.first = hour
        state.last = hour
    elif hour > state.last:
        unknown = hour - state.last - 1
        if unknown >= LONGEST_WINDOW_H:
            hours[:, :] = 0
            state.first = hour
            state.reason = _STALE
        else:
            for between in range(state.last + 1, hour):
                hours[:, between % RING_H] = 0
        state.last = hour
    state.first = min(state.first, hour)
    place = hour % RING_H
    fill(hours[:, place], candle)
    if hour > state.last - RING_H + 1:
        join(hours[:, place], hours[:, (hour - 1) % RING_H])
    else:
        join(hours[:, place], np.zeros((KEPT, 1), np.int64)[:, 0])
    if hour < state.last:
        following = hours[:, (hour + 1) % RING_H]
        join(following, hours[:, place])


@compiled
def _head(state: Any, candle: Any, row: Any) -> None:
    """Write what a row has beside its features."""
    hour = state.hours[:, candle.hour % RING_H]
    row.product = candle.product
    row.second = candle.hour * HOUR_S + HOUR_S - 1
    row.log_mid_e9 = NAT if hour[QUIET] else hour[CLOSE]
    row.return_e9 = NAT
    row.receive_time_ns = candle.receive_time_ns
