"""The hourly pipeline, each of whose tasks is killed in the middle and run again.

Tasks are run one by one with the command line of Airflow, whose process is the worker then.
"""

import json
import os
import shutil
import signal
from contextlib import suppress
from math import inf
from pathlib import Path

import pytest

from airflow_runs import BIN, STAGES, Airflow, lasting_bytes
from barograph.registry.registry import Registry
from candle_tables import csv_of
from invented_market_hours import bars
from waiting import until

pytestmark = [
    pytest.mark.unattended,
    pytest.mark.skipif(not BIN.is_dir(), reason="Airflow is not installed: `make airflow`"),
]

HOURS = 8000
SLOW = "profile"
DATE = "2025-06-15T15:05:00+00:00"
LIMIT_S = 600.0
"""For what takes seconds; the machine may be busy."""
LATEST_S = 4.0
"""Processor time after which a verb is in the middle of its work, however long that takes."""
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """An Airflow without a scheduler, with one like it whose runs are its own, and candles."""
    place = tmp_path_factory.mktemp("killed")
    (place / "airflow").mkdir()
    (place / "candles.csv").write_text(csv_of(bars(HOURS)))
    settings = {"CANDLES": str(place / "candles.csv"), "CANDIDATES": "linear"}
    named = {f"BAROGRAPH_{name}": text for name, text in settings.items()}
    with Airflow(place / "airflow", **named) as airflow:
        # `airflow tasks test` goes by the run of its date, if there is one, and by its parameters.
        shutil.copytree(place / "airflow", place / "tested")
        with Airflow(place / "tested", **named) as airflow.tested:
            yield airflow


def begun(airflow, stage, home):
    """The process of a task's worker."""
    words = ("tasks", "test", "hourly_pipeline", stage, DATE, "--task-params")
    return airflow.begun(*words, json.dumps({"home": str(home)}))


def used_s(pid):
    """Processor time that a process has used, in seconds; None where it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if fields[0] != "Z":
            return (int(fields[11]) + int(fields[12])) * TICK_S
    return None


def verb_of(airflow, worker):
    """The verb that a worker has started."""

    def started():
        assert worker.poll() is None, (airflow.place / "begun.log").read_text()[-3000:]
        return airflow.verbs()

    until(started, LIMIT_S, 0.05)
    (pid,) = airflow.verbs()
    return pid


@pytest.fixture(scope="module")
def undisturbed(airflow):
    """What a run leaves that nobody kills, and the processor time of each of its verbs."""
    home, took_s, tested = airflow.place.with_name("undisturbed"), {}, airflow.tested
    # The page of the profile takes a minute, and the other tasks do not ask for it.
    words = (DATE, "--mark-success-pattern", SLOW, "--conf", json.dumps({"home": str(home)}))
    worker = tested.begun("dags", "test", "hourly_pipeline", *words)
    for stage in STAGES:
        if stage == SLOW:
            continue
        pid = verb_of(tested, worker)

        def is_gone(pid=pid, stage=stage):
            used = used_s(pid)
            if used is not None:
                took_s[stage] = used
            return used is None

        until(is_gone, LIMIT_S, 0.05)
    assert worker.wait(LIMIT_S) == 0, (tested.place / "begun.log").read_text()[-3000:]
    assert Registry(home).champion_version("hourly") == 1
    return lasting_bytes(home), took_s


def test_each_task_is_killed_with_its_worker_and_with_its_verb_and_the_end_is_the_same(
    airflow, undisturbed
):
    made, took_s = undisturbed
    home = airflow.place.with_name("killed")
    for stage in STAGES:
        for victim in ("worker", "verb"):
            worker = begun(airflow, stage, home)
            pid = verb_of(airflow, worker)

            def is_half_done(pid=pid, stage=stage):
                used = used_s(pid)
                assert used is not None, f"{stage} ended before it was killed"
                return used > min(took_s.get(stage, inf) / 2, LATEST_S)

            until(is_half_done, LIMIT_S, 0.02)
            os.kill(worker.pid if victim == "worker" else pid, signal.SIGKILL)
            worker.wait(LIMIT_S)
            until(lambda pid=pid: used_s(pid) is None, LIMIT_S)
        begun(airflow, stage, home).wait(LIMIT_S)
    assert lasting_bytes(home) == made
    assert Registry(home).champion_version("hourly") == 1
    pages = sorted(page.name.split("-")[1] for page in (home / "reports" / "hourly").iterdir())
    assert pages == ["card.html", "profile.html"]  # and nothing to compare with
    assert len(Registry(home).versions("hourly")) == 1
    assert len(Registry(home).history("hourly")) == 1
