"""Whether a log's file is sound, asked without writing anything: no lock, no journal, no repair."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from barograph.files.queries import named_queries
from barograph.log.database import APPLICATION_ID

_QUERIES = named_queries("barograph.log", "integrity.sql")
_STEPS = 10_000
"""Steps of SQLite's machine between two looks at the clock: some milliseconds."""


def damage_of(file: Path, limit_s: float) -> str | None:
    """Return what is wrong with a log's file; empty where nothing is.

    None where `limit_s` seconds were too short to read it all. Reads only, beside writers too.
    Raises sqlite3.OperationalError where the file cannot be opened.
    """
    wal = file.with_name(f"{file.name}-wal")
    in_use = wal.exists() and wal.stat().st_size > 0
    # Without a journal an immutable file is the whole log, and SQLite makes no file beside it.
    address = f"{file.absolute().as_uri()}?{'mode=ro' if in_use else 'immutable=1'}"
    ends_s = time.monotonic() + limit_s
    with closing(sqlite3.connect(address, timeout=limit_s, uri=True)) as database:
        database.set_progress_handler(lambda: time.monotonic() > ends_s, _STEPS)
        try:
            if database.execute(_QUERIES["application_id"]).fetchone()[0] != APPLICATION_ID:
                return "it is no log"
            (found,) = database.execute(_QUERIES["damage"]).fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                return None
            raise
        except sqlite3.DatabaseError as error:
            return str(error)
    return "" if found == "ok" else " ".join(str(found).split())
