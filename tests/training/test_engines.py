"""Processes of this machine: one that is killed is replaced, and none outlives its parent."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest

from barograph.archive.compact import compact
from barograph.archive.lake import read_index, read_progress
from barograph.errors import BadInputError
from barograph.training import stretches
from barograph.training.engines import LocalEngine
from barograph.training.results import Folder, Results
from barograph.training.stretches import plan
from simulated_archives import fed
from waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Some stretches of a lake."""
    home = fed(tmp_path_factory.mktemp("home"), (8, 8))
    lake = home / "parquet"
    compact(home / "archive", lake)
    index = read_index(lake).with_columns(path=pl.lit(f"{lake}/") + pl.col("path"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "BLOCK_EVENTS", 200)
        patch.setattr(stretches, "MOST_EVENTS", 1000)
        found = list(plan(index, read_progress(lake).events, "lake"))
    assert len(found) > 4
    return found


@pytest.fixture
def results(tmp_path):
    return Results(Folder(tmp_path / "results"))


def workers():
    """The worker processes that this one began."""
    found = []
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
            for pid in (task / "children").read_text().split():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        found.append(int(pid))
    return found


def test_all_are_computed_each_told_once(planned, results):
    told = []
    LocalEngine(2).compute(planned, results, told.append)
    assert sorted(told, key=str) == sorted((results.computed(x.key) for x in planned), key=str)
    assert not workers()


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


@contextlib.contextmanager
def killing(times):
    """A thread that kills so many workers as soon as it sees them; gives the list of these."""
    killed, ended = [], threading.Event()

    def kill():
        while len(killed) < times and not ended.is_set():
            for pid in workers()[: times - len(killed)]:
                with contextlib.suppress(ProcessLookupError):  # it ended by itself
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


@LINUX
def test_a_worker_that_is_killed_as_it_begins_changes_nothing(planned, results):
    with killing(2) as killed:
        LocalEngine(2).compute(planned, results, lambda _result: None)
    assert len(killed) == 2
    assert all(results.computed(each.key) for each in planned)
    assert not workers()


@LINUX
def test_nor_does_one_that_is_killed_between_any_two_results(planned, results):
    told, killed = [], []

    def kill_one(result):
        told.append(result)
        if len(told) < len(planned) and (alive := workers()):
            os.kill(alive[len(told) % len(alive)], signal.SIGKILL)
            killed.append(len(told))

    LocalEngine(2).compute(planned, results, kill_one)
    assert killed
    assert sorted(told, key=str) == sorted((results.computed(x.key) for x in planned), key=str)
    assert not workers()


@LINUX
def test_what_loses_its_workers_again_and_again_is_given_up(planned, results):
    lost = pytest.raises(BadInputError, match=r"killed 3 times.*Use fewer --workers")
    with killing(1000), lost:
        LocalEngine(1).compute(planned[:1], results, lambda _result: None)
    assert not workers()


def test_what_is_damaged_is_said_by_the_worker_that_met_it(planned, results):
    lost = [*planned, planned[0].__class__(
        product="X", paths=("/none/x.parquet",), reach=0, first=0, end=1, lake="lake"
    )]  # fmt: skip
    with pytest.raises(BadInputError, match=r"/none/x\.parquet"):
        LocalEngine(2).compute(lost, results, lambda _result: None)
    assert not workers()


ORPHANED = """
import sys
from barograph.training.engines import _Worker
if __name__ == "__main__":
    worker = _Worker()
    print(worker._process.pid, flush=True)
    sys.stdin.read()
"""


@LINUX
def test_workers_end_with_who_began_them_however_it_ends(tmp_path):
    script = tmp_path / "orphaned.py"
    script.write_text(ORPHANED)
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        worker = int(parent.stdout.readline())
        assert Path(f"/proc/{worker}").exists()
        parent.kill()
    until(lambda: not Path(f"/proc/{worker}").exists(), 30)
