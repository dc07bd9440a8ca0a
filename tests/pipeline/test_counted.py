"""What workers and followers add to the metrics."""

import time

import msgspec
import pytest

from barograph import codec
from barograph.alert_records import AlertRecord, Change
from barograph.log import Batch
from barograph.pipeline.counted import WorkerCounts, count_alerts, count_predictions, show_model
from barograph.types import (
    APPENDED_TIME,
    DeadLetter,
    Fault,
    Prediction,
    Record,
    RecordPrediction,
    TopicPartition,
    Verdict,
)
from counted_metrics import Counted
from scored_rows import model

S = 1_000_000_000
PREDICTION = Prediction(
    product="BTC-USD", second=100, event_time_ns=101 * S, receive_time_ns=None,
    verdict=Verdict.PREDICTED, probability=0.3, alarm=False, threshold=0.5, tau=1e-4, horizon_s=60,
    value_now=1e-5, mid=1.0, model="spikes/1",
)  # fmt: skip


@pytest.fixture
def counted():
    return Counted()


def encoded(**changes):
    return codec.encode(msgspec.structs.replace(PREDICTION, **changes))


def letter(fault):
    return DeadLetter(fault=fault, detail="", source="t", position="0:1", key="", original=b"")


def test_a_batch_counts_its_records_values_letters_and_latency(counted):
    counts = WorkerCounts("a-group")
    two_s_ago = {APPENDED_TIME: str(time.time_ns() - 2 * S)}
    records = [Record("t", 0, each, "k", b"", two_s_ago) for each in range(3)]
    counts.settled(records, 2, [letter(Fault.LATE), letter(Fault.NOT_JSON)], S // 2)
    of = {"group": "a-group"}
    assert counted.since("barograph_records_total", **of) == 3
    assert counted.since("barograph_values_total", **of) == 2
    assert counted.since("barograph_late_total", **of) == 1
    letters = {"stage": "a-group", "reason": "not_json"}
    assert counted.since("barograph_dead_letters_total", **letters) == 1
    assert counted.since("barograph_work_seconds_total", **of) == pytest.approx(0.5)
    assert 2 <= counted.since("barograph_step_latency_seconds_sum", step="a-group") < 4


def test_a_batch_that_came_to_nothing_has_no_latency(counted):
    counts = WorkerCounts("idle-group")
    counts.settled([Record("t", 0, 0, "k", b"", {APPENDED_TIME: "1"})], 0, [], 0)
    assert counted.since("barograph_step_latency_seconds_count", step="idle-group") == 0
    assert counted.since("barograph_records_total", group="idle-group") == 1


def test_partitions_commits_and_lag_are_shown(counted):
    counts, place = WorkerCounts("moving-group"), TopicPartition("t", 0)
    counts.polled(Batch(assigned={place: {}, TopicPartition("t", 1): {}}))
    counts.polled(Batch(revoked=frozenset({place})))
    counts.committed()
    counts.fenced()
    counts.lag(17)
    of = {"group": "moving-group"}
    assert counted.since("barograph_rebalances_total", change="assigned", **of) == 2
    assert counted.since("barograph_rebalances_total", change="revoked", **of) == 1
    assert counted.since("barograph_commits_total", **of) == 1
    assert counted.since("barograph_fenced_total", **of) == 1
    assert counted.now()["barograph_lag_records", ("group", "moving-group")] == 17


def test_predictions_count_by_verdict_and_the_newest_is_observed(counted):
    heard_ns = time.time_ns() - S
    count_predictions(
        "some-scorer",
        [
            encoded(probability=0.9, alarm=True),
            encoded(probability=None, verdict=Verdict.GAP),
            encoded(probability=0.15, receive_time_ns=heard_ns),
            encoded(probability=None, verdict=Verdict.GAP, receive_time_ns=heard_ns),
        ],
    )
    of = {"group": "some-scorer"}
    assert counted.since("barograph_predictions_total", verdict="GAP", **of) == 2
    assert counted.since("barograph_predictions_total", verdict="PREDICTED", **of) == 2
    assert counted.since("barograph_alarms_total", **of) == 1
    assert counted.since("barograph_prediction_probability_count", **of) == 1
    assert counted.since("barograph_prediction_probability_sum", **of) == pytest.approx(0.15)
    waited_s = counted.since("prediction_latency_seconds_sum", source="some-scorer")
    assert 1 <= waited_s < 3


def test_predictions_of_records_count_likewise(counted):
    value = RecordPrediction(
        case="churn", key="k", verdict=Verdict.PREDICTED, probability=0.7, label=True,
        threshold=0.5, model="churn/1",
    )  # fmt: skip
    count_predictions("record-scorer", [codec.encode(value)])
    of = {"group": "record-scorer"}
    assert counted.since("barograph_predictions_total", verdict="PREDICTED", **of) == 1
    assert counted.since("barograph_alarms_total", **of) == 1


def test_the_version_in_use_is_shown_with_its_expiry_and_its_predecessor_is_not(counted):
    of = [("alias", "champion"), ("case", "shown-case")]
    for label, expires_ns in (("shown-case/1", 5 * S), ("shown-case/2", None)):
        version = model(label)
        facts = msgspec.structs.replace(version.facts, expires_time_ns=expires_ns)
        show_model("champion", "shown-case", version._replace(facts=facts))
        shown = [key[-1] for key in counted.now() if key[:3] == ("barograph_model_info", *of)]
        assert shown == [("model", label)]
        expiry = counted.now().get(("barograph_model_expires_timestamp_seconds", *of))
        assert expiry == (None if expires_ns is None else 5)
    show_model("champion", "shown-case", None)
    assert ("barograph_model_info", *of, ("model", "none")) in counted.now()


def test_alerts_count_by_rule_and_change(counted):
    record = AlertRecord(
        id="a", rule="feed_stale", subject="", change=Change.BEGAN, time_ns=0, started_ns=0
    )
    ended = msgspec.structs.replace(record, change=Change.ENDED)
    count_alerts("alerts", [codec.encode(record), codec.encode(ended), codec.encode(ended)])
    of = {"rule": "feed_stale"}
    assert counted.since("barograph_alerts_total", change="began", **of) == 1
    assert counted.since("barograph_alerts_total", change="ended", **of) == 2
