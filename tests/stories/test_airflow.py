"""The DAGs under a real Airflow: scheduler, API and page, on small inputs.

One Airflow serves all tests, which build on each other in their order.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing

import pytest

from airflow_runs import BIN, ROOT, STAGES, Airflow, is_alive, lasting_bytes, parent_of
from barograph.cases.churn import invent
from barograph.log import browse, open_log
from barograph.registry.registry import Registry
from browsers import launched, opened
from candle_tables import csv_of
from invented_market_hours import bars
from waiting import until

pytestmark = [
    pytest.mark.unattended,
    pytest.mark.skipif(not BIN.is_dir(), reason="Airflow is not installed: `make airflow`"),
]

HOURS = 8000
PICTURES = ROOT / "build" / "airflow"
DATES = [f"2025-06-15T{hour:02}:05:00+00:00" for hour in (0, 6)]
UNSEEN = ("--mark-success-pattern", "profile")
"""Options of `airflow dags test` that leave out the page of no other task's concern."""
SCHEDULE_LIMIT_S = 1500
"""For what takes a minute; the machine may be busy."""


def barograph(*words):
    command = [sys.executable, "-c", "from barograph.app.cli import main; main()", *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Candles with and without a price, customers, and a home with a model of them."""
    place = tmp_path_factory.mktemp("airflow")
    (place / "candles.csv").write_text(csv_of(bars(HOURS)))
    header = "time,open,high,low,close,volume"
    (place / "broken.csv").write_text("\n".join([header, *[",,,,,635.15"] * 24]))
    (place / "people.ndjson").write_bytes(b"\n".join([*invent(1200, 1), b""]))
    home = place / "home"
    barograph("dataset", place / "people.ndjson", "--case", "churn", "--home", home)
    barograph("train", "--case", "churn", "--home", home, "--folds", "2", "--no-control",
              "--candidates", "logistic")  # fmt: skip
    (place / "people.ndjson").write_bytes(b"\n".join([*invent(200, 2), b""]))
    return place


@pytest.fixture(scope="module")
def airflow(place, kafka):
    (place / "airflow").mkdir()
    names = {
        "HOME": place / "home",
        "CANDLES": place / "candles.csv",
        "CANDIDATES": "linear",
        "LOG": f"kafka://{kafka}/airflow",
        "RECORDS": place / "people.ndjson",
    }
    settings = {f"BAROGRAPH_{name}": str(value) for name, value in names.items()}
    with Airflow(place / "airflow", **settings) as airflow:
        # Of its own for `airflow dags test`, whose run takes the place of one of that date.
        shutil.copytree(place / "airflow", place / "tested")
        airflow.tested = Airflow(place / "tested", **settings)
        airflow.start()
        yield airflow


def pictured(chromium, airflow, run, name):
    """The graph of a run as the page draws it, as a file."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with launched(chromium) as browser, opened(browser, width=1800) as watched:
        page = watched.page
        page.goto(f"{airflow.address}/dags/hourly_pipeline/runs/{run}")
        page.get_by_label("Show Graph (Press g)").click()
        for stage in STAGES:
            page.locator(".react-flow__node").get_by_text(stage, exact=True).wait_for()
        page.screenshot(path=PICTURES / f"{name}.png")


def test_the_dags_are_imported_without_errors(airflow):
    assert airflow.ask("GET", "importErrors")["import_errors"] == []


def a_worker_is_killed(airflow, verb):
    """Kill what supervises a running verb: the verb ends too, before its task is tried again."""

    def running():
        return [pid for pid, words in airflow.verbs().items() if words[0] == verb]

    until(running, SCHEDULE_LIMIT_S, 0.05)
    (pid,) = running()
    task = parent_of(pid)
    os.kill(parent_of(task), signal.SIGKILL)
    until(lambda: not is_alive(pid) and not is_alive(task), 60)


def test_a_schedule_that_is_killed_between_two_tasks_and_in_one_runs_to_its_end(
    airflow, place, chromium
):
    airflow.ask("PATCH", "dags/hourly_pipeline", is_paused=False)
    until(lambda: airflow.run_of("hourly_pipeline"), SCHEDULE_LIMIT_S, 0.5)
    run = airflow.run_of("hourly_pipeline")
    assert run["run_type"] == "scheduled"
    run = run["dag_run_id"]

    def has_features():
        return airflow.states("hourly_pipeline", run).get("features") == "success"

    until(has_features, SCHEDULE_LIMIT_S, 0.2)
    airflow.kill()
    airflow.start()
    a_worker_is_killed(airflow, "train")
    assert airflow.ended("hourly_pipeline", run) == "success"
    assert airflow.states("hourly_pipeline", run) == dict.fromkeys(STAGES, "success")
    told = {task: airflow.figures("hourly_pipeline", run, task) for task in STAGES}
    assert told["quality_gate"]["extracts.0.passed"] is True
    assert told["quality_gate"]["extracts.0.new"] > HOURS - 100
    assert told["features"]["rows"] > HOURS - 100
    assert told["promote"]["version"] == 1
    assert Registry(place / "home").champion_version("hourly") == 1
    pictured(chromium, airflow, run, "green")


def test_the_same_logical_date_makes_the_same_bytes(airflow, place):
    date = airflow.run_of("hourly_pipeline")["logical_date"]
    before = lasting_bytes(place / "home")
    elsewhere = json.dumps({"home": str(place / "other")})
    test = ("dags", "test", "hourly_pipeline", date, *UNSEEN, "--conf")
    airflow.tested.call(*test, elsewhere)
    assert lasting_bytes(place / "other") == before
    airflow.tested.call(*test, elsewhere)
    assert lasting_bytes(place / "other") == before
    assert len(Registry(place / "other").versions("hourly")) == 1
    assert len(Registry(place / "other").history("hourly")) == 1


def test_a_backfill_makes_the_bytes_of_its_dates_one_at_a_time(airflow, tmp_path):
    homes = tmp_path / "one by one", tmp_path / "backfilled"
    conf = [json.dumps({"home": str(home)}) for home in homes]
    for date in DATES:
        airflow.tested.call("dags", "test", "hourly_pipeline", date, *UNSEEN, "--conf", conf[0])
    airflow.ask("PATCH", "dags/hourly_pipeline", is_paused=False)  # else its runs stay queued
    span = ("--from-date", DATES[0], "--to-date", DATES[-1])
    one = ("--max-active-runs", "1", "--dag-run-conf", conf[1])
    # A database of SQLite has one writer: the command does not wait for a scheduler that writes.
    airflow.kill()
    airflow.call("backfill", "create", "--dag-id", "hourly_pipeline", *span, *one)
    airflow.start()
    runs = airflow.ask("GET", "dags/hourly_pipeline/dagRuns?run_type=backfill")["dag_runs"]
    runs = {run["logical_date"].replace("Z", "+00:00"): run["dag_run_id"] for run in runs}
    assert sorted(runs) == DATES
    for date in DATES:
        assert airflow.ended("hourly_pipeline", runs[date]) == "success"
    # Six hours more are too few for a gate: the second date's model stays a candidate.
    states = airflow.states("hourly_pipeline", runs[DATES[-1]])
    assert states == dict.fromkeys(STAGES, "success") | {"promote": "skipped"}
    assert (
        airflow.figures("hourly_pipeline", runs[DATES[-1]], "promote", "figures")["champion"] == 1
    )
    assert [len(Registry(home).versions("hourly")) for home in homes] == [len(DATES)] * 2
    before, after = (lasting_bytes(home) for home in homes)
    assert after == before
    # An earlier date once more: its own model again, and the champion stays.
    airflow.tested.call("dags", "test", "hourly_pipeline", DATES[0], *UNSEEN, "--conf", conf[0])
    assert len(Registry(homes[0]).versions("hourly")) == len(DATES)
    assert len(Registry(homes[0]).history("hourly")) == 1


def test_nothing_runs_after_a_gate_that_fails(airflow, place, chromium):
    conf = {"home": str(place / "stopped"), "file": str(place / "broken.csv")}
    started = airflow.ask(
        "POST", "dags/hourly_pipeline/dagRuns", logical_date="2025-06-15T15:05:00Z", conf=conf
    )
    run = started["dag_run_id"]
    assert airflow.ended("hourly_pipeline", run) == "failed"
    assert airflow.states("hourly_pipeline", run) == {
        "extract": "success",
        "quality_gate": "failed",
        **dict.fromkeys(STAGES[2:], "upstream_failed"),
    }
    told = airflow.figures("hourly_pipeline", run, "quality_gate", "figures")
    assert told["extracts.0.passed"] is False
    assert (told["extracts.0.report.rows"], told["extracts.0.report.good"]) == (24, 0)
    assert not (place / "stopped" / "datasets").exists()
    pictured(chromium, airflow, run, "red")


def test_the_stream_is_green_by_itself(airflow, kafka):
    log = f"kafka://{kafka}/tested"
    conf = json.dumps({"rate": 100, "seconds": 20, "log": log})
    airflow.tested.call("dags", "test", "kafka_streaming", DATES[0], "--conf", conf)
    topics = json.loads(barograph("topics", "list", "--log", log, "--json"))["topics"]
    counted = {each["name"]: each["records_at_most"] for each in topics}
    # A transaction's end takes a place too.
    assert counted["telco.churn.predictions"] >= 200
    with closing(open_log(log)) as opened:
        assert len(browse.last(opened, "telco.churn.predictions", 1000)) == 200


def test_records_are_scored_as_a_stream_and_in_batch_whose_asset_begins_the_stream(airflow, place):
    for dag in ("kafka_streaming", "kafka_batch"):
        airflow.ask("PATCH", f"dags/{dag}", is_paused=False)
    conf = {"rate": 100, "seconds": 20}
    started = airflow.ask("POST", "dags/kafka_streaming/dagRuns", logical_date=None, conf=conf)
    run = started["dag_run_id"]
    assert airflow.ended("kafka_streaming", run) == "success"
    assert airflow.figures("kafka_streaming", run, "health")["state"] != "problem"
    assert airflow.figures("kafka_streaming", run, "produce")["sent"] == 200
    assert airflow.figures("kafka_streaming", run, "consume")["values"] == 200

    with (place / "people.ndjson").open("ab") as file:
        file.write(b"\n".join([*invent(100, 3), b""]))
    batch = airflow.ask("POST", "dags/kafka_batch/dagRuns", logical_date=None)["dag_run_id"]
    assert airflow.ended("kafka_batch", batch) == "success"
    assert airflow.figures("kafka_batch", batch, "produce")["sent"] == 100
    assert airflow.figures("kafka_batch", batch, "consume")["values"] == 100
    topics = airflow.figures("kafka_batch", batch, "summary")["topics"]
    counted = {each["name"]: each["records_at_most"] for each in topics}
    assert counted["telco.churn.predictions"] >= 300

    def follows():
        return airflow.run_of("kafka_streaming")["run_type"] == "asset_triggered"

    until(follows, SCHEDULE_LIMIT_S, 0.5)
    last = airflow.run_of("kafka_streaming")["dag_run_id"]
    assert airflow.ended("kafka_streaming", last) == "success"
    assert airflow.figures("kafka_streaming", last, "produce")["sent"] == 0
