import pytest

from barograph.errors import TopicMadeAgainError, UnknownTopicError
from barograph.log import Topic
from barograph.log.kafka.topics import _java_hash
from barograph.log.kafka.watch import Identities, open_commit, open_transaction
from barograph.types import Message, TopicPartition
from waiting import until

ZERO = TopicPartition("ticks", 0)


def test_a_topic_is_known_by_more_than_its_name(topics):
    ours = Identities(topics, "ours")
    ours.check()
    ours.learn(["ticks", "tocks"])
    assert ours.of("ticks")
    assert ours.of("tocks") == ""
    ours.check()
    topics.cluster.answers(lambda a: a.delete_topics([topics.cluster.name("ticks")]))
    until(lambda: not topics.identities(["ticks"]))
    with pytest.raises(UnknownTopicError, match="ticks"):
        ours.check()
    topics.create(Topic(name="ticks", partitions=2))
    with pytest.raises(TopicMadeAgainError, match=r"^ours: topic ticks was deleted and made again"):
        ours.check()


def test_the_cure_names_where_the_open_transaction_began(topics, log, half_done):
    log.append([Message("ticks", "a", b"1")])
    open_one = half_done(topics.placed([Message("ticks", "a", b"2")]))
    [place] = [at for at, end in topics.ends([ZERO, TopicPartition("ticks", 1)]).items() if end]
    message = str(open_transaction(topics, "ours", place))
    name, number = topics.cluster.name("ticks"), place.partition
    assert message.startswith(f"ours: a transaction in ticks/{number} has been open for 150 s")
    assert f"abort --topic {name} --partition {number} --start-offset 2`. If" in message
    assert f"`barograph verify --archive --log {topics.cluster.address}`" in message
    open_one.abort_transaction()


def test_the_home_of_a_groups_positions_is_where_brokers_keep_it(topics, log):
    assert log.positions("g", "ticks") == {}  # for which brokers make that home
    # As Java computes them.
    assert [_java_hash(text) for text in ("", "a", "featurizer")] == [0, 97, 0xF706C16D - 2**32]
    name, number = topics.home_of_positions("g")
    assert name == "__consumer_offsets"
    assert 0 <= number < 50
    message = str(open_commit(topics, "g", ZERO))
    assert "group g heard nothing of ticks/0 for 60 s, though no transaction is open" in message
