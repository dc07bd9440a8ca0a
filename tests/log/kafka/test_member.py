"""What the contract cannot see from outside: how a member stands towards the group's broker."""

from contextlib import closing

import confluent_kafka as kafka
import pytest

from barograph.errors import (
    FencedError,
    OpenTransactionError,
    TopicMadeAgainError,
    UnknownTopicError,
)
from barograph.log import Topic
from barograph.log.kafka import KafkaLog, member, reader
from barograph.log.kafka.checkpoints import CheckpointOwner, outgoing
from barograph.types import TopicPartition
from log_consumer import Consumer, contents, messages, numbers
from waiting import until


def written(start, count):
    return [m for key in "abcdefgh" for m in messages(count, key=key, start=start)]


def test_partitions_that_stay_are_read_while_one_that_comes_waits_for_a_dead_owner(
    topics, log, address, half_done
):
    log.append(written(0, 1))
    first = Consumer(log)
    first.poll_until(lambda: len(first.held) == 2)
    open_one = half_done(
        [
            r
            for n in (0, 1)
            for r in outgoing(topics, CheckpointOwner("g", "ticks", n), {"a": b"dead"})
        ]
    )
    with closing(KafkaLog(address)) as other:
        second = Consumer(other)

        def shared():
            first.poll()
            first.commit()
            second.poll()
            return len(first.held) == 1

        until(shared)
        log.append(written(1, 3))
        seen = []

        def one_reads_and_one_waits():
            seen.extend(first.poll().records)
            assert not second.poll().assigned
            return len(seen) >= 3

        until(one_reads_and_one_waits)
        open_one.abort_transaction()
        second.poll_until(lambda: len(second.held) == 1)
        assert list(second.held.values()) == [{}]


def test_the_standing_of_who_is_in_the_group_under_another_name_is_not_asked_for(log):
    log.append(written(0, 1))
    consumer = Consumer(log)
    consumer.poll_records(8)
    consumer.member._id = "a former life"
    with pytest.raises(FencedError):
        consumer.commit(messages(3, key="a"))
    assert sum(len(contents(log, "ticks", n)) for n in (0, 1)) == 8


def test_a_generation_that_the_member_has_not_heard_of_is_tried_again(log, address):
    """A commit beside another's joining is no fence, since the partitions are still its own."""
    log.append(written(0, 5))
    first = Consumer(log)
    first.poll_records(40)
    with closing(KafkaLog(address)) as other:
        second = Consumer(other)
        for _ in range(20):
            second.poll()
            log.append(messages(1, key="a"))
            until(lambda: first.poll().records or len(first.held) < 2)
            first.commit()
        second.poll_until(lambda: second.held)
    assert len(first.held) == 1


def test_lag_asks_the_broker_and_knows_the_marks_at_the_end(log):
    log.append(written(0, 2))
    consumer = Consumer(log)
    consumer.poll_records(16)
    until(lambda: consumer.poll() and not any(consumer.member.lag().values()))
    log.append(messages(2, key="a"))
    assert sum(consumer.member.lag().values()) >= 2


def test_leaving_gives_everything_back_and_polling_joins_again(log):
    log.append(written(0, 1))
    consumer = Consumer(log)
    consumer.poll_records(8)
    consumer.commit()
    consumer.member.leave()
    assert consumer.poll().revoked == {TopicPartition("ticks", 0), TopicPartition("ticks", 1)}
    consumer.poll_until(lambda: len(consumer.held) == 2)
    log.append(messages(1, key="a", start=7))
    assert numbers(consumer.poll_records(1))[-1] == 7


@pytest.fixture
def impatient(monkeypatch):
    """What is looked at every few seconds, looked at often."""
    for module, name in ((reader, "_LOOK_S"), (member, "_LOOK_ROUND_S")):
        monkeypatch.setattr(module, name, 0.2)
    monkeypatch.setattr(reader, "LIMIT_S", 1.0)
    monkeypatch.setattr(member, "POSITIONS_LIMIT_S", 1.0)


def delete(topics, topic):
    name = topics.cluster.name(topic)
    topics.cluster.answers(lambda a: a.delete_topics([name]))
    until(lambda: name not in topics.cluster.metadata().topics)


@pytest.mark.usefixtures("impatient")
def test_a_topic_made_again_under_a_member_is_an_error_and_then_begins_at_its_oldest(
    topics, log, open_again
):
    log.append(written(0, 5))
    consumer = Consumer(log)
    consumer.poll_records(8 * 5)
    consumer.commit(checkpoints={place: {"a": b"old"} for place in consumer.held})
    delete(topics, "ticks")
    log.create(Topic(name="ticks", partitions=2))
    other = open_again()
    other.append(written(0, 9))  # more than the place of the member in the topic that is gone
    with pytest.raises((TopicMadeAgainError, UnknownTopicError), match="ticks"):
        until(lambda: consumer.poll().records)
    consumer.member.leave()
    heir = Consumer(other)
    assert len(heir.poll_records(8 * 9)) == 8 * 9
    assert list(heir.held.values()) == [{}, {}]


@pytest.mark.usefixtures("impatient")
def test_a_topic_deleted_under_a_member_is_an_error(topics, log):
    log.append(written(0, 1))
    consumer = Consumer(log)
    consumer.poll_records(8)
    delete(topics, "ticks")
    with pytest.raises((TopicMadeAgainError, UnknownTopicError), match="ticks"):
        until(lambda: consumer.poll().records)


@pytest.mark.usefixtures("impatient")
def test_a_commit_that_nobody_ends_is_an_error_that_ends_it_where_the_cluster_keeps_it(
    topics, log, open_again, abort_as
):
    log.append(written(0, 1))
    consumer = Consumer(log)
    consumer.poll_records(8)
    stuck = topics.cluster.producer("stuck", 60)
    stuck.init_transactions()
    stuck.begin_transaction()
    positions = [kafka.TopicPartition(topics.cluster.name("ticks"), n, 1) for n in (0, 1)]
    stuck.send_offsets_to_transaction(positions, consumer.member._standing(), 10)
    consumer.member.leave()
    heir = Consumer(open_again())
    words = r"group g: a transaction in ticks/0 .*--topic __consumer_offsets --partition \d --start"
    with pytest.raises(OpenTransactionError, match=words) as waiting:
        heir.poll_until(lambda: heir.held)
    abort_as(waiting.value)
    assert len(heir.poll_records(8)) == 8
