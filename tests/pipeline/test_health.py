"""A log that a live feed writes is judged by what came lately; one that was replayed is not."""

import time
from contextlib import closing

import pytest

from alert_records_made import alert, messages
from barograph import codec
from barograph.alert_records import Change
from barograph.cases.cold_start import COLD_START
from barograph.errors import RegistryError
from barograph.log import open_log
from barograph.log.topics import (
    FEATURES,
    PREDICTIONS,
    STATUS,
    TICKS,
    ensure_alert_topics,
    ensure_topics,
)
from barograph.pipeline.check import check
from barograph.types import FeedStatus, Gap, GapCause, Heartbeat, Message, Tick, Verdict
from waiting import until
from watched_predictions import prediction

NS = 10**9
NOW_S = 10_000


@pytest.fixture
def log(tmp_path):
    with closing(open_log(tmp_path)) as opened:
        ensure_topics(opened)
        yield opened


def tick(product, second):
    return Tick(
        product=product, event_time_ns=second * NS, price="1", bid="1", ask="1",
        receive_time_ns=second * NS,
    )  # fmt: skip


def status(*products, time_s=NOW_S, connection="coinbase/1"):
    return FeedStatus(
        venue="coinbase", connection=connection, dialect="exchange", products=products,
        time_ns=time_s * NS, since_ns=0, frames=1, reconnects=0, queued=0, queue_full=0,
        open_holes=0,
    )  # fmt: skip


def append(log, topic, *values):
    log.append([
        Message(topic, getattr(each, "product", "coinbase"), codec.encode(each))
        for each in values
    ])  # fmt: skip


def commit(log, group, topic):
    """A group that has done all of a topic."""
    member = log.join(group, [topic])
    done = 0
    wanted = sum(extent.next - extent.oldest for extent in log.extents(topic))
    for _ in range(100):
        done += len(member.poll(100, 0.05).records) if done < wanted else 0
    member.commit()
    member.leave()


def look(log, now_s=NOW_S + 1, **how):
    return check(log, TICKS, wanted=1, clock_ns=lambda: now_s * NS, **how)


def test_a_replayed_log_is_not_judged_by_its_age(log):
    append(log, TICKS, tick("A", 1))
    report = look(log)
    assert (report.ok, report.health.max_age_s, report.health.problems) == (True, None, [])
    report = look(log, max_age_s=60.0)
    assert not report.ok
    assert report.health.problems == ["nothing was received for 2.78 h, at most 60 s"]


def test_a_live_log_is_ok_while_it_is_fed_and_not_half_a_minute_later(log):
    append(log, TICKS, tick("A", NOW_S))
    append(log, STATUS, status("A"))
    report = look(log)
    assert (report.ok, report.health.max_age_s) == (True, 30.0)
    dead = look(log, now_s=NOW_S + 31)
    assert (dead.ok, dead.counted) == (False, 1)
    assert dead.health.problems == ["nothing was received for 31 s, at most 30 s"]
    assert look(log, now_s=NOW_S + 31, max_age_s=60.0).ok
    assert look(log, now_s=NOW_S + 9_999, max_age_s=0.0).ok


def test_one_product_of_several_that_died_is_named(log):
    append(log, TICKS, tick("A", NOW_S), tick("B", NOW_S - 100), tick("OLD", 5))
    append(log, STATUS, status("A", "B", "C"))
    report = look(log)
    assert report.health.problems == [
        "B: nothing was received for 101 s, at most 30 s",
        "C: nothing was received",
    ]


def test_a_quiet_market_is_alive_while_its_heart_beats_and_a_gap_is_no_news(log):
    beat = Heartbeat(product="A", event_time_ns=NOW_S * NS, receive_time_ns=NOW_S * NS)
    hole = Gap(
        product="B", start_ns=1, end_ns=NOW_S * NS, cause=GapCause.SILENCE,
        receive_time_ns=NOW_S * NS,
    )  # fmt: skip
    append(log, TICKS, tick("A", NOW_S - 100), beat, tick("B", NOW_S - 100), hole)
    append(log, STATUS, status("A", "B"))
    report = look(log)
    assert (report.products["A"].age_s, report.products["A"].heard_s) == (101.0, 1.0)
    assert report.health.problems == ["B: nothing was received for 101 s, at most 30 s"]


def test_of_two_feeds_the_one_that_died_is_missed_for_an_hour(log):
    """Longer than that, and its products were given up on purpose."""
    append(log, TICKS, tick("A", NOW_S), tick("B", NOW_S - 3_000))
    append(log, STATUS, status("A"), status("B", time_s=NOW_S - 3_000, connection="coinbase/2"))
    assert look(log).health.problems == ["B: nothing was received for 50 min, at most 30 s"]
    append(log, TICKS, tick("A", NOW_S + 601))
    append(log, STATUS, status("A", time_s=NOW_S + 601, connection="coinbase/3"))
    assert look(log, now_s=NOW_S + 602).ok


def live(log, *predictions):
    append(log, TICKS, tick("A", NOW_S))
    append(log, STATUS, status("A"))
    append(log, FEATURES, tick("A", NOW_S))
    commit(log, "featurizer", TICKS)
    commit(log, "scorer", FEATURES)
    append(log, PREDICTIONS, *predictions)


def test_where_a_scorer_runs_predictions_are_judged_too(log):
    live(log, prediction("A", NOW_S, 0.5))
    report = look(log, champion=lambda: "spikes/3")
    assert report.ok
    assert report.health.champion == "spikes/3"
    assert report.health.verdicts == {"A": "PREDICTED"}
    assert report.health.remarks == []


def test_no_prediction_lately_is_not_ok(log):
    live(log)
    assert look(log).health.problems == ["there is no prediction"]


@pytest.mark.slow
def test_no_model_and_an_expired_one_are_not_ok(log):
    live(log, prediction("A", NOW_S, None, verdict=Verdict.NO_MODEL, model=COLD_START))
    report = look(log)
    assert not report.ok
    (problem,) = report.health.problems
    assert problem.startswith("no champion, and the baseline has not learned enough")
    live(log, prediction("A", NOW_S + 1, None, verdict=Verdict.MODEL_EXPIRED))
    (problem,) = look(log, champion=lambda: "spikes/3").health.problems
    cure = "`barograph train --case spikes`"
    assert problem == f"the champion spikes/3 has expired: train again ({cure})"


def test_a_baseline_that_predicts_is_ok_with_a_remark(log):
    live(log, prediction("A", NOW_S, 0.2, model=COLD_START))
    report = look(log)
    assert report.ok
    assert report.health.remarks == ["no champion: the baseline predicts until a model is promoted"]


def test_a_registry_that_cannot_be_read_is_a_problem_and_no_crash(log):
    append(log, TICKS, tick("A", NOW_S))
    append(log, STATUS, status("A"))

    def champion():
        raise RegistryError("mlflow.db", "it is damaged", "Restore it")

    report = look(log, champion=champion)
    assert not report.ok
    assert "it is damaged" in report.health.problems[0]


def test_a_watch_misses_a_product_only_if_it_watched_long_enough(log):
    append(log, STATUS, status("A", "B"))
    seconds = iter([0.0, *[float(n) for n in range(1, 200)]])

    def watched(span_s):
        waits = iter([True])
        return look(
            log,
            seconds=span_s,
            timer=lambda: next(seconds),
            wait=lambda _s: append(log, TICKS, tick("A", NOW_S)) if next(waits, False) else None,
        )

    assert watched(10.0).health.problems == []
    assert watched(40.0).health.problems == ["B: nothing was received"]


def test_predictions_that_stopped_and_records_that_wait_for_their_reader_are_named(log):
    """Both are aged by when the log took them."""
    now_s = int(time.time())
    live(log, prediction("A", NOW_S, 0.5))
    append(log, TICKS, tick("A", now_s + 100))
    assert look(log, now_s=now_s + 1).health.problems == []
    report = look(log, now_s=now_s + 100)
    assert report.lag["featurizer"] == 1
    assert report.health.behind_s["featurizer"] == pytest.approx(100, abs=20)
    behind, stopped = report.health.problems
    assert behind.startswith("featurizer is behind: the oldest record that it has still to read")
    assert stopped.startswith("no prediction for ")
    assert report.health.prediction_age_s == report.health.probability_age_s


@pytest.mark.slow
def test_one_product_that_is_predicted_no_more_is_named(log):
    """A real second passes between the two predictions, by the clock of the log."""
    live(log, prediction("A", NOW_S, 0.5))
    first_ns = time.time_ns()
    until(lambda: time.time_ns() > first_ns + NS)
    append(log, TICKS, tick("B", NOW_S))
    append(log, STATUS, status("A", "B"))
    append(log, PREDICTIONS, prediction("B", NOW_S, 0.5))
    report = check(log, TICKS, wanted=1, max_age_s=1.0, clock_ns=lambda: first_ns + NS + 10**7)
    (problem,) = [each for each in report.health.problems if "prediction" in each]
    assert problem.startswith("A: no prediction for 1.")
    assert problem.endswith(" s, at most 1 s")


def test_alerts_that_last_are_remarks_of_a_live_log(log):
    append(log, TICKS, tick("A", NOW_S))
    append(log, STATUS, status("A"))
    ensure_alert_topics(log)
    log.append(messages(alert(1), alert(2, Change.ENDED, ended_ns=1)))
    report = look(log)
    assert (report.ok, report.health.remarks) == (True, ["alert: BTC-USD: alert 1 began."])
