"""A lake in a store is one that readers of Parquet find, and never less than it was."""

import polars as pl
import pytest

from barograph.archive.compact import alone, compact
from barograph.archive.lake_push import push_lake
from barograph.archive.object_store import open_store
from barograph.errors import BadInputError, ObjectStoreError
from histories import KilledError, archived, killed_after


@pytest.fixture
def archive(tmp_path):
    return archived(tmp_path / "archive", range(3))


@pytest.fixture
def lake(archive, tmp_path):
    compact(archive, tmp_path / "lake")
    return tmp_path / "lake"


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def test_the_lake_stands_there_and_is_not_sent_again(lake, store):
    known = {}
    done = push_lake(lake, store, known)
    assert (done.files, done.before) == (3, 0)
    assert files_of(store.folder / "parquet") == files_of(lake)
    assert (push_lake(lake, store, known).files, push_lake(lake, store, {}).files) == (0, 0)
    read = pl.read_parquet(f"{store.folder}/parquet/**/hour=*.parquet", hive_partitioning=False)
    assert read["kind"].to_list().count("tick") == 3


def test_an_hour_that_grew_is_replaced(archive, lake, store):
    known = {}
    push_lake(lake, store, known)
    archived(archive, range(3, 9))
    compact(archive, lake)
    assert push_lake(lake, store, known).files == 3
    assert files_of(store.folder / "parquet") == files_of(lake)


def test_what_was_damaged_there_is_sent_again_where_nobody_wrote_it_down(lake, store):
    push_lake(lake, store, {})
    (store.folder / "parquet" / "index.parquet").write_bytes(b"x")
    assert push_lake(lake, store, {}).files == 1


def test_a_lake_of_other_files_or_of_more_is_not_replaced(archive, lake, store, tmp_path):
    archived(archive, range(3, 5))
    compact(archive, tmp_path / "more")
    push_lake(tmp_path / "more", store, {})
    with pytest.raises(ObjectStoreError, match="of other files, or of more"):
        push_lake(lake, store, {})
    (store.folder / "parquet" / "progress.json").write_bytes(b"{")
    with pytest.raises(ObjectStoreError, match="cannot be read"):
        push_lake(lake, store, {})


def test_nobody_compacts_meanwhile(lake, store):
    with alone(lake), pytest.raises(BadInputError, match="another compaction"):
        push_lake(lake, store, {})


@pytest.mark.parametrize("lives", range(9))
def test_killed_at_any_step_it_says_no_more_than_it_has(lake, store, lives):
    with killed_after(lives), pytest.raises(KilledError):
        push_lake(lake, store, {})
    there = files_of(store.folder / "parquet") if store.folder.exists() else {}
    if "progress.json" in there:
        assert {name: there.get(name) for name in files_of(lake)} == files_of(lake)
    push_lake(lake, store, {})
    assert files_of(store.folder / "parquet").items() >= files_of(lake).items()
