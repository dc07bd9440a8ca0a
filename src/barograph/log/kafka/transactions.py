"""All-or-nothing writing: one call is one transaction, tried again until it stands or cannot."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import confluent_kafka as kafka

from barograph.errors import LogUnavailableError, ReplacedProducerError
from barograph.log.kafka.cluster import Cluster, escaped, release
from barograph.log.kafka.topics import OutgoingRecord
from barograph.types import TopicPartition

_STEP_S = 1.0
_MOVED_ON_S = 3.0
_PAUSE_S = 0.05
_STUCK_S = 5.0
_Error = kafka.KafkaError
_REPLACED = {
    _Error._FENCED,  # noqa: SLF001 - the client names its own errors with an underscore
    _Error.INVALID_PRODUCER_EPOCH,
    _Error.PRODUCER_FENCED,
    # The cluster's errors for a transaction that it aborted after its time-out.
    _Error.INVALID_TXN_STATE,
    _Error.INVALID_PRODUCER_ID_MAPPING,
    _Error.UNKNOWN_PRODUCER_ID,
}
_MOVED_ON = {_Error.ILLEGAL_GENERATION, _Error.REBALANCE_IN_PROGRESS}
_EXPELLED = {_Error.UNKNOWN_MEMBER_ID, _Error.FENCED_INSTANCE_ID}


class Expelled(Exception):  # noqa: N818 - it is caught next door and becomes a declared error
    """The group no longer knows the member that commits; the transaction was undone."""


class _Stuck(Exception):  # noqa: N818 - as above
    """A call of the client did not return within its time-out."""


class Transactions:
    """The transactions of one producer; `identity` is what the cluster fences it by.

    timeout_s: after so long the cluster undoes what a dead writer left open, and until then readers
    wait there; a living one that needs longer, be it that the cluster is away, is taken for dead.
    Who takes an identity undoes what its former bearer left open, and that one's next write raises
    ReplacedProducerError.
    """

    def __init__(self, cluster: Cluster, identity: str, name: str, timeout_s: float) -> None:
        self._cluster, self._identity, self._name = cluster, identity, name
        self._timeout_s = timeout_s
        self._producer: Any = None
        self._last: list[object] = [_Error.NO_ERROR]
        """Holds something once the last record has arrived: before it has, no commit is sent."""

    def take(self) -> None:
        """Take the identity: an earlier producer with it is fenced."""
        self._take(self._end_s())

    def append(self, outgoing: Sequence[OutgoingRecord]) -> None:
        """Write all messages or none.

        Raises ReplacedProducerError, and LogUnavailableError when the cluster does not answer: it
        is unknown then whether they were written; the producer's checkpoints tell.
        """
        self._run(outgoing, None)

    def commit(
        self,
        outgoing: Sequence[OutgoingRecord],
        offsets: Mapping[TopicPartition, tuple[int, str]],
        membership: Callable[[], Any],
    ) -> None:
        """Write all, and the positions of a group, or nothing.

        offsets: the next one of each partition, and the identity of its topic, which the cluster
        keeps beside it.
        membership: returns the member's standing in the group, for the cluster to check; called for
        each try, and raises Expelled itself where the member knows better.
        Raises Expelled, ReplacedProducerError, LogUnavailableError.
        """
        positions = [
            self._cluster.partition(place, at, identity)
            for place, (at, identity) in offsets.items()
        ]
        self._run(outgoing, (positions, membership))

    def close(self) -> None:
        """Release the connection; a transaction that is open is undone by the cluster."""
        old, self._producer = [self._producer], None
        release(old)

    def _take(self, end_s: float) -> None:
        self.close()
        self._producer = self._cluster.producer(self._identity, self._timeout_s)
        self._must(end_s, self._producer.init_transactions)

    def _run(
        self,
        outgoing: Sequence[OutgoingRecord],
        of_group: tuple[list[Any], Callable[[], Any]] | None,
    ) -> None:
        """Repeat the transaction until it is committed; only a surely aborted one is repeated."""
        end_s = self._end_s()
        if self._producer is None:
            self._take(end_s)
        moved_on_s = time.monotonic() + _MOVED_ON_S
        while True:
            try:
                self._attempt(outgoing, of_group, end_s)
            except kafka.KafkaException as failed:
                error = failed.args[0]
                self._cluster.heard(error)
                self._undo(error, end_s)
                now_s, code = time.monotonic(), error.code()
                # The member may not know the group's newest generation yet.
                if code in _EXPELLED or (code in _MOVED_ON and now_s >= moved_on_s):
                    raise Expelled from failed
                if now_s >= end_s:
                    raise self._cluster.unavailable() from failed
                self._producer.poll(_PAUSE_S)
            except _Stuck:
                if time.monotonic() >= end_s:
                    self.close()
                    raise self._cluster.unavailable() from None
                self._take(end_s)  # and with it, undo what the stuck one left open
            except Expelled:
                self._must(end_s, self._producer.abort_transaction)
                raise
            else:
                return

    def _attempt(
        self,
        outgoing: Sequence[OutgoingRecord],
        of_group: tuple[list[Any], Callable[[], Any]] | None,
        end_s: float,
    ) -> None:
        producer = self._producer
        producer.begin_transaction()
        self._last = last = [] if outgoing else [_Error.NO_ERROR]
        # Each attempt has its own set: a late callback of one says nothing about the next.
        final = outgoing[-1] if outgoing else None
        headers: Mapping[str, str] = {}
        encoded: list[tuple[str, bytes]] | None = None
        for record in outgoing:
            if record.headers is not headers:  # those of a batch share theirs
                headers = record.headers
                encoded = [(escaped(name), text.encode()) for name, text in headers.items()] or None
            arrived = _noting(last) if record is final else None
            self._produce(record, encoded, end_s, arrived)
        if of_group is not None:
            positions, membership = of_group
            standing = membership()
            self._until(
                end_s,
                lambda left_s: _bounded(
                    lambda: producer.send_offsets_to_transaction(positions, standing, left_s)
                ),
            )
        self._until(end_s, producer.commit_transaction)

    def _produce(
        self,
        record: OutgoingRecord,
        headers: list[tuple[str, bytes]] | None,
        end_s: float,
        arrived: Callable[[object, object], None] | None = None,
    ) -> None:
        topic, partition, key, value, _ = record
        while True:
            try:
                self._producer.produce(
                    topic, value, key.encode(), partition, on_delivery=arrived, headers=headers
                )
            except BufferError:  # as much as the client holds is on its way
                if time.monotonic() >= end_s:
                    raise self._cluster.unavailable() from None
                self._producer.poll(_PAUSE_S)
            else:
                return

    def _until(self, end_s: float, step: Callable[[float], None]) -> None:
        """A step of the protocol, again while the client says that it may be repeated."""
        while True:
            try:
                step(_STEP_S)
            except kafka.KafkaException as failed:
                error = failed.args[0]
                self._cluster.heard(error)
                if not error.retriable() or error.txn_requires_abort():
                    raise
                if time.monotonic() >= end_s:
                    self.close()
                    raise self._cluster.unavailable() from failed
                self._producer.poll(_PAUSE_S)
            else:
                return

    def _undo(self, error: Any, end_s: float) -> None:  # noqa: ANN401 - confluent_kafka has no types
        """Undo the transaction, or raise when that cannot be or another has taken over."""
        if error.code() != _Error.INVALID_TXN_STATE:
            if error.fatal() or error.code() in _REPLACED:
                self._give_up(error)
            try:
                self._until(end_s, self._producer.abort_transaction)
            except kafka.KafkaException as failed:
                error = failed.args[0]
                if error.code() != _Error.INVALID_TXN_STATE:
                    self._give_up(error)
            else:
                return
        # It is not open, and the cluster checks the identity first: nobody has taken it.
        if self._last:
            self._give_up(error)  # the commit may have been sent, and may stand
        self._take(end_s)

    def _must(self, end_s: float, step: Callable[[float], None]) -> None:
        """A step that nothing can go on without; its failure is the end of the producer."""
        try:
            self._until(end_s, step)
        except kafka.KafkaException as failed:
            self._give_up(failed.args[0])

    def _give_up(self, error: Any) -> NoReturn:  # noqa: ANN401 - as above
        self.close()
        if error.code() in _REPLACED or "fenced" in error.str().lower():
            raise ReplacedProducerError(self._name)
        raise LogUnavailableError(self._cluster.address, error.str())

    def _end_s(self) -> float:
        return time.monotonic() + self._cluster.wait_s


def _noting(arrived: list[object]) -> Callable[[object, object], None]:
    """Return the delivery callback of a record, which notes that it arrived."""

    def note(error: object, record: object) -> None:
        if error is None:
            arrived.append(record)

    return note


def _bounded(call: Callable[[], None]) -> None:
    """A call that librdkafka may not come back from while a group's coordinator is down.

    Its timeout is not looked at there (librdkafka issue 5456), so the call has a thread of its own,
    which is left behind, with its producer, where it does not end. Raises what the call raises, or
    _Stuck.
    """
    failed: list[kafka.KafkaException] = []
    done = threading.Event()

    def run() -> None:
        try:
            call()
        except kafka.KafkaException as error:
            failed.append(error)
        finally:
            done.set()

    threading.Thread(target=run, daemon=True).start()
    if not done.wait(_STUCK_S):
        raise _Stuck
    if failed:
        raise failed[0]
