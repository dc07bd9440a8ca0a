"""A Kafka cluster as the log sees it: its address, its names, and clients for it.

Any setting of the client that says how to reach and trust a cluster comes from the environment:
BAROGRAPH_KAFKA_SECURITY_PROTOCOL is `security.protocol`, BAROGRAPH_KAFKA_SASL_PASSWORD is
`sasl.password`, and so on for `sasl.*`, `ssl.*`, `client.*` and `broker.*`. Those on which the
promises of the log rest cannot be set. What the client itself has to say goes to the logger
`barograph.kafka`, which keeps still unless a program listens, and into our errors.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Any
from urllib.parse import parse_qs, urlsplit

import confluent_kafka as kafka
from confluent_kafka import admin

from barograph.errors import BadInputError, LogUnavailableError
from barograph.log import MAX_VALUE_BYTES
from barograph.log.kafka.advice import ENVIRONMENT, advice, variable_of
from barograph.types import TopicPartition

_FREE = ("security.", "sasl.", "ssl.", "client.", "broker.")
LARGEST_MESSAGE_BYTES = MAX_VALUE_BYTES + (1 << 20)  # key, headers and the format's own
_ANSWER_S, _METADATA_S, _QUESTION_S = 10.0, 1.0, 5.0
_FIRST_WORDS_S = 2.0  # a broker that starts may refuse before it is ready
_CLOSE_S = 1.0
_RENEW_S = 1.0
_LOOK_S = 0.05
_Error = kafka.KafkaError
_PASSING = {
    _Error.BROKER_NOT_AVAILABLE,
    _Error.FENCED_LEADER_EPOCH,
    _Error.KAFKA_STORAGE_ERROR,
    _Error.LEADER_NOT_AVAILABLE,
    _Error.NETWORK_EXCEPTION,
    _Error.NOT_CONTROLLER,
    _Error.NOT_ENOUGH_REPLICAS,
    _Error.NOT_LEADER_FOR_PARTITION,
    _Error.OFFSET_NOT_AVAILABLE,
    _Error.REPLICA_NOT_AVAILABLE,
    _Error.REQUEST_TIMED_OUT,
    _Error.THROTTLING_QUOTA_EXCEEDED,
    _Error.UNKNOWN_LEADER_EPOCH,
    _Error.UNKNOWN_TOPIC_OR_PART,
}
"""What brokers say while they find each other. What the client says itself is below zero."""

_met: set[str] = set()
"""The clusters that have answered any log of this process."""

_logger = logging.getLogger("barograph.kafka")
_logger.addHandler(logging.NullHandler())


class Cluster:
    """The cluster behind an address, for one log; see `KafkaLog` for its form.

    Raises BadInputError for an address that makes no sense, and in every method
    LogUnavailableError when no broker answers for `wait_s`.
    """

    def __init__(self, address: str, wait_s: float) -> None:
        parts = urlsplit(address)
        options = parse_qs(parts.query)
        self.address, self.wait_s = address, wait_s
        self.brokers, namespace = parts.netloc, parts.path.strip("/")
        replication = options.pop("replication", [""])[0]
        if not re.fullmatch(r"[^,@\s]+:\d+(,[^,@\s]+:\d+)*", self.brokers):
            why = "brokers are host:port, separated by commas; secrets come from the environment"
        elif not re.fullmatch(r"[A-Za-z0-9_-]{0,40}", namespace):
            why = "a namespace is of letters, digits, '_' and '-'"
        elif options or not re.fullmatch(r"([1-9]\d?)?", replication):
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

    # Names.

    def name(self, topic: str) -> str:
        """Return the cluster's name of a topic."""
        return self.prefix + topic

    def place(self, topic: str, partition: int) -> TopicPartition:
        """Return the log's partition for one of the cluster."""
        return TopicPartition(topic[len(self.prefix) :], partition)

    def partition(
        self, place: TopicPartition, offset: int = kafka.OFFSET_INVALID, note: str = ""
    ) -> Any:  # noqa: ANN401 - confluent_kafka has no types
        """Return the cluster's partition for one of the log, with a note kept beside its offset."""
        return kafka.TopicPartition(self.name(place.topic), place.partition, offset, note)

    # Clients.

    def consumer(self, group: str, settings: dict[str, object]) -> Any:  # noqa: ANN401 - as above
        """Return a consumer of committed records; only transactions commit positions."""
        return _made(
            kafka.Consumer,
            self._client()
            | {
                "group.id": self.name(group),
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                # A consumer has one connection to each broker, where a fetch that waits for records
                # blocks the fetch of another partition.
                "fetch.wait.max.ms": 25,
                "fetch.queue.backoff.ms": 5,
                "fetch.error.backoff.ms": 50,
                "queued.max.messages.kbytes": 16_384,
                "fetch.message.max.bytes": LARGEST_MESSAGE_BYTES,
                "check.crcs": True,
            }
            | settings,
        )

    def producer(self, transactional_id: str, timeout_s: float) -> Any:  # noqa: ANN401 - as above
        """Return a transactional producer; what it leaves open is aborted after `timeout_s`."""
        return _made(
            kafka.Producer,
            self._client()
            | {
                "transactional.id": self.name(transactional_id),
                "transaction.timeout.ms": round(timeout_s * 1000),
                "message.max.bytes": LARGEST_MESSAGE_BYTES,
                "compression.type": "lz4",
                "linger.ms": 5,
                # A broker refuses to add positions to a transaction while it still completes the
                # one before; the client's own 100 ms until it asks again outlast that many times.
                "retry.backoff.ms": 5,  # doubled each time, up to a second
            },
        )

    def _client(self) -> dict[str, object]:
        settings: dict[str, object] = {
            key.removeprefix(ENVIRONMENT).lower().replace("_", "."): value
            for key, value in os.environ.items()
            if key.startswith(ENVIRONMENT)
        }
        for key in settings:
            if not key.startswith(_FREE):
                variable = ENVIRONMENT + key.upper().replace(".", "_")
                raise BadInputError(
                    variable, "it cannot be set", f"Set only {', '.join(_FREE)} of the client"
                )
        return settings | {
            "bootstrap.servers": self.brokers,
            "error_cb": self.heard,
            "log_level": 2,  # failures are reported by errors
            "reconnect.backoff.max.ms": 1000,
            "socket.keepalive.enable": True,
            "topic.metadata.refresh.interval.ms": 30_000,
        }

    def heard(self, error: Any) -> None:  # noqa: ANN401 - as above
        """Keep the client's last error, for the message when no broker answers."""
        # That no broker is up, or no metadata came, says less than the error before it.
        if error.code() != _Error._ALL_BROKERS_DOWN and "get metadata" not in error.str():  # noqa: SLF001 - the client names its own errors with an underscore
            self._last_error = error.str()

    def unavailable(self, after_s: float | None = None) -> LogUnavailableError:
        """Return the error for a cluster that gave no answer, by default for `wait_s` seconds."""
        waited_s = self.wait_s if after_s is None else after_s
        return LogUnavailableError(
            self.address,
            f"no broker answered as it should for {waited_s:g} s ({self._last_error}). "
            f"{advice(self._last_error).cure}",
        )

    def close(self) -> None:
        """Forget the admin client; it is made again when needed."""
        old, self._admin = [self._admin], None
        release(old)

    # Questions to the admin client.

    def ask(self, question: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - as above
        """Call the admin client; most of its results are futures, see `answers`."""
        client = self._admin
        if client is None:
            # The client waits that long for one broker, even a dead one: less than `wait_s`.
            question_s = min(_QUESTION_S, self.wait_s)
            settings = self._client() | {"socket.timeout.ms": round(question_s * 1000)}
            client = self._admin = _made(admin.AdminClient, settings)
            self._made_s = time.monotonic()
        return question(client)

    def answers(
        self,
        question: Callable[[Any], Mapping[Any, "Future[Any]"]],
        *,
        but: Collection[int] = (),
        is_known: Callable[[Any], bool] = lambda _: True,
    ) -> dict[Any, Any]:
        """Return the cluster's answer for each key, without those whose error code is in `but`.

        Repeats the question after passing errors, because a dead broker stays the leader until the
        others notice; so the question must be idempotent. is_known: whether an answer is usable,
        since the client may invent one for a dead broker. Raises KafkaException for a refusal and
        LogUnavailableError after `wait_s`.
        """
        answers: dict[Any, Any] = {}

        def all_answered() -> bool:
            missing = False
            for key, future in self.ask(question).items():
                try:
                    answers[key] = future.result(timeout=self.wait_s)
                    missing |= not is_known(answers[key])
                except TimeoutError:
                    raise self.unavailable() from None
                except kafka.KafkaException as failed:
                    error = failed.args[0]
                    if error.code() in but:
                        continue
                    if error.code() > 0 and error.code() not in _PASSING:
                        raise
                    self.heard(error)
                    missing = True
            if missing:
                self.renew()
            return not missing

        self.wait_for(all_answered)
        return answers

    def renew(self) -> None:
        """Ask with a new client from now on, at most once a second.

        An old client may keep a partition's former leader for a minute after an election.
        """
        if time.monotonic() - self._made_s > _RENEW_S:
            self.close()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds. Raises LogUnavailableError after `wait_s` seconds."""
        end_s = time.monotonic() + self.wait_s
        while not condition():
            if time.monotonic() >= end_s:
                raise self.unavailable()
            time.sleep(_LOOK_S)

    def metadata(self) -> Any:  # noqa: ANN401 - as above
        """Return the cluster's brokers, topics and partition leaders.

        Waits less than `wait_s` for a cluster that never answered this process, and least of all
        when its settings are wrong. Raises LogUnavailableError.
        """
        met = self.brokers in _met
        patience_s = self.wait_s if met else min(self.wait_s, _ANSWER_S)
        began_s = time.monotonic()
        while True:
            try:
                metadata = self.ask(lambda a: a.list_topics(timeout=_METADATA_S))
            except kafka.KafkaException as error:
                self.heard(error.args[0])
                self.ask(lambda a: a.poll(0))  # it says why only now
                if not met and advice(self._last_error).is_final:
                    patience_s = min(patience_s, _FIRST_WORDS_S)
                if time.monotonic() - began_s >= patience_s:
                    raise self.unavailable(patience_s) from error
            else:
                _met.add(self.brokers)
                return metadata


def release(clients: list[Any]) -> None:
    """Take clients out of a list and close them; left behind is what does not end within a second.

    Closing waits for brokers, also for those that are gone.
    """
    clients[:] = [client for client in clients if client is not None]
    if not clients:
        return

    def run() -> None:
        while clients:
            client = clients.pop()
            if isinstance(client, kafka.Consumer):
                try:
                    client.close()
                except (kafka.KafkaException, RuntimeError) as error:
                    _logger.info("a client could not be closed: %s", error)
            del client  # a producer has no other way to be closed

    closing = threading.Thread(target=run, daemon=True)
    closing.start()
    closing.join(_CLOSE_S)


def _made(kind: Callable[..., Any], settings: dict[str, object]) -> Any:  # noqa: ANN401 - as above
    """Return a new client. Raises BadInputError for settings that it rejects."""
    try:
        return kind(settings, logger=_logger)
    except kafka.KafkaException as error:
        message = error.args[0].str()
        cure = "Correct it, or leave it away"
        raise BadInputError(variable_of(message), message, cure) from error


def escaped(header: str) -> str:
    """Return a header's name without NUL, which the client takes for its end."""
    return header.replace("\\", "\\\\").replace("\0", "\\0")


def plain(header: str) -> str:
    """Return a header's name as it was before `escaped`."""
    if "\\" not in header:
        return header
    return "\\".join(part.replace("\\0", "\0") for part in header.split("\\\\"))
