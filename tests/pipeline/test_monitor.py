"""The monitor measures a log that is fed, one that is silent, and one of another series."""

import itertools
import threading
import time
from contextlib import closing

import msgspec
import pytest

import queues
from barograph import codec
from barograph.cases.market import MARKET
from barograph.log import browse, open_log
from barograph.log.topics import DEAD_LETTERS, FEATURES, HEALTH, PREDICTIONS, STATUS, TICKS, ensure
from barograph.pipeline.monitor import LogMeasures, Monitor
from barograph.types import FeedStatus, Gap, GapCause, Heartbeat, Message, Verdict
from waiting import until
from watched_predictions import prediction
from watched_series import with_topics

NS = 10**9


@pytest.fixture
def log(tmp_path):
    with_topics(tmp_path)
    with closing(open_log(tmp_path)) as opened:
        yield opened


def beat(product):
    event = Heartbeat(product=product, event_time_ns=NS, receive_time_ns=NS)
    return Message(TICKS, product, codec.encode(event))


def newest_ns(log, topic):
    return browse.appended_time_ns(browse.last(log, topic, 1)[0])


def status(now_ns, **more):
    known = {
        "venue": "coinbase", "connection": "coinbase/1", "dialect": "exchange",
        "products": ("BTC-USD",), "time_ns": now_ns, "since_ns": 0, "frames": 1, "reconnects": 2,
        "queued": 0, "queue_full": 0, "open_holes": 1, "offset_median_ms": -2500.0,
        "first_refusal": "not_json: oops",
    }  # fmt: skip
    return Message(STATUS, "coinbase", codec.encode(FeedStatus(**{**known, **more})))


def test_an_empty_log_is_measured_too(log):
    measures, facts = LogMeasures(log, MARKET).measure(5 * NS)
    assert measures["feed_age_s"] is None
    assert measures["dead_letters_per_min"] == 0.0
    assert measures["lag_s:scorer"] == 0.0
    assert facts["champion"] == ""


def test_the_age_of_the_feed_grows_while_nothing_comes(log):
    log.append([beat("BTC-USD"), beat("ETH-USD")])
    last_ns = newest_ns(log, TICKS)
    earlier = status(last_ns - 600 * NS, connection="coinbase/0", products=("ETH-USD",))
    log.append([earlier, status(last_ns)])
    of_log = LogMeasures(log, MARKET)
    first, facts = of_log.measure(last_ns + NS)
    later, _ = of_log.measure(last_ns + 40 * NS)
    assert first["feed_age_s"] == pytest.approx(1.0)
    assert later["feed_age_s"] == pytest.approx(40.0)
    assert later["feed_age_s:BTC-USD"] >= 40.0
    assert "feed_age_s:ETH-USD" not in later  # nobody subscribes to it any more
    assert (later["clock_offset_s:coinbase"], later["reconnects:coinbase"]) == (2.5, 2.0)
    assert facts["first_refusal"] == "not_json: oops"


def test_a_gap_counts_for_a_minute(log):
    of_log = LogMeasures(log, MARKET)
    of_log.measure(NS)
    start_ns = time.time_ns() - 60 * NS
    gap = Gap(
        product="BTC-USD", start_ns=start_ns, end_ns=start_ns + 12 * NS, cause=GapCause.DISCONNECT
    )
    session = msgspec.structs.replace(gap, end_ns=start_ns + 50 * NS, cause=GapCause.SESSION)
    log.append([
        *(Message(TICKS, "BTC-USD", codec.encode(each)) for each in (gap, session)),
        beat("BTC-USD"),
    ])  # fmt: skip
    now_ns = newest_ns(log, TICKS)
    assert of_log.measure(now_ns)[0]["gap_s:BTC-USD"] == pytest.approx(12.0)
    assert of_log.measure(now_ns + 59 * NS)[0]["gap_s:BTC-USD"] == pytest.approx(12.0)
    assert of_log.measure(now_ns + 61 * NS)[0]["gap_s:BTC-USD"] == 0.0


def test_a_gap_that_ended_long_before_it_is_written_is_no_news(log):
    of_log = LogMeasures(log, MARKET)
    of_log.measure(NS)
    end_ns = time.time_ns() - 2 * 3600 * NS
    gap = Gap(
        product="BTC-USD", start_ns=end_ns - 99 * NS, end_ns=end_ns, cause=GapCause.DISCONNECT
    )
    log.append([Message(TICKS, "BTC-USD", codec.encode(gap)), beat("BTC-USD")])
    assert of_log.measure(newest_ns(log, TICKS))[0]["gap_s:BTC-USD"] == 0.0


def test_dead_letters_count_for_a_minute_from_when_they_are_seen(log):
    of_log = LogMeasures(log, MARKET)
    of_log.measure(NS)
    log.append([Message(DEAD_LETTERS, "x", b"{}")] * 3)
    assert of_log.measure(2 * NS)[0]["dead_letters_per_min"] == 3.0
    assert of_log.measure(61 * NS)[0]["dead_letters_per_min"] == 3.0
    assert of_log.measure(62 * NS)[0]["dead_letters_per_min"] == 0.0


def test_a_group_that_falls_behind_and_an_expired_model_are_measured(log):
    log.append([beat("BTC-USD"), Message(FEATURES, "BTC-USD", b"{}")])
    for group, topic in (("featurizer", TICKS), ("scorer", FEATURES)):
        member = log.join(group, [topic])
        until(lambda member=member: member.poll(10, 0.05).records)
        member.commit()
        member.leave()
    log.append([
        beat("BTC-USD"),
        Message(FEATURES, "BTC-USD", b"{}"),
        Message(PREDICTIONS, "BTC-USD", codec.encode(
            prediction("BTC-USD", 1, None, verdict=Verdict.MODEL_EXPIRED))),
    ])  # fmt: skip
    now_ns = newest_ns(log, PREDICTIONS)
    measures, facts = LogMeasures(log, MARKET, lambda: "spikes/4").measure(now_ns + 20 * NS)
    assert measures["lag_s:scorer"] == pytest.approx(20.0, abs=1.0)
    assert measures["model_expired"] == 1.0
    assert facts["champion"] == "spikes/4"


def test_another_series_has_its_own_topics(tmp_path):
    with_topics(tmp_path)
    with closing(open_log(tmp_path)) as log:
        ensure(log, [queues.source_topic()])
        log.append([Message(queues.LIVE.source, "till", b"{}")])
        measures, _ = LogMeasures(log, queues.LIVE).measure(
            newest_ns(log, queues.LIVE.source) + 7 * NS
        )
    assert measures["feed_age_s:till"] == pytest.approx(7.0)
    assert not any(name.startswith("reconnects") for name in measures)


def samples(log):
    return [codec.decode_health.of(record) for record in browse.records(log, HEALTH)]


def test_samples_come_while_the_feed_is_silent_with_what_others_measure(log, tmp_path):
    before, ticking = set(threading.enumerate()), itertools.count(1_000 * NS, 5 * NS)
    with Monitor(
        tmp_path, MARKET, pytest.fail, every_s=0.01, clock_ns=lambda: next(ticking),
        measured=(lambda: {"retraining_failed": 1.0},),
    ):  # fmt: skip
        until(lambda: len(samples(log)) >= 3)
    times = [each.time_ns for each in samples(log)]
    assert times == sorted(set(times))
    assert all(each.measures["retraining_failed"] == 1.0 for each in samples(log))
    assert "monitor" not in {thread.name for thread in set(threading.enumerate()) - before}


def test_what_keeps_a_sample_from_being_made_is_reported_once_and_passes(log, tmp_path):
    answers = itertools.chain([ValueError("no"), ValueError("no")], itertools.repeat(None))
    warnings = []

    def measured():
        error = next(answers)
        if error is not None:
            raise error
        return {"drift_alarm": 0.0}

    with Monitor(tmp_path, MARKET, warnings.append, every_s=0.01, measured=(measured,)):
        until(lambda: samples(log))
    assert len(warnings) == 1
    assert "no health sample is written: ValueError('no')" in warnings[0]


def test_the_first_sample_waits_for_what_it_begins_with(log, tmp_path):
    """It looks at the log itself, as often as it would measure, and never again after a yes."""
    asked_ns, ticking = [], itertools.count(1_000 * NS, NS)

    def begins(of_log, now_ns):
        asked_ns.append(now_ns)
        return bool(browse.last(of_log, PREDICTIONS, 1))

    with Monitor(
        tmp_path, MARKET, pytest.fail, every_s=0.01, clock_ns=lambda: next(ticking), begins=begins
    ):
        until(lambda: len(asked_ns) >= 3)
        assert samples(log) == []
        log.append([
            Message(PREDICTIONS, "BTC-USD", codec.encode(prediction("BTC-USD", 1, 0.2)))
        ])  # fmt: skip
        until(lambda: len(samples(log)) >= 2)
    assert asked_ns == sorted(asked_ns)
    assert max(asked_ns) < samples(log)[0].time_ns


def test_a_monitor_that_never_begins_ends_at_once(tmp_path):
    with Monitor(tmp_path, MARKET, pytest.fail, every_s=600, begins=lambda *_: False) as monitor:
        pass
    assert not monitor._thread.is_alive()
