"""Build the market's dataset: archived frames through the live venue machines and featurizer.

`HOME/datasets/<case>.parquet` has one row for each closed second of each product: exactly the rows
of `ticks.features` for the same frames, with their outcomes. The manifest `<case>.json` beside it
describes its source.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, tzinfo
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from barograph import codec
from barograph.archive import joined
from barograph.archive.recorded_events import events_of_recordings
from barograph.archive.recorded_form import cure_of_unread, describe, why_unread
from barograph.archive.recording import Recording
from barograph.archive.recording_files import recording_files
from barograph.arrays import Records
from barograph.cases.case import Case, live_of
from barograph.errors import BadInputError, TooLittleDataError
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.feature_set.featurizer import Featurizer
from barograph.files import parquet
from barograph.files.disk import declared, only_holder, put_in_place, write_whole
from barograph.files.lines import file_sha256
from barograph.training.data_hash import DataHash, events_by_kind
from barograph.training.dataset_parts import Parts, ProductFacts
from barograph.training.dataset_table import FoundTable, paths, read, refuse_later_rows
from barograph.training.usable_counts import usable_counts
from barograph.types import DeadLetter
from barograph.venues.books import UNIFIED
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Rules
from barograph.venues.forms.own import OwnForm

__all__ = ["DatasetManifest", "build", "paths", "read", "refuse_later_rows"]

_EVENTS_AT_A_TIME = 20_000
FEWER = (
    "Name the products to use of the recordings (`barograph dataset FILE… --products NAMES`), or "
    "replay them alone into a fresh --home (`barograph replay FILE… --products NAMES --home …`)"
)


class DatasetManifest(msgspec.Struct, frozen=True, kw_only=True):
    """Source and contents of a series dataset.

    `data_hash` identifies the events, each product's in order. `usable` counts rows with a label
    and all used features, `unused` the others by reason; `left_out` says why a wanted feature is
    not used. `unreadable` maps damaged archive files to their first damage; `table_sha256` is that
    of the table; `forms` say how recordings are read.
    """

    case: str
    feature_set: str
    data_hash: str
    horizon_s: int
    events: dict[str, int]
    dead_letters: dict[str, int]
    late_ticks: int
    rows: int
    usable: int
    unused: dict[str, int]
    left_out: dict[str, str]
    products: dict[str, ProductFacts]
    unreadable: dict[str, str]
    table_sha256: str
    forms: dict[str, str] = {}


def build(  # noqa: PLR0913 - what is read how, and whom to tell
    home: Path,
    case: Case,
    *,
    recordings: Sequence[Path] = (),
    rules: Rules | None = None,
    form: OwnForm | None = None,
    zone: tzinfo = UTC,
    refuse: Callable[[DeadLetter], None] = lambda _letter: None,
    progress: Callable[[int], None] = lambda _events: None,
) -> DatasetManifest:
    """Rebuild the dataset of a case from all of `home`'s archive, with bounded memory.

    recordings: use these instead, under `rules`, in a `form` of one's own, as if replayed into an
    empty home; no log or archive is read or written. zone: of their times without one. refuse:
    called with each dead letter.
    progress: called with the events so far.
    Columns: product, second, receive_time_ns, log_mid_e9, return_e9, every feature of the catalogue
    as float64, reasons (one digit of `types.Reason` each) and outcome (the series' `value_now` one
    horizon after the row); null is unknown. Rows are sorted by product (first seen) and second.
    Raises BadInputError for nothing to read or too many products, TooLittleDataError for no second.
    """
    archive = home / "archive"
    live, reading = live_of(case), _Reading(progress, refuse)
    if recordings:
        recordings = recording_files(recordings, zone, form)  # before a folder is created
        opened = [Recording(path, zone, pipes=True, form=form) for path in recordings]
        events = reading.recorded(opened, rules or Rules(books=UNIFIED))
    elif next(joined.whole(archive, reading.unreadable), None) is not None:
        events = reading.archived(archive)
    else:
        raise BadInputError(
            str(archive),
            "there are no frames in it",
            _cure(reading.unreadable, "Feed it (`barograph replay FILE…`)"),
        )
    with making(home, case) as temporary:
        parts = Parts(temporary, live)
        for rows in reading.rows_of(events):
            parts.add(rows, reading.featurizer.product)
        products = parts.finish(reading.featurizer.product)
        if not products:
            reading.refuse_unread(recordings, zone, form)
        return put(home, case, temporary, parts.paths, products, reading.counted())


class Counted(NamedTuple):
    """What was read for a dataset, as its manifest has it."""

    data_hash: str
    events: dict[str, int]
    dead_letters: dict[str, int]
    late_ticks: int
    unreadable: dict[str, str]
    forms: dict[str, str]

    def cure(self, otherwise: str) -> str:
        """The cure for an empty dataset: restore the first damaged file, or else `otherwise`."""
        return _cure(self.unreadable, otherwise)


def put(  # noqa: PLR0913 - a dataset is all of these
    home: Path,
    case: Case,
    temporary: Path,
    parts: Sequence[Path],
    products: dict[str, ProductFacts],
    counted: Counted,
) -> DatasetManifest:
    """Join the parts of a table into the dataset of a case, and write its manifest.

    temporary: of `making`. Raises TooLittleDataError for no product, DiskFullError, BadInputError.
    """
    if not products:
        raise TooLittleDataError(
            f"the dataset of {case.name}",
            f"no closed second in {sum(counted.events.values())} events",
            "some minutes",
            counted.cure("Look at what was refused (topic ticks.deadletter), or record longer"),
        )
    whole = temporary / "whole.parquet"
    size = sum(part.stat().st_size for part in parts)
    parquet.join([pl.scan_parquet(part) for part in parts], whole, size)
    table_sha256 = put_table(whole, home, case)
    table, manifest_path = paths(home, case)
    rows = sum(facts.rows for facts in products.values())
    counts = usable_counts(FoundTable(table, rows, counted.data_hash), case)
    manifest = DatasetManifest(
        case=case.name,
        feature_set=FEATURE_SET_HASH,
        data_hash=counted.data_hash,
        horizon_s=live_of(case).horizon_s,
        events=counted.events,
        dead_letters=counted.dead_letters,
        late_ticks=counted.late_ticks,
        rows=rows,
        usable=counts.usable,
        unused=counts.unused,
        left_out=counts.left_out,
        products=products,
        unreadable=counted.unreadable,
        forms=counted.forms,
        table_sha256=table_sha256,
    )
    write_manifest(manifest_path, manifest)
    return manifest


@contextmanager
def making(home: Path, case: Case) -> Iterator[Path]:
    """Yield a temporary folder for building a case's dataset; it is removed at the end.

    Leftovers of a killed run are removed first. Raises BadInputError if another process builds this
    dataset or nothing can be written, and DiskFullError.
    """
    folder = home / "datasets"
    with declared(folder):
        folder.mkdir(parents=True, exist_ok=True)
    held = BadInputError(
        f"the dataset of {case.name}",
        f"another process builds it in {folder}",
        "Wait for it, or give another --home",
    )
    with only_holder(folder / f".{case.name}.making", held):
        place = folder / f".{case.name}-parts"
        for left in (place, *folder.glob(f".{case.name}-{'[a-z0-9_]' * 8}")):  # of older versions
            shutil.rmtree(left, ignore_errors=True)
        try:
            with declared(folder):
                place.mkdir()
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


def put_table(whole: Path, home: Path, case: Case) -> str:
    """Move a table into place durably and return its SHA-256; write its manifest afterwards.

    The old manifest is removed first, so that a crash leaves no dataset rather than a wrong one.
    """
    table, manifest_path = paths(home, case)
    with declared(table.parent):
        sha256 = file_sha256(whole)
        manifest_path.unlink(missing_ok=True)
        put_in_place(whole, table)
    return sha256


def write_manifest(path: Path, manifest: msgspec.Struct) -> None:
    """Write a manifest durably and atomically. Raises DiskFullError and BadInputError."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(manifest)))


class _Reading:
    """Reads events as feature rows, counting events, dead letters and unreadable files."""

    def __init__(
        self, progress: Callable[[int], None], refuse: Callable[[DeadLetter], None]
    ) -> None:
        self._keep, self._first = refuse, ""
        self.featurizer = Featurizer()
        self.events = Counter[str]()
        self.dead_letters: dict[str, int] = {}
        self.unreadable: dict[str, str] = {}
        self.forms: dict[str, str] = {}
        self.late_ticks = 0
        self._products: list[str] = []
        self._progress = progress
        self._hash = DataHash()

    def counted(self) -> "Counted":
        """What was read so far."""
        return Counted(
            data_hash=self._hash.hexdigest(self._products),
            events=dict(self.events),
            dead_letters=self.dead_letters,
            late_ticks=self.late_ticks,
            unreadable=self.unreadable,
            forms=self.forms,
        )

    def rows_of(self, events: Iterable[Records]) -> Iterator[Records]:
        """Yield arrays (n,) of ROW, in the order in which seconds closed."""
        for some in events:
            self.events.update(events_by_kind(some))
            self._hash.add(some, self.featurizer.product)
            rows, late = self.featurizer.update(some)
            self.late_ticks += len(late)
            self._progress(self.events.total())
            yield rows

    def product_index(self, product: str) -> int:
        """The featurizer's index of a product, whose name is kept for the hash."""
        try:
            index = self.featurizer.product_index(product)
        except codec.UnreadableError as error:
            raise BadInputError("the dataset", error.detail, FEWER) from None
        if index == len(self._products):
            self._products.append(product)
        return index

    def archived(self, archive: Path) -> Iterator[Records]:
        """Yield the events of an archive, as the live feed made them from the same frames."""
        heard = Coinbase().hear(joined.whole(archive, self.unreadable), self._refuse)
        while some := list(islice(heard, _EVENTS_AT_A_TIME)):
            # Encode as the log does, so that the featurizer gets the same numbers as live.
            yield codec.event_array(codec.numbers_of(some, self._refuse), self.product_index)

    def refuse_unread(self, recordings: Sequence[Path], zone: tzinfo, form: OwnForm | None) -> None:
        """Raise BadInputError where recordings gave dead letters alone."""
        files = [path for path in recordings if path.is_file()]
        faults = self.dead_letters
        if files and faults and not self.events.total():
            why = why_unread(
                "none of its lines", faults, self._first, lambda: describe(files[0], zone, form)
            )
            raise BadInputError(str(files[0]), why, cure_of_unread(faults))

    def recorded(self, recordings: Iterable[Recording], rules: Rules) -> Iterator[Records]:
        """Yield the events that a feed would make of recordings, each on its own connections."""
        yield from events_of_recordings(
            recordings,
            rules,
            product_index=self.product_index,
            refuse=self._refuse,
            read=self._note_form,
        )

    def _note_form(self, recording: Recording) -> None:
        self.forms[recording.name] = recording.form_line

    def _refuse(self, letter: DeadLetter) -> None:
        self._first = self._first or letter.detail
        self.dead_letters[letter.fault] = self.dead_letters.get(letter.fault, 0) + 1
        self._keep(letter)


def _cure(unreadable: Mapping[str, str], otherwise: str) -> str:
    damage = [f"Restore {path} from a copy: {why}" for path, why in unreadable.items()]
    return damage[0] if damage else otherwise
