"""Build the dataset of a record case from files, through the live scorer's contract.

`HOME/datasets/<case>.parquet` has a row for each accepted record: key, features as numbers and
outcome (1, 0, null). The manifest `<case>.json` beside it describes its source.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from barograph.cases.case import Case
from barograph.cases.contract import Contract, RecordRefusedError
from barograph.cases.record_file import lines
from barograph.errors import BadInputError, TooLittleDataError
from barograph.files import parquet
from barograph.foreign import one_line
from barograph.training.dataset import making, paths, put_table, write_manifest
from barograph.types import Fault

_FIRST_REFUSED = 10
_RECORDS_OF_A_PART = 50_000
_PROGRESS_EVERY = 1000


class Refusal(msgspec.Struct, frozen=True):
    """A record that violates the contract, and its place."""

    file: str
    line: int
    fault: str
    detail: str


class RecordManifest(msgspec.Struct, frozen=True, kw_only=True):
    """Source and contents of a record dataset.

    `files` maps each file to its number of records. `data_hash` is the SHA-256 of the accepted
    records in order. `refused` counts the others by fault, and `first_refused` lists the first few.
    `usable` counts rows with an outcome, `yes` the positive ones; `unused` counts the others by
    reason.
    `repeated_keys` counts rows with the key of an earlier row: they are kept, in the same fold.
    `table_sha256` is the hash of the Parquet file.
    """

    case: str
    feature_set: str
    data_hash: str
    files: dict[str, int]
    rows: int
    refused: dict[str, int]
    first_refused: list[Refusal]
    usable: int
    yes: int
    unused: dict[str, int]
    repeated_keys: int
    table_sha256: str


def build(
    home: Path,
    case: Case,
    files: Sequence[Path],
    *,
    progress: Callable[[int], None] = lambda _records: None,
) -> RecordManifest:
    """Rebuild the dataset of a record case from all records of `files`, in order.

    progress: called with the number of records so far. Raises BadInputError as `record_file.lines`
    does, and TooLittleDataError if no record is accepted or no outcome is known; the previous
    dataset is then kept.
    """
    if case.stream is None:
        raise BadInputError(
            f"case {case.name}", "it has no contract of records", "Name a case of records"
        )
    contract = case.stream.contract
    reading = _Reading(contract, progress)
    for path in files:
        reading.read(path)
    if not reading.rows:
        raise TooLittleDataError(
            f"the dataset of {case.name}",
            f"0 accepted of {sum(reading.files.values())} records",
            "some",
            "; ".join(f"{r.file}, line {r.line}: {r.detail}" for r in reading.first_refused[:1])
            or "Give a file with records",
        )
    frame = reading.frame()
    if not frame[contract.outcome].count():
        raise TooLittleDataError(
            f"the dataset of {case.name}",
            f"0 outcomes in {reading.rows} records",
            "some",
            f"Give records whose {contract.outcome} is known, {contract.yes} where it counts",
        )
    _, manifest_path = paths(home, case)
    with making(home, case) as temporary:
        whole = temporary / "whole.parquet"
        parquet.write(frame, whole)
        table_sha256 = put_table(whole, home, case)
    usable = case.table(frame)
    manifest = RecordManifest(
        case=case.name,
        feature_set=case.feature_set,
        data_hash=reading.data_hash,
        files=reading.files,
        rows=len(frame),
        refused=dict(sorted(reading.refused.items())),
        first_refused=reading.first_refused,
        usable=len(usable.order),
        yes=int(usable.outcome.sum()),
        unused=dict(usable.unused),
        repeated_keys=len(frame) - frame[contract.key].n_unique(),
        table_sha256=table_sha256,
    )
    write_manifest(manifest_path, manifest)
    return manifest


class _Reading:
    """Reads records as rows, counting records and refusals."""

    def __init__(self, contract: Contract, progress: Callable[[int], None]) -> None:
        self.files: dict[str, int] = {}
        self.refused: Counter[str] = Counter()
        self.first_refused: list[Refusal] = []
        self.rows = 0
        self._contract, self._progress = contract, progress
        self._hash = hashlib.sha256()
        self._keys: list[str] = []
        self._numbers: list[tuple[float, ...]] = []
        self._parts: list[pl.DataFrame] = []

    @property
    def data_hash(self) -> str:
        """Hash of all accepted records so far, as decoded by the contract."""
        return self._hash.hexdigest()

    def read(self, path: Path) -> None:
        """Add all records of a file."""
        before = sum(self.files.values())
        for read, line in enumerate(lines(path, self._contract, outcome=True), 1):
            name = one_line(path.name)
            self.files[name] = self.files.get(name, 0) + 1
            try:
                self._take(line.value)
            except RecordRefusedError as refused:
                self.refused[refused.fault] += 1
                if len(self.first_refused) < _FIRST_REFUSED:
                    detail = line.fault if refused.fault is Fault.WRONG_SHAPE else ""
                    self.first_refused.append(
                        Refusal(name, line.number, refused.fault, detail or refused.detail)
                    )
            if read % _PROGRESS_EVERY == 0:
                self._progress(before + read)

    def frame(self) -> pl.DataFrame:
        """All accepted records as a table."""
        self._close_part()
        return pl.concat(self._parts).with_columns(pl.col(self._contract.outcome).fill_nan(None))

    def _take(self, value: bytes) -> None:
        record = self._contract.decode(value)
        key = self._contract.key_of(record)
        numbers = (*self._contract.numbers(record), self._contract.outcome_of(record))
        self._hash.update(msgspec.json.encode((key, numbers)))
        self._keys.append(key)
        self._numbers.append(numbers)
        self.rows += 1
        if len(self._keys) == _RECORDS_OF_A_PART:
            self._close_part()

    def _close_part(self) -> None:
        if self._keys:
            columns = np.array(self._numbers, np.float64).T
            names = (*self._contract.features, self._contract.outcome)
            table = dict(zip(names, columns, strict=True))
            self._parts.append(pl.DataFrame({self._contract.key: self._keys} | table))
            self._keys, self._numbers = [], []
