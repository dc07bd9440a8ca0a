"""The events of a table of ticks: what `barograph replay` would make of it as a recording."""

from collections.abc import Iterator
from itertools import chain, count
from typing import Literal

import numpy as np

from barograph import codec
from barograph.arrays import Records
from barograph.codec import EVENT, NAT, TICK
from barograph.errors import BadInputError
from barograph.library.receipts import all_believed
from barograph.library.tick_columns import TickTable
from barograph.library.ticks import Refused, Ticks, in_words
from barograph.times import format_time
from barograph.types import DeadLetter, Fault, Frame
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.coinbase.row_lane import RowLane
from barograph.venues.entries import Dialect, Heard, Opening, Rules
from barograph.venues.forms.fields import frame_of
from barograph.venues.forms.names import RECEIVED, TIME
from barograph.venues.forms.times_seen import SURVEYED
from barograph.venues.refusals import FrameRefusedError

_SOURCE = "frame"
_LONGEST = 200
_NO_TIME = "which is no time from 1970 to 2262 in the unit of the others"
_NUMBERS = ("price", "bid", "ask", "bid_size", "ask_size", "volume_24h", "last_size")
_ROOM = 1024
"""For gaps, which stand between the ticks."""


class TableReading:
    """Reads a table of ticks once, with gaps where ids or silence show that some are missing.

    Rows that cannot be used become dead letters in `refused`, with their number from 0 as position.
    `products` has those that were read so far, in the order of `product` of the events.
    """

    def __init__(self, table: TickTable, rules: Rules, clock: Literal["venue", "recorder"]) -> None:
        self._table, self._repeated = table, table.repeated()
        self.refused = Refused()
        self._machine = Coinbase(rules)
        self._judges_receipts = not all_believed(table.rows, self._machine.continuity.future_ns)
        to_hear = self._repeated | table.odd | self._judges_receipts
        self._rows = table.rows
        if to_hear.any():
            # The lane leaves rows without a name alone.
            names = np.where(to_hear, np.int32(-1), table.rows.name)
            self._rows = table.rows._replace(name=names)
        self._opening = Opening(
            connection=_SOURCE,
            dialect=table.dialect,
            continuity=_continuity(table),
            event_clock=clock,
            recorded=True,
        )
        self._machine.take(self._opening)
        self._lane = RowLane(self._rows, len(table.names), self._opening, self._machine.continuity)
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
        Raises BadInputError where no row gives one.
        """
        n, row, none = len(self._rows.time_ns), 0, True
        events, filled = next(buffers), 0
        is_advanced, tells_hole = self._table.dialect is Dialect.ADVANCED, False
        while row < n:
            if not tells_hole:
                row, filled = self._lane.take(row, events, filled)
            heard = events[:0]
            if row < n and filled < len(events):
                refused = self.refused.counts.total()
                heard = self._hear(row)
                row += 1
                # There whatever comes next, of any product, tells the hole of what was refused.
                tells_hole = is_advanced and self.refused.counts.total() > refused
            if filled + len(heard) >= len(events):
                if filled:
                    yield events[:filled]
                    events, filled, none = next(buffers), 0, False
                if len(heard) > len(events):
                    yield heard
                    none = False
                    continue
            events[filled : filled + len(heard)] = heard
            filled += len(heard)
        if filled:
            yield events[:filled]
        elif none:
            raise self._unread()

    def _unread(self) -> BadInputError:
        """Why there is no event: every row was refused."""
        counts, first = self.refused.counts, self.refused.letters[0].detail
        if set(counts) == {Fault.UNKNOWN_PRODUCT}:
            why = f"none of its rows is of a product that was asked for ({first})"
            return BadInputError("the frame", why, "Name one that it has, or leave products out")
        return BadInputError(
            "the frame",
            f"none of its rows could be read: {in_words(counts)}; the first: {first[:_LONGEST]}",
            "Say which of its columns are product, time, bid and ask: "
            "columns={'name in it': 'bid', …}",
        )

    def _hear(self, row: int) -> Records:
        """The events of a row about which the machine has to think."""
        number = int(self._table.rows.name[row])
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
        if self._repeated[row]:
            self._refuse(Fault.DUPLICATE, "the same as a row before", row)
            return np.zeros(0, EVENT)
        events = self._events(frame, row)
        if product in self._places:
            self._lane.learn(number, product, self._place(product))
        return events

    def _events(self, frame: bytes, row: int) -> Records:
        received_ns = int(self._rows.received_ns[row])
        judged_ns = received_ns if self._judges_receipts and received_ns != NAT else None
        heard = Frame(data=frame, connection=_SOURCE, receive_time_ns=judged_ns)
        received = self._machine.take(Heard(heard, self._table.dialect))
        for letter in received.dead_letters:
            self._refuse(letter.fault, letter.detail, row, letter.original)
        numbers = codec.numbers_of(received.events, self.refused.add)
        events = codec.event_array(numbers, self._place)
        events["receive_time_ns"] = received_ns
        for event in events[events["kind"] == TICK]:
            self._keep_floats(row, event)
        return events

    def _keep_floats(self, row: int, event: np.void) -> None:
        """Put the numbers of a row as they stand into its event; frames have 18 decimals."""
        for name in _NUMBERS:
            number = getattr(self._rows, name)[row]
            if not (np.isnan(number) or np.isnan(event[name])):
                event[name] = number

    def _place(self, product: str) -> int:
        return self._places.setdefault(product, len(self._places))

    def _frame(self, row: int) -> bytes:
        """The venue's frame of a row. Raises FrameRefusedError."""
        time_ns, values = int(self._rows.time_ns[row]), self._table.values(row)
        if values[TIME] in {None, ""}:
            raise FrameRefusedError(Fault.WRONG_SHAPE, "no time")
        if time_ns < 0:
            raise FrameRefusedError(
                Fault.BAD_TIME, f"its time is {str(values[TIME])[:64]!r}, {_NO_TIME}"
            )
        frame = frame_of(values, format_time(time_ns), self._table.dialect)
        if self._table.useless_receipt[row]:
            raise FrameRefusedError(
                Fault.BAD_TIME, f"it was received at {str(values[RECEIVED])[:64]!r}, {_NO_TIME}"
            )
        return frame

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


def _continuity(table: TickTable) -> Literal["trade_id", "none"]:
    """As `recorded_lines.continuity_of` judges a recording: by how many of the first ids repeat."""
    first, rows = slice(SURVEYED), table.rows
    name, trade_id = rows.name[first], rows.trade_id[first]
    told = (name >= 0) & (rows.time_ns[first] >= 0) & (trade_id >= 0)
    for row in np.flatnonzero(told & np.isnan(rows.bid[first] + rows.ask[first])).tolist():
        told[row] = table.has_quote(row)
    seen = repeated = 0
    of_product: dict[str, list[int]] = {}
    for number in np.unique(name[told]).tolist():
        of_product.setdefault(table.names[number].strip(), []).append(number)
    for product, numbers in of_product.items():
        ids = trade_id[told & np.isin(name, numbers)] if product else trade_id[:0]
        seen += len(ids)
        repeated += int((ids[1:] == ids[:-1]).sum())
    return "none" if repeated * 10 > seen else "trade_id"
