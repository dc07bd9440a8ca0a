"""The stages on a log: the topics they need, and what they say before there is a champion."""

import threading

import msgspec
import pytest

from barograph.app.settings import Settings
from barograph.app.wiring import stages
from barograph.cases.cold_start import COLD_START
from barograph.cases.spikes import SPIKES
from barograph.log import open_log
from barograph.log.topics import PREDICTIONS, SHADOW, ensure_topics, market_topics
from barograph.pipeline.threads import Pipeline
from log_contents import models_in
from second_ticks import ticks
from waiting import until


@pytest.mark.slow
def test_a_log_from_before_there_were_shadows_gets_the_topic_as_that_of_predictions(tmp_path):
    log = open_log(tmp_path)
    for topic in market_topics(partitions=2):
        if topic.name != SHADOW:
            log.create(msgspec.structs.replace(topic, retention_s=99))
    with Pipeline(stages(Settings(home=tmp_path), tmp_path, SPIKES, pytest.fail)):
        pass
    topics = {topic.name: topic for topic in log.topics()}
    assert topics[SHADOW] == msgspec.structs.replace(topics[PREDICTIONS], name=SHADOW)
    assert topics[SHADOW].partitions == 2
    log.close()


@pytest.mark.slow
def test_the_cold_start_baseline_runs_until_there_is_a_champion(tmp_path):
    before = set(threading.enumerate())
    log = open_log(tmp_path)
    ensure_topics(log)
    with Pipeline(stages(Settings(home=tmp_path), tmp_path, SPIKES, pytest.fail)):
        log.append(ticks(100))
    assert models_in(log, PREDICTIONS) == {COLD_START}
    until(lambda: set(threading.enumerate()) <= before)
    log.close()
