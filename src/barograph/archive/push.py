"""The archive's finished files in an object store, and off this disk once they are proven there.

First the archive's book, which says whose the place is. Then for each finished file, in order:

1.  Its bytes are held against its manifest, sent, and proven there.
2.  Its manifest is sent. Nobody takes a file without one, so what was killed before left nothing.
3.  `pushed.json` says where it stands.

Then the lake (`lake_push`). A file is removed here last of all, when it is proven there once more.
"""

from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from barograph.archive.book import BOOK, book_of, read_book
from barograph.archive.compact import compacted
from barograph.archive.files import MANIFEST, ArchiveFile, existing_files, file_of, manifest_in
from barograph.archive.lake import PROGRESS
from barograph.archive.lake_push import LakePushed, push_lake
from barograph.archive.manifest import ArchiveManifest
from barograph.archive.object_store import ObjectStore
from barograph.archive.pushed import ARCHIVE, LAKE, keep_record, read_record
from barograph.errors import BadInputError, ObjectStoreError
from barograph.files.disk import check_room, declared, sync_directory
from barograph.files.lines import file_sha256

_RECORD_EVERY = 64
"""Files after which the record is kept: one that a kill loses costs a look at each of them."""

_RECORD_BYTES = 1 << 20
"""What must be free for the record, before anything is sent."""

_ELSEWHERE = "Push to another address"


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What stands at `url`: `files` that this run sent, with their `bytes`, `before` were there.

    `open` is still being written, and `without_manifest` an older version left: neither is pushed.
    `lost` files were pushed and removed here, and are no longer there. With --remove, `removed`
    files are no longer on this disk, and `kept` says of each other one why.
    """

    url: str
    files: int
    before: int
    bytes: int
    open: list[str]
    without_manifest: list[str]
    lost: list[str]
    lake: LakePushed | None
    removed: list[str]
    kept: dict[str, str]


def push(
    archive: Path,
    store: ObjectStore,
    *,
    lake: Path,
    unknown: Collection[str] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Pushed:
    """Push all finished files of an archive, and its lake where there is one.

    unknown: names of files that no log has taken in; all others that are pushed and compacted are
    removed here. None removes nothing. progress: called with bytes done and of all.
    Raises BadInputError where there is no archive, and for a file that is not what its manifest
    says; ObjectStoreError where the store cannot be used or another archive stands there;
    DiskFullError.
    """
    files = existing_files(archive)
    _check_apart(store, {ARCHIVE: archive, LAKE: lake})
    check_room(archive, _RECORD_BYTES)
    pushing = _Pushing(archive, store, progress)
    pushing.claim()
    try:
        pushing.send_all(files)
        pushed_lake = None
        if (lake / PROGRESS).exists():
            pushed_lake = push_lake(lake, store, pushing.ours.lake)
    finally:
        pushing.keep_record()
    removed: list[str] = []
    kept: dict[str, str] = {}
    if unknown is not None:
        removed, kept = pushing.remove(files, compacted(lake), unknown)
    return Pushed(
        url=store.address,
        files=len(pushing.sent),
        before=pushing.before,
        bytes=pushing.bytes,
        open=[file.path.name for file in files if file.is_open],
        without_manifest=[
            file.path.name for file in files if file.manifest is None and not file.is_open
        ],
        lost=[file.path.name for file in files if pushing.is_lost(file)],
        lake=pushed_lake,
        removed=removed,
        kept=kept,
    )


class _Pushing:
    """An archive on its way to a store: what is listed there, what is recorded, what was sent."""

    def __init__(
        self, archive: Path, store: ObjectStore, progress: Callable[[int, int], None]
    ) -> None:
        self.sent: set[str] = set()
        self.before = self.bytes = 0
        self._archive, self._store, self._progress = archive, store, progress
        self._record = read_record(archive)
        self.ours = self._record.at(store.address)
        self._listed = store.sizes(ARCHIVE)

    def claim(self) -> None:
        """Put the book there. Raises ObjectStoreError where another archive's stands."""
        book, name = read_book(self._archive), f"{ARCHIVE}/{BOOK}"
        if book is None:
            return
        content = msgspec.json.format(msgspec.json.encode(book))
        if name in self._listed:
            theirs = self._store.read(name)
            if theirs == content:
                return
            other = book_of(theirs, self._store.of(name))
            if other.archive != book.archive:
                raise ObjectStoreError(
                    self._store.of(name), "another archive stands there", _ELSEWHERE
                )
            if not book.follows(other):
                why = "another home went on from a copy of this archive, and pushes there"
                raise ObjectStoreError(self._store.of(name), why, _ELSEWHERE)
        self._store.write(content, name)

    def send_all(self, files: list[ArchiveFile]) -> None:
        """Send what is not there. Raises as `push`."""
        finished = [(file, file.manifest) for file in files if file.there and file.manifest]
        total, done = sum(manifest.bytes for _, manifest in finished), 0
        for file, manifest in finished:
            self._progress(done, total)
            if self._is_there(file, manifest):
                self.before += 1
            else:
                self._send(file, manifest)
            self.ours.archive[file.path.name] = manifest.sha256
            done += manifest.bytes
        self._progress(done, total)

    def _is_there(self, file: ArchiveFile, manifest: ArchiveManifest) -> bool:
        """Whether a file stands there already. Raises ObjectStoreError for another of its name."""
        name, of_manifest = self._names(file)
        if of_manifest not in self._listed:
            return False
        whole = self._is_listed(file, manifest)
        if whole and self.ours.archive.get(file.path.name) == manifest.sha256:
            return True
        try:
            theirs = manifest_in(self._store.read(of_manifest), self._store.of(of_manifest))
        except BadInputError as error:
            raise ObjectStoreError(
                self._store.of(of_manifest), error.why, "Remove it there, and push again"
            ) from error
        if theirs.sha256 != manifest.sha256:
            raise ObjectStoreError(
                self._store.of(name), "another file of this name stands there", _ELSEWHERE
            )
        return whole and self._store.proves(name, manifest.sha256, manifest.bytes)

    def _is_listed(self, file: ArchiveFile, manifest: ArchiveManifest) -> bool:
        name, of_manifest = self._names(file)
        size = file_of(self._archive, file.number, MANIFEST).stat().st_size
        return (self._listed.get(name), self._listed.get(of_manifest)) == (manifest.bytes, size)

    def _send(self, file: ArchiveFile, manifest: ArchiveManifest) -> None:
        name, of_manifest = self._names(file)
        if (file.path.stat().st_size, file_sha256(file.path)) != (manifest.bytes, manifest.sha256):
            raise BadInputError(
                str(file.path),
                "it is not what its manifest says",
                "`barograph archive verify` names the difference; restore it from a copy",
            )
        self._store.put(file.path, name, manifest.sha256)
        ours = file_of(self._archive, file.number, MANIFEST)
        self._store.put(ours, of_manifest, file_sha256(ours))
        self.sent.add(file.path.name)
        self.bytes += manifest.bytes
        if not len(self.sent) % _RECORD_EVERY:
            self.ours.archive[file.path.name] = manifest.sha256
            self.keep_record()

    def keep_record(self) -> None:
        """Write down what is proven so far, if there is anything."""
        if self.ours.archive or self.ours.lake:
            keep_record(self._archive, self._record)

    def is_lost(self, file: ArchiveFile) -> bool:
        """Whether a file that is gone here was there, and is there no longer."""
        if file.there or file.manifest is None:
            return False
        was = self.ours.archive.get(file.path.name) == file.manifest.sha256
        return was and not self._is_listed(file, file.manifest)

    def remove(
        self, files: list[ArchiveFile], done: Collection[str], unknown: Collection[str]
    ) -> tuple[list[str], dict[str, str]]:
        """Remove what is compacted, taken into the log, and proven there: names, and why not."""
        removed: list[str] = []
        kept: dict[str, str] = {}
        for file in files:
            if not file.there or file.manifest is None:
                continue
            if file.manifest.sha256 not in done:
                kept[file.path.name] = "it is not compacted"
            elif file.path.name in unknown:
                kept[file.path.name] = "the log does not have it"
            else:
                if file.path.name not in self.sent and not self._is_proven(file, file.manifest):
                    self._send(file, file.manifest)
                with declared(self._archive):
                    _unlink(file.path)
                removed.append(file.path.name)
        if removed:
            with declared(self._archive):
                sync_directory(self._archive)
        return removed, kept

    def _is_proven(self, file: ArchiveFile, manifest: ArchiveManifest) -> bool:
        """Whether file and manifest are there, byte for byte."""
        name, of_manifest = self._names(file)
        ours = file_of(self._archive, file.number, MANIFEST)
        return self._store.proves(name, manifest.sha256, manifest.bytes) and self._store.proves(
            of_manifest, file_sha256(ours), ours.stat().st_size
        )

    def _names(self, file: ArchiveFile) -> tuple[str, str]:
        of_manifest = file_of(self._archive, file.number, MANIFEST).name
        return f"{ARCHIVE}/{file.path.name}", f"{ARCHIVE}/{of_manifest}"


def _unlink(path: Path) -> None:
    path.unlink()


def _check_apart(store: ObjectStore, folders: dict[str, Path]) -> None:
    """Raise BadInputError where the store is the home itself: nothing would be a copy."""
    if store.folder is None:
        return
    place = store.folder.resolve()
    for name, folder in folders.items():
        there = folder.resolve()
        if place / name == there or place.is_relative_to(there):
            raise BadInputError(
                store.address, f"{folder} itself lies there", "Name a folder on another disk"
            )
