import errno
import os
import signal
import subprocess
import sys

import pytest

from barograph.errors import BadInputError, DiskFullError
from barograph.log.presence import Presence, is_present, sweep


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "members"


@pytest.fixture
def stranger(folder):
    """A member in another process, which says its id and then waits."""
    source = (
        "import sys; from pathlib import Path; from barograph.log.presence import Presence\n"
        "print(Presence(Path(sys.argv[1]), 100).id, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    process.member = process.stdout.readline().strip()
    yield process
    process.kill()
    process.communicate()


def test_a_member_is_present_until_its_deadline_has_passed(folder):
    member = Presence(folder, 100)
    assert is_present(folder, member.id, 100)
    assert not is_present(folder, member.id, 101)
    member.extend(200)
    assert is_present(folder, member.id, 200)
    member.withdraw()


def test_a_member_that_withdrew_is_gone_with_its_file(folder):
    member = Presence(folder, 100)
    member.withdraw()
    member.withdraw()
    assert not is_present(folder, member.id, 0)
    assert list(folder.iterdir()) == []


def test_a_member_whose_file_cannot_be_removed_is_gone_all_the_same(folder):
    """As on a broken disk; here a folder took the file's name."""
    member = Presence(folder, 100)
    (folder / member.id).unlink()
    (folder / member.id).mkdir()
    member.withdraw()
    member.withdraw()
    sweep(folder, ())
    assert not is_present(folder, member.id, 0)
    assert is_present(folder, Presence(folder, 100).id, 0)


def test_one_that_never_was_is_not_present(folder):
    assert not is_present(folder, "nobody", 0)


def test_a_killed_process_is_gone_at_once_whatever_its_deadline(folder, stranger):
    assert is_present(folder, stranger.member, 100)
    stranger.send_signal(signal.SIGKILL)
    stranger.wait()
    assert not is_present(folder, stranger.member, 0)
    assert (folder / stranger.member).exists()


def test_looking_at_a_member_does_not_disturb_it(folder, stranger):
    for _ in range(3):
        assert is_present(folder, stranger.member, 100)


def test_sweeping_removes_the_files_of_the_dead_and_no_others(folder, stranger):
    sweep(folder, [])
    own = Presence(folder, 100)
    for name in ("dead", "kept"):
        (folder / name).touch()
    sweep(folder, ["kept"])
    assert {path.name for path in folder.iterdir()} == {own.id, stranger.member, "kept"}
    own.withdraw()


def test_sweeping_before_anyone_was_there_is_nothing(folder):
    sweep(folder, [])
    assert not folder.exists()


def test_a_folder_without_room_is_a_declared_error_and_leaves_no_file(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(DiskFullError):
        Presence(folder, 100)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_declared_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadInputError, match="cannot be written"):
        Presence(tmp_path / "file" / "members", 100)
