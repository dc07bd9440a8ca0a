"""Files that an archive lacks, from an object store.

For each manifest that stands there, in order: the file goes beside its place, is held against the
manifest, and then the manifest and the file get their names. So a pull that is killed left whole
files alone, and the next one goes on.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

import msgspec

from barograph.archive.book import BOOK, Book, book_of, keep_book, read_book
from barograph.archive.files import (
    FRAMES,
    MANIFEST,
    archive_files,
    file_of,
    manifest_in,
)
from barograph.archive.manifest import ArchiveManifest
from barograph.archive.object_store import ObjectStore
from barograph.archive.pushed import ARCHIVE, keep_record, read_record
from barograph.errors import BadInputError, ObjectStoreError
from barograph.files.disk import check_room, declared, only_holder, put_in_place, write_whole
from barograph.files.lines import file_sha256

_PUSH_AGAIN = "Restore the object, or push it again from a home that has the file"
_FRESH = "Pull into another home (--home)"
_manifest_named = re.compile(rf"{ARCHIVE}/(\d{{6,8}})\.{re.escape(MANIFEST)}").fullmatch


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """What came from `url`: `files` with their `bytes`; `before` were here already."""

    url: str
    files: int
    before: int
    bytes: int


def pull(
    archive: Path,
    store: ObjectStore,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Pulled:
    """Bring back every file that stands in a store and not in the archive, which may be new.

    progress: called with bytes done and of all. Raises ObjectStoreError where the store cannot be
    used, has no archive, or an object that is damaged; BadInputError where the archive has another
    file of a name, is another archive, or a feed begins it meanwhile; DiskFullError.
    """
    listed = store.sizes(ARCHIVE)
    numbers = sorted(int(match[1]) for name in listed if (match := _manifest_named(name)))
    if not numbers:
        raise ObjectStoreError(
            store.address, "no archive stands there", "Correct the address, or push one first"
        )
    with declared(archive):
        archive.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        held.enter_context(_alone(archive / "pull.lock", "another pull writes here"))
        book = _book_to_keep(archive, store, listed)
        if book is not None:
            held.enter_context(_alone(archive / "lock", "a feed writes here"))
            keep_book(archive, book)
        return _Pulling(archive, store, listed).all(numbers, progress)


class _Pulling:
    """An archive that is filled from a store."""

    def __init__(self, archive: Path, store: ObjectStore, listed: dict[str, int]) -> None:
        self._archive, self._store, self._listed = archive, store, listed
        self._here = {file.number: file for file in archive_files(archive)}
        self._record = read_record(archive)
        self._ours = self._record.at(store.address).archive

    def all(self, numbers: list[int], progress: Callable[[int, int], None]) -> Pulled:
        """Bring back what is not here, in order."""
        sizes = [self._listed.get(_name(number, FRAMES), 0) for number in numbers]
        files = bytes_ = done = 0
        try:
            for number, size in zip(numbers, sizes, strict=True):
                progress(done, sum(sizes))
                if not self._is_known(number):
                    content = self._store.read(_name(number, MANIFEST))
                    manifest = self._manifest(number, content)
                    if not self._is_here(number, manifest, content):
                        self._fetch(number, manifest, content)
                        files, bytes_ = files + 1, bytes_ + manifest.bytes
                    self._ours[manifest.file] = manifest.sha256
                done += size
        finally:
            if self._ours:
                keep_record(self._archive, self._record)
        progress(done, sum(sizes))
        return Pulled(
            url=self._store.address, files=files, before=len(numbers) - files, bytes=bytes_
        )

    def _is_known(self, number: int) -> bool:
        """Whether the file is here, and was proven to be the one that stands there."""
        here = self._here.get(number)
        return (
            here is not None
            and here.there
            and here.manifest is not None
            and self._ours.get(here.path.name) == here.manifest.sha256
        )

    def _manifest(self, number: int, content: bytes) -> ArchiveManifest:
        """The manifest that stands there. Raises ObjectStoreError for one of no use."""
        name, of_manifest = _name(number, FRAMES), _name(number, MANIFEST)
        try:
            manifest = manifest_in(content, self._store.of(of_manifest))
        except BadInputError as error:
            raise ObjectStoreError(self._store.of(of_manifest), error.why, _PUSH_AGAIN) from error
        if f"{ARCHIVE}/{manifest.file}" != name:
            why = f"it is the manifest of {manifest.file or 'no file'}"
            raise ObjectStoreError(self._store.of(of_manifest), why, _PUSH_AGAIN)
        return manifest

    def _is_here(self, number: int, manifest: ArchiveManifest, content: bytes) -> bool:
        """Whether the file is here. Raises BadInputError where another of its name is.

        One that has lost its manifest gets it again.
        """
        here = self._here.get(number)
        if here is None:
            return False
        digest = here.manifest.sha256 if here.manifest else file_sha256(here.path)
        if digest != manifest.sha256:
            why = f"{self._store.of(_name(number, FRAMES))} is another file of this name"
            raise BadInputError(str(here.path), why, _FRESH)
        if here.manifest is None:
            write_whole(file_of(self._archive, number, MANIFEST), content)
        return here.there

    def _fetch(self, number: int, manifest: ArchiveManifest, content: bytes) -> None:
        name, path = _name(number, FRAMES), file_of(self._archive, number)
        if self._listed.get(name) != manifest.bytes:
            size = self._listed.get(name)
            has = "it is not there" if size is None else f"it has {size:,} bytes"
            why = f"{has}, and its manifest says {manifest.bytes:,}"
            raise ObjectStoreError(self._store.of(name), why, _PUSH_AGAIN)
        check_room(self._archive, manifest.bytes)
        partial = path.with_name(f"{path.name}.partial")
        try:
            if self._store.fetch(name, partial) != manifest.sha256:
                why = "it is damaged: its SHA-256 is not that of its manifest"
                raise ObjectStoreError(self._store.of(name), why, _PUSH_AGAIN)
            # The manifest first: a file without one could be taken for what a crash left.
            if number not in self._here:
                write_whole(file_of(self._archive, number, MANIFEST), content)
            with declared(self._archive):
                put_in_place(partial, path)
        finally:
            with suppress(OSError):
                partial.unlink()


def _name(number: int, ending: str) -> str:
    return f"{ARCHIVE}/{file_of(Path(), number, ending).name}"


def _book_to_keep(archive: Path, store: ObjectStore, listed: dict[str, int]) -> Book | None:
    """The book that stands there, where the archive has none or an earlier one; else None.

    Raises BadInputError where the archive is another, ObjectStoreError for a book of no use.
    """
    name = f"{ARCHIVE}/{BOOK}"
    if name not in listed:
        return None
    try:
        theirs = book_of(store.read(name), store.of(name))
    except BadInputError as error:
        raise ObjectStoreError(store.of(name), error.why, "Push it again") from error
    ours = read_book(archive)
    if ours is None:
        return None if archive_files(archive) else theirs
    if ours.archive != theirs.archive:
        raise BadInputError(str(archive), f"{store.address} has another archive", _FRESH)
    return theirs if theirs != ours and theirs.follows(ours) else None


def _alone(lock: Path, why: str) -> AbstractContextManager[None]:
    cure = "Wait for it or give another --home"
    return only_holder(lock, BadInputError(str(lock.parent), why, cure))
