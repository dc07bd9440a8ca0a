"""Compacted events as they lie: a Parquet file for each product and hour of event time.

`product=BTC-USD/date=2026-01-31/hour=07.parquet` has the ticks, trades, heartbeats and gaps of that
hour in the feed's order, prices and sizes as the venue wrote them. `index.parquet` tells which
events each file has, so that a reader of some of them opens no other.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from barograph.archive.object_store import open_store
from barograph.arrays import Records
from barograph.codec import EVENT, FILLED, GAP, HEARTBEAT, NAT, SIDES, TICK, TRADE, UNREADABLE
from barograph.errors import BadInputError
from barograph.files import parquet
from barograph.files.disk import put_in_place, read_regular
from barograph.files.lines import file_sha256
from barograph.types import HOUR_NS, NS_PER_S

PROGRESS, INDEX = "progress.json", "index.parquet"
NUMBERED = 2
"""The form of a lake whose events have numbers; an older one's have none."""

_TIME = pl.Datetime("ns", "UTC")

COLUMNS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "product": pl.String,
    "kind": pl.String,
    "event_time": _TIME,
    "receive_time": _TIME,
    "price": pl.String,
    "size": pl.String,
    "side": pl.String,
    "bid": pl.String,
    "ask": pl.String,
    "bid_size": pl.String,
    "ask_size": pl.String,
    "volume_24h": pl.String,
    "trade_id": pl.Int64,
    "sequence": pl.Int64,
    "snapshot": pl.Boolean,
    "filled": pl.Boolean,
    "gap_start": _TIME,
    "gap_cause": pl.String,
    "gap_missing": pl.Int64,
    "gap_filled": pl.Int64,
    "event_clock": pl.String,
    "connection": pl.String,
    "archive_file": pl.Int64,
    "number": pl.Int64,
}
"""What a Parquet file has; null is unknown, or of another kind.

`kind` is tick, trade, heartbeat or gap. A gap's `event_time` is its end; `trade_id` of a heartbeat
is the last one that it knows of. `number` counts the product's events from 0 in the feed's order;
null is one that no feature is made of.
"""

INDEX_COLUMNS: Mapping[str, type[pl.DataType]] = {
    "product": pl.String,
    "hour": pl.Int64,
    "path": pl.String,
    "first": pl.Int64,
    "last": pl.Int64,
    "bytes": pl.Int64,
    "sha256": pl.String,
}
"""A row for each Parquet file with numbered events.

`hour` since 1970, `path` relative to the lake, `first` and `last` number in it; `bytes` and
`sha256` are of the file, null while it changes and where an older version wrote the row.
"""

_KINDS = {"tick": TICK, "heartbeat": HEARTBEAT, "gap": GAP, "trade": TRADE}
_NUMBERS = ("price", "bid", "ask", "bid_size", "ask_size", "volume_24h", "last_size")
_TEXTS = {"last_size": "size"}
_UNKNOWN = -1
_EVENTS_AT_ONCE = 4096
_TIMES = {"event_time_ns": "event_time", "receive_time_ns": "receive_time"}
_TIMES |= {"gap_start_ns": "gap_start"}
_READ = ("kind", *_TIMES.values(), "price", "size", "side", "bid", "ask", "bid_size", "ask_size")
_READ += ("volume_24h", "trade_id", "filled", "number")
_SCHEMA = pl.Schema({name: COLUMNS[name] for name in _READ})


AGAIN = (
    "Restore it from a copy, or remove it and compact again (`barograph archive compact --out DIR` "
    "with the folder of the lake)"
)
"""What helps where a file of a lake is damaged: one that is gone is missed and made anew."""

ELSEWHERE = (
    "Restore it from a copy, or compact the archive to another folder "
    "(`barograph archive compact --out DIR`) and use that"
)


class LakeProgress(msgspec.Struct, kw_only=True):
    """What a lake is made of, and how far.

    `files`: name → SHA-256 of each archive file that is done; `machine`: the venue machine after
    the last of them, in Base64. `events` is how many numbered events each product has, in the order
    of their first; `dead_letters` counts by fault what holds no event, and `unreadable` maps
    damaged archive files to their first damage.
    """

    form: int = 1
    files: dict[str, str] = {}
    machine: str | None = None
    events: dict[str, int] = {}
    dead_letters: dict[str, int] = {}
    unreadable: dict[str, str] = {}


class Hour(NamedTuple):
    """A product's hour since 1970."""

    product: str
    hour: int

    @property
    def path(self) -> str:
        """Of its Parquet file, relative; what a venue calls a product leads nowhere else."""
        time = datetime.fromtimestamp(self.hour * HOUR_NS // NS_PER_S, UTC)
        folder = f"product={quote(self.product, safe='')}/date={time:%Y-%m-%d}"
        return f"{folder}/hour={time:%H}.parquet"


def read_progress(lake: Path) -> LakeProgress:
    """How far a lake is; one that was not begun has no file. Raises BadInputError."""
    path = lake / PROGRESS
    try:
        return msgspec.json.decode(read_regular(path), type=LakeProgress)
    except FileNotFoundError:
        return LakeProgress(form=NUMBERED)
    except UNREADABLE as error:
        raise BadInputError(str(path), f"it cannot be read ({error})", ELSEWHERE) from error


def read_index(lake: Path) -> pl.DataFrame:
    """The index of a lake, with INDEX_COLUMNS. Raises BadInputError."""
    path = lake / INDEX
    try:
        index = pl.read_parquet(path)
        of_older = {
            name: pl.lit(None, INDEX_COLUMNS[name])
            for name in ("bytes", "sha256")
            if name not in index.columns
        }
        return index.with_columns(**of_older).select(list(INDEX_COLUMNS))
    except FileNotFoundError:
        return pl.DataFrame(schema=INDEX_COLUMNS)
    except (pl.exceptions.PolarsError, OSError) as error:
        why = f"it cannot be read ({' '.join(str(error).split())[:200]})"
        raise BadInputError(str(path), why, AGAIN) from None


def write_index(lake: Path, index: pl.DataFrame, changed: Sequence[Hour], scratch: Path) -> None:
    """Write an index anew whose files at `changed` are others than it says.

    scratch: a folder on the lake's disk.
    """
    ends = pl.col("number").min().alias("first"), pl.col("number").max().alias("last")
    rows = [
        pl.scan_parquet(lake / hour.path, hive_partitioning=False)
        .select(
            pl.lit(hour.product).alias("product"),
            pl.lit(hour.hour, pl.Int64).alias("hour"),
            pl.lit(hour.path).alias("path"),
            *ends,
            pl.lit((lake / hour.path).stat().st_size, pl.Int64).alias("bytes"),
            pl.lit(file_sha256(lake / hour.path)).alias("sha256"),
        )
        .head(1)
        for hour in changed
    ]
    if not rows:
        return
    new = pl.concat(pl.collect_all(rows)).filter(pl.col("first").is_not_null())
    kept = index.join(new.select("path"), on="path", how="anti")
    whole = scratch / INDEX
    parquet.write(pl.concat([kept, new]).sort("product", "hour"), whole)
    put_in_place(whole, lake / INDEX)


def unsettle_index(
    lake: Path, index: pl.DataFrame, changing: Sequence[Hour], scratch: Path
) -> None:
    """Write an index that says nothing of the bytes of files at `changing`; as `write_index`.

    Raises BadInputError where one of them is not what was written.
    """
    is_changing = pl.col("path").is_in([hour.path for hour in changing])
    known = index.filter(is_changing & pl.col("sha256").is_not_null())
    for path, sha256 in known.select("path", "sha256").iter_rows():
        _refuse_unless(sha256, lake / path)
    if len(known):
        kept = pl.when(~is_changing).then(pl.col("bytes", "sha256"))
        parquet.write(index.with_columns(kept), scratch / INDEX)
        put_in_place(scratch / INDEX, lake / INDEX)


def _refuse_unless(sha256: str, file: Path, path: str = "") -> None:
    if file_sha256(file) != sha256:
        raise BadInputError(path or str(file), "its bytes are not those that were written", AGAIN)


def read_events(
    paths: Sequence[str], first: int, end: int, sha256: Sequence[str | None] = ()
) -> Records:
    """Read a product's events from number `first` to before `end`: (n,) of `codec.EVENT`, in order.

    paths: of all files that have one of them, or addresses in an object store. sha256: of each,
    where it is known. Their `product` is 0. Raises BadInputError where a file is another or cannot
    be read, or a number is missing or there twice, and ObjectStoreError.
    """
    events, times_seen = np.zeros(end - first, EVENT), np.zeros(end - first, np.uint8)
    whole = events.view(f"V{EVENT.itemsize}")  # NumPy copies records field by field
    number = pl.col("number").is_between(first, end, closed="left")
    for path, digest in zip_longest(paths, sha256):
        try:
            with _at_hand(path) as file:
                if digest:
                    _refuse_unless(digest, Path(file), path)
                table = pl.scan_parquet(file, hive_partitioning=False)
                frame = table.select(_READ).filter(number).collect()
            columns = _columns_of(frame)
        except (pl.exceptions.PolarsError, OSError) as error:
            why = f"it cannot be read ({' '.join(str(error).split())[:200]})"
            raise BadInputError(path, why, AGAIN) from None
        places = frame["number"].to_numpy() - first
        if len(places) and (np.diff(places) == 1).all():  # all but late ones
            span = slice(places[0], places[-1] + 1)
            times_seen[span] += 1
            _fill(events[span], columns)
        else:
            np.add.at(times_seen, places, 1)
            some = np.zeros(len(places), EVENT)
            _fill(some, columns)
            whole[places] = some.view(whole.dtype)
    if not (times_seen == 1).all():
        place = int(np.flatnonzero(times_seen != 1)[0])
        why = f"event {first + place:,} is there {times_seen[place]} times"
        raise BadInputError(f"{paths[0]} …", why, ELSEWHERE)
    return events


@contextmanager
def _at_hand(path: str) -> Iterator[str]:
    """A Parquet file on this machine; one of an object store is there as long as the context."""
    if "://" not in path:
        yield path
        return
    *lake, folder, date, name = path.split("/")
    with TemporaryDirectory(prefix="barograph-") as scratch:
        _store("/".join(lake)).fetch(f"{folder}/{date}/{name}", Path(scratch) / name)
        yield f"{scratch}/{name}"


_store = lru_cache(1)(open_store)


def _columns_of(frame: pl.DataFrame) -> dict[str, NDArray[Any]]:
    """The fields of `codec.EVENT` but for `product`, each (n,). Raises PolarsError."""
    if frame.schema != _SCHEMA:
        raise pl.exceptions.SchemaError("its columns are of other types")
    kind = _coded(frame["kind"], _KINDS, _UNKNOWN)
    if (kind == _UNKNOWN).any():
        raise pl.exceptions.InvalidOperationError(f"a kind is none of {', '.join(_KINDS)}")
    kind[(kind == TRADE) & frame["filled"].fill_null(value=False).to_numpy()] = FILLED
    columns: dict[str, NDArray[Any]] = {"kind": kind}
    for field, column in _TIMES.items():
        unknown = 0 if field == "gap_start_ns" else int(NAT)
        columns[field] = _filled(frame[column].to_physical(), unknown)
    has_price = ~np.isin(kind, (HEARTBEAT, GAP))
    columns["trade_id"] = np.where(has_price, _filled(frame["trade_id"], -1), 0)
    of_ticks = kind == TICK
    for field in _NUMBERS:
        number = _filled(frame[_TEXTS.get(field, field)].cast(pl.Float64), math.nan)
        has_one = has_price if field in {"price", "last_size"} else of_ticks
        columns[field] = number if has_one.all() else np.where(has_one, number, 0.0)
    columns["side"] = np.where(has_price, _coded(frame["side"], SIDES, 0), 0)
    return columns


def _coded(texts: pl.Series, codes: Mapping[str, int], other: int) -> NDArray[np.int8]:
    coded = np.full(len(texts), other, np.int8)
    for text, code in codes.items():
        coded[(texts == text).fill_null(value=False).to_numpy()] = code
    return coded


def _filled(column: pl.Series, unknown: float) -> NDArray[Any]:
    if column.null_count() == len(column):  # there is no column to copy
        return np.full(len(column), unknown, np.float64 if column.dtype == pl.Float64 else np.int64)
    return column.fill_null(unknown).to_numpy()


def _fill(events: Records, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write fields (n,) into events (n,), some at a time, while these are in the cache."""
    for start in range(0, len(events), _EVENTS_AT_ONCE):
        part = slice(start, start + _EVENTS_AT_ONCE)
        for field, values in columns.items():
            events[field][part] = values[part]
