import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import barograph.log
from barograph.errors import (
    BadInputError,
    CorruptLogError,
    DiskFullError,
    LogUnavailableError,
    RemovedError,
)
from barograph.log import Topic, open_log
from barograph.log.database import _COLUMNS, SCHEMA_VERSION, Database
from barograph.log.sqlite import SqliteLog
from barograph.types import Message


@pytest.fixture
def database(log_path):
    with closing(Database(log_path, wait_s=5)) as each:
        yield each


def made_by_sqlite(path, script):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def test_checkpoints_sync_what_they_move_and_commits_are_synced_by_us(database):
    answers = [
        database._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "fullfsync")
    ]
    assert answers == ["wal", 1, 1]  # NORMAL: `durable.py` brings each commit to the disk


def test_an_exception_inside_a_transaction_undoes_it(database):
    with pytest.raises(ZeroDivisionError), database.write():  # noqa: PT012 - what is undone
        database.change("put_topic", "ticks", 1, None, None)
        _ = 1 / 0
    assert database.rows("topics") == []
    with database.write():
        database.change("put_topic", "ticks", 1, None, None)
    assert database.rows("topics") == [("ticks", 1, None, None, 0)]


def test_a_reader_neither_waits_for_a_writer_nor_sees_what_is_not_committed(database):
    with closing(Database(database.path, wait_s=0)) as reader, database.write():
        database.change("put_topic", "ticks", 1, None, None)
        with reader.snapshot():
            assert reader.rows("topics") == []


def test_a_snapshot_stops_no_writer_and_sees_one_moment(database):
    with closing(Database(database.path, wait_s=0)) as writer, database.snapshot():
        assert database.rows("topics") == []
        with writer.write():
            writer.change("put_topic", "ticks", 1, None, None)
        assert database.rows("topics") == []
    assert database.rows("topics") == [("ticks", 1, None, None, 0)]


def test_a_second_writer_waits_its_time_and_says_why(database):
    with (
        closing(Database(database.path, wait_s=0.05)) as second,
        database.write(),
        pytest.raises(LogUnavailableError, match="another process"),
        second.write(),
    ):
        pass


def test_the_data_version_tells_of_other_connections_commits(database):
    with closing(Database(database.path, wait_s=1)) as writer:
        before = database.data_version()
        assert database.data_version() == before
        with writer.write():
            writer.change("put_topic", "ticks", 1, None, None)
        assert database.data_version() != before


def test_a_file_that_is_no_database_is_refused_and_left_alone(log_path):
    log_path.parent.mkdir()
    log_path.write_bytes(b"timestamp,price\n" * 100)
    with pytest.raises(CorruptLogError, match="not a database"):
        Database(log_path, wait_s=1)
    assert log_path.read_bytes() == b"timestamp,price\n" * 100


def test_another_programs_database_is_refused_and_left_alone(log_path):
    made_by_sqlite(log_path, "CREATE TABLE bookmarks (url TEXT)")
    before = log_path.read_bytes()
    with pytest.raises(CorruptLogError, match="another program"):
        Database(log_path, wait_s=1)
    assert log_path.read_bytes() == before


def test_a_log_of_a_newer_version_is_refused_with_its_cure(database):
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(BadInputError, match="Update Barograph"):
        Database(database.path, wait_s=1)


def test_a_log_cut_in_the_middle_is_called_damaged(log_path):
    made_by_sqlite(log_path, "")
    with closing(Database(log_path, wait_s=1)) as database, database.write():
        for n in range(2000):
            database.change("put_topic", f"topic-{n}", 1, None, None)
    log_path.write_bytes(log_path.read_bytes()[: log_path.stat().st_size // 2])

    def use():
        with closing(Database(log_path, wait_s=1)) as damaged:
            damaged.rows("topics")

    with pytest.raises(CorruptLogError, match="replay the recordings"):
        use()


def test_an_empty_file_is_a_new_log(log_path):
    log_path.parent.mkdir()
    log_path.touch()
    with closing(Database(log_path, wait_s=1)) as database:
        assert database.rows("topics") == []


def test_a_path_that_cannot_be_a_file_says_so(tmp_path):
    (tmp_path / "occupied").touch()
    with pytest.raises(LogUnavailableError, match="check the path"):
        Database(tmp_path / "occupied" / "log.sqlite", wait_s=1)
    (tmp_path / "folder").mkdir()
    with pytest.raises(LogUnavailableError, match="cannot be opened"):
        Database(tmp_path / "folder", wait_s=1)


def test_a_full_disk_is_reported_and_undoes_the_transaction(database):
    pages = database._connection.execute("PRAGMA page_count").fetchone()[0]
    database._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFullError, match="disk is full"), database.write():
        database.change("put_producer_checkpoint", "feed", "state", bytes(100_000))
    assert database.rows("producer_checkpoints", "feed") == []


@pytest.mark.slow
def test_many_processes_may_make_the_same_log_at_once(log_path):
    source = (
        "import sys; from barograph.log import Topic, open_log\n"
        "log = open_log(sys.argv[1]); log.create(Topic(name='ticks', partitions=3)); log.close()"
    )
    makers = [
        subprocess.Popen([sys.executable, "-c", source, str(log_path.parent)]) for _ in range(6)
    ]
    assert [maker.wait(timeout=60) for maker in makers] == [0] * 6
    log = open_log(log_path.parent)
    assert len(log.extents("ticks")) == 3
    log.close()


def test_every_named_query_is_used_and_every_used_one_is_named():
    folder = Path(barograph.log.__file__).parent
    files = "".join(path.read_text() for path in folder.glob("*.sql"))
    named = re.findall(r"^-- name: (\w+)$", files, re.MULTILINE)
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    used = set(re.findall(r"(?:rows|change|change_many|_value|_facts)\(\s*\"(\w+)\"", source))
    used |= set(re.findall(r"_QUERIES\[\"(\w+)\"\]", source))
    assert set(named) == used


def test_every_query_with_rows_says_what_they_are():
    """But for records, which are held against theirs where they are read."""
    folder = Path(barograph.log.__file__).parent
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    queries = set(re.findall(r"(?:\brows|_facts)\(\s*\"(\w+)\"", source))
    assert queries - {"read"} == set(_COLUMNS)


def test_a_value_that_cannot_be_is_called_damage(database):
    with database.write():
        database.change("put_topic", "ticks", 1, "an hour", None)
    with pytest.raises(CorruptLogError, match="topics cannot be 'an hour'"):
        database.rows("topics")


# The file goes while it is open.


@pytest.fixture
def opened(log_path):
    log = SqliteLog(log_path)
    log.create(Topic(name="t"))
    log.append([Message("t", "k", b"1")])
    yield log
    log.close()


def removed(path):
    path.unlink()


def replaced(path):
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def cut(path):
    os.truncate(path, 0)


@pytest.mark.parametrize(
    ("ending", "deed", "why"),
    [
        ("", removed, "was removed"),
        ("", replaced, "was replaced"),
        ("", cut, "was cut to nothing"),
        ("-wal", removed, "was removed"),
        ("-wal", replaced, "was replaced"),
    ],
)
def test_a_log_that_goes_while_it_is_open_is_noticed_by_the_next_write(
    opened, log_path, ending, deed, why
):
    deed(log_path.with_name(log_path.name + ending))
    with pytest.raises(RemovedError, match=why):
        opened.append([Message("t", "k", b"2")])


def test_a_log_beside_which_others_come_and_go_is_there_still(opened, log_path):
    for number in range(3):
        with closing(SqliteLog(log_path)) as other:
            other.append([Message("t", "k", b"%d" % number)])
        opened.append([Message("t", "k", b"2")])
    assert len(opened.read("t", 0, 0, 10)) == 7


@pytest.fixture
def forbidden(tmp_path):
    """A folder to put a log into, and a call that makes it read-only."""
    if os.geteuid():
        folder = tmp_path / "forbidden"
        folder.mkdir()
        yield folder, lambda: folder.chmod(0o555)
        folder.chmod(0o755)
        return
    folder = tmp_path / "forbidden"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder, lambda: subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("left", [(), ("-wal", "-shm")])
def test_a_snapshot_is_read_and_not_written(tmp_path, forbidden, left):
    """Of a log that was closed, and of one at work with all that lies beside it."""
    folder, forbid = forbidden
    with closing(Database(tmp_path / "log.sqlite", wait_s=5)) as database:
        with database.write():
            database.change("put_topic", "ticks", 1, None, None)
        if left:
            copy(tmp_path, folder, ("", *left))
    if not left:
        copy(tmp_path, folder, ("",))
    forbid()
    with closing(Database(folder / "log.sqlite", wait_s=5)) as database:
        assert [row[0] for row in database.rows("topics")] == ["ticks"]
        with database.snapshot():
            assert database.rows("topics")
        with pytest.raises(BadInputError, match="cannot be written"), database.write():
            pass


def test_a_snapshot_that_lacks_its_last_records_is_not_read(tmp_path, forbidden):
    """And the cure works: with both files copied to where one may write, all is there."""
    folder, forbid = forbidden
    with closing(Database(tmp_path / "log.sqlite", wait_s=5)) as database:
        with database.write():
            database.change("put_topic", "ticks", 1, None, None)
        copy(tmp_path, folder, ("", "-wal"))
    forbid()
    with pytest.raises(LogUnavailableError, match=r"copy it and log\.sqlite-wal into a folder"):
        Database(folder / "log.sqlite", wait_s=5)
    (tmp_path / "own").mkdir()
    copy(folder, tmp_path / "own", ("", "-wal"))
    with closing(Database(tmp_path / "own" / "log.sqlite", wait_s=5)) as database:
        assert [row[0] for row in database.rows("topics")] == ["ticks"]


def copy(source, target, endings):
    for ending in endings:
        shutil.copy(source / f"log.sqlite{ending}", target)


def test_a_relative_address_makes_no_file(tmp_path, monkeypatch):
    """`sqlite:///x` is one slash short of what was meant; the cure of the line works."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match="below the working directory") as refused:
        open_log("sqlite:///log.sqlite")
    assert list(tmp_path.iterdir()) == []
    cure = re.search(r"in full \((\S+)\)", str(refused.value))[1]
    open_log(cure).close()
    open_log("sqlite:///log.sqlite").close()
