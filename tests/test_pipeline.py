"""The wiring: the stages finish what the feed wrote, and models are taken up while they run."""

import os
import signal
import threading
from contextlib import closing

import msgspec
import pytest

from barograph import codec
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError, RegistryError, UnknownTopicError
from barograph.follower import Follower
from barograph.kernels import FEATURE_SET_HASH
from barograph.log import open_log
from barograph.log.topics import (
    FEATURES,
    PREDICTIONS,
    SHADOW,
    TICKS,
    ensure_stream,
    ensure_topics,
    market_topics,
)
from barograph.pipeline import Pipeline, consume, feed_through, stages
from barograph.registry import Registry
from barograph.scorer import COLD_START
from barograph.settings import Settings
from barograph.types import Message, Tick, Verdict
from barograph.worker import when_idle
from subscribers import STREAM, SUBSCRIBERS, graph, subscriber
from test_follower import Versions
from test_scorer import model
from waiting import until

NS = 10**9
MOST_RECORDS = 10_000


def ticks(n, start=0):
    for second in range(start, start + n):
        price = f"{100 + second % 7}.5"
        time_ns = (1_700_000_000 + second) * NS
        tick = Tick(product="BTC-USD", event_time_ns=time_ns, price=price, bid=price, ask=price)
        yield Message(TICKS, "BTC-USD", codec.encode(tick))


def total(log, topic):
    return sum(extent.next - extent.oldest for extent in log.extents(topic))


@pytest.mark.slow
@pytest.mark.parametrize("live", [True, False])
def test_what_the_feed_wrote_last_is_still_scored(tmp_path, live):
    log = open_log(tmp_path)
    ensure_topics(log)
    settings = Settings(home=tmp_path)
    for part in range(3):
        running = Pipeline(stages(settings, tmp_path, pytest.fail))
        feed_through(running, lambda part=part: log.append(ticks(300, part * 300)), live=live)
        assert running.scored.values == running.featurized.values
    assert total(log, FEATURES) == total(log, PREDICTIONS) == 899
    log.close()


@pytest.mark.slow
def test_a_stop_does_not_wait_for_a_backlog_and_the_next_run_works_it_off(tmp_path):
    log, said, stop = open_log(tmp_path), [], threading.Event()
    ensure_topics(log)
    log.append(ticks(5000))
    settings = Settings(home=tmp_path, batch_records=20)
    with Pipeline(stages(settings, tmp_path, said.append), stop, finish_s=0.0):
        stop.set()
    assert said == ["stopped before all was scored that was heard; the next run goes on"]
    assert total(log, PREDICTIONS) < 4999
    with Pipeline(stages(settings, tmp_path, pytest.fail), stop, finish_s=600.0):
        stop.set()
    assert total(log, FEATURES) == total(log, PREDICTIONS) == 4999
    log.close()


@pytest.mark.slow
def test_an_interrupt_ends_the_wait_for_a_backlog(tmp_path):
    log = open_log(tmp_path)
    ensure_topics(log)
    log.append(ticks(5000))
    running = Pipeline(stages(Settings(home=tmp_path, batch_records=1), tmp_path, pytest.fail))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    sent = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt), running:
            sent.start()
    finally:
        signal.signal(signal.SIGINT, before)
    until(lambda: threading.active_count() == 1)
    assert total(log, PREDICTIONS) < 4999
    log.close()


@pytest.mark.slow
def test_a_worker_that_dies_is_heard_at_the_door(tmp_path):
    log = open_log(tmp_path)
    ensure_topics(log)
    log.append(ticks(20))
    settings = Settings(home=tmp_path)
    with Pipeline(stages(settings, tmp_path, pytest.fail)):
        pass
    other = tmp_path / "other"
    running = Pipeline(stages(settings, other, [].append))
    # It has no topics.
    with closing(open_log(other)), pytest.raises(UnknownTopicError), running:
        pass
    log.close()


def shadow_position(log):
    return sum(log.positions("shadow", FEATURES).values())


@pytest.mark.slow
def test_a_shadow_without_a_candidate_passes_over_what_comes_live(tmp_path):
    log = open_log(tmp_path)
    ensure_topics(log)
    with Pipeline(stages(Settings(home=tmp_path), tmp_path, pytest.fail)):
        log.append(ticks(100))
    assert shadow_position(log) == total(log, FEATURES) == 99
    assert total(log, SHADOW) == 0
    log.close()


@pytest.mark.slow
def test_a_replay_that_nothing_shadows_does_not_even_look(tmp_path):
    log = open_log(tmp_path)
    ensure_topics(log)
    running = Pipeline(stages(Settings(home=tmp_path), tmp_path, pytest.fail))
    feed_through(running, lambda: log.append(ticks(100)), live=False)
    assert running.shadowed.assigned == 0
    assert log.positions("shadow", FEATURES) == {}
    log.close()


@pytest.mark.slow
@pytest.mark.parametrize("live", [True, False])
def test_a_candidate_shadows_what_comes_live_or_replayed(tmp_path, live):
    log = open_log(tmp_path)
    ensure_topics(log)
    versions = Versions({2: model("spikes/2")}, champion=1, candidate=2)
    running = Pipeline(shadowing(tmp_path, versions, pytest.fail))
    feed_through(running, lambda: log.append(ticks(100)), live=live)
    assert running.shadowed.values == running.scored.values == total(log, SHADOW) == 99
    assert said_in(log, SHADOW) == {"spikes/2"}
    assert said_in(log, PREDICTIONS) == {COLD_START}
    log.close()


@pytest.mark.slow
def test_a_log_from_before_there_were_shadows_gets_the_topic_as_that_of_predictions(tmp_path):
    log = open_log(tmp_path)
    for topic in market_topics(partitions=2):
        if topic.name != SHADOW:
            log.create(msgspec.structs.replace(topic, retention_s=99))
    with Pipeline(stages(Settings(home=tmp_path), tmp_path, pytest.fail)):
        pass
    topics = {topic.name: topic for topic in log.topics()}
    assert topics[SHADOW] == msgspec.structs.replace(topics[PREDICTIONS], name=SHADOW)
    assert topics[SHADOW].partitions == 2
    log.close()


@pytest.mark.slow
def test_a_shadow_that_dies_is_told_of_once_and_the_others_go_on(tmp_path):
    class Failing(Versions):
        def version_of(self, *_):
            raise RegistryError("spikes", "the database cannot be read", "Move it away")

    log, told = open_log(tmp_path), []
    ensure_topics(log)
    with Pipeline(shadowing(tmp_path, Failing({}), told.append)) as running:
        until(lambda: told)
        log.append(ticks(100))
        running.check()
    assert running.scored.values == 99
    assert len(told) == 1
    assert "shadows the champion no more" in told[0]
    assert "the database cannot be read" in told[0]
    log.close()


def shadowing(home, versions, warn):
    """Stages of a home whose candidate is one of these."""
    candidate = Follower(versions, "spikes", FEATURE_SET_HASH, alias="candidate", warn=warn)
    return msgspec.structs.replace(stages(Settings(home=home), home, warn), candidate=candidate)


def said_in(log, topic):
    """The models whose predictions a topic holds."""
    return {
        codec.decode_prediction(record.value).model
        for extent in log.extents(topic)
        for record in log.read(topic, extent.partition, 0, 1000)
    }


@pytest.mark.slow
def test_the_cold_start_baseline_runs_until_there_is_a_champion(tmp_path):
    log = open_log(tmp_path)
    ensure_topics(log)
    with Pipeline(stages(Settings(home=tmp_path), tmp_path, pytest.fail)):
        log.append(ticks(100))
    assert said_in(log, PREDICTIONS) == {COLD_START}
    assert threading.active_count() == 1
    log.close()


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
def test_records_are_scored_by_the_champion_with_its_cost_in_the_header(tmp_path):
    onnx, facts = graph()
    registry = Registry(tmp_path)
    registry.promote("subscribers", registry.register("subscribers", onnx, facts), "a test")
    log = open_log(tmp_path)
    ensure_stream(log, STREAM)
    log.append([*subscribers(range(20)), Message(STREAM.source, "bad", b"bad")])
    settings = Settings(home=tmp_path)
    tally = consume(settings, tmp_path, SUBSCRIBERS, pytest.fail, when_idle, 7)
    assert (tally.records, tally.values, tally.dead_letters) == (21, 20, 1)
    assert tally.commits >= 3
    for said, headers in predictions(log):
        assert (said.verdict, said.model) == (Verdict.PREDICTED, "subscribers/1")
        assert int(headers["inference_ns"]) > 0
        assert int(headers["scored_time_ns"]) > 0
    assert total(log, STREAM.dead_letters) == 1
    log.close()


@pytest.mark.slow
def test_a_champion_is_taken_up_by_a_running_scorer_of_records(tmp_path):
    onnx, facts = graph()
    registry, told = Registry(tmp_path), []
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
        verdicts[:] = [said.verdict for said, _ in predictions(log)]
        if tally.records == MOST_RECORDS or Verdict.PREDICTED in verdicts:
            return True
        log.append(subscribers([tally.records]))
        return False

    consume(settings, tmp_path, SUBSCRIBERS, told.append, until, 100)
    assert verdicts.count(Verdict.NO_MODEL) >= 5
    assert verdicts.count(Verdict.PREDICTED) == 1
    assert len(told) == 1
    assert "subscribers has no champion" in told[0]
    log.close()


@pytest.mark.slow
def test_a_champion_of_another_contract_is_told_and_not_used(tmp_path):
    onnx, facts = graph()
    registry, told = Registry(tmp_path), []
    foreign = msgspec.structs.replace(facts, feature_set="another")
    registry.promote("subscribers", registry.register("subscribers", onnx, foreign), "a test")
    log = open_log(tmp_path)
    ensure_stream(log, STREAM)
    log.append(subscribers(range(3)))
    consume(Settings(home=tmp_path), tmp_path, SUBSCRIBERS, told.append, when_idle, 100)
    assert {said.verdict for said, _ in predictions(log)} == {Verdict.NO_MODEL}
    assert "was made with feature set another" in told[0]
    log.close()


def test_a_case_without_a_stream_has_nothing_to_consume(tmp_path):
    with pytest.raises(BadInputError, match="spikes: it has no topic of records"):
        consume(Settings(home=tmp_path), tmp_path, SPIKES, pytest.fail, when_idle, 100)
