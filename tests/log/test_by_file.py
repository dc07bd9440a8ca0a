"""All handles of a file share one thing, which ends with the last of them."""

from pathlib import Path

import pytest

from barograph.log.by_file import ByFile


class Thing:
    """What is shared, of the file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path


def test_one_file_under_two_names_has_one_and_another_has_another(tmp_path):
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    (tmp_path / "link").hardlink_to(tmp_path / "a")
    shared = ByFile(Thing, [].append)
    first = shared.take(tmp_path / "a")
    assert shared.take(tmp_path / "link") is first
    assert shared.take(tmp_path / "b") is not first
    with pytest.raises(FileNotFoundError):
        shared.take(tmp_path / "c")


def test_it_ends_with_its_last_user_and_the_next_one_gets_another(tmp_path):
    (tmp_path / "a").touch()
    ended = []
    shared = ByFile(Thing, ended.append)
    first = shared.take(tmp_path / "a")
    shared.take(tmp_path / "a")
    shared.release(first)
    assert ended == []
    shared.release(first)
    assert ended == [first]
    assert shared.take(tmp_path / "a") is not first
