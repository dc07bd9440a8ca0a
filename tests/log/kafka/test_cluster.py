import socket
import time
from concurrent.futures import Future

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError, LogUnavailableError
from barograph.log.kafka import cluster as module
from barograph.log.kafka.cluster import Cluster, escaped, plain
from barograph.log.kafka.topics import Topics
from barograph.types import TopicPartition


def cluster(address, wait_s=5.0):
    return Cluster(address, wait_s)


@pytest.mark.parametrize(
    "address",
    [
        "kafka://",
        "kafka://broker",
        "kafka://broker:9092,",
        "kafka://user:secret@broker:9092",
        "kafka://broker:9092/a/b",
        "kafka://broker:9092/a.b",
        "kafka://broker:9092?acks=0",
        "kafka://broker:9092?replication=0",
        "kafka://broker:9092?replication=three",
    ],
)
def test_an_address_that_makes_no_sense_is_refused_with_its_form(address):
    with pytest.raises(BadInputError, match="kafka://host:port,host:port/namespace"):
        cluster(address)


def test_a_namespace_goes_before_every_name():
    lonely, shared = cluster("kafka://b:1"), cluster("kafka://b:1,c:2/staging?replication=2")
    assert (lonely.name("ticks.raw"), lonely.replication) == ("ticks.raw", None)
    assert (shared.name("ticks.raw"), shared.replication) == ("staging.ticks.raw", 2)
    place = TopicPartition("ticks.raw", 3)
    named = shared.partition(place, 7)
    assert (named.topic, named.partition, named.offset) == ("staging.ticks.raw", 3, 7)
    assert shared.place(named.topic, named.partition) == place


def test_how_to_reach_a_cluster_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("BAROGRAPH_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("BAROGRAPH_KAFKA_SASL_PASSWORD", "hush")
    settings = cluster("kafka://b:1")._client()
    assert settings["security.protocol"] == "SASL_SSL"
    assert settings["sasl.password"] == "hush"
    assert settings["bootstrap.servers"] == "b:1"


@pytest.mark.parametrize("name", ["ISOLATION_LEVEL", "ENABLE_AUTO_COMMIT", "BOOTSTRAP_SERVERS"])
def test_what_the_promises_rest_on_cannot_be_set(monkeypatch, name):
    monkeypatch.setenv(f"BAROGRAPH_KAFKA_{name}", "x")
    with pytest.raises(BadInputError, match=f"BAROGRAPH_KAFKA_{name}"):
        cluster("kafka://b:1")._client()


@pytest.mark.slow
def test_an_address_where_nobody_answers_says_so():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"kafka://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(LogUnavailableError, match="no broker answered"):
            cluster(address, wait_s=0.1).metadata()


@pytest.mark.slow
def test_an_address_that_answered_this_process_before_has_the_whole_patience(monkeypatch):
    monkeypatch.setattr(module, "_ANSWER_S", 0.1)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        there = f"127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(LogUnavailableError, match=r"for 0\.1 s"):
            cluster(f"kafka://{there}", wait_s=0.2).metadata()
        monkeypatch.setattr(module, "_met", {there})
        with pytest.raises(LogUnavailableError, match=r"for 0\.2 s"):
            cluster(f"kafka://{there}/another", wait_s=0.2).metadata()


@pytest.mark.slow
def test_a_broker_that_takes_a_question_and_says_nothing_is_not_waited_for_longer_than_said():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"kafka://127.0.0.1:{silent.getsockname()[1]}"
        began_s = time.monotonic()
        with pytest.raises(LogUnavailableError, match=r"as it should for 0\.5 s"):
            Topics(cluster(address, wait_s=0.5)).ends([TopicPartition("ticks", 0)])
        assert time.monotonic() - began_s < 30


class Question:
    """A question to which a cluster has these answers: values, or codes of errors, by turn."""

    def __init__(self, *turns):
        self.turns = list(turns)

    def __call__(self, _):
        turn = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        futures = {key: Future() for key in turn}
        for key, answer in turn.items():
            if isinstance(answer, str):
                futures[key].set_result(answer)
            else:
                futures[key].set_exception(KafkaException(KafkaError(answer)))
        return futures


@pytest.mark.parametrize(
    "code",
    [KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError._TIMED_OUT, KafkaError._DESTROY_BROKER],
)
def test_what_passes_while_brokers_find_each_other_is_asked_again(code):
    question = Question({"a": "old", "b": code}, {"a": code, "b": "new"}, {"a": "new", "b": "new"})
    assert cluster("kafka://b:1").answers(question) == {"a": "new", "b": "new"}
    assert len(question.turns) == 1


def test_an_answer_that_the_client_made_up_is_none():
    question = Question({"a": "?"}, {"a": "17"})
    assert cluster("kafka://b:1").answers(question, is_known=str.isdecimal) == {"a": "17"}


def test_a_refusal_is_final_unless_it_was_asked_for():
    question = Question({"a": KafkaError.TOPIC_ALREADY_EXISTS, "b": "made"})
    but = [KafkaError.TOPIC_ALREADY_EXISTS]
    assert cluster("kafka://b:1").answers(question, but=but) == {"b": "made"}
    with pytest.raises(KafkaException, match="TOPIC_ALREADY_EXISTS"):
        cluster("kafka://b:1").answers(question)


def test_what_does_not_pass_ends_with_how_long_it_was_waited_for():
    question = Question({"a": KafkaError.LEADER_NOT_AVAILABLE})
    with pytest.raises(LogUnavailableError, match=r"as it should for 0\.1 s \("):
        cluster("kafka://b:1", wait_s=0.1).answers(question)


@given(st.text(st.sampled_from("a\\0\0")))
def test_a_headers_name_survives_a_client_that_ends_it_at_a_nul(name):
    assert plain(escaped(name)) == name
    assert "\0" not in escaped(name)
