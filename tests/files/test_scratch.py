"""Folders for one run: what a killed one left goes, what is in use stays."""

import subprocess
import sys
import tempfile

import pytest

from barograph.files import scratch

PROGRAM = """
import sys, tempfile
from barograph.files import scratch
tempfile.tempdir = sys.argv[1]
with scratch.folder("run-") as place:
    (place / "file").touch()
    print(place, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_nothing_is_left_of_a_run_that_ended(tmp_path):
    with scratch.folder("run-") as place:
        (place / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_use_stays():
    with scratch.folder("run-") as one, scratch.folder("run-") as other:
        assert one.is_dir()
        assert other.is_dir()


def test_what_has_no_lock_is_not_ours(tmp_path):
    (tmp_path / "run-other").mkdir()
    with scratch.folder("run-"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["run-other"]


@pytest.mark.slow
def test_what_a_killed_run_left_goes_with_the_next(tmp_path):
    words = [sys.executable, "-c", PROGRAM, tmp_path]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout.readline()
        with scratch.folder("run-"):
            assert len(list(tmp_path.glob("run-*/file"))) == 1
        run.kill()
    with scratch.folder("run-"):
        assert not list(tmp_path.glob("run-*/file"))
    assert list(tmp_path.iterdir()) == []
