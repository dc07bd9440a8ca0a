"""History: a lake of ticks to a dataset, by processes of this machine and by Spark, per core.

The peer is the embedded engine, one process that reads the recording of which the lake is made.
Both write the same kind of table; start-up of processes and of Spark is counted.
"""

import importlib.util
import tempfile
from functools import cache
from pathlib import Path
from statistics import median

from barograph.cases.spikes import SPIKES
from barograph.training import dataset, lake_dataset
from barograph.training.engines import Engine, LocalEngine
from barograph.training.spark import SparkEngine
from measure import (
    Measured,
    NotMeasuredError,
    logged_recording,
    row,
    seconds,
    sized,
    temporary_folder,
)
from repeated_lakes import compacted, repeated

CORES = 2
GOAL = 1 / 1.5


@cache
def lake() -> tuple[Path, int]:
    """The benchmark recording over and over, 10⁷ ticks of it, and their number."""
    home, place = temporary_folder(), temporary_folder() / "lake"
    base = compacted(logged_recording(), home)
    return place, repeated(base, place, sized(25, 2))


def _from_lake(engine: Engine) -> float:
    """Ticks a second and core."""
    place, ticks = lake()
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder:

        def work() -> None:
            made = lake_dataset.build(Path(folder), SPIKES, engine, lake=str(place))
            assert sum(made.events.values()) == ticks

        return ticks / seconds(work) / CORES


def _embedded() -> float:
    """Ticks a second of one process."""
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder:
        events = 0

        def work() -> None:
            nonlocal events
            made = dataset.build(Path(folder), SPIKES, recordings=[logged_recording()])
            events = sum(made.events.values())

        took_s = seconds(work)
        return events / took_s


def _beside(engine: Engine, repeats: int) -> Measured:
    _embedded()  # compiles
    timed = [(_from_lake(engine), _embedded()) for _ in range(repeats)]
    return Measured(median(ours for ours, _ in timed), median(peer for _, peer in timed))


@row("lake to dataset, two processes, a core, beside one process", "ticks/s", ("ratio", ">=", GOAL))
def by_processes(repeats: int) -> Measured:
    """`--engine local --workers 2`."""
    return _beside(LocalEngine(CORES), repeats)


@row(
    "lake to dataset, Spark local[2], a core, beside one process", "ticks/s", ("ratio", ">=", GOAL)
)
def by_spark(repeats: int) -> Measured:
    """`--engine spark:local[2]`."""
    if importlib.util.find_spec("pyspark") is None:
        raise NotMeasuredError("pyspark is not installed (extra `spark`)")
    return _beside(SparkEngine(f"local[{CORES}]"), repeats)
