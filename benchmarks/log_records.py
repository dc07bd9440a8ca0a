"""The embedded log, a record at a time's price, beside SQLite's own `executemany`."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from barograph.codec import encode
from barograph.log import Topic, open_log
from barograph.types import Message, Tick
from measure import Measured, benchmark_events, row, seconds, sized

_RECORDS, _FEW = 100_000, 10_000
_BATCH = 5000


def _messages() -> list[Message]:
    """Ticks of the benchmark recording as they stand in ticks.raw."""
    events, products = benchmark_events()
    return [
        Message(
            "ticks.raw",
            products[event["product"]],
            encode(
                Tick(
                    product=products[event["product"]],
                    event_time_ns=int(event["event_time_ns"]),
                    price=f"{event['price']:.8f}",
                    bid=f"{event['bid']:.8f}",
                    ask=f"{event['ask']:.8f}",
                    bid_size=f"{event['bid_size']:.8f}",
                    ask_size=f"{event['ask_size']:.8f}",
                    trade_id=int(event["trade_id"]),
                    connection="replay:benchmark/exchange",
                )
            ),
        )
        for event in events[: sized(_RECORDS, _FEW)]
    ]


@row("log: append one record, in batches of 5,000", "µs", less_is_better=True)
def append(repeats: int) -> Measured:
    """Durable, keyed, three partitions; the peer has one table and the same durability."""
    messages = _messages()
    timed = [(_append(messages), _plain(messages)[0]) for _ in range(repeats + 1)][1:]
    return _per_record(timed)


@row("log: poll and commit one record, in batches of 5,000", "µs", less_is_better=True)
def poll(repeats: int) -> Measured:
    """As a worker reads: a group's member, its position committed after each batch."""
    messages = _messages()
    timed = [(_poll(messages), _plain(messages)[1]) for _ in range(repeats + 1)][1:]
    return _per_record(timed)


def _per_record(timed: list[tuple[float, float]]) -> Measured:
    records = sized(_RECORDS, _FEW)
    return Measured(*(median(side) / records * 1e6 for side in zip(*timed, strict=True)))


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder:
        yield Path(folder)


def _append(messages: list[Message]) -> float:
    with _folder() as home:
        log = open_log(home)
        log.create(Topic(name="ticks.raw", partitions=3))

        def work() -> None:
            for start in range(0, len(messages), _BATCH):
                log.append(messages[start : start + _BATCH])

        try:
            return seconds(work)
        finally:
            log.close()


def _poll(messages: list[Message]) -> float:
    with _folder() as home:
        log = open_log(home)
        log.create(Topic(name="ticks.raw", partitions=3))
        log.append(messages)
        member = log.join("benchmark", ["ticks.raw"])

        def work() -> None:
            got = 0
            while got < len(messages):
                got += len(member.poll(_BATCH, 1.0).records)
                member.commit()

        try:
            return seconds(work)
        finally:
            log.close()


def _plain(messages: list[Message]) -> tuple[float, float]:
    """Seconds to insert and to read with sqlite3 alone: WAL, every commit on the disk."""
    with _folder() as home:
        database = sqlite3.connect(home / "plain.sqlite")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute(
            "CREATE TABLE record (id INTEGER PRIMARY KEY, topic TEXT, key TEXT, value BLOB)"
        )

        def insert() -> None:
            for start in range(0, len(messages), _BATCH):
                rows = [(m.topic, m.key, m.value) for m in messages[start : start + _BATCH]]
                database.executemany(
                    "INSERT INTO record (topic, key, value) VALUES (?, ?, ?)", rows
                )
                database.commit()

        def read() -> None:
            last = 0
            while rows := database.execute(
                "SELECT id, topic, key, value FROM record WHERE id > ? ORDER BY id LIMIT ?",
                (last, _BATCH),
            ).fetchall():
                last = rows[-1][0]

        try:
            return seconds(insert), seconds(read)
        finally:
            database.close()
