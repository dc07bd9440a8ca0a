"""The events of a table of ticks: what `barograph replay` would make of it as a recording."""

from collections.abc import Iterator
from itertools import chain, count
from typing import Literal

import numpy as np

from barograph import codec
from barograph.arrays import Records
from barograph.codec import EVENT, TICK
from barograph.library.tick_columns import TickTable
from barograph.library.ticks import Refused, Ticks
from barograph.times import format_time
from barograph.types import DeadLetter, Fault, Frame
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.coinbase.row_lane import RowLane, Rows
from barograph.venues.entries import Dialect, Heard, Opening, Rules
from barograph.venues.forms.fields import frame_of
from barograph.venues.refusals import FrameRefusedError

_SOURCE = "frame"
_SURVEYED = 2000
_ROOM = 1024
"""For gaps, which stand between the ticks."""


class TableReading:
    """Reads a table of ticks once, with gaps where ids or silence show that some are missing.

    Rows that cannot be used become dead letters in `refused`, with their number from 0 as position.
    `products` has those that were read so far, in the order of `product` of the events.
    """

    def __init__(self, table: TickTable, rules: Rules, clock: Literal["venue", "recorder"]) -> None:
        self._table, self._repeated = table, table.repeated()
        self._rows = table.rows
        if len(self._repeated):
            names = self._rows.name.copy()
            names[list(self._repeated)] = -1  # so that the lane leaves them alone
            self._rows = self._rows._replace(name=names)
        self.refused = Refused()
        self._machine = Coinbase(rules)
        self._opening = Opening(
            connection=_SOURCE,
            dialect=Dialect.EXCHANGE,
            continuity=_continuity(table.rows),
            event_clock=clock,
            recorded=True,
        )
        self._machine.take(self._opening)
        self._lane = RowLane(self._rows, self._opening, self._machine.continuity)
        self._places: dict[str, int] = {}

    @property
    def products(self) -> list[str]:
        """The products of the events so far, in the order of their numbers."""
        return list(self._places)

    def ticks(self) -> Ticks:
        """All ticks of the table. To be called once, and `parts` not at all."""
        n = len(self._rows.time_ns)
        first, later = np.zeros(n + _ROOM, EVENT), (_ROOM + n // 8 for _ in count())
        buffers = chain([first], (np.zeros(room, EVENT) for room in later))
        parts = list(self.parts(buffers))
        return Ticks(
            parts[0] if len(parts) == 1 else np.concatenate([first[:0], *parts]),
            self._places,
            silence_timeout_s=self._machine.continuity.rules.silence_timeout_s,
            refused=self.refused,
        )

    def parts(self, buffers: Iterator[Records]) -> Iterator[Records]:
        """The events in order, each part in the next of `buffers`, each (n > 0,) of EVENT.

        A part is valid until its buffer comes again. No part is empty. To be called once.
        """
        n, row = len(self._rows.time_ns), 0
        events, filled = next(buffers), 0
        while row < n:
            row, filled = self._lane.take(row, events, filled)
            heard = events[:0]
            if row < n and filled < len(events):
                heard = self._hear(row)
                row += 1
            if filled + len(heard) >= len(events):
                if filled:
                    yield events[:filled]
                    events, filled = next(buffers), 0
                if len(heard) > len(events):
                    yield heard
                    continue
            events[filled : filled + len(heard)] = heard
            filled += len(heard)
        if filled:
            yield events[:filled]

    def _hear(self, row: int) -> Records:
        """The events of a row about which the machine has to think."""
        if row in self._repeated:
            self._refuse(Fault.DUPLICATE, "the same as a row before", row)
            return np.zeros(0, EVENT)
        number = int(self._rows.name[row])
        name = "" if number < 0 else self._table.names[number].strip()
        product = self._machine.continuity.book(name)
        last = self._lane.last_row(product)
        if last is not None:
            self._lane.give_back(product, self._frame(last))
        try:
            frame = self._frame(row)
        except FrameRefusedError as refused:
            self._refuse(refused.fault, refused.detail, row)
            return np.zeros(0, EVENT)
        received = self._machine.take(
            Heard(Frame(data=frame, connection=_SOURCE), Dialect.EXCHANGE)
        )
        for letter in received.dead_letters:
            self._refuse(letter.fault, letter.detail, row, letter.original)
        numbers = codec.numbers_of(received.events, self.refused.add)
        events = codec.event_array(numbers, self._place)
        received_ns = self._rows.received_ns[row]
        for event in events:
            if event["kind"] == TICK:
                self._lane.write(row, event)
            event["receive_time_ns"] = received_ns
        if product in self._machine.continuity.lines:
            self._lane.learn(number, product, self._place(product))
        return events

    def _place(self, product: str) -> int:
        return self._places.setdefault(product, len(self._places))

    def _frame(self, row: int) -> bytes:
        time_ns = int(self._rows.time_ns[row])
        if time_ns < 0:
            raise FrameRefusedError(Fault.BAD_TIME, "its time is none of 1970 to 2262")
        return frame_of(self._table.values(row), format_time(time_ns), Dialect.EXCHANGE)

    def _refuse(self, fault: Fault, detail: str, row: int, original: bytes = b"") -> None:
        self.refused.add(
            DeadLetter(
                fault=fault,
                detail=detail,
                source=_SOURCE,
                position=str(row),
                key="",
                original=original,
            )
        )


def _continuity(rows: Rows) -> Literal["trade_id", "none"]:
    """As `recorded_lines.continuity_of` judges a recording: by how many of the first ids repeat."""
    names, ids = rows.name[:_SURVEYED], rows.trade_id[:_SURVEYED]
    seen = repeated = 0
    for name in np.unique(names):
        known = ids[(names == name) & (ids >= 0)]
        seen += len(known)
        repeated += int((known[1:] == known[:-1]).sum())
    return "none" if repeated * 10 > seen else "trade_id"
