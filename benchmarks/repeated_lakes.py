"""A lake of as many ticks as are wanted: a recording's, again and again."""

from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from barograph.archive.compact import compact
from barograph.archive.lake import (
    NUMBERED,
    PROGRESS,
    Hour,
    LakeProgress,
    read_index,
    read_progress,
    write_index,
)
from barograph.feed import feed
from barograph.feed.replay import replay
from barograph.log import open_log
from barograph.types import HOUR_NS

TIMES = ("event_time", "receive_time", "gap_start")


def compacted(recording: Path, home: Path) -> Path:
    """The lake of a home that replayed a recording."""
    replayed(recording, home)
    compact(home / "archive", home / "parquet")
    return home / "parquet"


def replayed(recording: Path, home: Path) -> None:
    """Replay a recording into the log and archive of a home."""
    log = open_log(home)
    frames = feed.Feed(log, home / "archive")
    try:
        replay(frames, [recording])
    finally:
        frames.close()
        log.close()


def repeated(base: Path, lake: Path, times: int) -> int:
    """Write a lake with all events of another so many times, one after the other; their number."""
    index, known = read_index(base), read_progress(base)
    lake.mkdir(parents=True)
    whole = {
        product: pl.concat(
            [pl.read_parquet(base / path, hive_partitioning=False) for path in files["path"]]
        ).sort("number")
        for (product,), files in index.partition_by("product", as_dict=True).items()
    }
    times_ns = np.concatenate([frame["event_time"].to_physical() for frame in whole.values()])
    span_ns = int(np.ptp(times_ns)) + 10**9
    written = []
    for product, frame in whole.items():
        of_hour: dict[int, list[pl.DataFrame]] = {}
        for number in range(times):
            some = frame.with_columns(
                *(pl.col(name) + pl.duration(nanoseconds=number * span_ns) for name in TIMES),
                pl.col("number") + number * len(frame),
                pl.col("trade_id") + number * 10**7,
            )
            hours = some.with_columns(hour=pl.col("event_time").to_physical() // HOUR_NS)
            for (hour,), part in hours.partition_by("hour", as_dict=True).items():
                of_hour.setdefault(hour, []).append(part.drop("hour"))
            for hour in [*of_hour] if number == times - 1 else sorted(of_hour)[:-1]:
                place = Hour(product, hour)
                path = lake / place.path
                path.parent.mkdir(parents=True, exist_ok=True)
                pl.concat(of_hour.pop(hour)).sort("number").write_parquet(path)
                written.append(place)
    write_index(lake, read_index(lake), written, lake)
    events = {product: count * times for product, count in known.events.items()}
    progress = LakeProgress(form=NUMBERED, files={"repeated": str(times)}, events=events)
    (lake / PROGRESS).write_bytes(msgspec.json.encode(progress))
    return sum(events.values())
