"""What stretches came to, where every worker can leave it: in a folder, or in an object store."""

import io
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Protocol

import msgspec
import numpy as np

from barograph.archive.object_store import ObjectStore, open_store
from barograph.arrays import Records
from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.files.disk import declared, read_regular


class Computed(msgspec.Struct, frozen=True, kw_only=True):
    """What a stretch came to, beside its rows.

    `before` and `after` are of what its rows depend on and leave behind; empty where it starts from
    the very beginning. `blocks` are those of `data_hash`; `seconds` is what it took.
    """

    before: str
    after: str
    events: dict[str, int]
    late_ticks: int
    rows: int
    blocks: list[bytes]
    seconds: float


class Place(Protocol):
    """Small files by name, each there whole or not at all. It can be sent to other processes."""

    def names(self) -> Sequence[str]:
        """Those that are there."""

    def has(self, name: str) -> bool:
        """Whether one of them is there."""

    def read(self, name: str) -> bytes | None:
        """One of them; None if it is not there."""

    def put(self, name: str, content: bytes) -> None:
        """Put one there."""

    def clear(self) -> None:
        """Remove all of them."""


class Folder:
    """A folder that all workers see under the same path; made where it is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> Sequence[str]:
        """See Place."""
        if not self.path.exists():
            return []
        with declared(self.path):
            return [path.name for path in self.path.iterdir()]

    def has(self, name: str) -> bool:
        """See Place."""
        return (self.path / name).is_file()

    def read(self, name: str) -> bytes | None:
        """See Place."""
        try:
            return read_regular(self.path / name)
        except FileNotFoundError:
            return None

    def put(self, name: str, content: bytes) -> None:
        """See Place. Raises DiskFullError, and BadInputError where nothing can be written."""
        with declared(self.path, len(content)):
            self.path.mkdir(parents=True, exist_ok=True)
            # Others may write the same, on other machines too: each puts a file of its own there.
            partial = self.path / f"{name}.{token_hex(8)}"
            partial.write_bytes(content)
            partial.replace(self.path / name)

    def clear(self) -> None:
        """See Place."""
        shutil.rmtree(self.path, ignore_errors=True)


class Stored:
    """Objects under an address that all workers reach. All it does raises ObjectStoreError."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __reduce__(self) -> tuple[object, ...]:
        """Made again by its address: connections stay where they are."""
        return Stored, (self.address,)

    @cached_property
    def _parent(self) -> tuple[ObjectStore, str]:
        address, _, name = self.address.rpartition("/")
        return open_store(address), name

    def names(self) -> Sequence[str]:
        """See Place."""
        store, folder = self._parent
        return [name.removeprefix(f"{folder}/") for name in store.sizes(folder)]

    def has(self, name: str) -> bool:
        """See Place."""
        store, folder = self._parent
        return store.has(f"{folder}/{name}")

    def read(self, name: str) -> bytes | None:
        """See Place."""
        store, folder = self._parent
        if not store.has(f"{folder}/{name}"):
            return None
        with TemporaryDirectory(prefix="barograph-") as scratch:
            store.fetch(f"{folder}/{name}", Path(scratch) / "object")
            return (Path(scratch) / "object").read_bytes()

    def put(self, name: str, content: bytes) -> None:
        """See Place."""
        store, folder = self._parent
        store.write(content, f"{folder}/{name}")

    def clear(self) -> None:
        """See Place."""
        store, folder = self._parent
        store.remove(folder)


class Results:
    """The results of stretches, by their keys. The last file of one says that it is whole."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def finished(self) -> set[str]:
        """The keys of all that are whole."""
        names = set(self._place.names())
        keys = (name[:-5] for name in names if name.endswith(".json"))
        return {key for key in keys if names.issuperset(_files_of(key))}

    def put(self, key: str, rows: Records, state: bytes, computed: Computed) -> None:
        """Keep a result: its rows (n,) of `catalogue.ROW`, and the checkpoint at its end."""
        content = io.BytesIO()
        np.save(content, rows, allow_pickle=False)
        self._place.put(f"{key}.npy", content.getvalue())
        self._place.put(f"{key}.state", state)
        self._place.put(f"{key}.json", msgspec.json.encode(computed))

    def computed(self, key: str) -> Computed | None:
        """What a stretch came to; None where it was not computed, or is not whole."""
        content = self._place.read(f"{key}.json")
        if content is None or not all(map(self._place.has, _files_of(key))):
            return None
        try:
            return msgspec.json.decode(content, type=Computed)
        except UNREADABLE:
            return None

    def rows(self, key: str) -> Records:
        """The rows (n,) of `catalogue.ROW` of one that is whole, in order.

        Raises BadInputError where it no longer is.
        """
        rows: Records = np.load(io.BytesIO(self._whole(f"{key}.npy")), allow_pickle=False)
        return rows

    def state(self, key: str) -> bytes:
        """The checkpoint of the product's state at the end of one that is whole. As `rows`."""
        return self._whole(f"{key}.state")

    def clear(self) -> None:
        """Remove all of them."""
        self._place.clear()

    def _whole(self, name: str) -> bytes:
        content = self._place.read(name)
        if content is None:
            raise BadInputError(name, "somebody removed it", "Run it again: it is computed anew")
        return content


def _files_of(key: str) -> tuple[str, str]:
    """What belongs to the last file of a result."""
    return f"{key}.npy", f"{key}.state"


def results_in(place: str, name: str) -> Results:
    """Results called `name` in a folder, or below an address of an object store."""
    if "://" in place:
        return Results(Stored(f"{place.rstrip('/')}/{name}"))
    return Results(Folder(Path(place).absolute() / name))
