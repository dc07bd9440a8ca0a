"""Build the market's dataset from a lake, by many processes: the bytes of `dataset.build`.

1.  What the archive has beyond the lake is compacted: finished files into it, those that a feed may
    still change beside it.
2.  Stretches of about a day of a product are computed, each by itself.
3.  Seams are proved: where a stretch ends in another state than the next began with, as after hours
    of silence, the next is computed again from that state.
4.  Their rows become one table, in their order.

Whoever is killed finds the stretches that are finished, and goes on.
"""

import hashlib
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import polars as pl

from barograph.archive.compact import compact, compact_open
from barograph.archive.files import archive_files
from barograph.archive.lake import (
    INDEX,
    NUMBERED,
    PROGRESS,
    LakeProgress,
    read_index,
    read_progress,
)
from barograph.archive.object_store import open_store
from barograph.cases.case import Case, live_of
from barograph.errors import BadInputError
from barograph.training.data_hash import DataHash
from barograph.training.dataset import FEWER, Counted, DatasetManifest, making, put
from barograph.training.dataset_parts import Parts
from barograph.training.engines import Engine
from barograph.training.results import Computed, Results, results_in
from barograph.training.stretches import Stretch, going_on, plan
from barograph.types import MAX_PRODUCTS


def build(  # noqa: PLR0913 - what is read how, and whom to tell
    home: Path,
    case: Case,
    engine: Engine,
    *,
    lake: str | None = None,
    scratch: str | None = None,
    compacted: Callable[[int], None] = lambda _events: None,
    computed: Callable[[int, int], None] = lambda _events, _of: None,
) -> DatasetManifest:
    """Rebuild the dataset of a case from a lake.

    lake: folder or address of one that is used as it is; else that of `home`, with all that its
    archive has beyond. scratch: folder or address where workers leave what they computed, which
    all of them reach; else in `home`.
    compacted, computed: called with the events so far, and of how many.
    The result is that of `dataset.build`, to the byte of its table. Raises BadInputError for a lake
    that was compacted before events had numbers, for a damaged one and for nothing to read;
    TooLittleDataError, DiskFullError, and what the engine raises.
    """
    with making(home, case) as temporary:
        index, known = _whole_index(home, lake, temporary, compacted)
        if len(known.events) > MAX_PRODUCTS:
            raise BadInputError(
                "the dataset", f"there are {MAX_PRODUCTS:,} products already", FEWER
            )
        identity = hashlib.sha256(msgspec.json.encode((known.files, known.events))).hexdigest()
        kept, name = home / "datasets" / f".{case.name}-stretches", identity[:16]
        for other in kept.glob("*"):  # of what the lake was at an earlier attempt
            if other.name != name or scratch is not None:
                shutil.rmtree(other)
        results = results_in(str(kept), name)
        if scratch is not None:
            results = results_in(scratch, f"{case.name}-stretches-{name}-{_owner(home)}")
        work = _Work(engine, results, computed)
        stretches = work.proved(list(plan(index, known.events, identity)))
        manifest = _assembled(home, case, temporary, results, stretches, known)
        results.clear()
        with suppress(OSError):  # it is not there, or has those of others
            kept.rmdir()
    return manifest


def _owner(home: Path) -> str:
    """Keeps homes apart that share a scratch: whoever is done removes what is its own."""
    return hashlib.sha256(f"{platform.node()}:{home.absolute()}".encode()).hexdigest()[:8]


def _whole_index(
    home: Path, lake: str | None, temporary: Path, compacted: Callable[[int], None]
) -> tuple[pl.DataFrame, LakeProgress]:
    """The index of all compacted files with their whole paths, and how far they are."""
    archive, place = home / "archive", str((home / "parquet").absolute())
    is_ours = lake is None and any(file.there for file in archive_files(archive))
    if is_ours:
        compact(archive, Path(place), progress=compacted)
    elif lake is not None:
        place = lake if "://" in lake else str(Path(lake).absolute())
        if "://" not in place and not Path(place).is_dir():
            cure = "Name the folder that `barograph archive compact` wrote, or an address"
            raise BadInputError(lake, "there is no such folder", cure)
    index, known = _read(place, temporary)
    if known.form < NUMBERED:
        raise BadInputError(
            place,
            "it was compacted by a version that gave events no numbers",
            "Compact the archive anew (`barograph archive compact --out DIR`) and give --lake DIR",
        )
    if is_ours:
        beside = temporary / "open"
        known = compact_open(archive, Path(place), beside)
        index = pl.concat([index, _read(str(beside), temporary)[0]])
    if not known.files and not known.events:
        raise BadInputError(
            place, "there are no events in it", "Feed some (`barograph replay FILE…`)"
        )
    return index, known


def _read(place: str, temporary: Path) -> tuple[pl.DataFrame, LakeProgress]:
    """Index, with whole paths, and progress of a lake in a folder or at an address."""
    lake = Path(place)
    if "://" in place:
        store, lake = open_store(place), temporary
        place = store.address
        for name in (PROGRESS, INDEX):
            store.fetch(name, lake / name)
    return read_index(lake).with_columns(path=pl.lit(f"{place}/") + pl.col("path")), read_progress(
        lake
    )


class _Work:
    """Has an engine compute stretches."""

    def __init__(
        self, engine: Engine, results: Results, computed: Callable[[int, int], None]
    ) -> None:
        self._engine, self._results, self._computed = engine, results, computed
        self._known: dict[str, Computed] = {}

    def proved(self, stretches: list[Stretch]) -> list[tuple[Stretch, Computed]]:
        """All of them computed, each going on from where the one before it ended."""
        self._compute(stretches)
        while again := self._unproved(stretches):
            stretches = [again.get(stretch.key, stretch) for stretch in stretches]
            self._compute(list(again.values()))
        return [(stretch, self._known[stretch.key]) for stretch in stretches]

    def _unproved(self, stretches: Sequence[Stretch]) -> dict[str, Stretch]:
        """The first of each product that began with another state, from the state it should."""
        again: dict[str, Stretch] = {}
        before: Stretch | None = None
        after, broken = "", ""
        for stretch in stretches:
            result = self._known[stretch.key]
            if before is None or before.product != stretch.product:
                after = ""
            if result.before != after and broken != stretch.product and before is not None:
                again[stretch.key] = going_on(stretch, self._results.state(before.key))
                broken = stretch.product
            before, after = stretch, result.after
        return again

    def _compute(self, stretches: Sequence[Stretch]) -> None:
        total = sum(stretch.end - stretch.first for stretch in stretches)
        self._take(stretches)
        left = [each for each in stretches if each.key not in self._known]
        left.sort(key=lambda each: each.reach - each.end)  # no worker begins a long one last
        events = total - sum(each.end - each.first for each in left)
        self._computed(events, total)

        def done(result: Computed) -> None:
            nonlocal events
            events += sum(result.events.values())
            self._computed(events, total)

        if left:
            self._engine.compute(left, self._results, done)
            self._take(left)
        for stretch in left:
            if stretch.key not in self._known:
                raise BadInputError(
                    f"the stretch of {stretch.product} from event {stretch.first:,}",
                    "its worker left the result where it is not seen from here",
                    "Give a --home that all workers see under the same path, or a --scratch that "
                    "they reach",
                )

    def _take(self, stretches: Sequence[Stretch]) -> None:
        """Read which of them are computed; each is read once."""
        for key in self._results.finished().intersection(each.key for each in stretches):
            if (computed := self._results.computed(key)) is not None:
                self._known[key] = computed


def _assembled(  # noqa: PLR0913 - a dataset is all of these
    home: Path,
    case: Case,
    temporary: Path,
    results: Results,
    stretches: Sequence[tuple[Stretch, Computed]],
    known: LakeProgress,
) -> DatasetManifest:
    names = list(known.events)
    place = {name: number for number, name in enumerate(names)}
    parts, hashed = Parts(temporary, live_of(case)), DataHash()
    events, late_ticks = Counter[str](), 0
    for stretch, result in stretches:
        rows = results.rows(stretch.key)
        rows["product"] = place[stretch.product]
        parts.add(rows, names.__getitem__)
        hashed.add_blocks(stretch.product, stretch.end - stretch.first, result.blocks)
        events.update(result.events)
        late_ticks += result.late_ticks
    counted = Counted(
        data_hash=hashed.hexdigest(names),
        events=dict(events),
        dead_letters=known.dead_letters,
        late_ticks=late_ticks,
        unreadable=known.unreadable,
        forms={},
    )
    products = parts.finish(names.__getitem__)
    return put(home, case, temporary, parts.paths, products, counted)
