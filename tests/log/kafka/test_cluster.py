import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError, LogUnavailableError
from barograph.log.kafka.cluster import Cluster, escaped, plain
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


def test_an_address_where_nobody_answers_says_so():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"kafka://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(LogUnavailableError, match="no broker answered"):
            cluster(address, wait_s=0.1).metadata()


@given(st.text(st.sampled_from("a\\0\0")))
def test_a_headers_name_survives_a_client_that_ends_it_at_a_nul(name):
    assert plain(escaped(name)) == name
    assert "\0" not in escaped(name)
