"""Build the dataset of a series from its log, through the live machine.

`HOME/datasets/<case>.parquet` has exactly the feature rows of the series' topic for the same
records, with their outcomes. The manifest beside it describes its source. (The market's dataset is
built from the archive by `dataset.build`.)
"""

import hashlib
from array import array
from collections.abc import Callable, Iterator
from itertools import islice
from math import nan
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from barograph import codec
from barograph.arrays import Float64, Int64
from barograph.cases.case import Case, live_of
from barograph.cases.live_series import LiveSeries
from barograph.errors import TooLittleDataError
from barograph.evaluation import labels
from barograph.files import parquet
from barograph.log import Log, browse
from barograph.training.dataset import (
    DatasetManifest,
    making,
    paths,
    put_table,
    write_manifest,
)
from barograph.training.dataset_parts import ProductFacts
from barograph.types import Fault, FeatureRow, Record

_RECORDS_AT_A_TIME = 1000


def build(
    log: Log,
    home: Path,
    case: Case,
    *,
    until_s: int | None = None,
    progress: Callable[[int], None] = lambda _records: None,
) -> DatasetManifest:
    """Rebuild the dataset of a series case from all records of its source in the log.

    A series without a machine is built from its row topic. until_s: leave out rows that end after
    this Unix second. progress: called with the number of records so far. Columns: product, second,
    receive_time_ns, the series' columns as float64, reasons (one digit of `types.Reason` each) and
    outcome (`value_now` one horizon later); null is unknown. Rows are sorted by key and second.
    Raises UnknownTopicError, BadInputError for rows out of order, and TooLittleDataError without
    rows.
    """
    live = live_of(case)
    reading = _Reading(log, live, progress, until_s)
    _, manifest_path = paths(home, case)
    rows = reading.rows()
    if not rows:
        raise TooLittleDataError(
            f"the dataset of {case.name}",
            f"no feature row from {reading.records} records of {reading.topic}",
            "some",
            f"Make them (`barograph featurize --case {live.rows_by}`)"
            if live.rows_by and not reading.records
            else f"Look at what was refused (topic {live.dead_letters}), or wait for more records",
        )
    products: dict[str, ProductFacts] = {}
    frames = []
    for product in sorted(rows):
        second, outcome = rows[product].outcome(live)
        frames.append(rows[product].frame(product, live, outcome))
        products[product] = ProductFacts(
            rows=len(second),
            labelled=int((~np.isnan(outcome)).sum()),
            first_second=int(second[0]),
            last_second=int(second[-1]),
        )
    frame = pl.concat(frames)
    with making(home, case) as temporary:
        whole = temporary / "whole.parquet"
        parquet.write(frame, whole)
        table_sha256 = put_table(whole, home, case)
    usable = case.table(frame)
    manifest = DatasetManifest(
        case=case.name,
        feature_set=live.feature_set,
        data_hash=_hash_of(rows),
        horizon_s=live.horizon_s,
        events={"record": reading.records},
        dead_letters=reading.dead_letters,
        late_ticks=0,
        rows=len(frame),
        usable=len(usable.order),
        unused=dict(usable.unused),
        left_out=dict(usable.left_out),
        products=products,
        unreadable={},
        table_sha256=table_sha256,
    )
    write_manifest(manifest_path, manifest)
    return manifest


class _Rows:
    """The feature rows of one key, in log order."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self._seconds = array("q")
        self._received = array("q")
        self._values = array("d")
        self._reasons: list[str] = []

    def add(self, row: FeatureRow, value: bytes) -> None:
        self.sha256.update(value)
        self._seconds.append(row.second)
        received_ns = row.receive_time_ns
        self._received.append(int(codec.NAT) if received_ns is None else received_ns)
        self._values.extend(nan if each is None else each for each in row.values)
        self._reasons.append(row.reasons)

    def outcome(self, live: LiveSeries) -> tuple[Int64, Float64]:
        """(n,) seconds, and the outcome of each."""
        second = np.frombuffer(self._seconds, np.int64)
        values = self._columns(live)[:, live.places[live.value_now]]
        return second, labels.later(second, values, horizon_s=live.horizon_s)

    def frame(self, product: str, live: LiveSeries, outcome: Float64) -> pl.DataFrame:
        columns = self._columns(live)
        frame = pl.DataFrame(
            {
                "product": pl.Series([product] * len(outcome), dtype=pl.String),
                "second": np.frombuffer(self._seconds, np.int64),
                "receive_time_ns": np.frombuffer(self._received, np.int64),
                **{name: columns[:, place] for name, place in live.places.items()},
                "reasons": self._reasons,
                "outcome": outcome,
            }
        )
        return frame.with_columns(
            pl.col("receive_time_ns").replace(int(codec.NAT), None),
            pl.col(*live.columns, "outcome").fill_nan(None),
        )

    def _columns(self, live: LiveSeries) -> Float64:
        return np.frombuffer(self._values, np.float64).reshape(-1, len(live.columns))


class _Reading:
    """Reads a topic's records as feature rows, counting records and dead letters."""

    def __init__(
        self, log: Log, live: LiveSeries, progress: Callable[[int], None], until_s: int | None
    ) -> None:
        self.topic = live.rows if live.machine is None else live.source
        self.records = 0
        self.dead_letters: dict[str, int] = {}
        self._log, self._live, self._progress = log, live, progress
        self._until_s = until_s

    def rows(self) -> dict[str, _Rows]:
        """All rows by key; each partition has its own machine, as live."""
        rows: dict[str, _Rows] = {}
        for extent in self._log.extents(self.topic):
            for row, value in self._made(browse.upwards(self._log, self.topic, extent)):
                if self._until_s is not None and row.second >= self._until_s:
                    continue
                if row.feature_set == self._live.feature_set:
                    rows.setdefault(row.product, _Rows()).add(row, value)
                else:
                    self._refused(Fault.FOREIGN_FEATURES)
        return rows

    def _made(self, records: Iterator[Record]) -> Iterator[tuple[FeatureRow, bytes]]:
        machine = None if self._live.machine is None else self._live.machine()
        while some := list(islice(records, _RECORDS_AT_A_TIME)):
            self.records += len(some)
            self._progress(self.records)
            if machine is None:
                readable, words, letters = codec.decode_row.all_of(some)
                yield from zip(words, (each.value for each in readable), strict=True)
            else:
                outcome = machine.receive(some)
                letters = outcome.dead_letters
                for _, value in outcome.values:
                    yield codec.decode_row(value), value
            for letter in letters:
                self._refused(letter.fault)

    def _refused(self, fault: str) -> None:
        self.dead_letters[fault] = self.dead_letters.get(fault, 0) + 1


def _hash_of(rows: dict[str, _Rows]) -> str:
    """Hash of all rows by key, independent of the partitions."""
    digests = {product: rows[product].sha256.hexdigest() for product in sorted(rows)}
    return hashlib.sha256(msgspec.json.encode(digests)).hexdigest()
