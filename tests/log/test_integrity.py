"""A log's file is judged without a change to it."""

import sqlite3
from contextlib import closing

import pytest

from barograph.log import Topic, open_log
from barograph.log.integrity import damage_of
from barograph.types import Message


@pytest.fixture
def file(tmp_path):
    with closing(open_log(tmp_path)) as log:
        log.create(Topic(name="t", partitions=1))
        log.append([Message(topic="t", key="k", value=b"x" * 500) for _ in range(2000)])
    return tmp_path / "log.sqlite"


def test_a_sound_log_is_sound_and_nothing_is_written_beside_it(file):
    before = {path.name: path.read_bytes() for path in file.parent.iterdir() if path.is_file()}
    assert damage_of(file, 3.0) == ""
    after = {path.name: path.read_bytes() for path in file.parent.iterdir() if path.is_file()}
    assert after == before


def test_a_log_is_judged_beside_its_writer(tmp_path):
    with closing(open_log(tmp_path)) as log:
        log.create(Topic(name="t", partitions=1))
        assert damage_of(tmp_path / "log.sqlite", 3.0) == ""


def test_damaged_pages_are_named(file):
    content = bytearray(file.read_bytes())
    content[40960:49152] = b"\xff" * 8192
    file.write_bytes(content)
    assert damage_of(file, 3.0)


def test_what_is_no_log_is_told(tmp_path):
    (tmp_path / "text").write_text("no database " * 100)
    assert "not a database" in (damage_of(tmp_path / "text", 3.0) or "")
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("CREATE TABLE t (x)")
    assert damage_of(tmp_path / "other", 3.0) == "it is no log"


def test_a_long_log_is_not_read_beyond_the_limit(file):
    assert damage_of(file, -1.0) is None
