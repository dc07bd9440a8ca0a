"""The one-second grid, compiled: events into states, and a row for every second that they close.

`update` is the only feature code there is. A live record is an array of length one, a micro-batch
an array of some, training the whole archive.
"""

import math
from typing import Any

import numpy as np

from barograph.arrays import Int64, Records
from barograph.codec import FILLED, GAP, HEARTBEAT, NAT, TICK
from barograph.compiled import compiled
from barograph.feature_set import flow, observed, price, ticks, typical, variance
from barograph.feature_set.catalogue import STALE_AFTER_S
from barograph.feature_set.holed_window import UNKNOWN
from barograph.feature_set.window import MAX_VOLUME_E8, log_e9
from barograph.types import DAY_S, MAX_RETURN_E9, NS_PER_S, Reason

FUTURE_NS = DAY_S * NS_PER_S
"""An event so far ahead of its own receipt, or of when the log took it, is refused: it would make
all later ones late.
"""

_GAP = int(Reason.GAP)
_OUT_OF_RANGE = int(Reason.OUT_OF_RANGE)
_STALE = int(Reason.STALE)
_WARMUP = int(Reason.WARMUP)


@compiled
def update(states: Records, events: Records, rows: Records, late: Int64) -> tuple[int, int, int]:
    """Take events in, in log order; write a row for every second that they close.

    states: (products,) of STATE, changed in place; events: (n,) of EVENT, `product` < products;
    rows: (m,) of ROW, m > STALE_AFTER_S, filled from the start; late: (≥ n,) int64, filled with
    the places of ticks and trades whose second had already closed, and of events of the future;
    they change nothing. A trade behind a gap or one that was filled belongs to no open second
    either, and is not late. A gap that ends before it starts begins an older session.
    Returns (consumed, rows written, late ones). Stops before an event whose rows might not fit:
    call again with the rest.
    """
    n_rows = 0
    n_late = 0
    for i in range(len(events)):
        if n_rows + STALE_AFTER_S > len(rows):
            return i, n_rows, n_late
        event = events[i]
        if is_future(event):
            late[n_late] = i
            n_late += 1
            continue
        state = states[event.product]
        if event.kind == GAP:
            second = event.gap_start_ns // NS_PER_S
            n_rows = _close_before(state, second, event, rows, n_rows)
            if event.event_time_ns < event.gap_start_ns:
                _begin_session(state, event.event_time_ns // NS_PER_S)
                continue
            _forget(state, _GAP)
            observed.lose(state, second)
            typical.lose(state, second)
            state.closed_through = max(state.closed_through, event.event_time_ns // NS_PER_S - 1)
            continue
        second = event.event_time_ns // NS_PER_S
        n_rows = _close_before(state, second, event, rows, n_rows)
        if event.kind == HEARTBEAT:
            # Also where there is no quote yet: a tick of an earlier second is late all the same.
            state.closed_through = max(state.closed_through, second - 1)
        elif not _enter(state, second, event):
            late[n_late] = i
            n_late += 1
    return len(events), n_rows, n_late


@compiled
def is_future(event: Any) -> bool:
    """Whether an event is too far ahead of its receipt to belong to its product's line."""
    return event.receive_time_ns > 0 and event.event_time_ns - event.receive_time_ns > FUTURE_NS


@compiled
def _enter(state: Any, second: int, event: Any) -> bool:
    """Let a tick or trade into its second; False where that had closed already."""
    if event.kind != TICK and not state.open:
        return True
    if second <= state.closed_through:
        return event.kind == FILLED
    if event.kind == TICK:
        _take(state, second, event)
    elif event.trade_id > state.last_trade_id:
        _count(state, event)
        state.trade_told = 1
        if event.kind == FILLED:
            ticks.lose(state)
    return True


@compiled
def _close_before(state: Any, second: int, event: Any, rows: Records, n_rows: int) -> int:
    """Close the open second and all quiet ones after it that lie before `second`."""
    while state.open and state.second < second:
        if state.tick_count == 0:
            state.quiet_run += 1
            if state.quiet_run >= STALE_AFTER_S:
                # Carrying on a quote so old would invent calm.
                _forget(state, _STALE)
                state.closed_through = second - 1
                break
        else:
            state.quiet_run = 0
        _close(state, event, rows[n_rows])
        n_rows += 1
    return n_rows


@compiled
def _forget(state: Any, reason: int) -> None:
    """A hole: nothing before it may be mixed with what comes after."""
    state.open = 0
    state.anchored = 0
    state.run = 0
    state.quiet_run = 0
    state.reason = reason


@compiled
def _begin_session(state: Any, second: int) -> None:
    """An older session begins: the product's state is as before its first event."""
    _forget(state, _WARMUP)
    observed.begin_session(state)
    typical.begin_session(state)
    state.closed_through = second - 1
    state.last_trade_id = -1


@compiled
def _clear_windows(state: Any) -> None:
    price.clear(state)
    variance.clear(state)
    flow.clear(state)
    ticks.clear(state)


@compiled
def _open(state: Any, second: int) -> None:
    """Begin a second with the quote that the last one left."""
    state.open = 1
    state.second = second
    state.tick_count = 0
    state.second_bought_e8 = 0
    state.second_sold_e8 = 0
    state.second_without_sizes = 0
    state.trade_told = 0
    ticks.open_second(state)


@compiled
def _take(state: Any, second: int, tick: Any) -> None:
    """Let a tick into its second."""
    mid = 0.5 * (tick.bid + tick.ask)
    if not state.open:
        _open(state, second)
        state.high = mid
        state.low = mid
        ticks.first(state, mid)
    else:
        ticks.take(state, tick, mid)
    state.bid = tick.bid
    state.ask = tick.ask
    state.bid_size = tick.bid_size
    state.ask_size = tick.ask_size
    state.volume_24h = tick.volume_24h
    state.last_tick_ns = tick.event_time_ns
    state.high = max(state.high, mid)
    state.low = min(state.low, mid)
    if state.trade_told and tick.trade_id == state.last_trade_id:
        state.trade_told = 0
    else:
        _count(state, tick)


@compiled
def _count(state: Any, tick: Any) -> None:
    """Let the trade of a tick, or one without a quote, into the open second."""
    state.tick_count += 1
    if tick.trade_id < 0 or tick.side == 0 or math.isnan(tick.last_size):
        state.second_without_sizes = 1
    elif tick.trade_id != state.last_trade_id:
        # A size past the bound puts its second out of range, and no number of such ticks overflows.
        size_e8 = int(np.rint(min(tick.last_size * 1e8, 2.0 * MAX_VOLUME_E8)))
        if tick.side > 0:
            state.second_bought_e8 = min(state.second_bought_e8 + size_e8, MAX_VOLUME_E8 + 1)
        else:
            state.second_sold_e8 = min(state.second_sold_e8 + size_e8, MAX_VOLUME_E8 + 1)
    state.last_trade_id = tick.trade_id
    state.trade_told = 0


@compiled
def _close(state: Any, event: Any, row: Any) -> None:
    """Close the open second into a row and open the next one."""
    second = state.second
    mid = 0.5 * (state.bid + state.ask)
    before_e9 = state.log_mid_e9
    state.log_mid_e9 = state.tick_log_mid_e9
    return_e9 = state.log_mid_e9 - before_e9
    row.return_e9 = NAT
    known_e9 = UNKNOWN
    if state.anchored:
        if abs(return_e9) <= MAX_RETURN_E9:
            state.run += 1
            row.return_e9 = return_e9
            known_e9 = return_e9
        else:
            state.run = 0
            state.reason = _OUT_OF_RANGE
    if state.run == 0:
        _clear_windows(state)
        flow.anchor(state, second)
    else:
        high_e9 = log_e9(state.high) if state.high > mid else state.log_mid_e9
        low_e9 = log_e9(state.low) if state.low < mid else state.log_mid_e9
        price.push(state, second, state.run, return_e9, high_e9, low_e9)
        variance.push(state, second, state.run, return_e9)
        flow.push(state, second, state.run)
        ticks.push(state, second, state.run)
    observed.push(state, second, known_e9)
    typical.push(state, second, known_e9)

    row.product = event.product
    row.second = second
    row.log_mid_e9 = state.log_mid_e9
    row.receive_time_ns = event.receive_time_ns
    values = row["values"]  # as attribute it would be the record's method
    values[:] = np.nan
    row.reasons[:] = state.reason
    price.write(state, state.run, values)
    variance.write(state, state.run, values)
    flow.write(state, second, state.run, values, row.reasons)
    ticks.write(state, state.run, values, row.reasons)
    observed.write(state, values)
    typical.write(state, values)
    for i in range(len(values)):
        if not math.isnan(values[i]):
            row.reasons[i] = 0

    state.closed_through = second
    state.anchored = 1
    _open(state, second + 1)
    # The mid that a second opens with is part of its range.
    state.high = mid
    state.low = mid
