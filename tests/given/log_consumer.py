"""How the tests of logs write and read: messages in, what came out, and a patient consumer."""

from barograph.types import Message, TopicPartition
from waiting import until

ONE = TopicPartition("ticks", 0)


def messages(count, topic="ticks", key="BTC-USD", start=0):
    return [Message(topic, key, str(n).encode()) for n in range(start, start + count)]


def values(records):
    return [record.value for record in records]


def numbers(records):
    return [int(record.value) for record in records]


def contents(log, topic, partition=0, page_records=100, offset=None):
    """All records of a partition, or those from an offset; offsets may have holes."""
    records = []
    offset = log.extents(topic)[partition].oldest if offset is None else offset
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
        until(lambda: self.poll() and condition())
        return self

    def poll_records(self, count):
        self.poll_until(lambda: len(self.records) >= count)
        return self.records

    def commit(self, outputs=(), checkpoints=None):
        self.member.commit(outputs, checkpoints)
        self.records = []
