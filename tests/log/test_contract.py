"""What a log is. Every implementation passes this file, and `test_contract_groups.py`, unchanged.

`conftest.py` opens them. An implementation may take several polls for a rebalance and leave holes
in offsets, so the tests wait for conditions and never count offsets.
"""

import threading
import time
import uuid
from collections import defaultdict
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph.errors import (
    BadInputError,
    OffsetGapError,
    ReplacedProducerError,
    UnknownTopicError,
)
from barograph.log import MAX_VALUE_BYTES, Topic, partition_of
from barograph.types import APPENDED_TIME, Message, TopicPartition
from log_consumer import ONE, Consumer, contents, messages, numbers, values
from waiting import until

# Topics.


def test_a_topic_is_known_to_every_handle_with_its_promises(log, open_again):
    raw = Topic(name="ticks.raw", partitions=3, retention_s=60, retention_bytes=10_000)
    log.create(raw)
    log.create(Topic(name="a-topic"))
    assert open_again().topics() == [Topic(name="a-topic"), raw]
    assert [extent.partition for extent in open_again().extents("ticks.raw")] == [0, 1, 2]


def test_creating_a_topic_again_changes_its_retention_only(ticks):
    ticks.append(messages(3))
    ticks.create(Topic(name="ticks", retention_s=3600))
    assert ticks.topics() == [Topic(name="ticks", retention_s=3600)]
    assert numbers(contents(ticks, "ticks")) == [0, 1, 2]


def test_the_number_of_partitions_never_changes(ticks):
    with pytest.raises(BadInputError, match="1 partitions and cannot have 2"):
        ticks.create(Topic(name="ticks", partitions=2))
    assert ticks.topics() == [Topic(name="ticks")]


def test_a_compacted_topic_stays_one(log, open_again):
    log.create(Topic(name="states", compacted=True))
    assert open_again().topics() == [Topic(name="states", compacted=True)]
    with pytest.raises(BadInputError, match="it is compacted"):
        log.create(Topic(name="states"))


def test_more_copies_than_machines_are_refused(log):
    with pytest.raises(BadInputError, match="100"):
        log.create(Topic(name="ticks"), replication=100)
    assert log.topics() == []
    log.create(Topic(name="ticks"), replication=1)
    assert [extent.replicas for extent in log.extents("ticks")] == [1]


@pytest.mark.parametrize(
    "topic",
    [
        Topic(name=""),
        Topic(name=".."),
        Topic(name="a b"),
        Topic(name="ticks/raw"),
        Topic(name="x" * 201),
        Topic(name="__ticks"),
        Topic(name="ticks", compacted=True, retention_s=60),
        Topic(name="ticks", compacted=True, retention_bytes=60),
        Topic(name="ticks", partitions=0),
        Topic(name="ticks", retention_s=-1),
        Topic(name="ticks", retention_bytes=-1),
    ],
)
def test_a_topic_that_no_log_could_keep_is_refused(log, topic):
    with pytest.raises(BadInputError):
        log.create(topic)
    assert log.topics() == []


def test_an_unknown_topic_is_an_error_that_names_the_known_ones(ticks):
    for use in (
        lambda: ticks.extents("tocks"),
        lambda: ticks.read("tocks", 0, 0, 1),
        lambda: ticks.join("g", ["ticks", "tocks"]),
        lambda: ticks.append([Message("tocks", "k", b"v")]),
    ):
        with pytest.raises(UnknownTopicError, match=r"tocks.*ticks"):
            use()


# Records.


def test_records_come_back_in_order_with_growing_offsets(ticks):
    ticks.append(messages(5))
    ticks.append(messages(5, start=5))
    records = contents(ticks, "ticks")
    assert numbers(records) == list(range(10))
    offsets = [record.offset for record in records]
    assert offsets == sorted(set(offsets))


def test_a_reader_goes_on_from_its_positions_as_partitions_of_several_topics_grow(log, open_again):
    log.create(Topic(name="ticks"))
    log.create(Topic(name="rows", partitions=2))
    log.append(messages(5))
    middle = contents(log, "ticks")[2].offset
    starts = {TopicPartition("ticks", 0): middle, TopicPartition("rows", 0): 0}
    starts[TopicPartition("rows", 1)] = 0
    with closing(open_again().follow(starts)) as reader:
        taken = []
        until(lambda: taken.extend(reader.take(2, 0.01)) or len(taken) >= 3)
        assert numbers(taken) == [2, 3, 4]
        until(lambda: reader.take(10, 0.01) == [])
        log.append([Message("rows", key, b"9") for key in "abc"])
        more = []
        until(lambda: more.extend(reader.take(10, 0.01)) or len(more) >= 3)
        assert [(record.topic, record.value) for record in more] == [("rows", b"9")] * 3
        assert reader.positions[ONE] > taken[-1].offset


def test_a_reader_returns_as_soon_as_another_handle_writes(ticks, open_again):
    with closing(open_again().follow({ONE: 0})) as reader:
        until(lambda: reader.take(10, 0.01) == [])
        taken = []

        def read():
            while not taken:
                taken.extend(reader.take(10, 30.0))

        thread = threading.Thread(target=read)
        thread.start()
        ticks.append(messages(1))
        thread.join(20.0)
        assert numbers(taken) == [0]


def test_a_reader_of_what_is_gone_says_so(log):
    log.create(Topic(name="ticks", retention_bytes=0))
    log.append(messages(3))
    until(log.retain)
    with closing(log.follow({ONE: 0})) as reader, pytest.raises(OffsetGapError):
        until(lambda: reader.take(10, 0.01))


def test_a_reader_of_an_unknown_topic_is_refused(ticks):
    with pytest.raises(UnknownTopicError):
        ticks.follow({TopicPartition("tocks", 0): 0})


def test_reading_starts_where_asked_and_ends_at_the_limit_or_the_end(ticks):
    ticks.append(messages(10))
    everything = contents(ticks, "ticks")
    middle = everything[4].offset
    assert ticks.read("ticks", 0, middle, 3) == everything[4:7]
    assert ticks.read("ticks", 0, middle, 10**9) == everything[4:]
    end = ticks.extents("ticks")[0].next
    assert ticks.read("ticks", 0, end, 100) == []
    assert ticks.read("ticks", 0, end + 1000, 100) == []


def test_a_partition_that_does_not_exist_is_refused(ticks):
    for number in (-1, 1):
        with pytest.raises(BadInputError):
            ticks.read("ticks", number, 0, 1)


def test_all_records_of_a_key_lie_in_its_partition_in_the_order_written(log):
    log.create(Topic(name="ticks", partitions=4))
    keys = [f"product-{n}" for n in range(12)]
    sent = [Message("ticks", keys[n % 12], str(n).encode()) for n in range(240)]
    for start in range(0, 240, 50):
        log.append(sent[start : start + 50])
    by_key = defaultdict(list)
    for partition in range(4):
        for record in contents(log, "ticks", partition):
            assert record.partition == partition == partition_of(record.key, 4)
            by_key[record.key].append(record.value)
    assert by_key == {key: [m.value for m in sent if m.key == key] for key in keys}


def test_the_partition_of_a_key_is_crc32_on_every_log():
    assert [partition_of("123456789", n) for n in (1, 7, 2**32)] == [0, 0xCBF43926 % 7, 0xCBF43926]


text = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sent=st.lists(
        st.tuples(text, st.binary(max_size=300), st.dictionaries(text, text, max_size=3)),
        min_size=1,
        max_size=8,
    )
)
def test_any_bytes_keys_and_headers_come_back_as_written(log, sent):
    topic = f"t-{uuid.uuid4().hex}"
    log.create(Topic(name=topic))
    log.append([Message(topic, key, value, headers) for key, value, headers in sent])
    records = contents(log, topic)
    assert [(record.key, record.value) for record in records] == [(k, v) for k, v, _ in sent]
    for record, (_, _, headers) in zip(records, sent, strict=True):
        stamp = record.headers[APPENDED_TIME]
        assert record.headers == headers | {APPENDED_TIME: stamp}
        assert stamp.isdecimal()


def test_a_value_of_a_megabyte_comes_back_whole(ticks):
    value = bytes(range(256)) * 3600
    ticks.append([Message("ticks", "k", value)])
    assert values(contents(ticks, "ticks")) == [value]


def test_a_value_that_is_too_large_for_any_log_is_refused(ticks):
    with pytest.raises(BadInputError, match="allowed"):
        ticks.append([*messages(1), Message("ticks", "k", bytes(MAX_VALUE_BYTES + 1))])
    assert contents(ticks, "ticks") == []
    ticks.append([Message("ticks", "k", bytes(MAX_VALUE_BYTES))])
    assert [len(record.value) for record in contents(ticks, "ticks")] == [MAX_VALUE_BYTES]


def test_the_append_time_is_the_logs_own_whatever_the_writer_says(ticks):
    before = time.time_ns()
    ticks.append([Message("ticks", "k", b"v", {APPENDED_TIME: "1", "venue": "coinbase"})])
    [record] = contents(ticks, "ticks")
    # A broker may keep milliseconds only.
    assert before - 10**6 <= int(record.headers[APPENDED_TIME]) <= time.time_ns()
    assert record.headers["venue"] == "coinbase"


def test_extents_tell_what_a_partition_holds(ticks):
    [empty] = ticks.extents("ticks")
    assert (empty.oldest, empty.next) == (0, 0)
    ticks.append(messages(10))
    [extent] = ticks.extents("ticks")
    assert extent.oldest == 0
    assert extent.next > contents(ticks, "ticks")[-1].offset
    assert extent.in_sync == extent.replicas >= 1


# Producers.


def test_a_producer_gets_its_checkpoints_back_merged_by_key(ticks, open_again):
    assert ticks.producer_checkpoints("feed") == {}
    ticks.append(messages(1), producer="feed", checkpoints={"line": b"1", "file": b"a"})
    ticks.append(messages(1), producer="feed", checkpoints={"line": b"2"})
    ticks.append(messages(1), producer="other", checkpoints={"line": b"9"})
    ticks.append([], producer="feed", checkpoints={"done": b"\x00\xff"})
    assert open_again().producer_checkpoints("feed") == {
        "line": b"2",
        "file": b"a",
        "done": b"\x00\xff",
    }


def test_an_append_that_fails_writes_neither_messages_nor_checkpoints(ticks):
    with pytest.raises(UnknownTopicError):
        ticks.append(
            [*messages(3), Message("tocks", "k", b"v")], producer="feed", checkpoints={"l": b"4"}
        )
    assert contents(ticks, "ticks") == []
    assert ticks.producer_checkpoints("feed") == {}


def test_a_checkpoint_of_a_producer_that_is_none_is_removed(ticks, open_again):
    ticks.append([], producer="feed", checkpoints={"a": b"1", "b": b"2", "c": b""})
    ticks.append(messages(1), producer="feed", checkpoints={"a": None, "never": None})
    assert open_again().producer_checkpoints("feed", take=False) == {"b": b"2", "c": b""}
    ticks.append([], producer="feed", checkpoints={"a": b"3"})
    assert ticks.producer_checkpoints("feed") == {"a": b"3", "b": b"2", "c": b""}


def test_a_checkpoint_of_a_producer_has_the_bound_of_a_value(ticks):
    with pytest.raises(BadInputError, match=r"checkpoint 'line' of producer feed.*allowed"):
        ticks.append(messages(1), producer="feed", checkpoints={"line": bytes(MAX_VALUE_BYTES + 1)})
    assert contents(ticks, "ticks") == []
    largest = {"line": bytes(MAX_VALUE_BYTES)}
    ticks.append(messages(1), producer="feed", checkpoints=largest)
    assert ticks.producer_checkpoints("feed") == largest


def test_checkpoints_without_a_producer_are_refused(ticks):
    with pytest.raises(BadInputError):
        ticks.append(messages(1), checkpoints={"line": b"1"})
    assert contents(ticks, "ticks") == []


def test_a_producer_whose_name_was_taken_writes_nothing_more(ticks, open_again):
    ticks.append(messages(1), producer="feed", checkpoints={"line": b"1"})
    other = open_again()
    assert other.producer_checkpoints("feed", take=False) == {"line": b"1"}
    ticks.append(messages(1, start=1), producer="feed", checkpoints={"line": b"2"})
    assert other.producer_checkpoints("feed") == {"line": b"2"}
    with pytest.raises(ReplacedProducerError, match="feed"):
        ticks.append(messages(1, start=9), producer="feed", checkpoints={"line": b"9"})
    ticks.append(messages(1, start=2), producer="another")
    other.append(messages(1, start=3), producer="feed", checkpoints={"line": b"3"})
    assert numbers(contents(other, "ticks")) == [0, 1, 2, 3]
    assert ticks.producer_checkpoints("feed") == {"line": b"3"}
    ticks.append(messages(1, start=4), producer="feed")
    assert numbers(contents(ticks, "ticks")) == [0, 1, 2, 3, 4]


def test_a_handle_that_writes_first_takes_the_name_too(ticks, open_again):
    ticks.append(messages(1), producer="feed")
    open_again().append(messages(1, start=1), producer="feed")
    with pytest.raises(ReplacedProducerError):
        ticks.append(messages(1, start=2), producer="feed")
    assert numbers(contents(ticks, "ticks")) == [0, 1]


# Retention.


def test_a_compacted_topic_keeps_the_last_record_of_each_key(log):
    log.create(Topic(name="states", partitions=2, compacted=True))
    for n in range(5):
        log.append(Message("states", f"k{k}", f"{n}".encode()) for k in range(4))
    log.retain()
    last = {r.key: r.value for number in (0, 1) for r in contents(log, "states", number)}
    assert last == {f"k{k}": b"4" for k in range(4)}
    for number in {partition_of(f"k{k}", 2) for k in range(4)}:
        oldest = log.extents("states")[number].oldest
        assert log.read("states", number, oldest, 1)


def test_without_retention_nothing_goes(ticks):
    ticks.append(messages(10))
    assert ticks.retain() == 0
    assert len(contents(ticks, "ticks")) == 10


def test_retention_by_size_keeps_the_newest_records_of_each_partition(log):
    log.create(Topic(name="ticks", partitions=2, retention_bytes=5_000))
    keys = {partition_of(f"k{n}", 2): f"k{n}" for n in range(20)}
    for _ in range(10):
        log.append([Message("ticks", keys[0], bytes(1000)), Message("ticks", keys[1], b"small")])
    before = contents(log, "ticks", 0)
    assert log.retain() >= 5
    after = contents(log, "ticks", 0)
    assert 1 <= len(after) <= 5
    assert after == before[-len(after) :]
    extent = log.extents("ticks")[0]
    assert extent.oldest <= after[0].offset
    assert extent.oldest > before[0].offset
    assert len(contents(log, "ticks", 1)) == 10


@pytest.mark.slow
def test_retention_by_age_goes_by_the_append_time(log):
    log.create(Topic(name="ticks", retention_s=1))
    log.append(messages(5))
    assert len(contents(log, "ticks")) == 5
    until(lambda: log.retain() > 0)
    log.append(messages(1, start=5))
    log.retain()
    assert numbers(contents(log, "ticks"))[-1:] == [5]


def test_reading_what_retention_removed_is_an_error_with_the_oldest_offset(log):
    log.create(Topic(name="ticks", retention_bytes=3))
    log.append(messages(9))
    log.retain()
    oldest = log.extents("ticks")[0].oldest
    with pytest.raises(OffsetGapError) as gap:
        log.read("ticks", 0, 0, 10)
    assert (gap.value.asked, gap.value.oldest) == (0, oldest)


def test_a_group_that_fell_behind_retention_is_an_error_that_says_so(log, open_again):
    log.create(Topic(name="ticks", retention_bytes=3))
    log.append(messages(9))
    consumer = Consumer(log)
    until(lambda: consumer.poll(limit=1).records)
    consumer.commit()
    consumer.member.leave()
    log.retain()
    behind = Consumer(open_again())
    with pytest.raises(OffsetGapError):
        behind.poll_until(lambda: behind.records)


def test_a_new_group_after_retention_starts_at_the_oldest_kept(log):
    log.create(Topic(name="ticks", retention_bytes=3))
    log.append(messages(9))
    log.retain()
    kept = numbers(contents(log, "ticks"))
    assert kept
    assert numbers(Consumer(log).poll_records(len(kept))) == kept


# Threads.


def test_a_log_serves_several_threads(ticks):
    threads = [
        threading.Thread(
            target=lambda name=name: [
                ticks.append(messages(5, key=name, start=5 * n)) for n in range(10)
            ]
        )
        for name in ("a", "b", "c")
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    records = contents(ticks, "ticks")
    for name in ("a", "b", "c"):
        assert numbers(r for r in records if r.key == name) == list(range(50))
