"""What a million ticks of history cost, as the tables of docs/history.md: `make history-cost`.

    .venv/bin/python benchmarks/history_cost.py [--times 1 25 241] [--repeats 3]

The benchmark recording goes through log and archive, is compacted, and its lake repeated so many
times. Seconds are of one core: for processes side by side, of their cores together.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from barograph.archive.compact import compact
from barograph.cases.spikes import SPIKES
from barograph.training import dataset, lake_dataset
from barograph.training.engines import LocalEngine
from measure import RECORDING, seconds, temporary_folder
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
    print("\n| ticks | rows | seconds | ticks/s and core | most memory of a process, MB |")
    print("|---|---|---|---|---|")
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
        ("dataset from the archive, one process", timed(lambda: dataset.build(home, SPIKES)), 0),
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
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        made = lake_dataset.build(Path(folder), SPIKES, LocalEngine(WORKERS), lake=str(place))
        took_s = time.perf_counter() - started
    most_mb = max(
        resource.getrusage(who).ru_maxrss / 1e3
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    rate = ticks / took_s / WORKERS
    return f"| {ticks:,} | {made.rows:,} | {took_s:.1f} | {rate:,.0f} | {most_mb:,.0f} |"


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
