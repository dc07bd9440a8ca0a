"""What a million ticks of history cost, as the tables of docs/history.md: `make history-cost`.

    .venv/bin/python benchmarks/history_cost.py [--times 1 25 241] [--repeats 3]

The benchmark recording goes through log and archive, is compacted, and its lake repeated so many
times. Seconds are of one core: for processes side by side, of their cores together.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

from barograph.archive.compact import compact
from barograph.cases.spikes import SPIKES
from barograph.training import dataset, lake_dataset
from barograph.training.engines import LocalEngine
from measure import RECORDING, peak_mb, seconds, temporary_folder
from repeated_lakes import repeated, replayed

WORKERS = 2


def main() -> None:
    """Print both tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--times", nargs="*", type=int, default=[1, 25])
    arguments.add_argument("--repeats", type=int, default=3)
    options = arguments.parse_args()
    home = temporary_folder()
    rows, ticks = _stages(home, options.repeats)
    print("| stage | seconds of a core per million ticks | MB per million ticks |\n|---|---|---|")
    for what, took_s, size in rows:
        print(f"| {what} | {took_s / ticks * 1e6:.2f} | {size / ticks:.1f} |")
    print(
        "\n| ticks | rows | seconds | ticks/s and core | MB at most of the caller | of a worker |"
    )
    print("|---|---|---|---|---|---|")
    for times in options.times:
        print(_size(home / "parquet", times), flush=True)


def _stages(home: Path, repeats: int) -> tuple[list[tuple[str, float, int]], int]:
    """(stage, seconds, bytes that it leaves), and the ticks of the recording."""
    replay_s = seconds(lambda: replayed(RECORDING, home))
    made = dataset.build(home, SPIKES)
    ticks = sum(made.events.values())
    table = dataset.paths(home, SPIKES)[0]

    def timed(work: Callable[[], object]) -> float:
        return median(seconds(work) for _ in range(repeats))

    def compacted() -> None:
        with tempfile.TemporaryDirectory() as folder:
            compact(home / "archive", Path(folder))

    rows = [
        ("replay into log and archive", replay_s, _bytes(home / "archive")),
        (
            "dataset from the archive, one process",
            timed(lambda: dataset.build(home, SPIKES)),
            table.stat().st_size,
        ),
        ("compact the archive", timed(compacted), 0),
        (
            "dataset from the recording, one process",
            timed(lambda: dataset.build(home, SPIKES, recordings=[RECORDING])),
            table.stat().st_size,
        ),
    ]
    compact(home / "archive", home / "parquet")
    rows[2] = (*rows[2][:2], _bytes(home / "parquet"))
    return rows, ticks


def _size(base: Path, times: int) -> str:
    place = temporary_folder() / "lake"
    ticks = repeated(base, place, times)
    # In a process of its own, whose memory is not that of the lake's maker.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        rows, took_s, caller_mb, worker_mb = process.submit(_built, place).result()
    rate = ticks / took_s / WORKERS
    memory = f"{caller_mb:,.0f} | {worker_mb:,.0f}"
    return f"| {ticks:,} | {rows:,} | {took_s:.1f} | {rate:,.0f} | {memory} |"


def _built(lake: Path) -> tuple[int, float, float, float]:
    """Rows of the dataset of a lake, seconds, and the most memory of caller and workers, in MB."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        made = lake_dataset.build(Path(folder), SPIKES, LocalEngine(WORKERS), lake=str(lake))
        took_s = time.perf_counter() - started
    worker_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    return made.rows, took_s, peak_mb(), worker_mb


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
