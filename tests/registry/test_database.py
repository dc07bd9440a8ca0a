"""The registry's database says what is wrong with it, and its one writer who it is."""

import os
import sqlite3
from contextlib import closing

import pytest

from barograph.errors import RegistryError
from barograph.registry.database import ModelDatabase, only_writer


@pytest.fixture
def path(tmp_path):
    return tmp_path / "registry" / "mlflow.db"


@pytest.fixture
def made(path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE registered_models (workspace, name)")
        database.execute("INSERT INTO registered_models VALUES ('default', 'spikes')")
    return path


def test_where_there_never_was_a_database_there_is_nothing(path):
    assert ModelDatabase(path).read("registered", case="spikes") == []


def test_one_that_was_there_and_is_gone_is_no_empty_one(made):
    database = ModelDatabase(made)
    assert database.read("registered", case="spikes") == [(1,)]
    made.rename(made.with_name("elsewhere"))
    with pytest.raises(RegistryError, match=r"the database is gone.*backup"):
        database.read("registered", case="spikes")
    made.with_name("elsewhere").rename(made)
    assert database.read("registered", case="spikes") == [(1,)]


def garbage(path):
    path.write_bytes(b"garbage" * 1000)


def emptied(path):
    path.write_bytes(b"")


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def under_a_file(path):
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text("a file where the directory was")


@pytest.mark.parametrize("damage", [garbage, emptied, folder, pipe, under_a_file])
def test_one_that_cannot_be_read_is_one_line_with_a_cure(made, damage):
    damage(made)
    with pytest.raises(RegistryError, match="database") as error:
        ModelDatabase(made).read("registered", case="spikes")
    assert "\n" not in str(error.value)
    assert str(made) in str(error.value)


DAMAGED = {
    "an alias that names no version": (
        "alias",
        "INSERT INTO registered_model_aliases VALUES ('default', 'spikes', 'champion', 'x')",
    ),
    "a run that names another folder": (
        "versions",
        "INSERT INTO model_versions VALUES ('default', 'spikes', 1, '../../x', 'None')",
    ),
    "a run without a name": (
        "versions",
        "INSERT INTO model_versions VALUES ('default', 'spikes', 1, NULL, 'None')",
    ),
    "a tag without a value": (
        "tags",
        "INSERT INTO model_version_tags VALUES ('default', 'spikes', 1, 'tau', NULL)",
    ),
    "a tag of bytes": (
        "tags",
        "INSERT INTO model_version_tags VALUES ('default', 'spikes', 1, 'tau', x'ff')",
    ),
    "an audit without an entry": (
        "audit",
        "INSERT INTO registered_model_tags VALUES ('default', 'spikes', 'audit.1', NULL)",
    ),
}


@pytest.mark.parametrize(("query", "damage"), DAMAGED.values(), ids=DAMAGED)
def test_a_value_that_cannot_be_is_one_line_with_a_cure(made, query, damage):
    with closing(sqlite3.connect(made)) as database, database:
        database.executescript(
            "CREATE TABLE registered_model_aliases (workspace, name, alias, version);"
            "CREATE TABLE model_versions (workspace, name, version, run_id, current_stage);"
            "CREATE TABLE model_version_tags (workspace, name, version, key, value);"
            "CREATE TABLE registered_model_tags (workspace, name, key, value);"
        )
        database.execute(damage)
    with pytest.raises(RegistryError, match=rf"mlflow\.db: .*damaged \(its {query}: .*backup"):
        ModelDatabase(made).read(query, case="spikes", alias="champion")


def test_who_waits_for_a_writer_learns_which_process_it_is(tmp_path):
    place = tmp_path / "registry"
    with only_writer(place, "spikes", 30.0):
        with (
            pytest.raises(RegistryError, match=rf"process {os.getpid()} \(since .*Z\) has been"),
            only_writer(place, "spikes", 0.1),
        ):
            pass
        (place / "lock").write_bytes(b"\x1b[31m\xff" * 100)
        with pytest.raises(RegistryError) as error, only_writer(place, "spikes", 0.0):
            pass
        assert "\x1b" not in str(error.value)
    with only_writer(place, "spikes", 0.0):
        pass
    assert (place / "lock").read_bytes() == b""


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "registry").write_text("a file in the way")
    with (
        pytest.raises(RegistryError, match="cannot be written"),
        only_writer(tmp_path / "registry", "spikes", 0.0),
    ):
        pass
