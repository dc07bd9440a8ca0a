"""What the client's own words about a connection mean, and what to change.

librdkafka tells of a connection that fails in one line of its own; the settings it names are set by
variables of the environment (`cluster.py`).
"""

import re
from typing import NamedTuple

ENVIRONMENT = "BAROGRAPH_KAFKA_"

_SETTING = re.compile(r"\b(?:security|sasl|ssl|client|broker)(?:\.[a-z]+)+\b")


class Advice(NamedTuple):
    """What to change; `is_final` where waiting for the brokers changes nothing."""

    cure: str
    is_final: bool = True


_NOBODY = Advice("See that the address is right and the brokers run", is_final=False)
_NO_TLS = Advice(
    "The port speaks no TLS: set BAROGRAPH_KAFKA_SECURITY_PROTOCOL to PLAINTEXT, or to "
    "SASL_PLAINTEXT where it asks for a password, or give the port of the brokers' TLS listener"
)
_KNOWN = (
    # A plain listener ends the connection at the first bytes of TLS; librdkafka's words for that
    # depend on how far its handshake was.
    (
        (
            "connecting to a PLAINTEXT broker listener|wrong version number"
            r"|closed by peer.*SSL_HANDSHAKE"
        ),
        _NO_TLS,
    ),
    (
        "certificate verify failed|certificate could not be verified",
        Advice(
            "The brokers' certificate is signed by an authority that this machine does not know, "
            "or for another host: set BAROGRAPH_KAFKA_SSL_CA_LOCATION to the authority's file, and "
            "use the host name in the certificate"
        ),
    ),
    (
        "certificate required|bad certificate|handshake failure|unknown ca|client SSL auth",
        Advice(
            "The brokers ask for a certificate of ours: set BAROGRAPH_KAFKA_SSL_CERTIFICATE_"
            "LOCATION and BAROGRAPH_KAFKA_SSL_KEY_LOCATION to one that they trust"
        ),
    ),
    (
        r"incorrect security\.protocol|connecting to a SSL listener",
        Advice(
            "The port asks for TLS or a password, or no Kafka broker is there: set "
            "BAROGRAPH_KAFKA_SECURITY_PROTOCOL to SSL, SASL_SSL or SASL_PLAINTEXT as its listener "
            "has it, or give the port of a broker"
        ),
    ),
    (
        r"supported mechanisms: *(\(|$)",
        Advice(
            "The port asks for no password: set BAROGRAPH_KAFKA_SECURITY_PROTOCOL to PLAINTEXT or "
            "SSL, or give the port of the SASL listener"
        ),
    ),
    (
        "supported mechanisms:",
        Advice("Set BAROGRAPH_KAFKA_SASL_MECHANISM to one that the brokers support"),
    ),
    (
        "SASL|[Aa]uthentication",
        Advice(
            "The brokers refuse the user or the password: correct "
            "BAROGRAPH_KAFKA_SASL_USERNAME and BAROGRAPH_KAFKA_SASL_PASSWORD"
        ),
    ),
    (
        "SSL",
        Advice("TLS fails: correct BAROGRAPH_KAFKA_SECURITY_PROTOCOL and BAROGRAPH_KAFKA_SSL_…"),
    ),
    (
        "Failed to resolve",
        Advice("No host has that name: correct it in kafka://host:port, or the name service"),
    ),
    (
        "Connection refused",
        Advice("Nothing listens there: start the broker, or correct host and port", is_final=False),
    ),
    (
        "no answer",
        Advice(
            "What listens there does not speak Kafka, or not without TLS: correct the port, or set "
            "BAROGRAPH_KAFKA_SECURITY_PROTOCOL",
            is_final=False,
        ),
    ),
)


def advice(heard: str) -> Advice:
    """Return what to change, by the client's own message about a failed connection."""
    for words, cure in _KNOWN:
        if re.search(words, heard):
            return cure
    return _NOBODY


def variable_of(text: str) -> str:
    """The variable of the first setting that a text names; the variables' beginning for none."""
    setting = _SETTING.search(text)
    if setting is None and "SASL mechanism" in text:
        return ENVIRONMENT + "SASL_MECHANISM"
    return ENVIRONMENT + (setting[0].upper().replace(".", "_") if setting else "…")
