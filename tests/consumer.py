"""How the tests of logs write and read: messages in, what came out, and a patient consumer."""

import time

from barograph.types import Message, TopicPartition

LIMIT_S = 60.0
"""How long a condition may take to come true; a broker may need many polls for a rebalance."""

ONE = TopicPartition("ticks", 0)


def wait_until(condition, limit_s=LIMIT_S):
    """`condition` is evaluated until it holds; it must itself poll or wait a little."""
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "waited too long"


def messages(count, topic="ticks", key="BTC-USD", start=0):
    return [Message(topic, key, str(n).encode()) for n in range(start, start + count)]


def values(records):
    return [record.value for record in records]


def numbers(records):
    return [int(record.value) for record in records]


def contents(log, topic, partition=0, page_records=100):
    """All records of a partition; offsets may have holes."""
    records, extent = [], log.extents(topic)[partition]
    offset = extent.oldest
    while page := log.read(topic, partition, offset, page_records):
        records += page
        offset = page[-1].offset + 1
    return records


class Consumer:
    """A member, what it holds, and what it polled since its last commit."""

    def __init__(self, log, group="g", topics=("ticks",)):
        self.member = log.join(group, list(topics))
        self.held = {}
        self.records = []

    def poll(self, timeout_s=0.02, limit=1000):
        batch = self.member.poll(limit, timeout_s)
        for place in batch.revoked:
            del self.held[place]
        self.held.update(batch.assigned)
        assert {TopicPartition(r.topic, r.partition) for r in batch.records} <= self.held.keys()
        self.records += batch.records
        return batch

    def poll_until(self, condition):
        wait_until(lambda: self.poll() and condition())
        return self

    def poll_records(self, count):
        self.poll_until(lambda: len(self.records) >= count)
        return self.records

    def commit(self, outputs=(), checkpoints=None):
        self.member.commit(outputs, checkpoints)
        self.records = []
