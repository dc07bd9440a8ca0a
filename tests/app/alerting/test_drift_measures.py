"""The drift of a series as its monitor measures it, and as its metrics show it."""

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from barograph import codec
from barograph.app.alerting.drift_measures import DriftMeasures
from barograph.errors import LogError
from barograph.log import Topic, open_log
from barograph.registry.drift import attach_reference
from barograph.registry.registry import Registry
from barograph.types import Message
from counted_metrics import Counted
from drifting_rows import START, feature_rows, reference_of, remembering
from queues import FEATURE_SET, LIVE, QUEUES
from registered_models import facts_of, graph

CASE = ("case", QUEUES.name)


@pytest.fixture
def home(made_home, tmp_path):
    """A home with a champion that has a reference, and a log with its topics."""
    home = shutil.copytree(made_home, tmp_path / "home")
    onnx, registry = graph(), Registry(home)
    facts = facts_of(onnx, case=QUEUES.name, feature_set=FEATURE_SET)
    version = registry.register(QUEUES.name, onnx, facts)
    attach_reference(registry, QUEUES.name, version, reference_of(remembering(5000, memory=0.3)))
    registry.promote(QUEUES.name, version, "first")
    return home


def append(home, rows):
    with closing(open_log(home)) as log:
        if LIVE.rows not in {topic.name for topic in log.topics()}:
            for name in (LIVE.rows, LIVE.predictions):
                log.create(Topic(name=name, partitions=2))
        log.append([Message(LIVE.rows, row.product, codec.encode(row)) for row in rows])


def test_what_the_monitor_measures_is_among_the_metrics(home):
    counted, drift = Counted(), DriftMeasures(home, Registry(home), QUEUES, [].append)
    append(home, feature_rows(remembering(200, 3, memory=0.3)))
    assert drift.measure()["drift_alarm"] == 0
    assert counted.now()["barograph_drift_alarm", CASE] == 0
    wild = feature_rows(5 * remembering(200, 4, memory=0.3) + 9, START + 200 * LIVE.step_s)
    append(home, wild)
    measures = drift.measure()
    now = counted.now()
    assert now["barograph_drift_alarm", CASE] == measures["drift_alarm"] == 1
    assert now["data_drift_ratio", CASE] == pytest.approx(measures["data_drift_ratio"])
    assert now["data_drift_ratio", CASE] > 0.15
    outside = counted.since("feature_ood_total", case=QUEUES.name, feature="waiting")
    assert outside > 50
    drift.measure()
    again = counted.since("feature_ood_total", case=QUEUES.name, feature="waiting")
    assert again == outside, "counted once"
    drift.close()


def test_what_is_not_known_is_not_shown(tmp_path):
    counted, drift = Counted(), DriftMeasures(tmp_path, Registry(tmp_path), QUEUES, [].append)
    append(tmp_path, feature_rows(remembering(20)))
    assert drift.measure()["data_drift_ratio"] is None
    assert ("data_drift_ratio", CASE) not in counted.now()
    drift.close()
    drift.close()


@pytest.mark.slow
def test_a_reference_that_is_too_short_is_a_metric_and_one_warning(home):
    counted, warned = Counted(), []
    append(home, feature_rows(remembering(200, 3, memory=0.3)))
    drift = DriftMeasures(home, Registry(home), QUEUES, warned.append)
    drift.measure()
    assert (counted.now()["barograph_drift_judged", CASE], warned) == (1, [])
    onnx, registry = graph(), Registry(home)
    facts = facts_of(onnx, case=QUEUES.name, feature_set=FEATURE_SET)
    version = registry.register(QUEUES.name, onnx, facts)
    attach_reference(registry, QUEUES.name, version, reference_of(remembering(150)))
    registry.promote(QUEUES.name, version, "newer")
    assert drift.measure()["drift_judged:north"] == 0
    drift.measure()
    assert counted.now()["barograph_drift_judged", CASE] == 0
    (words,) = warned
    assert words == (
        f"drift of queues/{version} is not judged: north: reference too short to judge: needs "
        "about 15 h; the 2.5 h it has test 0 of 4 columns"
    )
    drift.close()


def test_after_an_error_the_log_is_opened_again(home):
    append(home, feature_rows(remembering(200, 3, memory=0.3)))
    drift = DriftMeasures(home, Registry(home), QUEUES, [].append)
    drift.measure()
    with closing(sqlite3.connect(home / "log.sqlite")) as log:
        ends = log.execute("SELECT next, topic, number FROM partition").fetchall()
        with log:
            log.execute("UPDATE partition SET next = 'x'")
        with pytest.raises(LogError):
            drift.measure()
        assert drift._log is None
        with log:
            log.executemany("UPDATE partition SET next = ? WHERE (topic, number) = (?, ?)", ends)
    assert drift.measure()["drift_alarm"] == 0
    drift.close()


@pytest.mark.slow
def test_another_thread_may_close_it_at_any_moment(home):
    append(home, feature_rows(remembering(200, 3, memory=0.3)))
    drift = DriftMeasures(home, Registry(home), QUEUES, [].append)
    with ThreadPoolExecutor(1) as thread:
        measured = [thread.submit(drift.measure) for _ in range(30)]
        while not measured[-1].done():
            drift.close()
    assert [each.result()["drift_alarm"] for each in measured] == [0] * 30
    drift.close()
