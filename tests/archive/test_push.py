"""Pushed, an archive stands whole in the store, whatever was killed when, and nowhere less."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.archive.compact import compact, compacted
from barograph.archive.inventory import inspect
from barograph.archive.object_store import open_store
from barograph.archive.pull import pull
from barograph.archive.push import push
from barograph.archive.pushed import pushed, read_record
from barograph.archive.writer import ArchiveWriter
from barograph.errors import BadInputError, ObjectStoreError
from barograph.types import Frame
from barograph.venues.entries import Dialect, Heard
from histories import KilledError, archived, frames_of, killed_after

FIRST, SECOND = "000001.ndjson.gz", "000002.ndjson.gz"


@pytest.fixture
def archive(tmp_path):
    return archived(tmp_path / "home" / "archive", range(3), range(3, 7))


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


def stored(store):
    return frames_of(store.folder / "archive")


def move(archive, store, **options):
    return push(archive, store, lake=archive.parent / "parquet", **options)


def test_every_finished_file_stands_there_byte_for_byte_and_is_not_sent_again(archive, store):
    done = move(archive, store)
    assert (done.files, done.before, done.lake, done.open) == (2, 0, None, [])
    assert stored(store) == frames_of(archive)
    assert len(pushed(archive)) == 2
    again = move(archive, store)
    assert (again.files, again.before, again.bytes) == (0, 2, 0)


def test_without_its_record_what_is_there_is_proven_and_not_sent_again(archive, store):
    move(archive, store)
    (archive / "pushed.json").unlink()
    assert (move(archive, store).before, len(pushed(archive))) == (2, 2)


def test_a_file_that_is_open_or_older_than_manifests_is_not_pushed(archive, store):
    (archive / "000001.manifest.json").unlink()
    writer = ArchiveWriter(archive)
    writer.write(Heard(Frame(data=b"{}", connection="c"), Dialect.EXCHANGE))
    writer.flush()
    done = move(archive, store)
    assert (done.files, done.open, done.without_manifest) == (1, ["000003.ndjson.gz"], [FIRST])
    writer.close()


def test_a_file_that_is_not_what_its_manifest_says_is_not_sent(archive, store):
    (archive / SECOND).write_bytes(b"x")
    with pytest.raises(BadInputError, match="archive verify"):
        move(archive, store)
    assert set(stored(store)) == {FIRST, "000001.manifest.json"}
    assert list(read_record(archive).at(store.address).archive) == [FIRST]


def test_an_object_that_was_damaged_is_sent_again_where_nobody_wrote_it_down(archive, store):
    move(archive, store)
    (store.folder / "archive" / FIRST).write_bytes(b"x")
    assert (move(archive, store).files, stored(store)) == (1, frames_of(archive))


def test_another_archive_and_another_file_of_a_name_are_refused(archive, store, tmp_path):
    move(archive, store)
    other = archived(tmp_path / "other" / "archive", range(2), book="another")
    with pytest.raises(ObjectStoreError, match="another archive stands there"):
        move(other, store)
    (other / "book.json").unlink()
    with pytest.raises(ObjectStoreError, match=r"000001.*another file of this name"):
        move(other, store)
    assert stored(store) == frames_of(archive)


def test_two_homes_that_go_on_from_one_archive_do_not_push_to_one_place(archive, store, tmp_path):
    move(archive, store)
    other = tmp_path / "other" / "archive"
    pull(other, store)
    archived(other, range(7, 9))
    archived(archive, range(7, 8))
    book = msgspec.json.decode((archive / "book.json").read_bytes())
    book["files"] = [[1, 2, "log of the test"], [3, 3, "a log here"]]
    book["logs"]["a log here"] = {"address": "log.sqlite"}
    (archive / "book.json").write_bytes(msgspec.json.encode(book))
    move(archive, store)
    with pytest.raises(ObjectStoreError, match="another home went on"):
        move(other, store)


def test_a_store_that_is_the_home_itself_is_refused(archive, tmp_path):
    (tmp_path / "link").symlink_to(archive.parent)
    for name in ("home", "link", "home/archive", "home/parquet/below"):
        with pytest.raises(BadInputError, match="itself lies there"):
            move(archive, open_store(str(tmp_path / name)), unknown=())
    assert (archive / FIRST).exists()


def test_what_is_compacted_known_to_the_log_and_proven_is_removed_and_all_else_kept(archive, store):
    lake = archive.parent / "parquet"
    assert set(move(archive, store, unknown=()).kept.values()) == {"it is not compacted"}
    compact(archive, lake)
    archived(archive, range(7, 9))
    done = move(archive, store, unknown={SECOND})
    assert done.removed == [FIRST]
    assert done.kept == {
        SECOND: "the log does not have it", "000003.ndjson.gz": "it is not compacted"
    }  # fmt: skip
    assert (archive / "000001.manifest.json").exists()
    assert not (archive / FIRST).exists()
    assert inspect(archive, pushed=pushed(archive)).pushed == [FIRST]
    assert inspect(archive, compacted=compacted(lake)).sound
    assert not inspect(archive).sound


def test_what_was_damaged_there_meanwhile_is_sent_again_before_it_is_removed(archive, store):
    move(archive, store)
    compact(archive, archive.parent / "parquet")
    path = store.folder / "archive" / FIRST
    whole = path.read_bytes()
    path.write_bytes(bytes(len(whole)))  # as long as before, so the list says nothing
    assert move(archive, store).before == 2
    assert move(archive, store, unknown=()).removed == [FIRST, SECOND]
    assert path.read_bytes() == whole


def test_what_was_moved_and_is_no_longer_there_is_lost(archive, store):
    compact(archive, archive.parent / "parquet")
    move(archive, store, unknown=())
    assert move(archive, store).lost == []
    (store.folder / "archive" / FIRST).unlink()
    assert move(archive, store).lost == [FIRST]


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(kills=st.lists(st.integers(0, 30), max_size=4), removes=st.booleans())
def test_whoever_is_killed_when_each_file_is_whole_in_one_of_both_places(
    tmp_path_factory, kills, removes
):
    """Killed before or within any step; after each, what a reader takes for whole is whole."""
    place = tmp_path_factory.mktemp("place")
    archive, lake = archived(place / "home" / "archive", range(2), range(2, 5)), place / "lake"
    compact(archive, lake)
    original = frames_of(archive)
    store = open_store(str(place / "store"))
    unknown = () if removes else None
    for number, kill in enumerate(kills):
        try:
            with killed_after(kill):
                push(archive, store, lake=lake, unknown=unknown)
        except KilledError:
            pass
        other = place / f"other-{number}" / "archive"
        try:
            pull(other, store)
        except ObjectStoreError as error:
            assert "no archive stands there" in str(error)  # noqa: PT017 - one of two good ends
        pulled = frames_of(other) if other.exists() else {}
        assert pulled.items() <= original.items()
        assert (frames_of(archive) | pulled) == original
    push(archive, store, lake=lake, unknown=unknown)
    assert stored(store) == original
    assert inspect(archive, pushed=pushed(archive)).sound
    assert (FIRST not in frames_of(archive)) == removes
