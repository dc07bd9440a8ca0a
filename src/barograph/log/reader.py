"""Reading the embedded log onwards without a group: several partitions, as soon as they grow."""

import time
from collections.abc import Mapping

from barograph.errors import UnknownTopicError
from barograph.log.arrivals import Arrivals
from barograph.log.database import Database
from barograph.log.records import Records
from barograph.types import Record, TopicPartition

_LOOK_S = 0.1
"""So often the file is looked at by itself: who waits for a log that is gone gets to know. In
between a reader that waits relies on what this process knows (`Arrivals`)."""


class SqliteReader:
    """A `barograph.log.LogReader` over a connection that becomes its own."""

    def __init__(
        self, database: Database, arrivals: Arrivals, positions: Mapping[TopicPartition, int]
    ) -> None:
        self._database, self._arrivals = database, arrivals
        self._records = Records(database)
        self.positions = dict(positions)
        self._look_s = 0.0
        try:
            self._ids = {place: self._records.partition(*place) for place in positions}
        except UnknownTopicError:
            database.close()
            raise

    def take(self, limit: int, timeout_s: float) -> list[Record]:
        """See `LogReader.take`."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            looks = timeout_s <= 0 or time.monotonic() >= self._look_s
            records = self._fetch(limit) if looks else self._fetch_known(limit)
            left_s = deadline_s - time.monotonic()
            if records or left_s <= 0:
                return records
            reached = {self._ids[place]: offset for place, offset in self.positions.items()}
            self._arrivals.wait(reached, min(left_s, _LOOK_S))

    def close(self) -> None:
        """See `LogReader.close`."""
        self._database.close()

    def _fetch(self, limit: int) -> list[Record]:
        """What there is; each partition gets an even part of `limit`, or what it has."""
        with self._database.snapshot():
            ends = {part: self._records.bounds(part)[1] for part in self._ids.values()}
            grown = [
                place for place, part in self._ids.items() if self.positions[place] != ends[part]
            ]
            records = self._read(grown, limit)
        self._arrivals.know(ends)
        self._look_s = time.monotonic() + _LOOK_S
        return records

    def _fetch_known(self, limit: int) -> list[Record]:
        """As `_fetch`, of the partitions that this process knows to have more."""
        reached = {self._ids[place]: offset for place, offset in self.positions.items()}
        ends = self._arrivals.beyond(reached)
        return self._read([place for place, part in self._ids.items() if part in ends], limit)

    def _read(self, grown: list[TopicPartition], limit: int) -> list[Record]:
        records: list[Record] = []
        for served, place in enumerate(grown):
            part = -(-(limit - len(records)) // (len(grown) - served))
            taken = self._records.read(*place, self.positions[place], part)
            if taken:
                self.positions[place] = taken[-1].offset + 1
                records += taken
        return records
