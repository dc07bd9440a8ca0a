"""What of a home is kept, and at which moment of its log."""

import os
from contextlib import ExitStack

import pytest

from barograph.app.runs.backup import contents
from barograph.app.runs.backup.contents import is_database, listed, pinned
from barograph.archive.book import read_book
from barograph.errors import BadInputError
from homes import MESSAGES, Home, recorded


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.replay(recorded(tmp_path, *MESSAGES))
    return tmp_path / "home"


def test_each_file_belongs_to_one_part_and_locks_to_none(home):
    for name in ("datasets/spikes.json", "datasets/spikes.lock", "datasets/.spikes-parts/1",
                 "registry/artifacts/r/artifacts/facts.json", "registry/lock", "logs/access.log",
                 "archive/aside/000001.ndjson.gz", "notes"):  # fmt: skip
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(name)
    os.mkfifo(home / "pipe")
    with ExitStack() as held:
        files = pinned(home, held)
        assert [log.path for log in files.logs] == [home / "log.sqlite"]
        assert files.book == (home / "archive" / "book.json").read_bytes()
    assert set(files.archive) == {
        "archive/000001.manifest.json", "archive/000001.ndjson.gz", "archive/aside/000001.ndjson.gz"
    }  # fmt: skip
    assert set(files.registry) == {"registry/artifacts/r/artifacts/facts.json"}
    assert files.rest == {"datasets/spikes.json": 20, "notes": 5}


def test_a_link_is_followed_and_a_circle_is_not(home, tmp_path):
    (home / "archive").rename(tmp_path / "elsewhere")
    (home / "archive").symlink_to(tmp_path / "elsewhere")
    (home / "archive" / "again").symlink_to(home)
    assert "archive/000001.ndjson.gz" in listed(home)
    assert not any(name.startswith("archive/again") for name in listed(home))


def test_a_file_that_is_finished_at_that_moment_is_looked_at_again(home, tmp_path, monkeypatch):
    """Its manifest would say of a log that does not know it yet that it was restored."""
    (home / "archive" / "000001.manifest.json").rename(tmp_path / "manifest")
    looks = []

    def look(place):
        looks.append(place)
        if len(looks) == 1:
            (tmp_path / "manifest").rename(home / "archive" / "000001.manifest.json")
        return is_database(place)

    monkeypatch.setattr(contents, "is_database", look)
    with ExitStack() as held:
        files = pinned(home, held)
    assert "archive/000001.manifest.json" in files.archive
    assert looks == [home / "log.sqlite"] * 2
    assert read_book(home / "archive").last() == 1


def test_an_archive_that_never_stands_still_is_refused(home, monkeypatch):
    def look(place):
        (home / "archive" / "book.json").write_bytes(os.urandom(8))
        return is_database(place)

    monkeypatch.setattr(contents, "is_database", look)
    monkeypatch.setattr(contents, "_MOMENTS", 3)
    with ExitStack() as held, pytest.raises(BadInputError, match="at each of 3 looks"):
        pinned(home, held)
