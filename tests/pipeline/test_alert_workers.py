"""Workers of alerts on a log: each change once, for any series, and nobody is held up."""

from contextlib import closing

import msgspec
import pytest

import queues
from barograph import codec
from barograph.alert_records import Change
from barograph.log import open_log
from barograph.log.topics import ALERTS, PREDICTIONS, ensure
from barograph.pipeline.alert_workers import AlertWorkers, WatchedSeries, alert_route, health_route
from barograph.pipeline.alerts import Series
from barograph.pipeline.worker import when_idle
from barograph.types import Message
from waiting import until
from watched_predictions import NS, prediction
from watched_series import SERIES, alerts_in, plan, predictions, sample, with_topics

T0 = 1_750_000_000
LEVELS = [0.1, 0.6, 0.7, 0.1, *[0.1] * 70]


@pytest.fixture
def log(tmp_path):
    with_topics(tmp_path)
    with closing(open_log(tmp_path)) as opened:
        yield opened


def test_alerts_of_predictions_and_of_health_come_into_one_topic(log, tmp_path):
    with AlertWorkers(plan(tmp_path), pytest.fail):
        log.append(predictions("BTC-USD", T0, LEVELS))
        log.append([sample(T0 * NS, feed_age_s=31.0), sample((T0 + 5) * NS, feed_age_s=0.0)])
        until(lambda: len(alerts_in(log)) >= 5)
    made = alerts_in(log)
    assert sorted((each.rule, str(each.change)) for each in made) == [
        ("feed_stale", "began"),
        ("feed_stale", "ended"),
        ("probability", "began"),
        ("probability", "ended"),
        ("probability", "judged"),
    ]
    assert all(each.case == "spikes" for each in made if each.rule == "probability")


def test_a_worker_that_starts_again_goes_on_with_the_alert_of_before(log, tmp_path):
    here = plan(tmp_path)
    messages = predictions("BTC-USD", T0, LEVELS)
    for part in (messages[:3], messages[3:]):
        log.append(part)
        here.predictions(SERIES, when_idle, pytest.fail)
    began, ended, judged = alerts_in(log)
    assert [began.change, ended.change, judged.change] == [*Change]
    assert {each.id for each in (began, ended, judged)} == {began.id}


def test_any_series_is_watched_under_its_own_group(tmp_path):
    live = queues.LIVE
    watched = WatchedSeries(
        live=live,
        series=Series(case="queues", step_s=live.step_s, horizon_s=live.horizon_s, value="waiting"),
    )
    with_topics(tmp_path)
    with closing(open_log(tmp_path)) as log:
        ensure(log, [queues.source_topic()])
        here = plan(tmp_path, series=(watched,))
        here.predictions(watched, when_idle, pytest.fail)
        rows = [
            prediction("till", 60 * n + 59, level, horizon_s=600, value_now=1.0, tau=9.0)
            for n, level in enumerate([0.1, 0.9, 0.1])
        ]
        log.append([Message(live.predictions, "till", codec.encode(row)) for row in rows])
        here.predictions(watched, when_idle, pytest.fail)
        began, _ = alerts_in(log)
    assert "waiting reaches tau, 9, within 10 min" in began.text
    assert alert_route(live).group != alert_route(SERIES.live).group != health_route().group


def test_an_unreadable_prediction_becomes_a_dead_letter_of_its_series(log, tmp_path):
    log.append([Message(PREDICTIONS, "BTC-USD", b"{}")])
    tally = plan(tmp_path).predictions(SERIES, when_idle, pytest.fail)
    assert (tally.dead_letters, tally.values) == (1, 0)


def test_what_a_worker_dies_of_is_reported_and_the_others_go_on(log, tmp_path):
    broken = msgspec.structs.replace(
        SERIES, live=None, series=msgspec.structs.replace(SERIES.series, case="broken")
    )
    warnings = []
    with AlertWorkers(plan(tmp_path, series=(broken, SERIES)), warnings.append):
        log.append(predictions("BTC-USD", T0, LEVELS[:3]))
        until(lambda: alerts_in(log))
        until(lambda: warnings)
    assert "alerts of broken: nobody watches any more" in warnings[0]
    assert ALERTS in {topic.name for topic in log.topics()}
