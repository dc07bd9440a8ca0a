"""Kafka: the way of a prediction by stage, in one run: where the time goes, and of what share.

.venv/bin/python benchmarks/kafka_ways.py     prints the table, and nothing else

The feed runs here, featurizer and scorer are processes that note the steps of each of their
transactions, and nothing else is changed in them. All clocks are this machine's.
"""

import bisect
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from barograph.log.kafka import cluster as kafka_cluster


class Steps(NamedTuple):
    """Epoch nanoseconds of one transaction; those of steps that it did not have are 0.

    delivered: the broker has its last record. offsets: it has the group's positions.
    """

    begun: int
    delivered: int
    offsets: int
    committing: int
    committed: int


class Noting:
    """A producer of the client that notes the steps of its transactions, in `steps`."""

    def __init__(self, producer: Any, steps: list[Steps]) -> None:  # noqa: ANN401 - confluent_kafka has no types
        self._producer, self._steps = producer, steps
        self._begun = self._delivered = self._offsets = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as above
        return getattr(self._producer, name)

    def begin_transaction(self) -> None:
        """Note when, and begin."""
        self._begun, self._delivered, self._offsets = time.time_ns(), 0, 0
        self._producer.begin_transaction()

    def produce(
        self, *record: object, on_delivery: Callable[..., None] | None, **how: object
    ) -> None:
        """Produce; of the last record, which alone has a callback, note when the broker has it."""

        def delivered(error: object, message: object) -> None:
            self._delivered = time.time_ns()
            if on_delivery is not None:
                on_delivery(error, message)

        called = delivered if on_delivery is not None else None
        self._producer.produce(*record, on_delivery=called, **how)

    def send_offsets_to_transaction(self, *how: object) -> None:
        """Send them, and note when the broker has them."""
        self._producer.send_offsets_to_transaction(*how)
        self._offsets = time.time_ns()

    def commit_transaction(self, *how: object) -> None:
        """Commit, and keep the steps of the transaction."""
        committing = time.time_ns()
        self._producer.commit_transaction(*how)
        self._steps.append(
            Steps(self._begun, self._delivered, self._offsets, committing, time.time_ns())
        )


def note_transactions() -> list[Steps]:
    """From now on producers of this process note the steps of their transactions in the list."""
    steps: list[Steps] = []
    producer = kafka_cluster.Cluster.producer

    def noting(self: kafka_cluster.Cluster, transactional_id: str, timeout_s: float) -> Any:  # noqa: ANN401 - as above
        return Noting(producer(self, transactional_id, timeout_s), steps)

    kafka_cluster.Cluster.producer = noting  # type: ignore[method-assign]
    return steps


def _worker(file: str, arguments: Sequence[str]) -> None:
    """Be `barograph …`, and write the steps of its transactions into a file at the end."""
    from barograph.app import cli  # noqa: PLC0415 - the parent needs none of it

    steps = note_transactions()
    sys.argv = ["barograph", *arguments]
    run = cli.run

    def noted() -> None:
        try:
            run()
        finally:  # `main` ends the process without its `atexit`
            Path(file).write_bytes(msgspec.json.encode(steps))

    cli.run = noted
    cli.main()


class Prediction(NamedTuple):
    """When a prediction was: frame received, row made, scored, read; epoch nanoseconds."""

    received: int
    featurized: int
    scored: int
    read: int


def stages(
    predictions: Sequence[Prediction],
    feed: Sequence[Steps],
    featurizer: Sequence[Steps],
    scorer: Sequence[Steps],
) -> dict[str, list[float]]:
    """Milliseconds of each stage, for each prediction; their sum is its whole way."""
    took: dict[str, list[float]] = {}
    for each in predictions:
        at = each.received
        for who, steps, made in (
            ("feed", feed, each.received),
            ("featurizer", featurizer, each.featurized),
            ("scorer", scorer, each.scored),
        ):
            place = bisect.bisect_left(steps, (made,))
            own, before = steps[place], steps[place - 1]
            parts: list[tuple[str, int]] = []
            if who == "feed":
                parts.append(("waits for its batch and its last commit", own.begun))
            else:
                parts.append(
                    ("waits for its own last commit", max(at, min(before.committed, made)))
                )
                parts.append(("fetches and computes", own.begun))
            if own.offsets:
                parts.append(("hands over records and positions", own.offsets))
            else:
                parts.append(("hands over records", own.committing))
            parts.append(("commits", own.committed))
            for name, end in parts:
                took.setdefault(f"{who} {name}", []).append((end - at) / 1e6)
                at = end
        took.setdefault("reader fetches", []).append((each.read - at) / 1e6)
    return took


def measured() -> dict[str, list[float]]:
    """One live minute; milliseconds of each stage, for each prediction."""
    import kafka  # noqa: PLC0415 - a worker needs none of what it imports
    from barograph.codec import decode_prediction, decode_row  # noqa: PLC0415 - as above
    from barograph.log import browse  # noqa: PLC0415 - as above
    from barograph.log.topics import FEATURES  # noqa: PLC0415 - as above
    from workers import at_work, fresh_log  # noqa: PLC0415 - as above

    feed = note_transactions()
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder, fresh_log() as cluster:
        files = {verb: Path(folder) / f"{verb}.json" for verb in ("featurize", "score")}
        with at_work(
            cluster, program=lambda verb: [sys.executable, __file__, "--worker", str(files[verb])]
        ):
            read = kafka.live_predictions(cluster)
        featurizer, scorer = (
            msgspec.json.decode(file.read_bytes(), type=list[Steps]) for file in files.values()
        )
        made: dict[tuple[str, int], int] = {}
        for extent in cluster.log.extents(FEATURES):
            for record in browse.upwards(cluster.log, FEATURES, extent):
                row = decode_row(record.value)
                made[row.product, row.second] = int(record.headers["featurized_time_ns"])
    predictions = []
    for record, read_ns in read:
        each = decode_prediction(record.value)
        assert each.receive_time_ns is not None
        scored_ns = int(record.headers["scored_time_ns"])
        times = each.receive_time_ns, made[each.product, each.second], scored_ns, read_ns
        predictions.append(Prediction(*times))
    return stages(predictions, sorted(feed), featurizer, scorer)


def _print(took: dict[str, list[float]]) -> None:
    """Each stage's percentiles, its mean, and its mean in the slowest hundredth."""
    whole = np.sum(list(took.values()), axis=0)
    slowest = whole >= np.percentile(whole, 99)
    print(f"load {os.getloadavg()[0]:.1f}; {len(whole)} predictions, ms")
    print(f"{'':56}    p50     p90     p99    mean  mean of the slowest 1 %")
    for stage, took_ms in (*took.items(), ("whole", whole.tolist())):
        shares = *np.percentile(took_ms, (50, 90, 99)), np.mean(took_ms)
        shares = *shares, np.mean(np.array(took_ms)[slowest])
        print(f"  {stage:54}", *(f"{share:7.2f}" for share in shares), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        _worker(sys.argv[2], sys.argv[3:])
    else:
        _print(measured())
