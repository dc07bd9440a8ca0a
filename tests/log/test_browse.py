"""A log from beside: every record once, in order, from any side, whatever retention cuts."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError
from barograph.log import Topic, browse, open_log
from barograph.log.sqlite import SqliteLog
from barograph.types import Message

KEYS = ("a", "b", "c", "d")


class Clock:
    """Every look at it is a nanosecond later."""

    def __init__(self):
        self.now_ns = 0

    def __call__(self):
        self.now_ns += 1
        return self.now_ns


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A log with 1,700 records in three partitions and what was written, in its order."""
    log = SqliteLog(tmp_path_factory.mktemp("log") / "log.sqlite", clock_ns=Clock())
    log.create(Topic(name="t", partitions=3))
    written = [Message("t", KEYS[(i * 2_654_435_761 >> 7) % 4], b"%d" % i) for i in range(1700)]
    for message in written:
        log.append([message])
    yield log, written
    log.close()


def values(records):
    return [record.value for record in records]


@pytest.mark.slow
def test_all_records_come_once_in_the_order_of_the_log(many):
    log, written = many
    assert values(browse.records(log, "t")) == [message.value for message in written]


@pytest.mark.slow
@given(limit=st.integers(1, 2000), key=st.none() | st.sampled_from(KEYS), end=st.booleans())
def test_the_first_and_the_last_are_those_of_all(many, limit, key, end):
    log, written = many
    wanted = [message.value for message in written if key in (None, message.key)]
    if end:
        assert values(browse.last(log, "t", limit, key=key)) == wanted[-limit:]
    else:
        assert values(browse.first(log, "t", limit, key=key)) == wanted[:limit]


def test_what_is_written_while_one_reads_is_not_among_it(tmp_path):
    """So a re-drive, whose records may be refused again, comes to an end."""
    log = open_log(tmp_path)
    log.create(Topic(name="t"))
    log.append([Message("t", "a", b"1"), Message("t", "a", b"2")])
    read = browse.records(log, "t")
    first = next(read)
    log.append([Message("t", "a", b"3")])
    assert [first.value, *values(read)] == [b"1", b"2"]
    log.close()


def test_what_retention_removes_while_one_reads_is_left_out(tmp_path):
    log = open_log(tmp_path)
    log.create(Topic(name="t", retention_bytes=30))
    log.append(Message("t", "a", b"0123456789") for _ in range(5))
    read = browse.records(log, "t")
    log.retain()
    assert [record.offset for record in read] == [2, 3, 4]
    log.close()


@pytest.mark.parametrize(("from_oldest", "first"), [(False, []), (True, [b"1"])])
def test_a_tail_gives_each_record_once_from_where_it_begins(tmp_path, from_oldest, first):
    log = open_log(tmp_path)
    log.create(Topic(name="t", partitions=3))
    log.append([Message("t", "a", b"1")])
    tail = browse.Tail(log, "t", from_oldest=from_oldest)
    assert values(tail.take()) == first
    log.append([Message("t", key, b"2") for key in KEYS])
    assert values(tail.take()) == [b"2"] * len(KEYS)
    assert values(tail.take()) == []
    log.close()


def test_a_tail_leaves_nothing_out_that_was_not_taken(tmp_path):
    log = open_log(tmp_path)
    log.create(Topic(name="t"))
    tail = browse.Tail(log, "t")
    log.append(Message("t", "a", b"%d" % n) for n in range(5))
    taken = tail.take()
    assert [next(taken).offset, next(taken).offset] == [0, 1]
    assert [record.offset for record in tail.take()] == [2, 3, 4]
    log.close()


def test_a_tail_goes_on_behind_what_retention_removed(tmp_path):
    log = open_log(tmp_path)
    log.create(Topic(name="t", retention_bytes=30))
    tail = browse.Tail(log, "t")
    log.append(Message("t", "a", b"0123456789") for _ in range(5))
    log.retain()
    assert [record.offset for record in tail.take()] == [2, 3, 4]
    log.close()


@pytest.mark.slow
def test_an_offset_counts_within_one_partition_and_must_be_there(many):
    log, _ = many
    with pytest.raises(BadInputError, match="within one partition"):
        browse.first(log, "t", 1, offset=3)
    with pytest.raises(BadInputError, match="t has 3 partitions"):
        browse.first(log, "t", 1, partition=3)
    longest = max(log.extents("t"), key=lambda extent: extent.next)
    end, partition = longest.next, longest.partition
    with pytest.raises(BadInputError, match=f"next to be written {end}"):
        browse.first(log, "t", 1, offset=end + 1, partition=partition)
    assert values(browse.first(log, "t", 1, offset=end, partition=partition)) == []
    records = browse.first(log, "t", 2, offset=7, partition=partition)
    assert [(record.partition, record.offset) for record in records] == [
        (partition, 7),
        (partition, 8),
    ]


@given(st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
    lambda value: json.dumps(value, indent=1).encode()
))  # fmt: skip
def test_a_value_stays_what_it_is_and_on_one_line(value):
    line = browse.as_line(Message("t", "a", value))
    assert b"\n" not in line
    shown = json.loads(line)["value"]
    if isinstance(shown, dict) and "base64" in shown:
        assert base64.b64decode(shown["base64"]) == value
        assert not browse.is_json(value)
    else:
        assert shown == json.loads(value)


def test_no_digit_of_a_number_is_lost():
    line = browse.as_line(Message("t", "a", b'{"price": 1.10, "big": 123456789012345678901}'))
    assert b'{"price": 1.10, "big": 123456789012345678901}' in line


def test_what_is_nested_beyond_reading_is_bytes():
    assert not browse.is_json(b"[" * 5000 + b"]" * 5000)


def test_a_topic_is_listed_with_its_records_and_its_promises(tmp_path):
    log = open_log(tmp_path)
    log.create(Topic(name="kept", partitions=2, retention_s=60))
    log.create(Topic(name="latest", compacted=True))
    log.append([Message("kept", "a", b"1"), Message("kept", "b", b"2")])
    kept, latest = browse.holdings(log)
    assert (kept.name, kept.partitions, kept.records_at_most, kept.retention_s) == (
        "kept",
        2,
        2,
        60,
    )
    assert (kept.replicas, kept.in_sync, kept.compacted, latest.compacted) == (1, 1, False, True)
    log.close()
