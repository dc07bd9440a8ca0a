"""What a training costs and loses on a sample of its rows, as docs/history.md quotes it.

    .venv/bin/python benchmarks/sampled_training.py [--hours 48] [--parts 4 8] [--times 1 4 16]

`make sampled-training`. The first table compares models of a simulated market, fitted on all rows
and on a sample of them, on the same tested rows. The second repeats 12 hours of it so many times
and trains on at most 12 hours of rows, each size in a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from barograph.archive.writer import ArchiveWriter
from barograph.cases.case import Table
from barograph.cases.sampled import SampledRows
from barograph.cases.spikes import SPIKES
from barograph.evaluation import bootstrap, scores
from barograph.files import parquet
from barograph.files.lines import file_sha256
from barograph.registry.memory import MemoryStore
from barograph.registry.registry import Registry
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.training import dataset
from barograph.training.pooled import Pooled
from barograph.training.sampled_dataset import read_for
from barograph.training.train import train
from barograph.training.walkforward import Training, Walk, walk
from barograph.types import NS_PER_S
from barograph.venues.entries import Dialect, Heard, Opening
from measure import temporary_folder

PRODUCTS = ("BTC-USD", "ETH-USD")

START_S = 1_760_000_000
REPEATED_HOURS = 12
HOW = Training(folds=4, resamples=500)
SHOWN = ("persistence", "ridge", "ticks", "lightgbm_regression", "chosen")
_FLUSH_EVERY_S = 600
_ROWS_OF_A_PART = 50_000


def main() -> None:
    """Print both tables, or, as a process of the second, one of its rows."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--hours", type=int, default=48)
    arguments.add_argument("--parts", nargs="*", type=int, default=[4, 8])
    arguments.add_argument("--times", nargs="*", type=int, default=[1, 4, 16])
    arguments.add_argument("--home", type=Path, help="train on this one alone")
    arguments.add_argument("--max-rows", type=int)
    options = arguments.parse_args()
    if options.home is not None:
        print(_trained(options.home, options.max_rows), flush=True)
        return
    heads = (
        "kept", "of the history", "one quiet row in", "model", "log loss, all rows",
        "of the sample, less that", "without weights, less that",
        "mean forecast over base rate: all, sample, without weights",
    )  # fmt: skip
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    home = temporary_folder()
    simulated(home, options.hours)
    for part in options.parts:
        for row in _compared(home, part):
            print(row, flush=True)
    columns = ("rows", "kept", "seconds to read", "seconds", "MB at most to read", "MB at most")
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    base = temporary_folder()
    rows = simulated(base, REPEATED_HOURS)
    for times in options.times:
        home = temporary_folder()
        repeated(base, home, times)
        words = [sys.executable, __file__, "--home", str(home), "--max-rows", str(rows)]
        done = subprocess.run(words, check=True, capture_output=True, text=True)  # noqa: S603 - ours
        print(done.stdout.strip(), flush=True)


def simulated(home: Path, hours: int) -> int:
    """Make the dataset of a simulated market's first hours; its rows."""
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, 7, START_S * NS_PER_S)
    writer = ArchiveWriter(home / "archive")
    writer.write(Opening(connection="simulated", dialect=Dialect.EXCHANGE))
    for _ in range(hours * 3600 // _FLUSH_EVERY_S):
        for frame in market.advance(_FLUSH_EVERY_S):
            writer.write(Heard(frame, Dialect.EXCHANGE))
        writer.flush()
    writer.close()
    return dataset.build(home, SPIKES).rows


def repeated(base: Path, home: Path, times: int) -> None:
    """Write a dataset with all rows of another so many times, one after the other."""
    frame = dataset.read(base, SPIKES).frame
    span_s = int(np.ptp(frame["second"].to_numpy())) + 1
    (home / "datasets").mkdir(parents=True)
    folder = temporary_folder()
    parts: list[Path] = []
    for of_product in frame.partition_by("product", maintain_order=True):
        for number in range(times):
            later = of_product.with_columns(
                pl.col("second") + number * span_s,
                pl.col("receive_time_ns") + number * span_s * NS_PER_S,
            )
            for start in range(0, len(later), _ROWS_OF_A_PART):
                parts.append(folder / f"{len(parts):06d}.parquet")
                parquet.write(later.slice(start, _ROWS_OF_A_PART), parts[-1])
    table, manifest = dataset.paths(home, SPIKES)
    parquet.join([pl.scan_parquet(part) for part in parts], table)
    known = msgspec.json.decode(dataset.paths(base, SPIKES)[1].read_bytes())
    known |= {"rows": len(frame) * times, "table_sha256": file_sha256(table)}
    manifest.write_bytes(msgspec.json.encode(known))


def _compared(home: Path, part: int) -> Iterator[str]:
    """Rows of the first table, for one in `part` of the rows."""
    frame = dataset.read(home, SPIKES).frame
    sampled, how = read_for(home, SPIKES, HOW, len(frame) // part)
    facts, kept = sampled.sample, SPIKES.table(sampled.frame)
    if facts is None or kept.sampled is None:
        raise ValueError(part)
    every = SPIKES.table(frame)
    whole = as_sampled(every, every.order < facts.complete_from_s)
    walks = [_walked(table, how) for table in (whole, kept, as_sampled(kept, kept.sampled.history))]
    all_rows, sample, bare = (Pooled(walked, how) for walked in walks)
    if not np.array_equal(whole.order[all_rows.rows], kept.order[sample.rows]):
        raise ValueError("other rows are tested")
    drawn = bootstrap.resamples(
        whole.order[all_rows.rows], whole.session[all_rows.rows],
        block_s=SPIKES.block, count=500, seed=1,
    )  # fmt: skip
    rate = all_rows.y.mean()
    for name in SHOWN:
        of = [each.probability[name] for each in (all_rows, sample, bare)]
        first, *others = bootstrap.resampled_together(
            [(scores.log_loss, each) for each in of], all_rows.y, drawn
        )
        less = [(other - first).interval() for other in others]
        mean = [f"{each.mean() / rate:.2f}" for each in of]
        yield (
            f"| {len(sampled.frame):,} of {len(frame):,} | {facts.history_kept:,} of "
            f"{facts.history_rows:,} | {facts.one_in} | {name} | {first.interval().estimate:.4f} | "
            + " | ".join(f"{one.estimate:+.4f} [{one.low:+.4f}, {one.high:+.4f}]" for one in less)
            + f" | {', '.join(mean)} |"
        )


def as_sampled(table: Table, history: np.ndarray) -> Table:
    """The table with each of its rows for itself, of which the history is only fitted on."""
    return replace(table, sampled=SampledRows(np.ones(len(history), np.int64), history))


def _walked(table: Table, how: Training) -> Walk:
    return walk(SPIKES, table, how)


def _trained(home: Path, max_rows: int) -> str:
    """A row of the second table."""
    started = time.perf_counter()
    data, how = read_for(home, SPIKES, HOW, max_rows)
    read_s, read_mb = time.perf_counter() - started, _most_mb()
    registry = Registry(home, store=MemoryStore())
    train(SPIKES, data, registry, how, clock_ns=time.time_ns)
    took_s = time.perf_counter() - started
    rows = len(data.frame) if data.sample is None else data.sample.rows
    return (
        f"| {rows:,} | {len(data.frame):,} | {read_s:.1f} | {took_s:.0f} | {read_mb:,.0f} "
        f"| {_most_mb():,.0f} |"
    )


def _most_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
