"""Copies of SQLite databases, each as it was at one moment, while other processes write them."""

import os
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

from barograph.errors import BadInputError
from barograph.files.disk import check_handles, declared, full
from barograph.files.queries import named_queries

MAGIC = b"SQLite format 3\0"
"""What every SQLite database begins with."""

_QUERIES = named_queries("barograph.files", "databases.sql")
_PAGES = 4096
"""Pages copied between two looks at signals: 16 MB, some milliseconds."""

_WAIT_S = 30.0


class PinnedDatabase:
    """A database as it is now: what others commit afterwards is not in its copies.

    Nobody waits for it where the database is in WAL mode, whose write-ahead log then grows until
    `close`. Not thread-safe. Raises BadInputError where the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            try:
                self._connection = _opened(path, "mode=ro")
            except sqlite3.OperationalError:
                journal = path.with_name(f"{path.name}-wal")
                if journal.exists() and journal.stat().st_size:
                    raise
                # Even to read, SQLite makes files beside it, where that can be written.
                self._connection = _opened(path, "mode=ro&immutable=1")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN:
                check_handles(path.parent)
            raise self._unreadable(error) from error

    def copy(self, target: Path) -> str:
        """Copy the database into a new file, durably; returns the copy's damage, "" for none.

        Raises DiskFullError and BadInputError.
        """
        with declared(target.parent):
            try:
                with closing(sqlite3.connect(target, isolation_level=None)) as copied:
                    copied.execute(_QUERIES["hurry"])
                    self._connection.backup(copied, pages=_PAGES)
                    (damage,) = copied.execute(_QUERIES["damage"]).fetchone()
            except sqlite3.DatabaseError as error:
                code = error.sqlite_errorcode & 0xFF
                if code == sqlite3.SQLITE_FULL:
                    size = self.path.stat().st_size
                    raise full(target.parent, str(error), size) from error
                if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                    return str(error)
                if code == sqlite3.SQLITE_CANTOPEN:
                    check_handles(target.parent)
                raise self._unreadable(error) from error
            with target.open("rb") as whole:
                os.fsync(whole.fileno())
        return "" if damage == "ok" else " ".join(str(damage).split())

    def close(self) -> None:
        """Release the database. Idempotent."""
        self._connection.close()

    def _unreadable(self, error: sqlite3.DatabaseError) -> BadInputError:
        return BadInputError(
            str(self.path), f"it cannot be copied ({error})", "Check its owner, rights and disk"
        )


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    """Connect to a database and begin to read it."""
    with ExitStack() as undo:
        address = f"{path.absolute().as_uri()}?{mode}"
        connection = sqlite3.connect(address, timeout=_WAIT_S, uri=True, isolation_level=None)
        undo.callback(connection.close)
        connection.execute("BEGIN")
        connection.execute(_QUERIES["pin"]).fetchone()
        undo.pop_all()
    return connection
