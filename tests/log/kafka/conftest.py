"""One namespace of the cluster for each test, and what stands behind a log there."""

import uuid
from contextlib import closing

import pytest

from barograph.log import Topic
from barograph.log.kafka import KafkaLog
from barograph.log.kafka.cluster import Cluster
from barograph.log.kafka.topics import Topics


@pytest.fixture
def address(kafka):
    return f"kafka://{kafka}/test-{uuid.uuid4().hex}"


@pytest.fixture
def topics(address):
    """The topics of a log, `ticks` of two partitions among them."""
    with closing(Cluster(address, wait_s=30)) as cluster:
        opened = Topics(cluster)
        opened.create(Topic(name="ticks", partitions=2))
        yield opened


@pytest.fixture
def log(address, topics):  # noqa: ARG001 - `topics` makes `ticks`
    """A log over the same cluster and namespace."""
    with closing(KafkaLog(address, wait_s=30)) as log:
        yield log


@pytest.fixture
def half_done(topics):
    """Leaves a transaction open in which each of these was written; what ends it is returned."""
    left = []

    def leave(outgoing):
        producer = topics.cluster.producer(f"dead-{uuid.uuid4().hex}", 60)
        producer.init_transactions()
        producer.begin_transaction()
        for record in outgoing:
            producer.produce(record.topic, record.value, record.key, record.partition)
        assert producer.flush(30) == 0
        left.append(producer)
        return producer

    yield leave
    left.clear()


@pytest.fixture
def open_again(address):
    """Opens one more log there, as another process would."""
    opened = []

    def handle():
        opened.append(KafkaLog(address, wait_s=30))
        return opened[-1]

    yield handle
    for each in opened:
        each.close()
