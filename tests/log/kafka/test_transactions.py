import threading

import pytest
from confluent_kafka import KafkaError, KafkaException

from barograph.errors import LogUnavailableError, ReplacedProducerError
from barograph.log.kafka import transactions
from barograph.log.kafka.transactions import Expelled, Transactions
from barograph.types import Message, TopicPartition
from log_consumer import contents, messages, numbers, values

PLACE = TopicPartition("ticks", 0)


def written(topics, start, count):
    return topics.placed(messages(count, key="a", start=start))


def everything(log):
    return [record for partition in (0, 1) for record in contents(log, "ticks", partition)]


def test_who_takes_an_identity_ends_what_its_former_bearer_left(topics, log):
    first, second = (Transactions(topics.cluster, "feed", "feed", 30) for _ in range(2))
    first.append(written(topics, 0, 2))
    first._producer.begin_transaction()
    for record in written(topics, 100, 3):
        first._produce(record, None, first._end_s())
    assert first._producer.flush(30) == 0
    second.append(written(topics, 2, 2))
    assert numbers(everything(log)) == [0, 1, 2, 3]
    first._producer = None  # its process is dead


def test_the_former_bearer_writes_nothing_more(topics, log):
    first, second = (Transactions(topics.cluster, "feed", "feed", 30) for _ in range(2))
    first.append(written(topics, 0, 1))
    second.take()
    with pytest.raises(ReplacedProducerError, match="feed"):
        first.append(written(topics, 9, 1))
    second.append(written(topics, 1, 1))
    assert numbers(everything(log)) == [0, 1]


def test_a_member_that_knows_itself_expelled_undoes_what_it_began(topics, log):
    def standing():
        raise Expelled

    writer = Transactions(topics.cluster, "w", "w", 30)
    with pytest.raises(Expelled):
        writer.commit(written(topics, 0, 3), {PLACE: (1, "")}, standing)
    writer.append(written(topics, 5, 1))
    assert numbers(everything(log)) == [5]


class Unsure:
    """A producer whose transaction comes to nothing that the cluster knows of.

    It fails once, before or after the cluster has committed it, and no undoing is taken then.
    """

    def __init__(self, producer, *, stands):
        self._producer, self._stands = producer, stands

    def __getattr__(self, name):
        return getattr(self._producer, name)

    def produce(self, *values, **named):
        if self._stands:
            self._producer.produce(*values, **named)

    def commit_transaction(self, *_):
        if self._stands:
            self._producer.commit_transaction(30)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "?", txn_requires_abort=True))

    def abort_transaction(self, *_):
        raise KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE, "none is open", fatal=True))


def test_what_never_arrived_is_written_again_by_the_same_bearer(topics, log):
    writer = Transactions(topics.cluster, "feed", "feed", 30)
    writer.append(written(topics, 0, 1))
    writer._producer = Unsure(writer._producer, stands=False)
    writer.append(written(topics, 1, 2))
    assert numbers(everything(log)) == [0, 1, 2]


def test_what_may_stand_is_not_written_again(topics, log):
    """A cluster refuses to undo what it has committed by the word that it has for what it lost."""
    writer = Transactions(topics.cluster, "feed", "feed", 30)
    writer.append(written(topics, 0, 1))
    writer._producer = Unsure(writer._producer, stands=True)
    with pytest.raises(ReplacedProducerError):
        writer.append(written(topics, 1, 2))
    writer.append(written(topics, 3, 1))
    assert numbers(everything(log)) == [0, 1, 2, 3]


def test_more_than_the_client_holds_is_written_all_the_same(topics, log):
    many = [Message("ticks", "a", b"x" * (n % 7)) for n in range(120_000)]
    Transactions(topics.cluster, "w", "w", 30).append(topics.placed(many))
    assert values(everything(log)) == [message.value for message in many]


def test_a_producer_that_the_cluster_refuses_says_why(topics):
    more_than_brokers_allow_s = 24 * 3600
    with pytest.raises(LogUnavailableError, match="timeout"):
        Transactions(topics.cluster, "w", "w", more_than_brokers_allow_s).take()


def test_a_call_that_does_not_come_back_is_left_behind(monkeypatch):
    monkeypatch.setattr(transactions, "_STUCK_S", 0.05)
    for_ever = threading.Event()
    with pytest.raises(transactions._Stuck):
        transactions._bounded(for_ever.wait)
    for_ever.set()
