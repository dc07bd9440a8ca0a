"""One connection to the embedded log's file: settings, transactions, errors.

All SQL stands by name in `schema.sql`. What these settings promise and cost:

- A transaction returns after the write-ahead log is on the disk, so what was acknowledged survives
  SIGKILL and power loss. That is one fsync for each transaction (about 0.2 ms on an SSD), whatever
  the number of records in it: write in batches. SQLite itself syncs at checkpoints only
  (`synchronous=NORMAL`); the fsync of a transaction comes behind its COMMIT (`durable.py`), when
  others can read it and write theirs. `fullfsync` syncs on macOS what a plain fsync leaves in the
  drive's cache.
- Readers never wait for the writer, nor it for them. Writers of one file queue for its one write
  lock, each for at most `wait_s`.
- A file that is removed, replaced or cut short while it is open is noticed by the next write:
  SQLite itself would go on writing into what nobody can open any more.
- A torn last write (the machine died inside a COMMIT) fails its checksum and is as if it never was.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from barograph.errors import (
    BadInputError,
    BarographError,
    CorruptLogError,
    DiskFullError,
    LogUnavailableError,
    OutageError,
    RemovedError,
)
from barograph.files.disk import FULL, NO_HANDLES, check_handles, check_room, full
from barograph.files.queries import named_queries
from barograph.log.durable import Durable, durable_of, release
from barograph.log.gate import WriterGate

SCHEMA_VERSION = 2
_LEAST_ROOM_BYTES = 1 << 20
APPLICATION_ID = 1113682543  # "Baro", so that another program's database is not taken for a log

_QUERIES = named_queries("barograph.log", "schema.sql")
_MAYBE_INT = int | None
_COLUMNS: dict[str, tuple[Any, ...]] = {
    "all_members": (str,),
    "bounds": (int, int),
    "checkpoints": (str, bytes),
    "claims": (int, str | None, int),
    "compacted_partitions": (int,),
    "ends": (int, int),
    "extents": (int, int, int),
    "kept": (int, int, int),
    "limited_partitions": (int, _MAYBE_INT, _MAYBE_INT),
    "members": (str, str),
    "oldest_records": (int, int),
    "partition_ids": (int,),
    "positions": (int, int),
    "producer_checkpoints": (str, bytes),
    "producer_epoch": (int,),
    "take": (int, _MAYBE_INT),
    "take_producer": (int,),
    "topics": (str, int, _MAYBE_INT, _MAYBE_INT, int),
}
"""What a query's rows are, for SQLite keeps anything in any column. Records are held against theirs
where they are read.
"""

_NO_LOG = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_NOT_NOW = {
    sqlite3.SQLITE_BUSY: "another process kept it locked; stop that process or try again",
    sqlite3.SQLITE_READONLY: "it may not be written; check its owner and rights",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the directory and its rights",
    sqlite3.SQLITE_IOERR: "reading or writing it failed; check the disk, its quota and limits",
}


class Database:
    """The file at `path`, made when absent. Not thread-safe.

    wait_s: how long a writer waits for the others before LogUnavailableError.
    Raises CorruptLogError when the file is no log and BadInputError when a newer version wrote it.
    """

    def __init__(self, path: Path, wait_s: float) -> None:
        self.path, self._wait_s = path, wait_s
        with self._declared():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=wait_s, isolation_level=None, check_same_thread=False
            )
        self._ahead = path.with_name(path.name + "-wal")
        self._files = [_Opened(path, empties=False), _Opened(self._ahead, empties=True)]
        self._durable: Durable | None = None
        self._gate: WriterGate | None = None
        self._unwritable: BarographError | None = None
        try:
            with self._declared():
                self._prepare()
                self._gate = WriterGate(path.with_name(path.name + "-locks"))
        except OutageError as error:
            if error.why == _NOT_NOW[sqlite3.SQLITE_BUSY]:
                self._connection.close()
                raise
            self._unwritable = error
            try:  # the disk says better than SQLite what is wrong with it
                check_room(path.parent, _LEAST_ROOM_BYTES)
            except (DiskFullError, BadInputError) as better:
                self._unwritable = better
            self._only_read()
            with self._declared():
                version = self._value("user_version")
            if version != SCHEMA_VERSION:  # its tables could not be made, or not made as today
                self._connection.close()
                raise self._unwritable from error
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        tables = self._value("count_tables")
        version = self._value("user_version")
        if tables and self._value("application_id") != APPLICATION_ID:
            raise CorruptLogError(str(self.path), "it is a database of another program")
        if version > SCHEMA_VERSION:
            raise BadInputError(
                str(self.path),
                f"a newer Barograph wrote it (schema {version}, known is {SCHEMA_VERSION})",
                "Update Barograph, or use another --home",
            )
        if self._value("journal_mode") != "wal":
            raise LogUnavailableError(
                str(self.path), "its file system cannot share memory; use a local disk"
            )
        self._connection.executescript(_QUERIES["settings"])
        if version < SCHEMA_VERSION:
            self._connection.executescript(_QUERIES["create_schema"])

    def _only_read(self) -> None:
        """Open the file read-only where nothing can be written; only `write` fails then.

        SQLite reads such a file together with its write-ahead log where the shared memory of the
        two lies there too, and takes it for one that nobody changes where there is no such log.
        """
        try:
            with self._declared():
                self._value("count_tables")
        except BarographError:
            self._connection.close()
        else:
            return
        self._check_snapshot()
        with self._declared():
            self._connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?immutable=1",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )

    def _check_snapshot(self) -> None:
        """Raise where the file cannot be read by itself."""
        if not self.path.is_file() or not self.path.stat().st_size:
            raise self._unwritable or LogUnavailableError(str(self.path), "it is not there")
        if self._ahead.exists() and self._ahead.stat().st_size:
            raise LogUnavailableError(
                str(self.path),
                "it was not closed, which cannot be mended where nothing can be written; copy it "
                f"and {self._ahead.name} into a folder of your own and name that as --home",
            )

    def rows(self, query: str, *values: object) -> list[Any]:
        """Return all rows of a named query. Raises CorruptLogError for an impossible value."""
        with self._declared():
            rows = self._connection.execute(_QUERIES[query], values).fetchall()
        kinds = _COLUMNS.get(query, ())
        for row in rows:
            for value, kind in zip(row, kinds, strict=False):
                if not isinstance(value, kind):
                    why = f"{query.replace('_', ' ')} cannot be {value!r:.40}"
                    raise CorruptLogError(str(self.path), why)
        return rows

    def change(self, query: str, *values: object) -> int:
        """Run a named statement; return how many rows it changed."""
        with self._declared():
            return self._connection.execute(_QUERIES[query], values).rowcount

    def change_many(self, query: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Run a named statement once for each row."""
        with self._declared():
            self._connection.executemany(_QUERIES[query], rows)

    def data_version(self) -> int:
        """Return a number that changes whenever another connection commits."""
        with self._declared():
            return int(self._value("data_version"))

    @contextmanager
    def write(self, seen: Callable[[], None] = lambda: None) -> Iterator[None]:
        """A transaction that is durable on leaving; an exception inside rolls it back.

        seen: called when others can read it, and a loss of power could still undo it: only together
        with all that was written since.
        Raises RemovedError when the log's files are no longer those that were opened, and
        LogUnavailableError also where it cannot be known to be durable.
        """
        if self._gate is None:
            raise self._unwritable or LogUnavailableError(str(self.path), "it is closed")
        with self._declared():
            self._files[0].look()
            self._gate.enter(self._wait_s)
        try:
            with self._transaction("BEGIN IMMEDIATE"):
                self._files[1].look()
                with self._declared():
                    durable = self._durable = self._durable or durable_of(self._ahead)
                yield
            number = durable.committed()
        finally:
            self._gate.leave()
        seen()
        with self._declared():
            durable.wait(number)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Run reads inside on one snapshot of the log, without blocking writers."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with self._declared():
            self._connection.execute(begin)
        try:
            yield
            with self._declared():
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Release the file. Idempotent."""
        self._connection.close()
        if self._gate is not None:
            self._gate.close()
        if self._durable is not None:
            release(self._durable)
            self._durable = None

    def _value(self, query: str) -> Any:  # noqa: ANN401 - a pragma answers a number or a word
        return self._connection.execute(_QUERIES[query]).fetchone()[0]

    @contextmanager
    def _declared(self) -> Iterator[None]:
        """Translate SQLite's errors into the log's own."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._meant(error) from error
        except TimeoutError as error:
            raise LogUnavailableError(str(self.path), _NOT_NOW[sqlite3.SQLITE_BUSY]) from error
        except OSError as error:
            if error.errno in NO_HANDLES:
                raise
            if error.errno in FULL:
                raise full(self.path, str(error.strerror)) from error
            raise LogUnavailableError(
                str(self.path), f"{error.strerror}; check the path"
            ) from error

    def _meant(self, error: sqlite3.DatabaseError) -> Exception:
        """Return the log's error for one of SQLite; the same error where there is none."""
        # A misuse found by the sqlite3 module itself (a closed connection) has no code.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _NO_LOG:
            return CorruptLogError(str(self.path), str(error))
        if code == sqlite3.SQLITE_FULL:
            return full(self.path, str(error))
        if code == sqlite3.SQLITE_NOMEM:
            return MemoryError()
        if code == sqlite3.SQLITE_CANTOPEN:
            check_handles(self.path.parent)
        if code in _NOT_NOW:
            return LogUnavailableError(str(self.path), _NOT_NOW[code])
        if isinstance(error, sqlite3.ProgrammingError | sqlite3.NotSupportedError):
            return error
        # Text that is not UTF-8, a missing table or column, a number out of range.
        return CorruptLogError(str(self.path), str(error))


class _Opened:
    """Detects that an open file was removed. `empties`: SQLite may cut it to 0 bytes."""

    def __init__(self, path: Path, *, empties: bool) -> None:
        self._path, self._empties = path, empties
        self._known: tuple[int, int] | None = None
        self._bytes = 0

    def look(self) -> None:
        """Raise RemovedError when the file was removed, replaced or cut to nothing."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            raise RemovedError(str(self._path), "was removed") from None
        if self._known is None:
            self._known = (stat.st_dev, stat.st_ino)
        if self._known != (stat.st_dev, stat.st_ino):
            raise RemovedError(str(self._path), "was replaced by another file")
        if not stat.st_size and self._bytes and not self._empties:
            raise RemovedError(str(self._path), "was cut to nothing")
        self._bytes = stat.st_size
