"""Pulled, a file is whole and what its manifest says, or it is not there."""

import fcntl

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.archive.book import read_book
from barograph.archive.inventory import inspect
from barograph.archive.object_store import open_store
from barograph.archive.pull import pull
from barograph.archive.push import push
from barograph.errors import BadInputError, ObjectStoreError
from histories import KilledError, archived, frames_of, killed_after

FIRST, MANIFEST = "000001.ndjson.gz", "000001.manifest.json"


@pytest.fixture
def archive(tmp_path):
    return archived(tmp_path / "home" / "archive", range(3), range(3, 7))


@pytest.fixture
def store(archive, tmp_path):
    store = open_store(str(tmp_path / "store"))
    push(archive, store, lake=tmp_path / "none")
    return store


@pytest.fixture
def fresh(tmp_path):
    return tmp_path / "fresh" / "archive"


def test_a_new_home_has_what_the_first_has_and_a_second_pull_nothing_to_do(archive, store, fresh):
    done = pull(fresh, store)
    assert (done.files, done.before) == (2, 0)
    assert frames_of(fresh) == frames_of(archive)
    assert read_book(fresh) == read_book(archive)
    assert inspect(fresh).sound
    assert (pull(fresh, store).files, pull(fresh, store).before) == (0, 2)


def test_only_what_is_absent_comes_back(archive, store):
    original = frames_of(archive)
    (archive / FIRST).unlink()
    assert (pull(archive, store).files, frames_of(archive)) == (1, original)


def test_a_file_without_its_manifest_gets_it_again(archive, store):
    original = frames_of(archive)
    (archive / MANIFEST).unlink()
    (archive / "pushed.json").unlink()
    assert (pull(archive, store).files, frames_of(archive)) == (0, original)


def test_a_later_pull_brings_what_was_pushed_since_and_the_book_that_names_it(
    archive, store, fresh, tmp_path
):
    pull(fresh, store)
    archived(archive, range(7, 9))
    push(archive, store, lake=tmp_path / "none")
    assert pull(fresh, store).files == 1
    assert read_book(fresh) == read_book(archive)


DAMAGE = {
    "another length": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "another byte": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_object_is_refused_by_name_and_leaves_nothing(store, fresh, damage):
    path = store.folder / "archive" / "000002.ndjson.gz"
    whole = path.read_bytes()
    damage(path)
    with pytest.raises(ObjectStoreError, match=r"store/archive/000002\.ndjson\.gz.*push it again"):
        pull(fresh, store)
    assert set(frames_of(fresh)) == {FIRST, MANIFEST}
    path.write_bytes(whole)
    assert pull(fresh, store).files == 1


@pytest.mark.parametrize("content", [b"{", b'{"file": "../../x", "bytes": 1}', b"[]"])
def test_a_manifest_of_no_use_is_refused_by_name(store, fresh, content):
    (store.folder / "archive" / MANIFEST).write_bytes(content)
    with pytest.raises(ObjectStoreError, match=r"000001\.manifest\.json"):
        pull(fresh, store)
    assert frames_of(fresh) == {}


def test_a_book_of_no_use_is_refused_by_name(store, fresh):
    (store.folder / "archive" / "book.json").write_bytes(b"{")
    with pytest.raises(ObjectStoreError, match=r"book\.json.*Push it again"):
        pull(fresh, store)


def test_another_archive_is_not_mixed_into_what_is_here(store, tmp_path):
    other = archived(tmp_path / "other" / "archive", range(5), book="another")
    with pytest.raises(BadInputError, match="another archive"):
        pull(other, store)
    (other / "book.json").unlink()
    with pytest.raises(BadInputError, match="another file of this name"):
        pull(other, store)


def test_a_store_without_an_archive_and_one_that_is_no_folder_are_refused(fresh, tmp_path):
    (tmp_path / "file").write_text("x")
    for name in ("nothing", "file"):
        with pytest.raises(ObjectStoreError, match=r"no archive|cannot be used"):
            pull(fresh, open_store(str(tmp_path / name)))
    assert not fresh.exists()


@pytest.mark.parametrize(("lock", "why"), [("lock", "a feed"), ("pull.lock", "another pull")])
def test_who_else_writes_there_is_waited_for(store, fresh, lock, why):
    fresh.mkdir(parents=True)
    with (fresh / lock).open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BadInputError, match=f"{why} writes here"):
            pull(fresh, store)


def test_beside_a_feed_of_the_same_archive_files_come_back(archive, store):
    (archive / FIRST).unlink()
    with (archive / "lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert pull(archive, store).files == 1


def test_a_manifest_that_says_a_size_that_no_disk_has_is_no_disk_full(store, fresh):
    path = store.folder / "archive" / MANIFEST
    manifest = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(manifest | {"bytes": 1 << 60}))
    with pytest.raises(ObjectStoreError, match="its manifest says"):
        pull(fresh, store)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(kills=st.lists(st.integers(0, 10), max_size=4))
def test_whoever_is_killed_when_what_has_its_name_is_whole(tmp_path_factory, kills):
    place = tmp_path_factory.mktemp("place")
    archive, fresh = archived(place / "home", range(2), range(2, 5), range(5, 6)), place / "fresh"
    original, store = frames_of(archive), open_store(str(place / "store"))
    push(archive, store, lake=place / "none")
    for kill in kills:
        try:
            with killed_after(kill):
                pull(fresh, store)
        except KilledError:
            pass
        here = frames_of(fresh) if fresh.exists() else {}
        assert here.items() <= original.items()
    pull(fresh, store)
    assert frames_of(fresh) == original
    assert not list(fresh.glob("*.partial"))
