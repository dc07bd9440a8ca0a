"""The table of a dataset and its manifest: where they lie, and what is found there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from barograph import codec
from barograph.cases.case import Case, Dataset
from barograph.errors import BadInputError, ForeignFeaturesError
from barograph.files.disk import NO_HANDLES, read_regular
from barograph.files.lines import file_sha256
from barograph.times import time_of
from barograph.types import NS_PER_S

ROWS_AT_ONCE = 50_000
"""Rows of a piece: those of a row group, as tables are written."""


def paths(home: Path, case: Case) -> tuple[Path, Path]:
    """Paths of a case's dataset and its manifest."""
    folder = home / "datasets"
    return folder / f"{case.name}.parquet", folder / f"{case.name}.json"


class FoundTable(NamedTuple):
    """A table that is the one its manifest tells of, and its number of rows."""

    path: Path
    rows: int
    data_hash: str

    def scanned(self) -> pl.LazyFrame:
        """The rows, of which nothing is read yet."""
        rows = pl.scan_parquet(self.path)
        # The column's name in older datasets.
        return rows.rename({"future_realized_vol": "outcome"}, strict=False)

    def pieces(self, *columns: str) -> Iterator[pl.DataFrame]:
        """Yield the rows in their order, some at a time. columns: the only ones; all if none."""
        rows = self.scanned()
        if columns:
            rows = rows.select(columns)
        for start in range(0, self.rows, ROWS_AT_ONCE):
            yield rows.slice(start, ROWS_AT_ONCE).collect()


def found(home: Path, case: Case) -> FoundTable:
    """Find the dataset of a case in bounded memory, and prove that it is the one that was built.

    Raises BadInputError, or ForeignFeaturesError if it is older.
    """
    table, manifest_path = paths(home, case)
    build = _build(case)
    with _readable(manifest_path, f"the dataset of {case.name}", f"there is none in {home}", build):
        manifest = msgspec.json.decode(read_regular(manifest_path), type=_Origin)
    with readable(table, case):
        # Parquet has no checksum: a changed byte would silently change a number.
        if manifest.table_sha256 not in {"", file_sha256(table)}:
            raise BadInputError(str(table), "it is not the file that was built", build)
        rows = pl.scan_parquet(table).select(pl.len()).collect().item()
    if manifest.feature_set != case.feature_set:
        raise ForeignFeaturesError(str(table), manifest.feature_set, case.feature_set, case.name)
    if manifest.rows != rows:
        why = f"its manifest has {manifest.rows} rows, the table {rows}"
        raise BadInputError(str(table), why, build)
    return FoundTable(table, rows, manifest.data_hash)


def read(home: Path, case: Case) -> Dataset:
    """Read the dataset of a case. Raises BadInputError, or ForeignFeaturesError if it is older."""
    return whole(found(home, case), case)


def whole(table: FoundTable, case: Case) -> Dataset:
    """All rows of a table. Raises BadInputError where it cannot be read."""
    with readable(table.path, case):
        return Dataset(table.scanned().collect(), table.data_hash)


@contextmanager
def readable(table: Path, case: Case) -> Iterator[None]:
    """Raise BadInputError for what goes wrong inside while a case's table is read."""
    with _readable(table, str(table), "it is gone", _build(case)):
        yield


def refuse_later_rows(case: Case, dataset: Dataset, at_ns: int | None) -> None:
    """Raise BadInputError where a series has rows that were not known at `at_ns`, if that is given.

    A backfill whose runs overlap would train as at one time on the rows of a later one.
    """
    if at_ns is None or case.live is None:  # records have no time
        return
    last_ns = (int(dataset.frame["second"].to_numpy().max()) + 1) * NS_PER_S
    if last_ns > at_ns:
        raise BadInputError(
            f"a training as at {time_of(at_ns)}",
            f"the dataset of {case.name} has rows up to {time_of(last_ns)}",
            "Build it again with --until and that time, or leave out --at",
        )


def _build(case: Case) -> str:
    if case.live is None:
        return f"Build it (`barograph dataset FILE… --case {case.name}`)"
    return f"Build it (`barograph dataset --case {case.name}`)"


@contextmanager
def _readable(path: Path, what: str, missing: str, build: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise BadInputError(what, missing, build) from None
    except (*codec.UNREADABLE, pl.exceptions.PolarsError, OSError) as error:
        if isinstance(error, OSError) and error.errno in NO_HANDLES:
            raise
        raise BadInputError(str(path), f"it cannot be read ({error})", build) from error


class _Origin(msgspec.Struct):
    """The common fields of all manifests; older ones have no hash of the table."""

    feature_set: str
    data_hash: str
    rows: int
    table_sha256: str = ""
