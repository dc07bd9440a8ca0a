import shutil

import pytest
from msgspec.structs import replace

from barograph import codec
from barograph.log import Topic, open_log
from barograph.pipeline.drift_watch import NO_CHAMPION, DriftWatch
from barograph.registry.drift import attach_reference
from barograph.registry.registry import Registry
from barograph.types import Message
from drifting_rows import START, feature_rows, reference_of, remembering
from queues import FEATURE_SET, LIVE
from registered_models import facts_of, graph

STEP = LIVE.step_s


@pytest.fixture(scope="module")
def registry(made_home, tmp_path_factory):
    """Versions 1 and 2 of `queues` with a reference, 3 without, 4 of another feature set."""
    known = Registry(shutil.copytree(made_home, tmp_path_factory.mktemp("drift") / "home"))
    for _ in range(4):
        onnx = graph()
        known.register("queues", onnx, facts_of(onnx, case="queues", feature_set=FEATURE_SET))
    reference = reference_of(remembering(5000, memory=0.3))
    attach_reference(known, "queues", 1, reference)
    attach_reference(known, "queues", 2, reference_of(5 * remembering(5000, memory=0.3) + 9))
    attach_reference(known, "queues", 4, replace(reference, feature_set="queues/0"))
    return known


@pytest.fixture
def log(tmp_path):
    with_topics = open_log(tmp_path)
    for name in (LIVE.rows, LIVE.predictions):
        with_topics.create(Topic(name=name, partitions=2))
    yield with_topics
    with_topics.close()


def append(log, rows):
    log.append([Message(LIVE.rows, row.product, codec.encode(row)) for row in rows])


def calm(count=200, start=START):
    return feature_rows(remembering(count, 3, memory=0.3), start)


def wild(count=200, start=START + 200 * STEP):
    return feature_rows(5 * remembering(count, 4, memory=0.3) + 9, start)


@pytest.mark.slow
def test_measures_follow_the_rows_and_the_champion(log, registry):
    registry.promote("queues", 1, "first")
    watch = DriftWatch(log, LIVE, registry, "queues")
    watch.look()
    assert watch.measures()["drift_alarm"] is None
    append(log, calm())
    watch.look()
    assert watch.measures()["drift_alarm"] == 0.0
    assert watch.measures()["data_drift_ratio:north"] < 0.1
    append(log, wild())
    watch.look()
    measures = watch.measures()
    assert measures["drift_alarm"] == measures["drift_alarm:north"] == 1.0
    assert measures["drift_strength"] > 1
    assert measures["tau_exceedance_strength:north"] > 1
    assert measures["data_drift_ratio"] > 0.15
    assert watch.out_of_range()["waiting"] > 50
    assert "of what alarms" in watch.facts()["drift:north"]
    registry.promote("queues", 2, "second")
    watch.look()
    assert watch.measures()["drift_alarm"] == 0.0


def test_a_start_reads_the_last_window_back(log, registry):
    registry.promote("queues", 1, "again")
    append(log, [*calm(), *wild()])
    log.append([Message(LIVE.rows, "north", b"garbage")])
    watch = DriftWatch(log, LIVE, registry, "queues")
    watch.look()
    assert watch.measures()["drift_alarm"] == 1.0


@pytest.mark.slow
def test_a_champion_without_a_reference_says_so_and_no_champion_too(log, registry, tmp_path):
    registry.promote("queues", 3, "without")
    append(log, calm())
    watch = DriftWatch(log, LIVE, registry, "queues")
    watch.look()
    assert watch.measures()["drift_alarm"] is None
    assert watch.facts()["drift"].startswith(
        "queues/3: it was registered without a drift reference"
    )
    registry.promote("queues", 4, "foreign")
    watch.look()
    assert watch.facts()["drift"] == "queues/4: it was made with another feature set"
    registry.promote("queues", 1, "with")
    watch.look()
    assert watch.measures()["drift_alarm"] == 0.0
    nobody = DriftWatch(log, LIVE, Registry(tmp_path / "empty"), "queues")
    nobody.look()
    assert (nobody.facts(), nobody.states()) == ({"drift": NO_CHAMPION}, [])
    assert nobody.measures()["drift_judged"] is None


@pytest.mark.slow
def test_a_reference_that_is_too_short_is_measured_and_worded(log, registry):
    version = registry.register(
        "queues", onnx := graph(), facts_of(onnx, case="queues", feature_set=FEATURE_SET)
    )
    attach_reference(registry, "queues", version, reference_of(remembering(150)))
    registry.promote("queues", version, "short")
    append(log, [*calm(), *wild()])
    watch = DriftWatch(log, LIVE, registry, "queues")
    watch.look()
    measures = watch.measures()
    assert (measures["drift_judged"], measures["drift_judged:north"]) == (0.0, 0.0)
    assert watch.facts()["drift_reference:north"].startswith("reference too short to judge")
    registry.promote("queues", 1, "long")
    watch.look()
    assert watch.measures()["drift_judged"] == 1.0
    assert "drift_reference:north" not in watch.facts()


def test_a_log_without_topics_is_waited_for(registry, tmp_path):
    registry.promote("queues", 1, "again")
    log = open_log(tmp_path)
    watch = DriftWatch(log, LIVE, registry, "queues")
    watch.look()
    assert watch.states() == []
    log.close()
