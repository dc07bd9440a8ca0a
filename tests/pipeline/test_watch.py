"""What is followed in the log of predictions."""

from contextlib import closing

import pytest

from alert_records_made import alert, messages
from barograph import codec
from barograph.alert_records import Change, Judgement
from barograph.log import open_log
from barograph.log.topics import PREDICTIONS, ensure_alert_topics, ensure_topics
from barograph.pipeline.watch import HISTORY, PredictionWatch
from barograph.types import Message
from watched_predictions import prediction, watched


def test_latency_runs_from_receipt_to_the_commit_in_the_log(tmp_path):
    watch = watched(tmp_path, [prediction("BTC-USD", 1000, 0.1, receive_time_ns=None)])
    assert watch.latencies().count == 0
    assert watch.latencies().p50_ms is None
    watch = watched(tmp_path / "b", [prediction("BTC-USD", 1000, 0.1)])
    assert watch.latencies().count == 1
    assert watch.latencies().p50_ms > 0


@pytest.mark.parametrize(("release", "alerts"), [(0.8, 1), (1.0, 3)])
def test_with_hysteresis_what_trembles_around_the_threshold_is_one_alert(tmp_path, release, alerts):
    levels = [0.55, 0.45, 0.55, 0.45, 0.55, 0.3]
    with closing(open_log(tmp_path)) as log:
        ensure_topics(log)
        watch = PredictionWatch(log, release=release)
        made = [prediction("A", 1000 + n, level) for n, level in enumerate(levels)]
        log.append([Message(PREDICTIONS, each.product, codec.encode(each)) for each in made])
        watch.look()
    assert watch.alert_count == len(watch.alerts) == alerts


def test_alerts_are_counted_and_judged_and_the_latest_are_kept(tmp_path):
    """Every fourth second is an alert of its own; all but the last ones are judged by then."""
    levels = [0.9 if n % 4 == 0 else 0.1 for n in range(200)]
    watch = watched(tmp_path, [prediction("A", 1000 + n, p) for n, p in enumerate(levels)])
    assert watch.alert_count == 50
    assert watch.judgements == {"wrong": 35}
    assert [alert.started_ns // 10**9 for alert in watch.alerts.values()] == [
        1001 + n for n in range(168, 200, 4)
    ]
    assert watch.alerts["A", 1197 * 10**9, "spikes/3"].ended_ns is not None


def test_history_is_bounded(tmp_path):
    watch = watched(tmp_path, [prediction("A", 1000 + n, 0.1) for n in range(HISTORY + 9)])
    assert len(watch.lines["A"].probabilities) == HISTORY


def test_alerts_of_the_log_are_those_of_before_a_restart_too(tmp_path):
    """Workers beside it write them; what they wrote earlier is shown, and not counted again."""
    notice = alert(9, rule="feed_stale", subject="", model="")
    with closing(open_log(tmp_path)) as log:
        ensure_topics(log)
        ensure_alert_topics(log)
        log.append(messages(alert(1), notice))
        watch = PredictionWatch(log, alerts_of_log=True, case="spikes")
        assert [each.product for each in watch.alerts.values()] == ["BTC-USD"]
        assert list(watch.notices) == [notice.id]
        assert watch.alert_count == 0
        log.append(messages(
            alert(1, Change.JUDGED, judgement=Judgement.RIGHT),
            alert(9, Change.ENDED, rule="feed_stale", subject="", model=""),
        ))  # fmt: skip
        made = prediction("BTC-USD", 1000, 0.9)
        log.append([Message(PREDICTIONS, made.product, codec.encode(made))])
        watch.look()
        watch.silent(10**19, 1.0)
    (known,) = watch.alerts.values()
    assert (known.judgement, watch.judgements) == (Judgement.RIGHT, {"right": 1})
    assert watch.notices == {}
    assert watch.alert_count == 0  # its own machine is not asked


def test_a_look_that_is_stopped_leaves_the_rest_for_the_next_one(tmp_path):
    with closing(open_log(tmp_path)) as log:
        ensure_topics(log)
        watch = PredictionWatch(log)
        made = [prediction("A", 1000 + n, 0.1) for n in range(5)]
        log.append([Message(PREDICTIONS, each.product, codec.encode(each)) for each in made])
        assert watch.look(lambda: sum(watch.verdicts.values()) == 2) == 2
        assert watch.look() == 3
