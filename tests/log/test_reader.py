"""The embedded log's reader beside the contract: every partition gets its part."""

from contextlib import closing

from barograph.log import Topic
from barograph.log.sqlite import SqliteLog
from barograph.types import Message, TopicPartition


def test_a_partition_that_grows_fast_leaves_the_others_their_part(log_path):
    with closing(SqliteLog(log_path)) as log:
        log.create(Topic(name="busy"))
        log.create(Topic(name="calm"))
        log.append([Message("busy", "k", b"1")] * 100 + [Message("calm", "k", b"2")])
        places = {TopicPartition(topic, 0): 0 for topic in ("busy", "calm")}
        with closing(log.follow(places)) as reader:
            assert [record.topic for record in reader.take(4, 0)] == ["busy", "busy", "calm"]
            assert len(reader.take(1000, 0)) == 98
            assert reader.take(1000, 0) == []
