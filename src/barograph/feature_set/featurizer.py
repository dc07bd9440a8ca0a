"""The featurizer: events in; one row of features for every closed second out.

The state is one NumPy record for each product and its bytes are the checkpoint.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from barograph import codec
from barograph.arrays import Int64, Records
from barograph.codec import GapNumbers, Numbers, UnreadableError
from barograph.feature_set.catalogue import FEATURE_SET_HASH, ROW, STALE_AFTER_S
from barograph.feature_set.grid import FUTURE_NS, is_future, update
from barograph.feature_set.product_states import ProductStates, StateKind
from barograph.feature_set.rows import feature_rows
from barograph.feature_set.state import checkpoint_of, new_states, state_of
from barograph.tick_columns import tick_array
from barograph.types import (
    APPENDED_TIME,
    MAX_PRODUCTS,
    NS_PER_S,
    DeadLetter,
    Fault,
    Outcome,
    Record,
)

_NEVER_NS = 2**63 - 1
_KIND = StateKind(new_states, checkpoint_of, state_of)


class Featurizer:
    """A machine: records of ticks.raw in, feature rows out. No clock, no I/O.

    One instance serves any number of products; each product's rows depend on that product's
    records alone.
    """

    def __init__(self) -> None:
        self._states = ProductStates(_KIND, MAX_PRODUCTS)
        self._rows = np.zeros(4 * STALE_AFTER_S, ROW)
        self._late = np.zeros(4096, np.int64)

    def product_index(self, product: str) -> int:
        """The product's place in the arrays, given out in the order of first use.

        Raises UnreadableError for a name beyond the first MAX_PRODUCTS.
        """
        return self._states.index(product)

    def product(self, index: int) -> str:
        """The product at a place."""
        return self._states.names[index]

    def state(self, index: int) -> np.void:
        """The state of the product at a place, which later events change."""
        state: np.void = self._states.array[index]
        return state

    def update(self, events: Records) -> tuple[Records, Int64]:
        """Rows that `events` close, and the places of late ones in `events`, in new arrays."""
        if len(events) > len(self._late):
            self._late = np.zeros(len(events), np.int64)
        rows: list[Records] = []
        late: list[Int64] = []
        start = 0
        while True:
            consumed, n_rows, n_late = update(
                self._states.array, events[start:], self._rows, self._late
            )
            rows.append(self._rows[:n_rows].copy())
            late.append(self._late[:n_late] + start)
            start += consumed
            if start == len(events):
                break
        self._states.changed(np.flatnonzero(np.bincount(events["product"])).tolist())
        if len(rows) == 1:
            return rows[0], late[0]
        return np.concatenate(rows), np.concatenate(late)

    def receive(self, records: Sequence[Record]) -> Outcome:
        """Feature rows as JSON under their product; what is no event or late as dead letters."""
        readable, events, dead_letters = self._read(records)
        rows, late = self.update(events)
        for place in late.tolist():
            dead_letters.append(_late(readable[place], events[place]))
        return Outcome(
            [
                (row.product, codec.encode(row))
                for row in feature_rows(rows, self._states.names, FEATURE_SET_HASH)
            ],
            dead_letters,
        )

    def _read(
        self, records: Sequence[Record]
    ) -> tuple[Sequence[Record], Records, list[DeadLetter]]:
        """The records that can be used, their events, and a dead letter of each of the others."""
        try:
            ticks = tick_array(records, self.product_index)
        except UnreadableError:  # of one of its products
            ticks = None
        if ticks is not None and ticks["event_time_ns"].max() <= _latest_ns(records):
            return records, ticks, []
        readable, numbers, dead_letters = codec.decode_numbers.all_of(records)
        try:
            events = codec.event_array(numbers, self.product_index)
            usable = len(events) == 0 or events["event_time_ns"].max() <= _latest_ns(readable)
        except ValueError:  # UnreadableError, too
            usable = False
        if not usable:
            readable, numbers = self._usable(readable, numbers, dead_letters)
            events = codec.event_array(numbers, self.product_index)
        return readable, events, dead_letters

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
                ahead_s = (time_ns - latest_ns + FUTURE_NS) // NS_PER_S
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
        return self._states.snapshot()

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Take up each product where its checkpoint left it.

        Raises ForeignStateError for a checkpoint that is damaged or of another layout.
        """
        self._states.restore(checkpoints)


def _latest_ns(records: Sequence[Record]) -> int:
    """No event of these can have happened later: the log took one of them then, and a day."""
    latest_ns, headers = _NEVER_NS, None
    for record in records:
        if record.headers is not headers:  # those of one append share theirs
            headers = record.headers
            taken_ns = codec.natural(headers.get(APPENDED_TIME))
            if taken_ns is not None:
                latest_ns = min(latest_ns, taken_ns + FUTURE_NS)
    return latest_ns


def _late(record: Record, event: Any) -> DeadLetter:
    if is_future(event):
        ahead_s = (int(event["event_time_ns"]) - int(event["receive_time_ns"])) // NS_PER_S
        return codec.dead(record, Fault.FUTURE, f"{ahead_s} s ahead of its receipt")
    return codec.dead(record, Fault.LATE, "its second had already closed")
