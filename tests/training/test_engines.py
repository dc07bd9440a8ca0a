"""Processes of this machine: one that is killed is replaced, and none outlives its parent."""

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
from barograph.training.stretches import plan, result_of
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


def children():
    """The processes that this one began."""
    tasks = Path(f"/proc/{os.getpid()}/task")
    return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


def workers():
    return [pid for pid in children() if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_all_are_computed_each_told_once(planned, tmp_path):
    told = []
    LocalEngine(2).compute(planned, tmp_path, told.append)
    results = [result_of(each, tmp_path) for each in planned]
    assert sorted(told, key=str) == sorted(results, key=str)
    assert not workers()


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_a_worker_that_is_killed_changes_nothing(planned, tmp_path):
    killed = []

    def kill_one():
        until(workers, 60)
        for pid in workers()[:1]:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    thread = threading.Thread(target=kill_one)
    thread.start()
    LocalEngine(2).compute(planned, tmp_path, lambda _result: None)
    thread.join()
    assert killed
    assert all(result_of(each, tmp_path) for each in planned)


def test_what_is_damaged_is_said_by_the_worker_that_met_it(planned, tmp_path):
    lost = [*planned, planned[0].__class__(
        product="X", paths=("/none/x.parquet",), reach=0, first=0, end=1, lake="lake"
    )]  # fmt: skip
    with pytest.raises(BadInputError, match=r"/none/x\.parquet"):
        LocalEngine(2).compute(lost, tmp_path, lambda _result: None)
    assert not workers()


ORPHANED = """
import sys, time
from pathlib import Path
from barograph.training.engines import _pool
if __name__ == "__main__":
    with _pool(1) as pool:
        pool.submit(time.time).result()
        print(list(pool._processes)[0], flush=True)
        sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
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
