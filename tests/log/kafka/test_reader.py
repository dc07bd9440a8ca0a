from contextlib import closing

import pytest

from barograph.errors import OffsetGapError, OpenTransactionError
from barograph.log import partition_of
from barograph.log.kafka import reader as module
from barograph.log.kafka.reader import PartitionReader
from barograph.types import Message, TopicPartition
from log_consumer import numbers
from waiting import until

ZERO, ONE = TopicPartition("ticks", 0), TopicPartition("ticks", 1)
KEYS = {partition_of(key, 2): key for key in "abcdef"}


def written(partition, start, count):
    return [Message("ticks", KEYS[partition], str(n).encode()) for n in range(start, start + count)]


@pytest.fixture
def reader(topics):
    with closing(PartitionReader(topics)) as reader:
        yield reader


def take_until(reader, condition, limit=100):
    records = []
    until(lambda: records.extend(reader.take(limit, 0.1)) or condition(records))
    return records


def test_reading_without_a_partition_is_nothing(reader):
    assert reader.take(10, 10) == []


def test_the_mark_of_a_transaction_at_the_end_is_read_past(reader, topics, log):
    log.append(written(0, 0, 5))
    until(lambda: topics.ends([ZERO]) == {ZERO: 6})  # the mark comes a moment later
    reader.follow({ZERO: 0})
    records = take_until(reader, lambda _: reader.reached(ZERO) == 6)
    assert numbers(records) == [0, 1, 2, 3, 4]
    assert reader.positions == {ZERO: 5}


def test_what_was_undone_is_not_read_and_what_is_open_is_waited_for(reader, topics, log, half_done):
    open_one = half_done(topics.placed(written(0, 100, 3)))
    log.append(written(0, 0, 2))
    reader.follow({ZERO: 0})
    assert reader.take(10, 0.3) == []
    assert reader.reached(ZERO) == 0
    open_one.abort_transaction()
    assert numbers(take_until(reader, lambda records: len(records) == 2)) == [0, 1]


def test_one_partition_more_or_less_does_not_disturb_the_others(reader, log):
    log.append([*written(0, 0, 10), *written(1, 100, 10)])
    reader.follow({ZERO: 0})
    seen = take_until(reader, lambda records: len(records) >= 4, limit=4)
    reader.add(ONE, 5)
    seen += take_until(reader, lambda records: len(seen) + len(records) == 15, limit=4)
    assert numbers(r for r in seen if r.partition == 0) == list(range(10))
    assert numbers(r for r in seen if r.partition == 1) == list(range(105, 110))
    reader.drop(ONE)
    log.append([*written(0, 10, 3), *written(1, 110, 3)])
    assert numbers(take_until(reader, lambda records: len(records) >= 3)) == [10, 11, 12]


def test_going_back_reads_again(reader, log):
    log.append(written(0, 0, 10))
    for start in (0, 7, 3):
        reader.follow({ZERO: start})
        records = take_until(reader, lambda records, n=10 - start: len(records) == n)
        assert numbers(records) == list(range(start, 10))


def test_a_limit_of_none_takes_nothing(reader, log):
    log.append(written(0, 0, 3))
    reader.follow({ZERO: 0})
    assert reader.take(0, 1) == []
    assert numbers(take_until(reader, lambda records: len(records) == 3, limit=1)) == [0, 1, 2]


def test_what_retention_removed_under_the_reader_is_an_error(reader, topics, log):
    log.append(written(0, 0, 5))
    topics.delete_before({ZERO: 4})
    reader.follow({ZERO: 1})
    with pytest.raises(OffsetGapError) as gap:
        until(lambda: reader.take(10, 0.1))
    assert (gap.value.asked, gap.value.oldest) == (1, 4)


def test_a_transaction_that_nobody_ends_is_an_error_whose_command_ends_it(
    reader, topics, log, half_done, abort_as, monkeypatch
):
    monkeypatch.setattr(module, "LIMIT_S", 0.5)
    monkeypatch.setattr(module, "_LOOK_S", 0.2)
    log.append(written(0, 0, 3))
    half_done(topics.placed(written(0, 100, 3)))
    log.append(written(0, 3, 2))
    reader.follow({ZERO: 0})
    records = []
    name = topics.cluster.name("ticks")
    with pytest.raises(
        OpenTransactionError, match=rf"ticks/0 .*--topic {name} --partition 0 --start-offset 4`"
    ) as waiting:
        until(lambda: records.extend(reader.take(10, 0.05)))
    assert numbers(records) == [0, 1, 2]
    monkeypatch.undo()
    abort_as(waiting.value)
    assert numbers(take_until(reader, lambda records: len(records) == 2)) == [3, 4]


def test_a_client_that_was_left_behind_is_replaced_and_nothing_is_skipped(reader, log, monkeypatch):
    monkeypatch.setattr(module, "_LOOK_S", 0.2)
    log.append(written(0, 0, 5))
    reader.follow({ZERO: 0})
    assert numbers(take_until(reader, lambda records: len(records) == 5)) == [0, 1, 2, 3, 4]
    reader._consumer.pause(reader._consumer.assignment())  # so it gives nothing any more
    log.append(written(0, 5, 3))
    assert numbers(take_until(reader, lambda records: len(records) == 3)) == [5, 6, 7]
