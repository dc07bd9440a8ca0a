"""A dataset on a real Spark: the bytes of one process, whatever is lost on the way."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from barograph.archive.compact import compact
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError
from barograph.training import dataset, lake_dataset, stretches
from barograph.training.spark import SparkEngine
from programs import missing
from simulated_archives import fed
from waiting import until

pytest.importorskip("pyspark", reason="the extra `spark` is not installed")
pytestmark = [
    pytest.mark.operations,
    pytest.mark.skipif(bool(missing("java")), reason=missing("java")),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = fed(tmp_path_factory.mktemp("home"), (30, 30, 20, 20))
    dataset.build(home, SPIKES)
    compact(home / "archive", home / "parquet")
    return home


@pytest.fixture
def many(monkeypatch):
    """Many stretches, since there are many tasks only then."""
    monkeypatch.setattr("barograph.training.data_hash.BLOCK_EVENTS", 1000)
    monkeypatch.setattr(stretches, "BLOCK_EVENTS", 1000)
    monkeypatch.setattr(stretches, "MOST_EVENTS", 1000)


def barograph(*words, **settings):
    command = [sys.executable, "-c", "from barograph.app.cli import main; main()", *map(str, words)]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, **settings}
    )


def children(pid):
    """All processes that descend from one, by their number."""
    found, left = [], [pid]
    while left:
        for tasks in Path(f"/proc/{left.pop()}/task").glob("*/children"):
            of = [int(each) for each in tasks.read_text().split()]
            found += of
            left += of
    return found


def test_the_verb_makes_the_bytes_of_one_process(home):
    table, manifest = dataset.paths(home, SPIKES)
    expected = table.read_bytes(), manifest.read_bytes()
    done = barograph("dataset", "--home", home, "--engine", "spark:local[2]")
    assert done.returncode == 0, done.stderr
    assert "usable" in done.stdout
    assert " WARN " not in done.stderr  # what Spark logs; its launcher has a line of its own
    assert "Traceback" not in done.stderr
    assert (table.read_bytes(), manifest.read_bytes()) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
@pytest.mark.usefixtures("many")
def test_a_worker_that_is_killed_changes_nothing(home):
    expected = dataset.build(home, SPIKES)
    table = dataset.paths(home, SPIKES)[0].read_bytes()
    killed = []

    def kill_workers():
        def computing():
            return list((home / "datasets").glob(".spikes-stretches/*/*.json"))

        until(computing, 120)
        for pid in children(os.getpid()):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"pyspark" in words and b"daemon" in words and children(pid):
                for worker in children(pid):
                    os.kill(worker, signal.SIGKILL)
                    killed.append(worker)

    thread = threading.Thread(target=kill_workers)
    thread.start()
    engine = SparkEngine("local[2,4]")  # a task may fail four times
    assert lake_dataset.build(home, SPIKES, engine) == expected
    thread.join()
    assert killed
    assert dataset.paths(home, SPIKES)[0].read_bytes() == table


def test_what_is_damaged_is_said_as_without_spark(tmp_path):
    home = fed(tmp_path, (10,))
    compact(home / "archive", home / "parquet")
    (path, *_) = sorted((home / "parquet").rglob("hour=*.parquet"))
    path.write_bytes(b"none")
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(BadInputError, match="its bytes are not those") as raised:
        lake_dataset.build(elsewhere, SPIKES, SparkEngine("local[1]"), lake=str(home / "parquet"))
    assert raised.value.what == str(path)
    # That of the home is made anew of its archive.
    assert lake_dataset.build(home, SPIKES, SparkEngine("local[1]")) == dataset.build(home, SPIKES)


def test_a_machine_without_java_is_said_in_a_line(home):
    done = barograph("dataset", "--home", home, "--engine", "spark:local[1]", JAVA_HOME="/none")
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("barograph: Spark at local[1]: it does not start")
    assert "openjdk-17-jre-headless" in last
