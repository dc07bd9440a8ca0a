"""Kafka: what an event costs by stage, in processor time and bytes: the numbers of `docs/scale.md`.

Processor time of each process, not time on the wall, so that a busy machine changes it little.
"""

import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psutil

import kafka
from barograph.app.settings import Settings
from barograph.feed.feed import Feed
from barograph.feed.replay import replay
from barograph.log.topics import FEATURES, PREDICTIONS, TICKS
from measure import Measured, benchmark_events, logged_recording, row, sized
from workers import PARTITIONS, Predictions, at_work, broker_process, disk_bytes, fresh_log


class Costs(NamedTuple):
    """Processor time in µs, of each process with its threads, and bytes on the broker's disk."""

    feed_tick_us: float
    featurizer_tick_us: float
    scorer_row_us: float
    broker_tick_us: float
    tick_bytes: float
    row_bytes: float
    prediction_bytes: float


@row("Kafka: processor time of the feed, a tick", "us", less_is_better=True)
def feed_tick(_repeats: int) -> Measured:
    """A recording into archive and log, in batches of 4,096."""
    return Measured(costs().feed_tick_us)


@row("Kafka: processor time of the featurizer, a tick", "us", less_is_better=True)
def featurizer_tick(_repeats: int) -> Measured:
    """From poll to commit, the client's threads included."""
    return Measured(costs().featurizer_tick_us)


@row("Kafka: processor time of the scorer, a row", "us", less_is_better=True)
def scorer_row(_repeats: int) -> Measured:
    """The same, of one row a second and product."""
    return Measured(costs().scorer_row_us)


@row("Kafka: processor time of the broker, a tick", "us", less_is_better=True)
def broker_tick(_repeats: int) -> Measured:
    """Tick, its share of row and prediction: written once, read once each; one copy."""
    return Measured(costs().broker_tick_us)


@cache
def costs() -> Costs:
    """What one pass over the recording cost."""
    feed_us, tick_bytes = _feed()
    first = sized(20_000, 1_000)
    ticks = kafka.recorded_ticks()
    warm_rows, rows = kafka.rows_after(first)
    with fresh_log() as cluster, at_work(cluster) as (featurizer, scorer):
        predictions = Predictions(cluster.log)
        cluster.write_at_once(ticks[:first])
        predictions.wait_until(warm_rows)
        pids = featurizer.pid, scorer.pid, broker_process()
        before_s = _cpu_s(pids)
        cluster.write_at_once(ticks[first:])
        predictions.wait_until(rows)
        spent_us = [1e6 * (now - then) for now, then in zip(_cpu_s(pids), before_s, strict=True)]
        row_bytes, prediction_bytes = (
            disk_bytes(cluster, topic) / rows for topic in (FEATURES, PREDICTIONS)
        )
    timed_ticks, timed_rows = len(ticks) - first, rows - warm_rows
    return Costs(
        feed_us,
        spent_us[0] / timed_ticks,
        spent_us[1] / timed_rows,
        spent_us[2] / timed_ticks,
        tick_bytes,
        row_bytes,
        prediction_bytes,
    )


def _feed() -> tuple[float, float]:
    """Of the feed, for each tick: µs of this process, and bytes of `ticks.raw`."""
    with fresh_log() as cluster, tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder:
        with closing(Feed(cluster.log, Path(folder) / "archive", partitions=PARTITIONS)) as feed:
            feed.batch_lines = Settings().batch_records
            spent_s = time.process_time()
            replay(feed, [logged_recording()])
            spent_s = time.process_time() - spent_s
        ticks = len(benchmark_events(logged_recording())[0])
        return 1e6 * spent_s / ticks, disk_bytes(cluster, TICKS) / ticks


def _cpu_s(pids: Sequence[int]) -> list[float]:
    return [sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids]


if __name__ == "__main__":
    for name, value in costs()._asdict().items():
        print(f"{name:20} {value:8.2f}")
