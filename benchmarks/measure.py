"""What a row of `results.json` is, and how two sides are timed beside each other.

A row is a function with the decorator `row`; `run.py` imports the files that hold them. The
function takes the number of repeats and returns what both sides measured, in the row's unit.
"""

import atexit
import gzip
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from barograph.archive.recorded_events import recording_events
from barograph.archive.recording import Recording
from barograph.arrays import Records
from barograph.feature_set.featurizer import Featurizer

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("BAROGRAPH_DATA", ROOT.parent / "shared" / "data")).resolve()
RECORDING = DATA / "benchmark" / "binance_bench_20240809.ndjson.gz"
PEER_COLUMNS = (
    "product", "event_time_ns", "trade_id", "bid", "ask", "bid_size", "ask_size", "volume_24h",
    "last_size", "side",
)  # fmt: skip


T = TypeVar("T")


class NotMeasuredError(Exception):
    """A row needs what is not here; the text says what."""


class Measured(NamedTuple):
    """Both sides in the row's unit; `peer` None where there is none to compare with."""

    ours: float
    peer: float | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """At least or at most `bound`, of the ratio or of our own figure."""

    of: str
    sign: str
    bound: float

    def __str__(self) -> str:
        return f"{self.of} {self.sign} {self.bound:g}"

    def met(self, ours: float, ratio: float | None) -> bool:
        """Whether the measured figure keeps it; a ratio that is not there keeps none."""
        figure = ours if self.of == "ours" else ratio
        if figure is None:
            return False
        return figure >= self.bound if self.sign == ">=" else figure <= self.bound


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `more_is_better` says which way the ratio is turned: above 1 is good."""

    name: str
    unit: str
    goal: Goal | None
    more_is_better: bool
    measure: Callable[[int], Measured]

    def result(self, repeats: int) -> dict[str, object]:
        """The row as it stands in `results.json`."""
        ours, peer = self.measure(repeats)
        ratio = None
        if peer is not None:
            ratio = ours / peer if self.more_is_better else peer / ours
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": _rounded(ours),
            "peer": None if peer is None else _rounded(peer),
            "ratio": None if ratio is None else _rounded(ratio),
            "goal": None if self.goal is None else str(self.goal),
            "met": None if self.goal is None else self.goal.met(ours, ratio),
        }


ROWS: list[Row] = []

_small: list[bool] = []


def check_only() -> None:
    """From now on rows only have to work: `sized` gives the small sizes."""
    _small.append(True)


def sized(whole: T, small: T) -> T:
    """What a row works on: `whole` where it is measured, `small` where it is only checked."""
    return small if _small else whole


def row(
    name: str,
    unit: str,
    goal: tuple[str, str, float] | None = None,
    *,
    less_is_better: bool = False,
) -> Callable[[Callable[[int], Measured]], Callable[[int], Measured]]:
    """Register a function as a row; goal: ("ratio" or "ours", ">=" or "<=", bound)."""

    def register(measure: Callable[[int], Measured]) -> Callable[[int], Measured]:
        wanted = None if goal is None else Goal(*goal)
        ROWS.append(Row(name, unit, wanted, not less_is_better, measure))
        return measure

    return register


def seconds(work: Callable[[], object]) -> float:
    """How long one run takes on the wall."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def interleaved(
    ours: Callable[[], object], peer: Callable[[], object], repeats: int
) -> tuple[float, float]:
    """Median seconds of each; ours, peer, ours, peer …, after one run of each that is not timed."""
    ours()
    peer()
    timed = [(seconds(ours), seconds(peer)) for _ in range(repeats)]
    return median(ours_s for ours_s, _ in timed), median(peer_s for _, peer_s in timed)


def peak_mb() -> float:
    """The most that this program held; `getrusage` counts what its parent held too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def temporary_folder() -> Path:
    """A folder that is removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="barograph-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def logged_recording() -> Path:
    """The benchmark recording for rows that go through a log; its first lines under `--check`."""
    lines = sized(None, 20_000)
    if lines is None:
        return RECORDING
    path = temporary_folder() / RECORDING.name
    with gzip.open(RECORDING) as whole, gzip.open(path, "wb") as beginning:
        beginning.writelines(islice(whole, lines))
    return path


@cache
def benchmark_events(path: Path = RECORDING) -> tuple[Records, tuple[str, ...]]:
    """A recording as events, and its products in the order of `product`."""
    featurizer = Featurizer()
    parts = list(recording_events(Recording(path), product_index=featurizer.product_index))
    events = np.concatenate(parts)
    products = tuple(featurizer.product(place) for place in range(int(events["product"].max()) + 1))
    return events, products


@cache
def benchmark_ticks() -> pl.DataFrame:
    """The same columns as the peers take them: unknown numbers are null."""
    events, _ = benchmark_events()
    frame = pl.DataFrame({name: events[name] for name in PEER_COLUMNS})
    return frame.with_columns(
        pl.col("bid_size", "ask_size", "volume_24h", "last_size").fill_nan(None)
    )


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
