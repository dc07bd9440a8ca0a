import sqlite3
from contextlib import closing
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.log import Topic, partition_of
from barograph.log import records as module
from barograph.log.database import Database
from barograph.log.records import Records
from barograph.log.sqlite import SqliteLog
from barograph.types import APPENDED_TIME, Message


@pytest.fixture
def database(log_path):
    with closing(SqliteLog(log_path)) as log:
        log.create(Topic(name="a"))
        log.create(Topic(name="b", partitions=2))
    with closing(Database(log_path, wait_s=1)) as each:
        yield each


@pytest.fixture
def records(database):
    return Records(database)


def write(database, records, messages, now_ns=1):
    with database.write():
        records.write(messages, now_ns)


def test_partitions_do_not_run_into_each_other(database, records):
    sent = [Message(topic, key, b"v") for topic in "ab" for key in ("x", "y", "z") for _ in "123"]
    write(database, records, sent)
    places = [("a", 0), ("b", 0), ("b", 1)]
    read = [records.read(*place, 0, 100) for place in places]
    assert sum(map(len, read)) == 18
    for place, each in zip(places, read, strict=True):
        assert [(r.topic, r.partition, r.offset) for r in each] == [
            (*place, offset) for offset in range(len(each))
        ]


def test_records_without_headers_of_one_append_share_their_stamp(database, records):
    write(database, records, [Message("a", "k", b"1"), Message("a", "k", b"2")], now_ns=7)
    write(database, records, [Message("a", "k", b"3", {"h": "x"})], now_ns=8)
    one, two, three = records.read("a", 0, 0, 10)
    assert one.headers is two.headers
    assert one.headers == {APPENDED_TIME: "7"}
    assert three.headers == {"h": "x", APPENDED_TIME: "8"}


keys = st.text(max_size=9) | st.sampled_from(["", "a\0b", "é" * 127, "é" * 128])
values_ = st.binary(max_size=9) | st.sampled_from([b"", b"x" * ((1 << 17) - 1), b"x" * (1 << 17)])
headers_ = st.sampled_from([{}, {}, {"h": "é"}])


@settings(max_examples=40)
@given(
    st.lists(st.tuples(keys, values_), max_size=40),
    st.lists(headers_, max_size=40),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_records_come_back_the_same_together_and_one_by_one(
    tmp_path_factory, drawn, headers, together, most
):
    path = tmp_path_factory.mktemp("log") / "log.sqlite"
    messages = [
        Message("b", key, value, head)
        for (key, value), head in zip(drawn, (*headers, *[{}] * len(drawn)), strict=False)
    ]
    with closing(SqliteLog(path)) as log:
        log.create(Topic(name="b", partitions=2))
        with (
            patch.object(module, "_TOGETHER", together),
            patch.object(module, "_MOST_TOGETHER", most),
        ):
            log.append(messages)
            log.append(messages)
        for number in range(2):
            sent = [each for each in messages if partition_of(each.key, 2) == number] * 2
            read = log.read("b", number, 0, 999)
            assert [(r.offset, r.key, r.value) for r in read] == [
                (offset, each.key, each.value) for offset, each in enumerate(sent)
            ]
            assert [{**r.headers, APPENDED_TIME: ""} for r in read] == [
                {**each.headers, APPENDED_TIME: ""} for each in sent
            ]
    with closing(sqlite3.connect(path)) as database:
        types = "SELECT DISTINCT typeof(slot), typeof(key), typeof(value) FROM record"
        assert set(database.execute(types)) <= {("integer", "text", "blob")}


def test_a_negative_limit_is_none(database, records):
    write(database, records, [Message("a", "k", b"1")])
    assert records.read("a", 0, 0, -1) == []


@pytest.mark.parametrize(
    ("older_than_ns", "keep_bytes", "limit", "gone"),
    [
        (None, None, 100, 0),
        (3, None, 100, 2),
        (100, None, 100, 6),
        (100, None, 4, 4),
        (None, 60, 100, 0),
        (None, 59, 100, 1),
        (None, 25, 100, 4),
        (None, 0, 100, 6),
        (3, 25, 100, 4),
        (5, 45, 100, 4),
    ],
)
def test_trimming_takes_from_the_oldest_what_is_too_old_or_too_much(
    database, records, older_than_ns, keep_bytes, limit, gone
):
    for now_ns in range(1, 7):
        write(database, records, [Message("a", "k", bytes(10))], now_ns)
    with database.write():
        assert records.trim(records.partition("a", 0), older_than_ns, keep_bytes, limit) == gone
    kept = database.rows("kept", records.partition("a", 0))
    assert kept == [(gone, 6, 10 * (6 - gone))]
    assert [r.offset for r in records.read("a", 0, gone, 100)] == list(range(gone, 6))


def test_a_record_younger_than_its_elder_by_a_clock_set_back_keeps_its_order(database, records):
    for now_ns in (10, 5, 20):
        write(database, records, [Message("a", "k", b"v")], now_ns)
    with database.write():
        assert records.trim(records.partition("a", 0), 8, None, 100) == 0
        assert records.trim(records.partition("a", 0), 15, None, 100) == 2
