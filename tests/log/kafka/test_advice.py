import time
from contextlib import closing

import pytest

import secured_brokers
from barograph.errors import BadInputError, LogUnavailableError
from barograph.log.kafka import cluster
from barograph.log.kafka.advice import advice, variable_of
from barograph.log.kafka.cluster import Cluster

# What librdkafka says, word for word.
NO_TLS = "ssl://b:1/bootstrap: SSL handshake failed: error:0A00010B:SSL routines::wrong version"
CLOSED = "ssl://b:1/bootstrap: SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker"
ENDED = "ssl://b:1/bootstrap: Disconnected: SSL connection closed by peer"


@pytest.mark.parametrize(
    ("heard", "cure", "is_final"),
    [
        (f"{NO_TLS} number (after 4ms in state SSL_HANDSHAKE)", "speaks no TLS", True),
        (f"{CLOSED} listener? (after 1ms in state SSL_HANDSHAKE)", "speaks no TLS", True),
        (f"{ENDED} (after 4ms in state SSL_HANDSHAKE)", "speaks no TLS", True),
        ("error:0A000086:SSL routines::certificate verify failed", "SSL_CA_LOCATION", True),
        ("SASL authentication error: Authentication failed", "SASL_PASSWORD", True),
        ("broker's supported mechanisms: PLAIN (after 3ms in state A)", "SASL_MECHANISM", True),
        ("broker's supported mechanisms:  (after 3ms in state A)", "asks for no password", True),
        ("Failed to resolve 'x:9092': Name or service not known", "No host has that name", True),
        ("Connect to ipv4#127.0.0.1:1 failed: Connection refused", "Nothing listens there", False),
        ("no answer", "does not speak Kafka", False),
        ("Broker: Not coordinator", "the brokers run", False),
    ],
)
def test_each_thing_that_a_client_says_has_a_cure(heard, cure, is_final):
    assert cure in advice(heard).cure
    assert advice(heard).is_final == is_final


@pytest.mark.parametrize(
    ("message", "variable"),
    [
        ("ssl.ca.location failed: error:05880020", "BAROGRAPH_KAFKA_SSL_CA_LOCATION"),
        ("sasl.username and sasl.password must be set", "BAROGRAPH_KAFKA_SASL_USERNAME"),
        ("Unsupported SASL mechanism: ROT13", "BAROGRAPH_KAFKA_SASL_MECHANISM"),
        ("out of luck", "BAROGRAPH_KAFKA_…"),
    ],
)
def test_the_variable_of_a_setting_that_is_refused_is_named(message, variable):
    assert variable_of(message) == variable


@pytest.fixture(scope="module")
def broker(jars, tmp_path_factory):  # noqa: ARG001 - the skip
    if reason := secured_brokers.missing():
        pytest.skip(reason)
    with closing(secured_brokers.Secured(tmp_path_factory.mktemp("secured"))) as broker:
        yield broker


@pytest.fixture
def met(broker, monkeypatch):
    """Meets the broker with such settings at one of its ports."""

    def meet(port, **settings):
        for name, value in settings.items():
            monkeypatch.setenv(f"BAROGRAPH_KAFKA_{name}", str(value))
        address = f"kafka://127.0.0.1:{getattr(broker, port)}"
        with closing(Cluster(address, wait_s=60)) as cluster:
            cluster.metadata()

    return meet


def password(mechanism="PLAIN", **settings):
    user = {
        "SASL_USERNAME": secured_brokers.USER,
        "SASL_PASSWORD": secured_brokers.PASSWORD,
    } | settings
    return {"SECURITY_PROTOCOL": "SASL_PLAINTEXT", "SASL_MECHANISM": mechanism} | user


@pytest.mark.slow
def test_the_right_settings_find_the_broker(met, broker, monkeypatch):
    met("plain")
    met("sasl", **password())
    monkeypatch.undo()
    met("tls", SECURITY_PROTOCOL="SSL", SSL_CA_LOCATION=broker.authority)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("port", "settings", "cure"),
    [
        ("tls", {}, "SECURITY_PROTOCOL"),
        ("plain", {"SECURITY_PROTOCOL": "SSL"}, "speaks no TLS"),
        ("tls", {"SECURITY_PROTOCOL": "SSL"}, "SSL_CA_LOCATION"),
        ("sasl", password(SASL_PASSWORD="no"), "SASL_PASSWORD"),  # noqa: S106
        ("sasl", password("SCRAM-SHA-256"), "SASL_MECHANISM"),
        ("plain", password(), "asks for no password"),
    ],
)
def test_wrong_settings_are_one_line_within_seconds_that_names_the_mistake(
    met, capfd, monkeypatch, port, settings, cure
):
    monkeypatch.setattr(cluster, "_met", set())  # nobody was at this address in a new process
    began_s = time.monotonic()
    with pytest.raises(LogUnavailableError, match=cure) as error:
        met(port, **settings)
    assert time.monotonic() - began_s < 15
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"SECURITY_PROTOCOL": "SSL", "SSL_CA_LOCATION": "/none"}, "SSL_CA_LOCATION"),
        ({"SECURITY_PROTOCOL": "TLS"}, "SECURITY_PROTOCOL"),
        (password("ROT13"), "SASL_MECHANISM"),
    ],
)
def test_a_setting_that_the_client_refuses_is_named(monkeypatch, settings, variable):
    for name, value in settings.items():
        monkeypatch.setenv(f"BAROGRAPH_KAFKA_{name}", value)
    with pytest.raises(BadInputError, match=f"BAROGRAPH_KAFKA_{variable}: "):
        Cluster("kafka://127.0.0.1:1", 1).metadata()
