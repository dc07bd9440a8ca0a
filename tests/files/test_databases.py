"""A database is copied as it was at one moment, whoever writes it meanwhile."""

import sqlite3
from contextlib import closing

import pytest

from barograph.errors import BadInputError
from barograph.files.databases import MAGIC, PinnedDatabase


@pytest.fixture
def written(tmp_path):
    """A database in WAL mode with one number in it, open for writing."""
    with closing(sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE numbers (n)")
        database.execute("INSERT INTO numbers VALUES (1)")
        yield database


def numbers(path):
    with closing(sqlite3.connect(path)) as database:
        return [n for (n,) in database.execute("SELECT n FROM numbers ORDER BY n")]


def test_what_is_committed_after_the_moment_is_not_in_the_copy(written, tmp_path):
    with closing(PinnedDatabase(tmp_path / "a.sqlite")) as pinned:
        written.execute("INSERT INTO numbers VALUES (2)")
        written.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        assert pinned.copy(tmp_path / "copy") == ""
    assert numbers(tmp_path / "a.sqlite") == [1, 2]
    assert numbers(tmp_path / "copy") == [1]
    assert (tmp_path / "copy").read_bytes().startswith(MAGIC)
    assert not list(tmp_path.glob("copy-*"))


def test_what_stands_in_the_write_ahead_log_alone_is_in_the_copy(written, tmp_path):
    written.execute("INSERT INTO numbers VALUES (2)")
    assert (tmp_path / "a.sqlite-wal").stat().st_size
    with closing(PinnedDatabase(tmp_path / "a.sqlite")) as pinned:
        pinned.copy(tmp_path / "copy")
    assert numbers(tmp_path / "copy") == [1, 2]


def test_damage_is_said_of_the_copy(written, tmp_path):
    written.execute("CREATE TABLE more AS SELECT n FROM numbers")
    written.close()
    path = tmp_path / "a.sqlite"
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    with closing(PinnedDatabase(path)) as pinned:
        assert pinned.copy(tmp_path / "copy")


def test_what_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="it cannot be copied"):
        PinnedDatabase(tmp_path / "none.sqlite")
    (tmp_path / "text").write_bytes(b"no database at all " * 100)
    with pytest.raises(BadInputError, match="it cannot be copied"):
        PinnedDatabase(tmp_path / "text")
