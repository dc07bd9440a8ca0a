"""A log has worked off its backlog when its predictions and its frames are of now."""

from contextlib import closing

import pytest

import queues
from barograph import codec
from barograph.cases.market import MARKET
from barograph.log import open_log
from barograph.log.topics import PREDICTIONS, STATUS, ensure
from barograph.pipeline.backlog import LATE_S, worked_off
from barograph.pipeline.case_topics import ensure_series
from barograph.types import FeedStatus, Message
from watched_predictions import prediction
from watched_series import with_topics

NS = 10**9
NOW = 1_000_000
"""The second that ends now."""


@pytest.fixture
def log(tmp_path):
    with_topics(tmp_path)
    with closing(open_log(tmp_path)) as opened:
        yield opened


def of(product, second, topic=PREDICTIONS):
    return Message(topic, product, codec.encode(prediction(product, second, 0.2)))


def status(offset_ms, *, age_s=1, connection="coinbase/1"):
    known = FeedStatus(
        venue="coinbase", connection=connection, dialect="exchange", products=("BTC-USD",),
        time_ns=(NOW - age_s) * NS, since_ns=0, frames=1, reconnects=0, queued=0, queue_full=0,
        open_holes=0, offset_median_ms=offset_ms,
    )  # fmt: skip
    return Message(STATUS, "coinbase", codec.encode(known))


def test_a_log_that_nothing_was_predicted_in_has_not(log):
    log.append([status(-7.0)])
    assert not worked_off(log, MARKET, NOW * NS)


def test_every_key_must_be_of_now(log):
    log.append([status(-7.0), of("BTC-USD", NOW - 1), of("ETH-USD", NOW - 60)])
    assert not worked_off(log, MARKET, NOW * NS)
    log.append([of("ETH-USD", NOW - 2)])
    assert worked_off(log, MARKET, NOW * NS)
    assert not worked_off(log, MARKET, int(NOW + LATE_S + 1) * NS)


def test_the_frames_of_the_last_minute_must_have_come_in_time(log):
    """A median of late frames would be taken for a clock that is wrong."""
    log.append([of("BTC-USD", NOW - 1)])
    assert not worked_off(log, MARKET, NOW * NS), "no feed says anything"
    log.append([status(-30_000.0, age_s=3)])
    assert not worked_off(log, MARKET, NOW * NS)
    log.append([status(None, age_s=2)])
    assert not worked_off(log, MARKET, NOW * NS)
    log.append([status(-7.0)])
    assert worked_off(log, MARKET, NOW * NS)


def test_a_feed_of_before_says_nothing_about_now(log):
    log.append([of("BTC-USD", NOW - 1), status(-30_000.0, age_s=90, connection="coinbase/0")])
    assert not worked_off(log, MARKET, NOW * NS)
    log.append([status(-7.0)])
    assert worked_off(log, MARKET, NOW * NS)


def test_another_series_has_no_feed_to_wait_for(tmp_path):
    with closing(open_log(tmp_path)) as log:
        assert not worked_off(log, queues.LIVE, NOW * NS)
        ensure(log, [queues.source_topic()])
        ensure_series(log, queues.LIVE)
        log.append([of("till", NOW - 1, queues.LIVE.predictions)])
        assert worked_off(log, queues.LIVE, NOW * NS)
