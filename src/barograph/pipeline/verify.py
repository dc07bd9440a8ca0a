"""Verify: are the features that were written live the ones that the raw records give?

Every feature row is computed again from ticks.raw, or from the frames in the archive, and compared,
byte by byte and count by count, with ticks.features. Live equals replay, or this finds the first
place where it does not.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import msgspec

from barograph import codec
from barograph.archive.book import address_in
from barograph.archive.files import archive_files
from barograph.archive.joined import entries_in_log
from barograph.archive.recall import PRODUCER, ArchiveComparison, compare
from barograph.archive.standing import numbers_in
from barograph.errors import BadInputError
from barograph.feature_set.catalogue import FEATURE_SET_HASH, LONGEST_WINDOW_S, NAMES, STALE_AFTER_S
from barograph.feature_set.featurizer import Featurizer
from barograph.log import Log, partition_of
from barograph.types import DeadLetter, FeatureRow, Record
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Entry

_CHUNK = 5000


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """The first place where the log and the recomputation differ."""

    product: str
    second: int
    what: str
    live: str
    replayed: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared.

    `unsettled` rows stand too near to where retention cut the raw records. `foreign` counts, by
    feature set, rows that another version computed: their place is compared, their values are not.
    """

    rows: int
    unsettled: int
    foreign: dict[str, int] = {}
    products: list[str]
    difference: Mismatch | None

    @property
    def same(self) -> bool:
        """Whether no difference was found."""
        return self.difference is None


def verify(
    log: Log,
    *,
    raw: str = "ticks.raw",
    features: str = "ticks.features",
    archive: Path | None = None,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Verification:
    """Compare all rows of `features` with those that `raw` gives, or the frames in an archive.

    Raises UnknownTopicError, and BadInputError when the topics are not partitioned alike or hold
    nothing that could be compared, or the archive has no beginning.
    """
    raw_extents, extents = log.extents(raw), log.extents(features)
    batches = _source(log, raw, archive, len(extents))
    _refuse_unless_alike(f"{raw} and {features}", len(raw_extents), len(extents))
    comparison = _Comparison(progress)
    difference = None
    for extent, live_extent in zip(raw_extents, extents, strict=True):
        cut = live_extent.oldest > 0 or (archive is None and extent.oldest > 0)
        live = chain.from_iterable(_batches(log, features, extent.partition))
        difference = comparison.of(live, _replayed(batches(extent.partition)), cut=cut)
        if difference is not None:
            break
    else:
        progress(comparison.rows)
        if comparison.is_empty:
            raise BadInputError(
                features,
                "there are no feature rows to verify",
                "Feed some (`barograph replay FILE…`)",
            )
    return Verification(
        rows=comparison.rows,
        unsettled=comparison.unsettled,
        foreign=comparison.foreign,
        products=sorted(comparison.products),
        difference=difference,
    )


class _Comparison:
    """Compares partitions one after the other, and counts."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self.rows = self.unsettled = 0
        self.foreign: dict[str, int] = {}
        self.products: set[str] = set()
        self._progress = progress

    @property
    def is_empty(self) -> bool:
        """Whether there was no row."""
        return not (self.rows or self.unsettled or self.foreign)

    def of(
        self, live: Iterable[Record], replayed: Iterator[bytes], *, cut: bool
    ) -> Mismatch | None:
        """Return the first difference of a partition. cut: the head of one side is gone."""
        settled: dict[str, int] = {}
        for record in live:
            try:
                row = codec.decode_row.of(record)
            except codec.UnreadableError as error:
                return _unreadable(record, error.detail)
            self.products.add(row.product)
            if cut and row.second < settled.setdefault(row.product, row.second + _SETTLES_S):
                self.unsettled += 1
                continue
            ours = next(replayed, None)
            while cut and ours is not None and _unsettled(ours, settled):
                ours = next(replayed, None)
            if row.feature_set != FEATURE_SET_HASH and _same_place(row, ours):
                self.foreign[row.feature_set] = self.foreign.get(row.feature_set, 0) + 1
            elif ours != record.value:
                return _difference(row, record.value, ours)
            else:
                self.rows += 1
                if self.rows % _CHUNK == 0:
                    self._progress(self.rows)
        left = next(replayed, None)
        while cut and left is not None and _unsettled(left, settled):
            left = next(replayed, None)
        return None if left is None else _missing(codec.decode_row(left))


def _missing(row: FeatureRow) -> Mismatch:
    return Mismatch(
        product=row.product,
        second=row.second,
        what="row",
        live="missing; has the featurizer caught up? (`barograph featurize`)",
        replayed="present",
    )


def _refuse_unless_alike(what: str, of_raw: int, of_features: int) -> None:
    if of_raw != of_features:
        raise BadInputError(
            what,
            f"they have {of_raw} and {of_features} partitions",
            "Create both with the same number",
        )


_SETTLES_S = LONGEST_WINDOW_S + STALE_AFTER_S
"""Where the head of a topic is gone: after this long neither side remembers it."""


def _unsettled(value: bytes, settled: dict[str, int]) -> bool:
    """Whether a replayed row belongs to the unsettled head, which the live side skipped too."""
    ours = codec.decode_row(value)
    return ours.second < settled.get(ours.product, ours.second)


def _same_place(row: FeatureRow, replayed_value: bytes | None) -> bool:
    """Whether the recomputed row is of the same product and second."""
    if replayed_value is None:
        return False
    replayed = codec.decode_row(replayed_value)
    return (row.product, row.second) == (replayed.product, replayed.second)


def _batches(log: Log, topic: str, partition: int) -> Iterator[list[Record]]:
    offset = log.extents(topic)[partition].oldest
    while records := log.read(topic, partition, offset, _CHUNK):
        yield records
        offset = records[-1].offset + 1


def _source(
    log: Log, raw: str, archive: Path | None, partitions: int
) -> Callable[[int], Iterator[list[Record]]]:
    """Return a function that yields a partition's raw records in their order."""
    if archive is None:
        return lambda partition: _batches(log, raw, partition)
    saved = log.producer_checkpoints(PRODUCER, take=False)
    comparison = compare(archive, saved, address_in(archive, log.address))
    why = _why_not(archive, comparison)
    if why:
        raise BadInputError(str(archive), why, "Verify against the log alone (`barograph verify`)")
    standing = comparison.standing
    return lambda partition: _heard(entries_in_log(archive, standing), raw, partition, partitions)


def _why_not(archive: Path, comparison: ArchiveComparison) -> str:
    """Return why the archive cannot give what the log has; empty where it can."""
    files = {file.number: file for file in archive_files(archive)}
    if not files:
        return "there is no archive"
    numbers = numbers_in(comparison.standing.has)
    # A log of an older version does not say which files there were.
    numbers += [1] if comparison.adopted else []
    if not all(number in files and files[number].there for number in numbers):
        return "not all of its files are there"
    if comparison.elsewhere:
        return "the log has the events of another archive too"
    return "" if numbers else "the log has nothing of it"


def _heard(
    entries: Iterable[Entry | DeadLetter], raw: str, partition: int, partitions: int
) -> Iterator[list[Record]]:
    """The records that a feed makes of entries, of those products that lie in a partition."""
    heard = Coinbase().hear(entries, lambda _letter: None)
    events = (each for each in heard if partition_of(each.product, partitions) == partition)
    while some := list(islice(events, _CHUNK)):
        yield [
            Record(raw, partition, offset, event.product, codec.encode(event))
            for offset, event in enumerate(some)
        ]


def _replayed(batches: Iterable[list[Record]]) -> Iterator[bytes]:
    machine = Featurizer()
    for records in batches:
        for _, value in machine.receive(records).values:
            yield value


def _unreadable(record: Record, detail: str) -> Mismatch:
    """Return the mismatch of a record that is no feature row."""
    return Mismatch(
        product=record.key,
        second=0,
        what="record",
        live=f"unreadable at {record.partition}:{record.offset} ({detail})",
        replayed="a row",
    )


def _difference(live: FeatureRow, live_value: bytes, replayed_value: bytes | None) -> Mismatch:
    """Return the mismatch of two rows, at the first field that differs."""
    if replayed_value is None:
        return Mismatch(
            product=live.product, second=live.second, what="row", live="present", replayed="missing"
        )
    replayed = codec.decode_row(replayed_value)
    for field in ("product", "second", "feature_set", "log_mid_e9", "return_e9", "reasons"):
        ours, theirs = getattr(live, field), getattr(replayed, field)
        if ours != theirs:
            return _at(live, field, str(ours), str(theirs))
    for name, ours, theirs in zip(NAMES, live.values, replayed.values, strict=False):
        if ours != theirs:
            return _at(live, name, repr(ours), repr(theirs))
    return _at(live, "bytes", live_value.decode(), replayed_value.decode())


def _at(row: FeatureRow, what: str, live: str, replayed: str) -> Mismatch:
    return Mismatch(product=row.product, second=row.second, what=what, live=live, replayed=replayed)
