"""A stage makes its topics, works on a handle of its own, and waits for a log only if patient."""

from contextlib import closing

import pytest

from barograph.errors import LogUnavailableError
from barograph.evaluation.candle_checks import CandleChecks
from barograph.log import open_log
from barograph.log.topics import CANDLE_CHECKS, CANDLES, ensure_candle_topics
from barograph.pipeline.candle_stages import CHECK_ROUTE
from barograph.pipeline.stage_ground import Ground
from barograph.pipeline.worker import when_idle


def ground(path, ensure=ensure_candle_topics, *, patient=False):
    return Ground(path, ensure, [].append, batch_records=100, lease_s=30.0, patient=patient)


def test_its_topics_are_there_before_it_works_and_its_handle_is_closed(tmp_path):
    handles = []

    def ensure(log):
        handles.append(log)
        ensure_candle_topics(log)

    tally = ground(tmp_path, ensure).work(CHECK_ROUTE, CandleChecks, when_idle)
    assert tally.records == 0
    with closing(open_log(tmp_path)) as log:
        assert {CANDLES, CANDLE_CHECKS} <= {topic.name for topic in log.topics()}
    (handle,) = handles
    with pytest.raises(Exception, match="closed"):
        handle.topics()


def test_topics_can_be_made_for_others_that_read_them(tmp_path):
    ground(tmp_path).prepare(when_idle, "candles")
    with closing(open_log(tmp_path)) as log:
        assert {CANDLES, CANDLE_CHECKS} <= {topic.name for topic in log.topics()}


@pytest.mark.slow
def test_only_who_is_patient_tries_again(tmp_path):
    tries = []

    def ensure(log):
        tries.append(log)
        if len(tries) % 2:
            raise LogUnavailableError("log.sqlite", "a lock is held")
        ensure_candle_topics(log)

    with pytest.raises(LogUnavailableError):
        ground(tmp_path, ensure).work(CHECK_ROUTE, CandleChecks, when_idle)
    tries.clear()
    ground(tmp_path, ensure, patient=True).work(CHECK_ROUTE, CandleChecks, when_idle)
    assert len(tries) == 2
