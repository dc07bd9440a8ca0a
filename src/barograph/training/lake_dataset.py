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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

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
    if scratch is not None:
        _refuse_unless_shared(scratch)
    of_lake = None if lake is None else _read_lake(lake)
    if of_lake is None and not archive_files(home / "archive") and not (home / "parquet").is_dir():
        raise BadInputError(
            str(home / "archive"),
            "there is no archive",
            "Feed one first (`barograph replay FILE…`)",
        )
    with _only_if_done(home, case), making(home, case) as temporary:
        index, known = of_lake or _read_own(home, temporary, compacted)
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


@contextmanager
def _only_if_done(home: Path, case: Case) -> Iterator[None]:
    """Leave no home where none was, unless what fails left results in it."""
    was_there, is_done = home.exists(), False
    try:
        yield
        is_done = True
    finally:
        if not (was_there or is_done):
            with suppress(OSError):
                folder = home / "datasets"
                (folder / f".{case.name}.making").unlink()
                folder.rmdir()
                home.rmdir()


def _owner(home: Path) -> str:
    """Keeps homes apart that share a scratch: whoever is done removes what is its own."""
    return hashlib.sha256(f"{platform.node()}:{home.absolute()}".encode()).hexdigest()[:8]


def _refuse_unless_shared(scratch: str) -> None:
    """Raise BadInputError for a place where workers cannot leave anything for others."""
    what, cure = (
        f"--scratch {scratch}",
        "Name a folder or an address (s3://…) that all workers reach",
    )
    if scratch.startswith("memory:"):
        raise BadInputError(what, "it is the memory of one process", cure)
    if "://" not in scratch and Path(scratch).exists() and not Path(scratch).is_dir():
        raise BadInputError(what, "it is no folder", cure)


def _read_lake(lake: str) -> tuple[pl.DataFrame, LakeProgress]:
    """The index of a lake that a person named, with whole paths, and how far it is."""
    if "://" not in lake:
        _refuse_unless_lake(Path(lake))
    place = lake if "://" in lake else str(Path(lake).absolute())
    with TemporaryDirectory(prefix="barograph-") as scratch:
        index, known = _read(place, Path(scratch))
    return index, _with_events(place, known)


def _refuse_unless_lake(place: Path) -> None:
    what, cure = f"--lake {place}", "Name the folder that `barograph archive compact` wrote"
    if not place.is_dir():
        raise BadInputError(what, "there is no such folder", f"{cure}, or an address")
    if (place / PROGRESS).exists():
        return
    lakes = [place / "parquet", *place.absolute().parents[:2]]
    if found := [each for each in lakes if (each / PROGRESS).exists()]:
        raise BadInputError(what, "it is no lake, and there is one at hand", f"Name {found[0]}")
    raise BadInputError(
        what,
        f"it is no lake: it has no {PROGRESS}",
        f"{cure} (its --out, or HOME/parquet), or an address",
    )


def _read_own(
    home: Path, temporary: Path, compacted: Callable[[int], None]
) -> tuple[pl.DataFrame, LakeProgress]:
    """The index of all that a home has compacted and archived, with whole paths, and how far."""
    archive, place = home / "archive", str((home / "parquet").absolute())
    is_archived = any(file.there for file in archive_files(archive))
    if is_archived:
        compact(archive, Path(place), progress=compacted)
    index, known = _read(place, temporary)
    if is_archived and known.form >= NUMBERED:
        known = compact_open(archive, Path(place), temporary / "open")
        index = pl.concat([index, _read(str(temporary / "open"), temporary)[0]])
    return index, _with_events(place, known)


def _with_events(place: str, known: LakeProgress) -> LakeProgress:
    """The same. Raises BadInputError where a lake has none, or they have no numbers."""
    if known.form < NUMBERED:
        raise BadInputError(
            place,
            "it was compacted by a version that gave events no numbers",
            "Compact the archive anew (`barograph archive compact --out DIR`) and give --lake DIR",
        )
    if not known.files and not known.events:
        raise BadInputError(
            place, "there are no events in it", "Feed some (`barograph replay FILE…`)"
        )
    return known


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
