"""Read the registry's database without MLflow, and lock it for a single writer."""

import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
from msgspec import Meta

from barograph.errors import RegistryError
from barograph.files.disk import NO_HANDLES, check_handles
from barograph.files.queries import named_queries
from barograph.foreign import one_line
from barograph.times import time_of

OWNER = "Check the owner, the permissions and the free space of --home"
_TRY_AGAIN = "Try again when no other program holds it, or move the directory away and train"
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
BACKUP = "Restore it from a backup, or move the directory away, start again and train"

_QUERIES = named_queries("barograph.registry", "registry.sql")
_Run = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{1,64}$")]  # used as a folder name
_ROWS: dict[str, Any] = {
    "alias": list[tuple[int]],
    "registered": list[tuple[int]],
    "versions": list[tuple[int, _Run]],
    "aliases": list[tuple[int, str]],
    "tags": list[tuple[int, str, str]],
    "audit": list[tuple[str]],
    "unfinished": list[tuple[_Run, bool]],
}
"""Row types of each query, since SQLite columns accept any type."""

_READ_WAIT_S = 5.0
_PAUSE_S = 0.05
_HOLDER_BYTES = 100


class ModelDatabase:
    """Runs the queries of `registry.sql`; without a database they return no rows.

    Not thread-safe: use one instance per thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = False

    def read(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Run a query and return its rows, waiting up to 5 seconds for a writer.

        Raises RegistryError if the database is unreadable, damaged, or has disappeared.
        """
        try:
            is_file = stat.S_ISREG(self._path.stat().st_mode)
        except FileNotFoundError:
            # Artifacts exist only after the database was created.
            if self._seen or self._path.with_name("artifacts").exists():
                raise RegistryError(str(self._path), "the database is gone", BACKUP) from None
            return []
        except OSError as error:
            why = f"the database cannot be read ({error.strerror})"
            raise RegistryError(str(self._path), why, OWNER) from error
        if not is_file:  # opening a pipe would block
            raise RegistryError(str(self._path), "the database is not a regular file", BACKUP)
        address = f"{self._path.as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(address, timeout=_READ_WAIT_S, uri=True)) as database:
                rows = database.execute(_QUERIES[query], values).fetchall()
        except sqlite3.Error as error:
            raise self._meant(error) from error
        self._seen = True
        try:
            typed: list[tuple[Any, ...]] = msgspec.convert(rows, _ROWS[query], strict=False)
        except msgspec.ValidationError as error:
            why = f"the database is damaged (its {query}: {error})"
            raise RegistryError(str(self._path), why, BACKUP) from error
        return typed

    def _meant(self, error: sqlite3.Error) -> Exception:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOMEM:
            return MemoryError()
        if code == sqlite3.SQLITE_CANTOPEN:
            try:
                check_handles(self._path.parent)
            except OSError as better:
                return better
        why = f"the database cannot be read ({error})"
        return RegistryError(str(self._path), why, _TRY_AGAIN if code in _BUSY else BACKUP)


@contextmanager
def only_writer(folder: Path, case: str, wait_s: float) -> Iterator[None]:
    """Hold the writer's lock of the registry in `folder`, which is created if missing.

    Raises RegistryError if another process holds the lock for more than `wait_s` seconds (the error
    names it), or if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a+b")
    except OSError as error:
        if error.errno in NO_HANDLES:
            raise
        raise RegistryError(case, f"the registry cannot be written ({error})", OWNER) from error
    with lock:
        ends_s = time.monotonic() + wait_s
        # Not a blocking lock, which would wait forever for a stopped process.
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= ends_s:
                    why = f"{_holder(lock)} has been writing the registry for {wait_s:g} s"
                    cure = "Wait for it to end, or end it, and try again"
                    raise RegistryError(case, why, cure) from None
                time.sleep(_PAUSE_S)
            else:
                break
        since = time_of(time.time_ns())
        _sign(lock, f"process {os.getpid()} (since {since})")
        try:
            yield
        finally:
            _sign(lock, "")


def _sign(lock: BinaryIO, holder: str) -> None:
    """Write the holder into the lock file, for messages; a full disk is ignored."""
    with suppress(OSError):
        os.ftruncate(lock.fileno(), 0)
        os.write(lock.fileno(), holder.encode("ascii"))


def _holder(lock: BinaryIO) -> str:
    text = os.pread(lock.fileno(), _HOLDER_BYTES, 0).decode("ascii", "replace")
    return one_line(text) or "another process"
