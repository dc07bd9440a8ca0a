"""A Kafka cluster as the log sees it: its address, its names, and clients for it.

Any setting of the client that says how to reach and trust a cluster comes from the environment:
BAROGRAPH_KAFKA_SECURITY_PROTOCOL is `security.protocol`, BAROGRAPH_KAFKA_SASL_PASSWORD is
`sasl.password`, and so on for `sasl.*`, `ssl.*`, `client.*` and `broker.*`. Those on which the
promises of the log rest cannot be set.
"""

import os
import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from urllib.parse import parse_qs, urlsplit

import confluent_kafka as kafka
from confluent_kafka import admin

from barograph.errors import BadInputError, LogUnavailableError
from barograph.log import MAX_VALUE_BYTES
from barograph.types import TopicPartition

_FREE = ("security.", "sasl.", "ssl.", "client.", "broker.")
_ENVIRONMENT = "BAROGRAPH_KAFKA_"
LARGEST_MESSAGE_BYTES = MAX_VALUE_BYTES + (1 << 20)  # key, headers and the format's own
_ANSWER_S, _METADATA_S = 10.0, 2.0
_RENEW_S = 1.0
_LOOK_S = 0.05


class Cluster:
    """The cluster behind an address, for one log; see `KafkaLog` for its form.

    Raises BadInputError for an address that makes no sense, and in every method
    LogUnavailableError when no broker answers for `wait_s`.
    """

    def __init__(self, address: str, wait_s: float) -> None:
        parts = urlsplit(address)
        asked = parse_qs(parts.query)
        self.address, self.wait_s = address, wait_s
        self._brokers, namespace = parts.netloc, parts.path.strip("/")
        replication = asked.pop("replication", [""])[0]
        if not re.fullmatch(r"[^,@\s]+:\d+(,[^,@\s]+:\d+)*", self._brokers):
            why = "brokers are host:port, separated by commas; secrets come from the environment"
        elif not re.fullmatch(r"[A-Za-z0-9_-]{0,40}", namespace):
            why = "a namespace is of letters, digits, '_' and '-'"
        elif asked or not re.fullmatch(r"([1-9]\d?)?", replication):
            why = "after '?' only replication=NUMBER can stand"
        else:
            why = ""
        if why:
            cure = "Give kafka://host:port,host:port/namespace"
            raise BadInputError(address, why, cure)
        self.prefix = f"{namespace}." if namespace else ""
        self.replication = int(replication) if replication else None
        self._last_error = "no answer"
        self._admin: Any = None
        self._made_s = 0.0
        self._met = False

    # Names.

    def name(self, topic: str) -> str:
        """What a topic is called on the cluster."""
        return self.prefix + topic

    def place(self, topic: str, partition: int) -> TopicPartition:
        """The log's word for a partition as the cluster names it."""
        return TopicPartition(topic[len(self.prefix) :], partition)

    def partition(self, place: TopicPartition, offset: int = kafka.OFFSET_INVALID) -> Any:  # noqa: ANN401 - confluent_kafka has no types
        """The cluster's word for a partition of the log."""
        return kafka.TopicPartition(self.name(place.topic), place.partition, offset)

    # Clients.

    def consumer(self, group: str, settings: dict[str, object]) -> Any:  # noqa: ANN401 - as above
        """A consumer of committed records; nothing is committed unless a transaction does."""
        return kafka.Consumer(
            self._client()
            | {
                "group.id": self.name(group),
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                # A consumer asks each broker over one connection, where what waits for records
                # stands before what asks for another partition.
                "fetch.wait.max.ms": 25,
                "fetch.queue.backoff.ms": 5,
                "fetch.error.backoff.ms": 50,
                "queued.max.messages.kbytes": 16_384,
                "fetch.message.max.bytes": LARGEST_MESSAGE_BYTES,
                "check.crcs": True,
            }
            | settings
        )

    def producer(self, transactional_id: str, timeout_s: float) -> Any:  # noqa: ANN401 - as above
        """A transactional producer. What it left open is undone after `timeout_s`."""
        return kafka.Producer(
            self._client()
            | {
                "transactional.id": self.name(transactional_id),
                "transaction.timeout.ms": round(timeout_s * 1000),
                "message.max.bytes": LARGEST_MESSAGE_BYTES,
                "compression.type": "lz4",
                "linger.ms": 5,
            }
        )

    def _client(self) -> dict[str, object]:
        settings: dict[str, object] = {
            key.removeprefix(_ENVIRONMENT).lower().replace("_", "."): value
            for key, value in os.environ.items()
            if key.startswith(_ENVIRONMENT)
        }
        for key in settings:
            if not key.startswith(_FREE):
                variable = _ENVIRONMENT + key.upper().replace(".", "_")
                raise BadInputError(
                    variable, "it cannot be set", f"Set only {', '.join(_FREE)} of the client"
                )
        return settings | {
            "bootstrap.servers": self._brokers,
            "error_cb": self.heard,
            "log_level": 2,  # what goes wrong is told by errors
            "reconnect.backoff.max.ms": 1000,
            "socket.keepalive.enable": True,
            "topic.metadata.refresh.interval.ms": 30_000,
        }

    def heard(self, error: Any) -> None:  # noqa: ANN401 - as above
        """Keep what a client last complained of, for the case that no broker answers."""
        self._last_error = error.str()

    def unavailable(self) -> LogUnavailableError:
        """The error for a cluster that does not answer."""
        return LogUnavailableError(
            self.address,
            f"no broker answered in time ({self._last_error}); see that the address is right "
            "and the brokers run",
        )

    def close(self) -> None:
        """Forget the admin client; it is made again when needed."""
        self._admin = None

    # Asking.

    def ask(self, question: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - as above
        """What the admin client says to a question; most answers come later, see `result`."""
        asked = self._admin
        if asked is None:
            asked = self._admin = admin.AdminClient(self._client())
            self._made_s = time.monotonic()
        return question(asked)

    def renew(self) -> None:
        """Ask with a new client from now on, at most once a second.

        The old one was seen to go on for a minute with what it knew of a partition's leader before
        another was elected.
        """
        if time.monotonic() - self._made_s > _RENEW_S:
            self._admin = None

    def result(self, future: "Future[Any]") -> Any:  # noqa: ANN401 - as above
        """An answer that was asked for; KafkaException when the cluster says no."""
        try:
            return future.result(timeout=self.wait_s)
        except TimeoutError:
            raise self.unavailable() from None

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until it holds; raises LogUnavailableError after `wait_s`."""
        end_s = time.monotonic() + self.wait_s
        while not condition():
            if time.monotonic() >= end_s:
                raise self.unavailable()
            time.sleep(_LOOK_S)

    def metadata(self) -> Any:  # noqa: ANN401 - as above
        """Brokers, topics and who leads what. An address that never answered has less patience."""
        end_s = time.monotonic() + (self.wait_s if self._met else min(self.wait_s, _ANSWER_S))
        while True:
            try:
                found = self.ask(lambda a: a.list_topics(timeout=_METADATA_S))
            except kafka.KafkaException as error:
                self.heard(error.args[0])
                if time.monotonic() >= end_s:
                    raise self.unavailable() from error
            else:
                self._met = True
                return found


def escaped(header: str) -> str:
    """A header's name as the client can carry it: it takes a NUL for the end."""
    return header.replace("\\", "\\\\").replace("\0", "\\0")


def plain(header: str) -> str:
    """A header's name as it was before `escaped`."""
    if "\\" not in header:
        return header
    return "\\".join(part.replace("\\0", "\0") for part in header.split("\\\\"))
