"""What a topic's retention no longer keeps, removed to the record.

The brokers remove whole segments, in their own time. Here the same limits are kept exactly: by age
through the broker's index of times, by size through counting the values. Each record is read once
for that by each log that retains, about 4 µs.
"""

import time
from collections import deque

from barograph.log import Topic
from barograph.log.kafka.reader import TAKEN, WAIT_S, PartitionReader
from barograph.log.kafka.topics import Topics
from barograph.types import TopicPartition

_PARTS = 1000
"""A limit of so many bytes is kept to one part of these, or to a record."""


class ClusterRetention:
    """The limits of a cluster's topics. Not thread-safe."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._reader: PartitionReader | None = None
        self._counted: dict[TopicPartition, _Counted] = {}

    def trim(self, topic: Topic) -> int:
        """Remove what a topic need not keep; return how many offsets went."""
        if topic.retention_s is None and topic.retention_bytes is None:
            return 0
        places = [TopicPartition(topic.name, n) for n in range(topic.partitions)]
        oldest, ends = self._topics.oldest(places), self._topics.ends(places)
        cuts = dict(oldest)
        if topic.retention_s is not None:
            since_ms = time.time_ns() // 1_000_000 - topic.retention_s * 1000
            for place, first in self._topics.first_since(places, since_ms).items():
                cuts[place] = first if first >= 0 else ends[place]
        if topic.retention_bytes is not None:
            for place in places:
                cut = self._by_size(place, oldest[place], ends[place], topic.retention_bytes)
                cuts[place] = max(cuts[place], cut)
        gone = {place: cut for place, cut in cuts.items() if cut > oldest[place]}
        if gone:
            self._topics.delete_before(gone)
        return sum(cut - oldest[place] for place, cut in gone.items())

    def close(self) -> None:
        """Release the connection; what was counted is kept."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _by_size(self, place: TopicPartition, oldest: int, end: int, keep_bytes: int) -> int:
        counted = self._counted.setdefault(place, _Counted())
        counted.forget_before(oldest)
        if counted.next < end:
            if self._reader is None:
                self._reader = PartitionReader(self._topics)
            self._reader.follow({place: counted.next})
            while self._reader.reached(place) < end:
                for record in self._reader.take(TAKEN, WAIT_S):
                    counted.add(record.offset, len(record.value), keep_bytes // _PARTS)
            counted.next = self._reader.reached(place)
        return counted.cut(oldest, keep_bytes)


class _Counted:
    """How many bytes lie up to which offset; neighbours are counted together."""

    def __init__(self) -> None:
        self.next = 0
        self._bytes = 0
        self._parts: deque[list[int]] = deque()  # [offset after it, bytes]

    def add(self, offset: int, size: int, part_bytes: int) -> None:
        if self._parts and self._parts[-1][1] + size <= part_bytes:
            self._parts[-1][0] = offset + 1
            self._parts[-1][1] += size
        else:
            self._parts.append([offset + 1, size])
        self._bytes += size
        self.next = offset + 1

    def forget_before(self, oldest: int) -> None:
        while self._parts and self._parts[0][0] <= oldest:
            self._bytes -= self._parts.popleft()[1]
        self.next = max(self.next, oldest)

    def cut(self, oldest: int, keep_bytes: int) -> int:
        """Return the first offset to keep, so that at most `keep_bytes` are kept."""
        while self._bytes > keep_bytes:
            oldest, size = self._parts.popleft()
            self._bytes -= size
        return oldest
