"""The featurizer: events in; one row of features for every closed second out.

`update` is the only feature code there is. A live record is an array of length one, a micro-batch
an array of some, training the whole archive. The state is one NumPy record for each product and its
bytes are the checkpoint.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numba import njit

from barograph import codec
from barograph.codec import (
    FILLED,
    GAP,
    HEARTBEAT,
    NAT,
    TICK,
    GapNumbers,
    Ints,
    Numbers,
    Records,
    UnreadableError,
)
from barograph.errors import ForeignStateError
from barograph.kernels import FEATURE_SET_HASH, LONGEST_WINDOW_S, ROW, flow, price, ticks, variance
from barograph.kernels.state import checkpoint_of, new_states, state_of
from barograph.kernels.window import MAX_RETURN_E9, MAX_VOLUME_E8, log_e9
from barograph.types import MAX_PRODUCTS, DeadLetter, Fault, Outcome, Reason, Record

FUTURE_NS = 86_400 * 1_000_000_000
"""An event so far ahead of its own receipt, or of when the log took it, is refused: it would make
all later ones late."""

_TAKEN = "appended_time_ns"  # every log's header
_NEVER_NS = 2**63 - 1

_NS = 1_000_000_000
_GAP = int(Reason.GAP)
_OUT_OF_RANGE = int(Reason.OUT_OF_RANGE)
_STALE = int(Reason.STALE)


@njit(cache=True)
def update(states: Records, events: Records, rows: Records, late: Ints) -> tuple[int, int, int]:
    """Take events in, in log order; write a row for every second that they close.

    states: (products,) of STATE, changed in place; events: (n,) of EVENT, `product` < products;
    rows: (m,) of ROW, m > LONGEST_WINDOW_S, filled from the start; late: (≥ n,) int64, filled with
    the places of ticks and trades whose second had already closed, and of events of the future;
    they change nothing. A trade behind a gap or one that was filled belongs to no open second
    either, and is not late.
    Returns (consumed, rows written, late ones). Stops before an event whose rows might not fit:
    call again with the rest.
    """
    n_rows = 0
    n_late = 0
    for i in range(len(events)):
        if n_rows + LONGEST_WINDOW_S > len(rows):
            return i, n_rows, n_late
        event = events[i]
        if _is_future(event):
            late[n_late] = i
            n_late += 1
            continue
        state = states[event.product]
        if event.kind == GAP:
            second = event.gap_start_ns // _NS
            n_rows = _close_before(state, second, event, rows, n_rows)
            _forget(state, _GAP)
            state.closed_through = max(state.closed_through, event.event_time_ns // _NS - 1)
            continue
        second = event.event_time_ns // _NS
        n_rows = _close_before(state, second, event, rows, n_rows)
        if event.kind == HEARTBEAT:
            # Also where there is no quote yet: a tick of an earlier second is late all the same.
            state.closed_through = max(state.closed_through, second - 1)
        elif not _enter(state, second, event):
            late[n_late] = i
            n_late += 1
    return len(events), n_rows, n_late


@njit(cache=True)
def _is_future(event: Any) -> bool:
    """Whether an event is too far ahead of its receipt to belong to its product's line."""
    return event.receive_time_ns > 0 and event.event_time_ns - event.receive_time_ns > FUTURE_NS


@njit(cache=True)
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


@njit(cache=True)
def _close_before(state: Any, second: int, event: Any, rows: Records, n_rows: int) -> int:
    """Close the open second and all quiet ones after it that lie before `second`."""
    while state.open and state.second < second:
        if state.tick_count == 0:
            state.quiet_run += 1
            if state.quiet_run >= LONGEST_WINDOW_S:
                # The quote is older than every window: carrying it on would invent calm.
                _forget(state, _STALE)
                state.closed_through = second - 1
                break
        else:
            state.quiet_run = 0
        _close(state, event, rows[n_rows])
        n_rows += 1
    return n_rows


@njit(cache=True)
def _forget(state: Any, reason: int) -> None:
    """A hole: nothing before it may be mixed with what comes after."""
    state.open = 0
    state.anchored = 0
    state.run = 0
    state.quiet_run = 0
    state.reason = reason


@njit(cache=True)
def _clear_windows(state: Any) -> None:
    price.clear(state)
    variance.clear(state)
    flow.clear(state)
    ticks.clear(state)


@njit(cache=True)
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


@njit(cache=True)
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


@njit(cache=True)
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


@njit(cache=True)
def _close(state: Any, event: Any, row: Any) -> None:
    """Close the open second into a row and open the next one."""
    second = state.second
    mid = 0.5 * (state.bid + state.ask)
    before_e9 = state.log_mid_e9
    state.log_mid_e9 = state.tick_log_mid_e9
    return_e9 = state.log_mid_e9 - before_e9
    row.return_e9 = NAT
    if state.anchored:
        if abs(return_e9) <= MAX_RETURN_E9:
            state.run += 1
            row.return_e9 = return_e9
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
    for i in range(len(values)):
        if not math.isnan(values[i]):
            row.reasons[i] = 0

    state.closed_through = second
    state.anchored = 1
    _open(state, second + 1)
    # The mid that a second opens with is part of its range.
    state.high = mid
    state.low = mid


class Featurizer:
    """A machine: records of ticks.raw in, feature rows out. No clock, no I/O.

    One instance serves any number of products; each product's rows depend on that product's
    records alone.
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._index: dict[str, int] = {}
        self._states = new_states(0)
        self._changed: set[int] = set()
        self._rows = np.zeros(4 * LONGEST_WINDOW_S, ROW)
        self._late = np.zeros(4096, np.int64)

    def product_index(self, product: str) -> int:
        """The product's place in the arrays, given out in the order of first use.

        Raises UnreadableError for a name beyond the first MAX_PRODUCTS.
        """
        index = self._index.get(product)
        if index is None:
            if len(self._names) == MAX_PRODUCTS:
                why = f"there are {MAX_PRODUCTS:,} products already"
                raise UnreadableError(Fault.UNKNOWN_PRODUCT, why)
            index = self._index[product] = len(self._names)
            self._names.append(product)
            if index >= len(self._states):
                self._states = np.concatenate([self._states, new_states(index + 1)])
        return index

    def product(self, index: int) -> str:
        """The product at a place."""
        return self._names[index]

    def update(self, events: Records) -> tuple[Records, Ints]:
        """Rows that `events` close, and the places of late ones in `events`, in new arrays."""
        if len(events) > len(self._late):
            self._late = np.zeros(len(events), np.int64)
        rows: list[Records] = []
        late: list[Ints] = []
        start = 0
        while True:
            consumed, n_rows, n_late = update(self._states, events[start:], self._rows, self._late)
            rows.append(self._rows[:n_rows].copy())
            late.append(self._late[:n_late] + start)
            start += consumed
            if start == len(events):
                break
        self._changed.update(np.unique(events["product"]).tolist())
        if len(rows) == 1:
            return rows[0], late[0]
        return np.concatenate(rows), np.concatenate(late)

    def receive(self, records: Sequence[Record]) -> Outcome:
        """Feature rows as JSON under their product; what is no event or late as dead letters."""
        readable, numbers, dead_letters = codec.decode_numbers.all_of(records)
        try:
            events = codec.event_array(numbers, self.product_index)
            usable = len(events) == 0 or events["event_time_ns"].max() <= _latest_ns(readable)
        except ValueError:  # UnreadableError, too
            usable = False
        if not usable:
            readable, numbers = self._usable(readable, numbers, dead_letters)
            events = codec.event_array(numbers, self.product_index)
        rows, late = self.update(events)
        for place in late.tolist():
            dead_letters.append(_late(readable[place], events[place]))
        return Outcome(
            [
                (row.product, codec.encode(row))
                for row in codec.feature_rows(rows, self._names, FEATURE_SET_HASH)
            ],
            dead_letters,
        )

    def _usable(
        self,
        records: Sequence[Record],
        numbers: Sequence[Numbers],
        dead_letters: list[DeadLetter],
    ) -> tuple[list[Record], list[Numbers]]:
        """Those that are sound, whose product has a place, and that happened before they came."""
        usable: tuple[list[Record], list[Numbers]] = ([], [])
        for record, number in zip(records, numbers, strict=True):
            time_ns = number.end_ns if isinstance(number, GapNumbers) else number.event_time_ns
            latest_ns = _latest_ns([record])
            if time_ns > latest_ns:
                ahead_s = (time_ns - latest_ns + FUTURE_NS) // _NS
                why = f"{ahead_s} s ahead of when the log took it"
                dead_letters.append(codec.dead(record, Fault.FUTURE, why))
                continue
            try:
                codec.check_numbers(number)
                self.product_index(number.product)
            except ValueError as error:
                refused = codec.unreadable(error)
                dead_letters.append(codec.dead(record, refused.fault, refused.detail))
            else:
                usable[0].append(record)
                usable[1].append(number)
        return usable

    def snapshot(self) -> dict[str, bytes]:
        """The states, as bytes, of the products that changed since the last call."""
        changed, self._changed = self._changed, set()
        return {self._names[index]: checkpoint_of(self._states[index]) for index in sorted(changed)}

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Take up each product where its checkpoint left it.

        Raises ForeignStateError for a checkpoint that is damaged or of another layout.
        """
        for product, checkpoint in checkpoints.items():
            state = state_of(checkpoint)
            if state is None:
                raise ForeignStateError(product)
            place = self.product_index(product)
            self._states[place] = state


def _latest_ns(records: Sequence[Record]) -> int:
    """No event of these can have happened later: the log took one of them then, and a day."""
    latest_ns, headers = _NEVER_NS, None
    for record in records:
        if record.headers is not headers:  # those of one append share theirs
            headers = record.headers
            taken_ns = codec.natural(headers.get(_TAKEN))
            if taken_ns is not None:
                latest_ns = min(latest_ns, taken_ns + FUTURE_NS)
    return latest_ns


def _late(record: Record, event: Any) -> DeadLetter:
    if _is_future(event):
        ahead_s = (int(event["event_time_ns"]) - int(event["receive_time_ns"])) // _NS
        return codec.dead(record, Fault.FUTURE, f"{ahead_s} s ahead of its receipt")
    return codec.dead(record, Fault.LATE, "its second had already closed")
