"""Records in the embedded log's file: where they lie, how they get in and out.

A partition has an id; a record's row id is `id << 40 | offset` (see `schema.sql`). Nothing here
opens a transaction: a log and a commit each bring their own.

Measured on two cores with values of 250 bytes, in batches of 1,000 or more: about 3 µs to write a
record, fsync and WAL checkpoint included, and 1 µs to read one.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain
from operator import add

import msgspec

from barograph.errors import CorruptLogError, OffsetGapError, UnknownTopicError
from barograph.log import check_partition, partition_of
from barograph.log.database import Database
from barograph.types import APPENDED_TIME, Message, Record

_OFFSET_BITS = 40
_OFFSET = (1 << _OFFSET_BITS) - 1

_TOGETHER, _MOST_TOGETHER = 16, 4096
"""From so many records on one statement adds them, and so many at most."""

_LONGEST_KEY, _LONGEST_VALUE = (1 << 8) - 1, (1 << 17) - 1
"""Bytes of what fits the layout of `add_records`."""

_headers = msgspec.json.Decoder(dict[str, str])


class Records:
    """Topics, partitions and records over one connection."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Topics are never removed and their partitions never change, so this cache stays valid.
        self._partitions: dict[str, tuple[int, ...]] = {}

    def partitions(self, topic: str) -> tuple[int, ...]:
        """Return the ids of a topic's partitions by number. Raises UnknownTopicError."""
        ids = self._partitions.get(topic)
        if ids is None:
            ids = tuple(row[0] for row in self._database.rows("partition_ids", topic))
            if not ids:
                raise UnknownTopicError(topic, [row[0] for row in self._database.rows("topics")])
            self._partitions[topic] = ids
        return ids

    def partition(self, topic: str, number: int) -> int:
        """The id of one partition. Raises UnknownTopicError, and BadInputError for its number."""
        ids = self.partitions(topic)
        check_partition(topic, number, len(ids))
        return ids[number]

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the oldest offset kept and the next to be written."""
        oldest, end = self._facts("bounds", partition)
        return oldest, end

    def write(self, messages: Iterable[Message], now_ns: int) -> dict[int, int]:
        """Add messages at the ends of their partitions. Inside a write transaction only.

        Returns the next offset of each partition that grew, by its id.
        """
        ends: dict[int, _End] = {}
        routes: dict[tuple[str, str], _End] = {}
        for message in messages:
            route = (message.topic, message.key)
            end = routes.get(route)
            if end is None:
                ids = self.partitions(message.topic)
                partition = ids[partition_of(message.key, len(ids))]
                end = ends.get(partition)
                if end is None:
                    end = ends[partition] = _End(self.bounds(partition)[1])
                routes[route] = end
            end.messages.append(message)
        for partition, end in ends.items():
            size = self._add(end.offset, partition, end.messages, now_ns)
            end.offset += len(end.messages)
            self._database.change("grow", end.offset, size, partition)
        return {partition: end.offset for partition, end in ends.items()}

    def _add(self, offset: int, partition: int, messages: Sequence[Message], now_ns: int) -> int:
        """Add messages to one partition, from an offset on; return the bytes of their values."""
        slot = _slot(partition, offset)
        values = [message.value for message in messages]
        headers = messages[0].headers
        if (
            len(messages) >= _TOGETHER
            and max(map(len, values)) <= _LONGEST_VALUE
            and all(message.headers == headers for message in messages)
        ):
            keys = [message.key.encode() for message in messages]
            if max(map(len, keys)) <= _LONGEST_KEY:
                self._add_together(slot, keys, values, _json(headers), now_ns)
                return sum(map(len, values))
        rows = [
            (slot + place, message.key, message.value, _json(message.headers), now_ns)
            for place, message in enumerate(messages)
        ]
        self._database.change_many("add_record", rows)
        return sum(map(len, values))

    def _add_together(
        self, slot: int, keys: list[bytes], values: list[bytes], headers: str | None, now_ns: int
    ) -> None:
        """Add records in one statement, which takes two thirds of the time of one for each.

        And it is one stretch without Python's lock, where other threads work.
        """
        for start in range(0, len(keys), _MOST_TOGETHER):
            some = slice(start, start + _MOST_TOGETHER)
            key_bytes, value_bytes = list(map(len, keys[some])), list(map(len, values[some]))
            begins = accumulate(map(add, key_bytes, value_bytes), initial=0)
            places = [
                begin << 25 | key << 17 | value
                for begin, key, value in zip(begins, key_bytes, value_bytes, strict=False)
            ]
            content = b"".join(chain.from_iterable(zip(keys[some], values[some], strict=True)))
            # One byte more, since SQLite takes a part of nothing for NULL.
            layout = msgspec.json.encode(places).decode()
            self._database.change(
                "add_records", slot + start, content + b"\0", layout, headers, now_ns
            )

    def read(self, topic: str, number: int, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `offset` on. Raises OffsetGapError when that one is gone."""
        partition = self.partition(topic, number)
        first = _slot(partition, offset)
        rows = self._database.rows("read", first, _slot(partition + 1, 0), max(limit, 0))
        if not rows or rows[0][0] != first:  # a gap, a hole of a compacted topic, or the end
            oldest, _ = self.bounds(partition)
            if offset < oldest:
                raise OffsetGapError(topic, number, offset, oldest)
        records = []
        stamp: dict[str, str] = {}
        stamped_ns = None
        for slot, key, value, headers, appended_time_ns in rows:
            if type(key) is not str or type(value) is not bytes:
                raise self._damaged(topic, number, slot, "its key or value is of another type")
            # An append has one time, so its records without other headers share one dict.
            if appended_time_ns != stamped_ns:
                stamp = {APPENDED_TIME: str(appended_time_ns)}
                stamped_ns = appended_time_ns
            try:
                own = stamp if headers is None else _headers.decode(headers) | stamp
            except _what_decoding_raises() as error:
                raise self._damaged(topic, number, slot, f"its headers: {error}") from error
            records.append(Record(topic, number, slot & _OFFSET, key, value, own))
        return records

    def _facts(self, query: str, partition: int) -> tuple[int, ...]:
        for row in self._database.rows(query, partition):
            return tuple(row)
        raise CorruptLogError(str(self._database.path), f"partition {partition} is damaged")

    def _damaged(self, topic: str, number: int, slot: int, why: str) -> CorruptLogError:
        record = f"{topic}/{number} at offset {slot & _OFFSET}"
        return CorruptLogError(str(self._database.path), f"{record} is damaged ({why})")

    def trim(
        self, partition: int, older_than_ns: int | None, keep_bytes: int | None, limit: int
    ) -> int:
        """Remove up to `limit` of the oldest records; returns how many went.

        Those go that were written before `older_than_ns`, and more while values hold over
        `keep_bytes`. Inside a write transaction only.
        """
        oldest, _, held = self._facts("kept", partition)
        gone = freed = 0
        for size, appended_time_ns in self._database.rows(
            "oldest_records", _slot(partition, oldest), _slot(partition + 1, 0), limit
        ):
            too_old = older_than_ns is not None and appended_time_ns < older_than_ns
            too_much = keep_bytes is not None and held - freed > keep_bytes
            if not (too_old or too_much):
                break
            gone += 1
            freed += size
        if gone:
            self._database.change(
                "remove", _slot(partition, oldest), _slot(partition, oldest + gone)
            )
            self._database.change("shrink", oldest + gone, freed, partition)
        return gone

    def compact(self, partition: int) -> int:
        """Remove each record whose key has a later one; returns how many went.

        Its reading goes through the whole partition. Inside a write transaction only.
        """
        return self._database.change("compact", _slot(partition, 0), _slot(partition + 1, 0))


def _what_decoding_raises() -> tuple[type[Exception], ...]:
    from barograph.codec import UNREADABLE  # noqa: PLC0415 - loads NumPy, for a damaged log alone

    return (*UNREADABLE, TypeError)


class _End:
    """The growing end of a partition while a batch is laid out, and what comes behind it."""

    __slots__ = ("messages", "offset")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.messages: list[Message] = []


def _json(headers: Mapping[str, str]) -> str | None:
    return msgspec.json.encode(headers).decode() if headers else None


def _slot(partition: int, offset: int) -> int:
    return partition << _OFFSET_BITS | offset
