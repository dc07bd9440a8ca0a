"""What the contract cannot see from outside: how a member stands towards the group's broker."""

from contextlib import closing

import pytest

from barograph.errors import FencedError
from barograph.log.kafka import KafkaLog
from barograph.log.kafka.checkpoints import Owner, outgoing
from barograph.types import TopicPartition
from consumer import Consumer, contents, messages, numbers
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
        [r for n in (0, 1) for r in outgoing(topics, Owner("g", "ticks", n), {"a": b"dead"})]
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
