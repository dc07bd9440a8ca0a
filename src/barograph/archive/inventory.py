"""What an archive holds by its manifests, and whether its files are what these say."""

from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from barograph.archive.book import Book, read_book
from barograph.archive.files import ArchiveFile, existing_files, manifest_of, read_file
from barograph.archive.manifest import ArchiveManifest
from barograph.types import DeadLetter, Fault


class ListedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the archive.

    `open`: a feed may still change it. `finished`: its manifest is there. `removed`: its manifest
    only. `uncounted`: an older version wrote it, without a manifest. `log` is the address of the
    log that it was begun for, in home or elsewhere; empty where nobody knows.
    """

    file: str
    state: str
    log: str
    bytes: int
    manifest: ArchiveManifest | None


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """All files of an archive, and what those with a manifest hold together.

    `gaps` are counted by cause, `dead_letters` by fault.
    """

    files: list[ListedFile]
    bytes: int
    frames: int
    answers: int
    ticks: int
    trades: int
    heartbeats: int
    gaps: dict[str, int]
    dead_letters: dict[str, int]


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is not what it should be."""

    file: str
    why: str


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What an inspection of all files found.

    `finished` files were held against their manifests; of those `without_manifest` each line was
    read. `removed` are gone, and were compacted or pushed before; `pushed` are those of them that
    stand in a store.
    """

    finished: int
    without_manifest: list[str]
    removed: list[str]
    pushed: list[str]
    lines: int
    damaged: list[Damage]

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damaged


def inventory(directory: Path) -> Inventory:
    """What the manifests say; no file is read. Raises BadInputError where there is no archive."""
    book = read_book(directory)
    files = [_listed(file, book) for file in existing_files(directory)]
    manifests = [each.manifest for each in files if each.manifest is not None]
    products = [counts for each in manifests for counts in each.products.values()]
    gaps, letters = Counter[str](), Counter[str]()
    for counts in products:
        gaps.update(counts.gaps)
        letters.update(counts.dead_letters)
    for manifest in manifests:
        letters.update(manifest.dead_letters)
    return Inventory(
        files=files,
        bytes=sum(each.bytes for each in files),
        frames=sum(each.frames for each in manifests),
        answers=sum(each.answers for each in manifests),
        ticks=sum(counts.ticks for counts in products),
        trades=sum(counts.trades for counts in products),
        heartbeats=sum(counts.heartbeats for counts in products),
        gaps=dict(gaps.most_common()),
        dead_letters=dict(letters.most_common()),
    )


def inspect(
    directory: Path,
    *,
    compacted: Collection[str] = (),
    pushed: Collection[str] = (),
    progress: Callable[[int], None] = lambda _lines: None,
) -> Inspection:
    """Read every line of every file, and compare each file with its manifest.

    compacted, pushed: the sha256 of files that may be gone. progress: called with the lines so
    far. Raises BadInputError where there is no archive, and for a manifest that is none.
    """
    damaged: list[Damage] = []
    without: list[str] = []
    removed: list[str] = []
    stored: list[str] = []
    lines = finished = 0
    for file in existing_files(directory):
        why = ""
        if file.there:
            counts, unreadable = _read(file.path)
            lines += counts.lines
            progress(lines)
            if file.manifest is not None:
                finished += 1
                why = _difference(file.manifest, counts)
            else:
                without.append(file.path.name)
                if unreadable is not None and not (file.is_open and _is_torn(unreadable)):
                    why = f"line {unreadable.position}: {unreadable.detail}"
        elif file.manifest is not None and file.manifest.sha256 in pushed:
            removed.append(file.path.name)
            stored.append(file.path.name)
        elif file.manifest is not None and file.manifest.sha256 in compacted:
            removed.append(file.path.name)
        else:
            why = "it is gone, and was neither compacted nor pushed"
        if why:
            damaged.append(Damage(file=file.path.name, why=why))
    return Inspection(
        finished=finished,
        without_manifest=without,
        removed=removed,
        pushed=stored,
        lines=lines,
        damaged=damaged,
    )


def _listed(file: ArchiveFile, book: Book | None) -> ListedFile:
    if not file.there:
        state = "removed"
    elif file.manifest is not None:
        state = "finished"
    else:
        state = "open" if file.is_open else "uncounted"
    size = file.path.stat().st_size if file.there else 0
    log = book.logs.get(book.owner(file.number) or "") if book is not None else None
    return ListedFile(
        file=file.path.name,
        state=state,
        log="" if log is None else log.address,
        bytes=size,
        manifest=file.manifest,
    )


def _read(path: Path) -> tuple[ArchiveManifest, DeadLetter | None]:
    """What a file holds by itself, and the first of its lines that cannot be read."""
    counts, unreadable = ArchiveManifest(), None
    for entry in read_file(path):
        counts.add(entry)
        if unreadable is None and isinstance(entry, DeadLetter):
            unreadable = entry
    return manifest_of(counts, path), unreadable


def _difference(manifest: ArchiveManifest, counts: ArchiveManifest) -> str:
    """Name the first count that differs from the manifest; empty where none does.

    Products and dead letters are not compared: the venue machine counted them, not the file.
    """
    for name in ArchiveManifest.__struct_fields__:
        expected, counted = getattr(manifest, name), getattr(counts, name)
        if name not in {"products", "dead_letters"} and expected != counted:
            return f"its manifest says {name} {expected}, and it has {counted}"
    return ""


def _is_torn(letter: DeadLetter) -> bool:
    """Whether the line was cut off by a write that is under way or was interrupted."""
    return letter.fault is Fault.TRUNCATED
