"""The archive's events as Parquet: a file for each product and hour of event time.

`product=BTC-USD/date=2026-01-31/hour=07.parquet` has the ticks, trades, heartbeats and gaps of that
hour in the feed's order, prices and sizes as the venue wrote them. They come from the archive
through the venue machine, as live, so a gap is the gap that was seen.

For each finished file of the archive, in order:

1.  Its events go, in parts of a bounded size, beside what the Parquet files have of earlier ones.
2.  Each Parquet file that changes is replaced, whole.
3.  `progress.json` says that the archive's file is done and where the venue machine stands.

Each row names the archive's file it came from. So what was killed between 2 and 3 is done again
without a trace: rows of the file that is not done are not kept.
"""

import fcntl
import shutil
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self
from urllib.parse import quote

import msgspec
import polars as pl

from barograph.archive.files import ArchiveFile, existing_files
from barograph.archive.joined import Joined
from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.files import parquet
from barograph.files.disk import declared, put_in_place, read_regular, write_whole
from barograph.files.lines import file_sha256
from barograph.types import HOUR_NS, NS_PER_S, DeadLetter, Event, Gap, Heartbeat, Tick
from barograph.venues.coinbase.machine import Coinbase

_ROWS_AT_A_TIME = 100_000
_PROGRESS, _PARTS = "progress.json", ".parts-"
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
}
"""What a Parquet file has; null is unknown, or of another kind.

`kind` is tick, trade, heartbeat or gap. A gap's `event_time` is its end; `trade_id` of a heartbeat
is the last one that it knows of.
"""


class Compaction(msgspec.Struct, frozen=True, kw_only=True):
    """What was compacted to `out`: `files` of the archive by this run, `before` by earlier ones.

    `open` is still being written, and left for the next run. `events` counts rows by kind,
    `dead_letters` by fault what holds no event; `written` are Parquet files made or made anew.
    """

    out: str
    files: int
    before: int
    open: list[str]
    events: dict[str, int]
    dead_letters: dict[str, int]
    written: int


class _Progress(msgspec.Struct):
    """Name → sha256 of each file that is done, and the venue machine after the last of them."""

    files: dict[str, str] = {}
    machine: str | None = None


class _Hour(NamedTuple):
    product: str
    hour: int

    def path(self, out: Path) -> Path:
        """The Parquet file; what a venue calls a product cannot lead out of its directory."""
        time = datetime.fromtimestamp(self.hour * HOUR_NS // NS_PER_S, UTC)
        folder = out / f"product={quote(self.product, safe='')}" / f"date={time:%Y-%m-%d}"
        return folder / f"hour={time:%H}.parquet"


def compact(
    archive: Path, out: Path, *, progress: Callable[[int], None] = lambda _events: None
) -> Compaction:
    """Compact all finished files of an archive that are not compacted yet.

    progress: called with the events so far. Raises BadInputError where there is no archive, while
    another compacts to `out`, and where a file changed, or went before it was compacted;
    DiskFullError.
    """
    files = existing_files(archive)
    with _alone(out):
        done = _read_progress(out)
        before = len(done.files)
        machine = Coinbase()
        if done.machine is not None:
            machine.restore(b64decode(done.machine))
        counts, letters, written = Counter[str](), Counter[str](), 0

        def refuse(letter: DeadLetter) -> None:
            letters[letter.fault] += 1

        joined = Joined(archive, [file for file in files if file.there])
        for file in files:
            if file.is_open or not (digest := _to_do(file, done)):
                if file.there and not file.is_open:
                    joined.pass_over(file)
                continue
            with _Parts(out, file.number) as parts:
                for event in machine.hear(joined.read(file), refuse):
                    parts.add(event)
                    counts[parts.kind] += 1
                    if not counts.total() % _ROWS_AT_A_TIME:
                        progress(counts.total())
                written += parts.put()
            done.files[file.path.name] = digest
            done.machine = b64encode(machine.snapshot()).decode()
            write_whole(out / _PROGRESS, msgspec.json.encode(done))
    return Compaction(
        out=str(out),
        files=len(done.files) - before,
        before=before,
        open=[file.path.name for file in files if file.is_open],
        events=dict(counts.most_common()),
        dead_letters=dict(letters.most_common()),
        written=written,
    )


def compacted(out: Path) -> frozenset[str]:
    """Return the SHA-256 of every archive file that is compacted to `out`."""
    return frozenset(_read_progress(out).files.values())


def _to_do(file: ArchiveFile, done: _Progress) -> str:
    """Return the SHA-256 of a file that has to be compacted; empty where it is done."""
    name = file.path.name
    known = done.files.get(name)
    if not file.there:
        if known is None and done.files:
            raise BadInputError(
                str(file.path), "it is gone, and was not compacted", "Restore it from a copy"
            )
        return ""
    digest = file_sha256(file.path) if file.manifest is None else file.manifest.sha256
    if known not in {None, digest}:
        raise BadInputError(
            str(file.path), "another file of this name was compacted", "Give another --out"
        )
    return "" if known else digest


class _Parts:
    """The events of one file of the archive on their way into Parquet files."""

    def __init__(self, out: Path, number: int) -> None:
        with declared(out):
            self._temporary = TemporaryDirectory(dir=out, prefix=_PARTS)
        self._folder, self._out, self._number = Path(self._temporary.name), out, number
        self._rows: dict[_Hour, list[tuple[object, ...]]] = {}
        self._waiting = self._written = 0
        self._paths: dict[_Hour, list[Path]] = {}
        self.kind = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()

    def add(self, event: Event) -> None:
        """Add an event as a row of its hour's Parquet file."""
        row = _row(event, self._number)
        self.kind = str(row[1])
        hour = _Hour(event.product, _time_ns(event) // HOUR_NS)
        self._rows.setdefault(hour, []).append(row)
        self._waiting += 1
        if self._waiting >= _ROWS_AT_A_TIME:
            self._spill()

    def put(self) -> int:
        """Replace every Parquet file that has new rows; return how many."""
        self._spill()
        with declared(self._out):
            for hour, parts in self._paths.items():
                self._put(hour.path(self._out), parts)
        return len(self._paths)

    def _put(self, path: Path, parts: list[Path]) -> None:
        tables = [pl.scan_parquet(part) for part in parts]
        if path.exists():
            earlier = pl.col("archive_file") < self._number
            tables.insert(0, pl.scan_parquet(path).filter(earlier))
        whole = self._folder / "whole.parquet"
        parquet.join(tables, whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        put_in_place(whole, path)

    def _spill(self) -> None:
        for hour, rows in self._rows.items():
            part = self._folder / f"{self._written:06d}.parquet"
            parquet.write(pl.DataFrame(rows, schema=COLUMNS, orient="row"), part)
            self._paths.setdefault(hour, []).append(part)
            self._written += 1
        self._rows.clear()
        self._waiting = 0


def _time_ns(event: Event) -> int:
    return event.end_ns if isinstance(event, Gap) else event.event_time_ns


def _row(event: Event, number: int) -> tuple[object, ...]:
    values = dict.fromkeys(COLUMNS)
    values |= {
        "product": event.product,
        "event_time": _time_ns(event),
        "receive_time": event.receive_time_ns,
        "connection": event.connection or None,
        "archive_file": number,
    }
    if isinstance(event, Tick):
        values |= {name: getattr(event, name) for name in _OF_A_TICK}
        values |= {"kind": "tick", "size": event.last_size}
    elif isinstance(event, Heartbeat):
        values |= {"kind": "heartbeat", "trade_id": event.last_trade_id, "sequence": event.sequence}
    elif isinstance(event, Gap):
        values |= {
            "kind": "gap",
            "gap_start": event.start_ns,
            "gap_cause": event.cause,
            "gap_missing": event.missing,
            "gap_filled": event.filled,
        }
    else:
        values |= {name: getattr(event, name) for name in _OF_A_TRADE} | {"kind": "trade"}
    return tuple(values.values())


_OF_A_TRADE = ("price", "size", "side", "trade_id", "filled")
_OF_A_TICK = (
    "price", "side", "bid", "ask", "bid_size", "ask_size", "volume_24h", "trade_id", "sequence",
    "snapshot", "event_clock",
)  # fmt: skip


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    with declared(out):
        out.mkdir(parents=True, exist_ok=True)
        lock = (out / "lock").open("wb")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInputError(
                str(out), "another compaction writes here", "Wait for it, or give another --out"
            ) from None
        for rest in out.glob(f"{_PARTS}*"):  # of one that was killed
            shutil.rmtree(rest)
        yield


def _read_progress(out: Path) -> _Progress:
    path = out / _PROGRESS
    try:
        return msgspec.json.decode(read_regular(path), type=_Progress)
    except FileNotFoundError:
        return _Progress()
    except UNREADABLE as error:
        raise BadInputError(
            str(path), f"it cannot be read ({error})", "Give another --out"
        ) from error
