"""The archive's events as a lake of Parquet files (`lake`).

They come from the archive through the venue machine, as live, so a gap is the gap that was seen.
For each finished file of the archive, in order:

1.  Its events go, in parts of a bounded size, beside what the Parquet files have of earlier ones.
2.  The index forgets how long the Parquet files are that change; each is replaced, whole, and then
    the index.
3.  `progress.json` says that the archive's file is done and where the venue machine stands.

Each row names the archive's file it came from. So what was killed between 2 and 3 is done again
without a trace: rows of the file that is not done are not kept.
"""

import shutil
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import msgspec
import polars as pl

from barograph.archive.files import ArchiveFile, archive_files, existing_files, number_of
from barograph.archive.inventory import Damage
from barograph.archive.joined import Joined
from barograph.archive.lake import (
    COLUMNS,
    NUMBERED,
    PROGRESS,
    Hour,
    LakeProgress,
    read_index,
    read_progress,
    unsettle_index,
    write_index,
)
from barograph.archive.lake_health import (
    damage_in,
    damaged_files,
    going_on,
    made_anew,
    outdated,
    refuse_unless_lake,
)
from barograph.codec import numbers_of
from barograph.errors import BadInputError
from barograph.files import parquet
from barograph.files.disk import declared, only_holder, put_in_place, write_whole
from barograph.files.lines import file_sha256
from barograph.types import HOUR_NS, DeadLetter, Event, Gap, Heartbeat, Tick, Trade
from barograph.venues.coinbase.machine import Coinbase

_ROWS_AT_A_TIME = 100_000
_PARTS = ".parts-"


class Compaction(msgspec.Struct, frozen=True, kw_only=True):
    """What was compacted to `out`: `files` of the archive by this run, `before` by earlier ones.

    `open` is still being written, and left for the next run. `events` counts rows by kind,
    `dead_letters` by fault what holds no event; `written` are Parquet files made or made anew.
    `damaged` are files of the archive of which `out` has not all events; `anew` says why all of
    `out` was made anew, empty where it was not.
    """

    out: str
    files: int
    before: int
    open: list[str]
    events: dict[str, int]
    dead_letters: dict[str, int]
    written: int
    damaged: list[Damage] = []
    anew: str = ""


def compact(
    archive: Path, out: Path, *, progress: Callable[[int], None] = lambda _events: None
) -> Compaction:
    """Compact all finished files of an archive that are not compacted yet.

    A damaged file is compacted as far as it can be read; once it is another one, and where `out`
    has lost something, all is compacted anew.
    progress: called with the events so far. Raises BadInputError where there is no archive or `out`
    can be no lake, while another compacts there, and where a file changed, or went before it was
    compacted; DiskFullError.
    """
    files = existing_files(archive)
    refuse_unless_lake(out, archive)
    with alone(out):
        done = going_on(out)
        if anew := damage_in(out, done) or outdated(files, done):
            done = made_anew(out, files, done, anew)
        before = len(done.files)
        compacting = _Compacting(done)
        counts, written = Counter[str](), 0

        joined = Joined(archive, [file for file in files if file.there])
        for file in files:
            if file.is_open or not (digest := _to_do(file, done)):
                if file.there and not file.is_open:
                    joined.pass_over(file)
                continue
            with _Parts(out, file.number) as parts:
                for event in compacting.events(joined, file, parts):
                    counts[type(event).__name__.lower()] += 1
                    if not counts.total() % _ROWS_AT_A_TIME:
                        progress(counts.total())
                written += parts.put()
            done.files[file.path.name] = digest
            write_whole(out / PROGRESS, msgspec.json.encode(compacting.progress()))
    return Compaction(
        out=str(out),
        files=len(done.files) - before,
        before=before,
        open=[file.path.name for file in files if file.is_open],
        events=dict(counts.most_common()),
        dead_letters=dict(compacting.letters.most_common()),
        written=written,
        damaged=damaged_files(files, done),
        anew=anew,
    )


def compact_open(archive: Path, lake: Path, out: Path) -> LakeProgress:
    """Compact what an archive has beyond a lake to `out`, which is made; the lake stays as it is.

    Those are files that a feed may still change; what it adds meanwhile is left out or not. Returns
    how far lake and `out` are together.
    """
    done = read_progress(lake)
    compacting = _Compacting(done)
    files = archive_files(archive)
    joined = Joined(archive, [file for file in files if file.there])
    with declared(out):
        out.mkdir(parents=True)
    for file in files:
        if file.there and file.path.name in done.files:
            joined.pass_over(file)
        elif file.there:
            with _Parts(out, file.number) as parts:
                for _ in compacting.events(joined, file, parts):
                    pass
                parts.put()
    return compacting.progress()


class _Compacting:
    """A lake on its way: the venue machine, each product's numbers, and what holds no event."""

    def __init__(self, done: LakeProgress) -> None:
        self.letters = Counter[str]()
        self._done, self._machine = done, Coinbase()
        self._all_letters = Counter(done.dead_letters)
        if done.machine is not None:
            self._machine.restore(b64decode(done.machine))

    def events(self, joined: Joined, file: ArchiveFile, parts: "_Parts") -> Iterator[Event]:
        """Yield the events of the next file, each added to `parts` with its number."""
        for event in self._machine.hear(joined.noted(file, self._done.unreadable), self._refuse):
            parts.add(event, self._number(event))
            yield event

    def progress(self) -> LakeProgress:
        """How far it is now."""
        self._done.machine = b64encode(self._machine.snapshot()).decode()
        self._done.dead_letters = dict(self._all_letters)
        return self._done

    def _number(self, event: Event) -> int | None:
        """The number of an event; None of one that the featurizer would refuse."""
        if self._done.form < NUMBERED or not numbers_of([event], self._refuse_numbers):
            return None
        numbers = self._done.events
        number = numbers.get(event.product, 0)
        numbers[event.product] = number + 1
        return number

    def _refuse(self, letter: DeadLetter) -> None:
        self.letters[letter.fault] += 1
        self._all_letters[letter.fault] += 1

    def _refuse_numbers(self, letter: DeadLetter) -> None:
        self._all_letters[letter.fault] += 1


def compacted(out: Path) -> frozenset[str]:
    """Return the SHA-256 of every archive file that is compacted to `out`."""
    return frozenset(read_progress(out).files.values())


def _to_do(file: ArchiveFile, done: LakeProgress) -> str:
    """Return the SHA-256 of a file that has to be compacted; empty where it is done."""
    name = file.path.name
    known = done.files.get(name)
    if not file.there:
        if known is None and any(number_of(earlier) < file.number for earlier in done.files):
            raise BadInputError(
                str(file.path),
                "it is gone, and was not compacted",
                "Restore it from a copy, or pull it (`barograph archive pull URL`)",
            )
        return ""
    if known is None:
        return file_sha256(file.path)  # not its manifest's: it may be damaged
    if file.manifest is not None and known == file.manifest.sha256:
        return ""
    if file_sha256(file.path) != known:
        raise BadInputError(
            str(file.path), "another file of this name was compacted", "Give another --out"
        )
    return ""


class _Parts:
    """The events of one file of the archive on their way into Parquet files."""

    def __init__(self, out: Path, number: int) -> None:
        with declared(out):
            self._temporary = TemporaryDirectory(dir=out, prefix=_PARTS)
        self._folder, self._out, self._number = Path(self._temporary.name), out, number
        self._rows: dict[Hour, list[tuple[object, ...]]] = {}
        self._waiting = self._written = 0
        self._paths: dict[Hour, list[Path]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()

    def add(self, event: Event, number: int | None) -> None:
        """Add an event as a row of its hour's Parquet file."""
        row = _row(event, self._number, number)
        hour = Hour(event.product, _time_ns(event) // HOUR_NS)
        self._rows.setdefault(hour, []).append(row)
        self._waiting += 1
        if self._waiting >= _ROWS_AT_A_TIME:
            self._spill()

    def put(self) -> int:
        """Replace every Parquet file that has new rows; return how many."""
        self._spill()
        with declared(self._out):
            index = read_index(self._out)
            unsettle_index(self._out, index, list(self._paths), self._folder)
            for hour, parts in self._paths.items():
                self._put(self._out / hour.path, parts)
            write_index(self._out, index, list(self._paths), self._folder)
        return len(self._paths)

    def _put(self, path: Path, parts: list[Path]) -> None:
        tables = [pl.scan_parquet(part) for part in parts]
        if path.exists():
            earlier = pl.col("archive_file") < self._number
            kept = pl.scan_parquet(
                path, hive_partitioning=False, schema=COLUMNS, missing_columns="insert"
            )
            tables.insert(0, kept.filter(earlier))
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


def _row(event: Event, archive_file: int, number: int | None) -> tuple[object, ...]:
    """The values of COLUMNS, in their order. Written out: every tick comes here."""
    e = event
    if isinstance(e, Tick):
        return (
            e.product, "tick", e.event_time_ns, e.receive_time_ns, e.price, e.last_size, e.side,
            e.bid, e.ask, e.bid_size, e.ask_size, e.volume_24h, e.trade_id, e.sequence,
            e.snapshot, None, None, None, None, None, e.event_clock,
            e.connection or None, archive_file, number,
        )  # fmt: skip
    if isinstance(e, Trade):
        return (
            e.product, "trade", e.event_time_ns, e.receive_time_ns, e.price, e.size, e.side,
            None, None, None, None, None, e.trade_id, None,
            None, e.filled, None, None, None, None, None,
            e.connection or None, archive_file, number,
        )  # fmt: skip
    if isinstance(e, Heartbeat):
        return (
            e.product, "heartbeat", e.event_time_ns, e.receive_time_ns, None, None, None,
            None, None, None, None, None, e.last_trade_id, e.sequence,
            None, None, None, None, None, None, None,
            e.connection or None, archive_file, number,
        )  # fmt: skip
    return (
        e.product, "gap", e.end_ns, e.receive_time_ns, None, None, None,
        None, None, None, None, None, None, None,
        None, None, e.start_ns, e.cause, e.missing, e.filled, None,
        e.connection or None, archive_file, number,
    )  # fmt: skip


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keep others from writing a lake, which is made. Raises BadInputError, DiskFullError."""
    with declared(out):
        out.mkdir(parents=True, exist_ok=True)
    held = BadInputError(
        str(out), "another compaction writes here", "Wait for it, or give another --out"
    )
    with only_holder(out / "lock", held):
        for rest in out.glob(f"{_PARTS}*"):  # of one that was killed
            shutil.rmtree(rest)
        yield
