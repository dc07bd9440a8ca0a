"""Workers as the settings want them: scorers of records and their models."""

import shutil

import msgspec
import pytest

from barograph import codec
from barograph.app.settings import Settings
from barograph.app.wiring import consume
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError
from barograph.log import open_log
from barograph.pipeline.case_topics import ensure_stream
from barograph.pipeline.worker import when_idle
from barograph.registry.registry import Registry
from barograph.types import Message, Verdict
from log_contents import total
from subscribers import STREAM, SUBSCRIBERS, graph, subscriber

NS = 10**9
MOST_RECORDS = 10_000


def subscribers(numbers):
    for words in map(subscriber, numbers):
        yield Message(STREAM.source, words["id"], codec.encode(words))


def predictions(log):
    records = [
        record
        for extent in log.extents(STREAM.target)
        for record in log.read(STREAM.target, extent.partition, 0, 1000)
    ]
    return [(codec.decode_record_prediction(each.value), each.headers) for each in records]


@pytest.mark.slow
def test_records_are_scored_by_the_champion_with_its_cost_in_the_header(made_home, tmp_path):
    onnx, facts = graph()
    registry = Registry(shutil.copytree(made_home, tmp_path, dirs_exist_ok=True))
    registry.promote("subscribers", registry.register("subscribers", onnx, facts), "a test")
    log = open_log(tmp_path)
    ensure_stream(log, STREAM)
    log.append([*subscribers(range(20)), Message(STREAM.source, "bad", b"bad")])
    settings = Settings(home=tmp_path)
    tally = consume(settings, tmp_path, SUBSCRIBERS, pytest.fail, when_idle, 7)
    assert (tally.records, tally.values, tally.dead_letters) == (21, 20, 1)
    assert tally.commits >= 3
    for prediction, headers in predictions(log):
        assert (prediction.verdict, prediction.model) == (Verdict.PREDICTED, "subscribers/1")
        assert int(headers["inference_ns"]) > 0
        assert int(headers["scored_time_ns"]) > 0
    assert total(log, STREAM.dead_letters) == 1
    log.close()


@pytest.mark.slow
def test_a_champion_is_taken_up_by_a_running_scorer_of_records(made_home, tmp_path):
    onnx, facts = graph()
    registry, warnings = Registry(shutil.copytree(made_home, tmp_path, dirs_exist_ok=True)), []
    version = registry.register("subscribers", onnx, facts)
    log = open_log(tmp_path)
    ensure_stream(log, STREAM)
    log.append(subscribers(range(5)))
    settings = Settings(home=tmp_path, model_refresh_s=1e-9)
    verdicts = []

    def until(tally, idle):
        """One record more each time that all are scored, until the model is there."""
        if not idle:
            return False
        if tally.records == 5:
            registry.promote("subscribers", version, "a test")
        verdicts[:] = [prediction.verdict for prediction, _ in predictions(log)]
        if tally.records == MOST_RECORDS or Verdict.PREDICTED in verdicts:
            return True
        log.append(subscribers([tally.records]))
        return False

    consume(settings, tmp_path, SUBSCRIBERS, warnings.append, until, 100)
    assert verdicts.count(Verdict.NO_MODEL) >= 5
    assert verdicts.count(Verdict.PREDICTED) == 1
    assert len(warnings) == 1
    assert "subscribers has no champion" in warnings[0]
    log.close()


@pytest.mark.slow
def test_a_champion_of_another_contract_is_reported_and_not_used(made_home, tmp_path):
    onnx, facts = graph()
    registry, warnings = Registry(shutil.copytree(made_home, tmp_path, dirs_exist_ok=True)), []
    foreign = msgspec.structs.replace(facts, feature_set="another")
    registry.promote("subscribers", registry.register("subscribers", onnx, foreign), "a test")
    log = open_log(tmp_path)
    ensure_stream(log, STREAM)
    log.append(subscribers(range(3)))
    consume(Settings(home=tmp_path), tmp_path, SUBSCRIBERS, warnings.append, when_idle, 100)
    assert {prediction.verdict for prediction, _ in predictions(log)} == {Verdict.NO_MODEL}
    assert "was made with feature set another" in warnings[0]
    log.close()


def test_a_case_without_a_stream_has_nothing_to_consume(tmp_path):
    with pytest.raises(BadInputError, match="spikes: it has no topic of records"):
        consume(Settings(home=tmp_path), tmp_path, SPIKES, pytest.fail, when_idle, 100)
