"""Which files of an archive stand in which object store: `archive/pushed.json`.

It is written by pushes and pulls, once an object was proven. `archive verify` believes it of files
that are gone; a push believes it only together with what the store lists.
"""

from pathlib import Path

import msgspec

from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.files.disk import read_regular, write_whole

PUSHED = "pushed.json"
ARCHIVE, LAKE = "archive", "parquet"
"""The folders of a store: of the archive's files, and of the lake's."""


class StoredFiles(msgspec.Struct):
    """What was proven to stand in one store: name → SHA-256."""

    archive: dict[str, str] = {}
    lake: dict[str, str] = {}


class PushRecord(msgspec.Struct):
    """Every store of an archive, by its address."""

    stores: dict[str, StoredFiles] = {}

    def at(self, address: str) -> StoredFiles:
        """The files at an address, for the caller to add to."""
        return self.stores.setdefault(address, StoredFiles())


def read_record(archive: Path) -> PushRecord:
    """The record of an archive, empty where nothing was pushed. Raises BadInputError."""
    path = archive / PUSHED
    try:
        return msgspec.json.decode(read_regular(path), type=PushRecord)
    except FileNotFoundError:
        return PushRecord()
    except UNREADABLE as error:
        raise BadInputError(
            str(path),
            f"it cannot be read ({error})",
            "Remove it: a push looks in the store for what stands there, and writes it again",
        ) from error


def keep_record(archive: Path, record: PushRecord) -> None:
    """Write the record durably. Raises DiskFullError, BadInputError."""
    write_whole(archive / PUSHED, msgspec.json.format(msgspec.json.encode(record)))


def pushed(archive: Path) -> frozenset[str]:
    """Return the SHA-256 of every archive file that stands in a store. Raises BadInputError."""
    stores = read_record(archive).stores.values()
    return frozenset(digest for files in stores for digest in files.archive.values())
