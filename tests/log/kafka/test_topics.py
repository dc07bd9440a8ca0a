from contextlib import closing

import pytest
from confluent_kafka import admin
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import UnknownTopicError
from barograph.log import Topic, partition_of
from barograph.log.kafka.cluster import Cluster
from barograph.log.kafka.topics import Topics, _config, _topic
from barograph.types import Message, TopicPartition


class Entry:
    def __init__(self, value):
        self.value = value


limits = st.none() | st.integers(0, 10**9)


@given(limits, limits, st.booleans())
def test_what_a_topic_promises_survives_the_brokers_settings(age_s, size, compacted):
    topic = Topic(
        name="t",
        partitions=2,
        retention_s=None if compacted else age_s,
        retention_bytes=None if compacted else size,
        compacted=compacted,
    )
    assert _topic("t", 2, {key: Entry(value) for key, value in _config(topic).items()}) == topic


def test_the_broker_stamps_and_takes_as_large_values_as_every_log(topics):
    [settings] = topics._settings([topics.cluster.name("ticks")]).values()
    assert settings["message.timestamp.type"].value == "LogAppendTime"
    assert int(settings["max.message.bytes"].value) > 8 << 20


def test_what_is_the_clusters_or_of_another_log_is_not_listed(topics, kafka, log):
    log.append([Message("ticks", "k", b"v")], producer="p", checkpoints={"a": b"1"})
    assert [topic.name for topic in topics.topics()] == ["ticks"]
    assert topics.has("__checkpoints")
    with closing(Cluster(f"kafka://{kafka}/another", 30)) as other:
        assert "ticks" not in [topic.name for topic in Topics(other).topics()]
        with pytest.raises(UnknownTopicError):
            Topics(other).partitions("ticks")


def test_creating_what_another_just_created_is_no_error(topics):
    topics.create(Topic(name="ticks", partitions=2))
    assert topics.partitions("ticks") == 2


def test_records_are_placed_by_their_key(topics):
    placed = topics.placed([Message("ticks", key, b"v") for key in ("a", "b", "c")])
    assert [record.partition for record in placed] == [partition_of(k, 2) for k in ("a", "b", "c")]


def test_offsets_count_what_is_still_open(topics, half_done):
    places = [TopicPartition("ticks", 0), TopicPartition("ticks", 1)]
    assert topics.ends(places) == dict.fromkeys(places, 0)
    half_done(topics.placed([Message("ticks", "a", b"v")]))
    assert sorted(topics.ends(places).values()) == [0, 1]
    assert topics.oldest(places) == dict.fromkeys(places, 0)
    assert topics.first_since(places, 0) | dict.fromkeys(places, -1) == dict.fromkeys(places, -1)


def test_a_setting_is_what_the_admin_client_says(topics):
    name = topics.cluster.name("ticks")
    resources = [admin.ConfigResource(admin.ResourceType.TOPIC, name)]
    [settings] = topics.cluster.answers(lambda a: a.describe_configs(resources)).values()
    assert settings["cleanup.policy"].value == "delete"
