"""The archive's book: its own id, and for which log each of its files was begun.

One archive may serve several logs, and a log may be lost, restored or copied. `archive/book.json`
lets them be distinguished: a log has an id of its own, which stands in it, and a writer
writes down whose a file is before the file is there. Addresses are hints for people and for a log
that was lost: the one that stands in its place has another id.
"""

import os
import uuid
from collections.abc import Iterable
from pathlib import Path

import msgspec

from barograph.archive.files import last_number, numbered_files
from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.files.disk import read_regular, write_whole

BOOK = "book.json"


class OwnerLog(msgspec.Struct):
    """A log of the archive: where it stood, and its feed's last run that began a file."""

    address: str
    run: str = ""


class _Begun(msgspec.Struct, array_like=True):
    """The files from `first` to `last` were begun for one log."""

    first: int
    last: int
    log: str


_FORM = 1
"""Raised when an older version would harm an archive that a newer one writes."""


class Book(msgspec.Struct, kw_only=True):
    """Which archive it is, its logs by their ids, and whose its files are."""

    form: int = _FORM
    archive: str
    logs: dict[str, OwnerLog] = {}
    files: list[_Begun] = []

    def owner(self, number: int) -> str | None:
        """Return the id of the log that a file was begun for; None where it is unknown."""
        for begun in reversed(self.files):
            if begun.first <= number <= begun.last:
                return begun.log
        return None

    def begin(self, number: int, log: str) -> None:
        """Record that a file is begun for a log."""
        last = self.files[-1] if self.files else None
        if last is not None and last.log == log and last.last + 1 == number:
            last.last = number
        else:
            self.files.append(_Begun(number, number, log))

    def last(self) -> int:
        """The highest file number begun so far; 0 where there is none."""
        return max((begun.last for begun in self.files), default=0)

    def follows(self, earlier: "Book") -> bool:
        """Whether it is of the same archive, and says all that an earlier copy of it does."""
        return (
            self.archive == earlier.archive
            and earlier.logs.keys() <= self.logs.keys()
            and all(
                any(
                    ours.log == theirs.log
                    and ours.first <= theirs.first
                    and theirs.last <= ours.last
                    for ours in self.files
                )
                for theirs in earlier.files
            )
        )

    def stood_at(self, address: str) -> set[str]:
        """Return the ids of the logs that were at an address."""
        return {log for log, owner in self.logs.items() if owner.address == address}


class _Form(msgspec.Struct):
    form: int = _FORM


_decode = msgspec.json.Decoder(Book).decode
_decode_form = msgspec.json.Decoder(_Form).decode


def read_book(directory: Path) -> Book | None:
    """The book of an archive; None where there is none. Raises BadInputError for a damaged one."""
    path = directory / BOOK
    try:
        return book_of(read_regular(path), str(path))
    except FileNotFoundError:
        return None


def book_of(content: bytes, place: str) -> Book:
    """The book that these bytes are. Raises BadInputError, which names their place."""
    try:
        form = _decode_form(content).form
        if form > _FORM:
            raise BadInputError(
                place,
                f"a newer Barograph wrote this archive (form {form}, known is {_FORM})",
                "Update Barograph, or use another --home",
            )
        return _decode(content)
    except UNREADABLE as error:
        raise BadInputError(
            place,
            f"it cannot be read ({error})",
            "Restore it from a copy, or remove it: the log then says whose the files are",
        ) from error


def keep_book(directory: Path, book: Book) -> None:
    """Write the book durably. Raises DiskFullError, BadInputError."""
    write_whole(directory / BOOK, msgspec.json.format(msgspec.json.encode(book)))


def new_id() -> str:
    """Return a new random id for a log, an archive or a run."""
    return uuid.uuid4().hex


def address_in(archive: Path, address: str) -> str:
    """Return a log's address for the book: a file within home by its path relative to it.

    So a home that is moved or copied as a whole has the same logs.
    """
    if not address.startswith("sqlite:///"):
        return address.partition("?")[0]
    path = Path(address.removeprefix("sqlite:///")).absolute()
    home = archive.absolute().parent
    return os.fspath(path.relative_to(home)) if path.is_relative_to(home) else os.fspath(path)


def next_number(directory: Path, book: Book, known: int) -> int:
    """Return the number of the next file; numbers are never reused."""
    return max(last_number(directory), book.last(), known) + 1


def owners(directory: Path, numbers: Iterable[int] | None = None) -> dict[int, str]:
    """Return the id of each file's log; empty where it is unknown."""
    book = read_book(directory)
    if numbers is None:
        numbers = [number for number, _ in numbered_files(directory)]
    return {number: (book and book.owner(number)) or "" for number in numbers}
