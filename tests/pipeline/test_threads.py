"""The stages as threads: they finish what the feed wrote, and end when they are to."""

import os
import signal
import threading
from contextlib import closing

import msgspec
import pytest

from barograph.app.settings import Settings
from barograph.app.wiring import feed_through, stages
from barograph.cases.cold_start import COLD_START
from barograph.cases.spikes import SPIKES
from barograph.errors import RegistryError, UnknownTopicError
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.log import open_log
from barograph.log.topics import FEATURES, PREDICTIONS, SHADOW, ensure_topics
from barograph.pipeline.follower import Follower
from barograph.pipeline.stages import Stages
from barograph.pipeline.threads import Pipeline
from listed_versions import Versions
from log_contents import models_in, total
from scored_rows import model
from second_ticks import ticks
from waiting import until


@pytest.mark.slow
@pytest.mark.parametrize("live", [True, False])
def test_what_the_feed_wrote_last_is_still_scored(tmp_path, live):
    log = open_log(tmp_path)
    ensure_topics(log)
    settings = Settings(home=tmp_path)
    for part in range(3):
        running = Pipeline(stages(settings, tmp_path, SPIKES, pytest.fail))
        feed_through(running, lambda part=part: log.append(ticks(300, part * 300)), live=live)
        assert running.scored.values == running.featurized.values
    assert total(log, FEATURES) == total(log, PREDICTIONS) == 899
    log.close()


@pytest.mark.slow
def test_what_is_fed_before_is_scored_once_all_of_it_is_featurized(tmp_path, monkeypatch):
    log, score, rows = open_log(tmp_path), Stages.score, []

    def scored(self, until):
        rows.append(total(log, FEATURES))
        return score(self, until)

    monkeypatch.setattr(Stages, "score", scored)
    ensure_topics(log)
    running = Pipeline(stages(Settings(home=tmp_path), tmp_path, SPIKES, pytest.fail))
    feed_through(running, lambda: log.append(ticks(100)), live=False)
    assert rows == [running.scored.values] == [99]
    log.close()


@pytest.mark.slow
def test_a_stop_does_not_wait_for_a_backlog_and_the_next_run_works_it_off(tmp_path):
    log, warnings, stop = open_log(tmp_path), [], threading.Event()
    ensure_topics(log)
    log.append(ticks(5000))
    settings = Settings(home=tmp_path, batch_records=20)
    with Pipeline(stages(settings, tmp_path, SPIKES, warnings.append), stop, finish_s=0.0):
        stop.set()
    assert warnings == ["stopped before all was scored that was heard; the next run goes on"]
    assert total(log, PREDICTIONS) < 4999
    with Pipeline(stages(settings, tmp_path, SPIKES, pytest.fail), stop, finish_s=600.0):
        stop.set()
    assert total(log, FEATURES) == total(log, PREDICTIONS) == 4999
    log.close()


@pytest.mark.slow
def test_an_interrupt_ends_the_wait_for_a_backlog(tmp_path):
    threads = set(threading.enumerate())
    log = open_log(tmp_path)
    ensure_topics(log)
    log.append(ticks(5000))
    running = Pipeline(
        stages(Settings(home=tmp_path, batch_records=1), tmp_path, SPIKES, pytest.fail)
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    sent = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt), running:
            sent.start()
    finally:
        signal.signal(signal.SIGINT, before)
    until(lambda: set(threading.enumerate()) <= threads)
    assert total(log, PREDICTIONS) < 4999
    log.close()


@pytest.mark.slow
def test_a_worker_that_dies_is_heard_at_the_door(tmp_path):
    log = open_log(tmp_path)
    ensure_topics(log)
    log.append(ticks(20))
    settings = Settings(home=tmp_path)
    with Pipeline(stages(settings, tmp_path, SPIKES, pytest.fail)):
        pass
    other = tmp_path / "other"
    running = Pipeline(stages(settings, other, SPIKES, [].append))
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
    with Pipeline(stages(Settings(home=tmp_path), tmp_path, SPIKES, pytest.fail)):
        log.append(ticks(100))
    assert shadow_position(log) == total(log, FEATURES) == 99
    assert total(log, SHADOW) == 0
    log.close()


@pytest.mark.slow
def test_a_replay_that_nothing_shadows_does_not_even_look(tmp_path):
    log = open_log(tmp_path)
    ensure_topics(log)
    running = Pipeline(stages(Settings(home=tmp_path), tmp_path, SPIKES, pytest.fail))
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
    assert models_in(log, SHADOW) == {"spikes/2"}
    assert models_in(log, PREDICTIONS) == {COLD_START}
    log.close()


@pytest.mark.slow
def test_a_shadow_that_dies_is_reported_once_and_the_others_go_on(tmp_path):
    class Failing(Versions):
        def version_of(self, *_):
            raise RegistryError("spikes", "the database cannot be read", "Move it away")

    log, warnings = open_log(tmp_path), []
    ensure_topics(log)
    with Pipeline(shadowing(tmp_path, Failing({}), warnings.append)) as running:
        until(lambda: warnings)
        log.append(ticks(100))
        running.check()
    assert running.scored.values == 99
    assert len(warnings) == 1
    assert "shadows the champion no more" in warnings[0]
    assert "the database cannot be read" in warnings[0]
    log.close()


def shadowing(home, versions, warn):
    """Stages of a home whose candidate is one of these."""
    candidate = Follower(versions, "spikes", FEATURE_SET_HASH, alias="candidate", warn=warn)
    return msgspec.structs.replace(
        stages(Settings(home=home), home, SPIKES, warn), candidate=candidate
    )
