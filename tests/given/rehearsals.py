"""Made-up results of rehearsals: candidates, latencies, and a whole one."""

from barograph.app.runs.rehearsal_accounts import (
    Bucket,
    Inference,
    Latency,
    ModeAccount,
    RefusedSample,
    Rehearsal,
    Sample,
)
from barograph.app.wiring import Consumed
from barograph.evaluation.gate import Decision
from barograph.evaluation.scores import ReliabilityBin
from barograph.feed.produce import Produced
from barograph.training.pooled import EvaluationFacts, ScoreDifference, ScoreRow, SessionRow
from barograph.training.record_dataset import RecordManifest
from barograph.training.report import ChosenModel, GateFacts, TrainingReport
from barograph.training.walk_facts import DataFacts
from barograph.training.walkforward import CHOSEN, Training
from barograph.types import Interval, RecordPrediction, Verdict
from changed_reports import changed_report

HOSTILE = """<script src="https://example.org">"&amp;'</script>"""


def interval(estimate, low, high):
    return Interval(estimate=estimate, low=low, high=high, level=0.95, resamples=10, undefined=0)


def candidate(name, estimate, low, high, **known):
    auc = interval(estimate, low, high)
    facts = {
        "eligible": name != "r", "pr_auc": auc, "pr_auc_by_ratio": None, "lift": auc,
        "roc_auc": auc, "brier": auc, "log_loss": auc, "calibration_error": auc, "log_r2": None,
        "qlike": None, "acting": {},
    }  # fmt: skip
    return ScoreRow(name=name, **facts | known)


def training_report(**known):
    """A training of a case, of which this much is known."""
    data = DataFacts(
        data_hash="d", feature_set="f", usable_rows=9, unused={}, features=(), features_left_out={},
        keys=(),
    )  # fmt: skip
    tested = EvaluationFacts(
        split="stratified", folds=[], candidates_left_out={}, keys_left_out={}, trials=[],
        rows=4321, episodes=3, base_rate=interval(0.2, 0.1, 0.3), reference="r",
        scores=[candidate("r", 0.4, 0.3, 0.5), candidate(CHOSEN, 0.61, 0.6, 0.7)], differences=[],
        sessions=[],
    )  # fmt: skip
    gate = GateFacts(
        champion="none", judged_rows=4321, decision=Decision(promote=True, reasons=("good",))
    )
    report = TrainingReport(
        case="c", settings=Training(), code_hash="", data=data, tested=tested, control=None,
        control_left_out="not asked for", gate=gate, seconds={},
        model=ChosenModel(chosen="m", version=1, tau={}, threshold=0.25, row_us=12.0),
    )  # fmt: skip
    return changed_report(report, **known)


def difference(name, minus, estimate, low, high):
    gain = interval(estimate, low, high)
    return ScoreDifference(name=name, minus=minus, pr_auc=gain, brier=gain, log_loss=gain)


def session(**known):
    facts = {
        "start_ns": 0, "end_ns": 1, "rows": 4321, "base_rate": 0.2, "events": 3,
        "median_outcome": 1.0, "pr_auc": {"r": 0.4, CHOSEN: 0.61},
        "log_loss": {"r": 0.5, CHOSEN: 0.3}, "log_r2": {},
    }  # fmt: skip
    return SessionRow(**facts | known)


def latency(*records):
    """Buckets of a factor of ten from 1 ms on."""
    histogram = [
        Bucket(from_ms=10.0**place, to_ms=10.0 ** (place + 1), records=count)
        for place, count in enumerate(records)
    ]
    return Latency(
        count=sum(records), p50_ms=2.0, p95_ms=3.0, p99_ms=4.0, max_ms=5.0, histogram=histogram
    )


def mode(*records, **dead_letters):
    total = sum(records)
    return ModeAccount(
        producer=Produced(
            rows=total, sent=total, skipped=0, seconds=1.0, rate=total, bytes=9, sha256="a"
        ),
        consumer=Consumed(seconds=2.0, records_per_s=1234.5, commits=17),
        ahead=0,
        records=total + len(dead_letters),
        predictions=total,
        verdicts={"PREDICTED": total},
        flagged=1,
        dead_letters=dead_letters,
        lost=0,
        invented=0,
        latency=latency(*records),
        inference=Inference(mean_us=81.5, p99_us=99.0),
    )


def rehearsal():
    """A rehearsal of a case whose every text is hostile."""
    training = training_report(
        scores=[candidate(HOSTILE, 0.4, 0.3, 0.5), candidate(CHOSEN, 0.61, 0.6, 0.7)],
        chosen=HOSTILE,
        decision=Decision(promote=True, reasons=(HOSTILE,)),
    )
    manifest = RecordManifest(
        case="c", feature_set="f", data_hash="d", files={}, rows=1, refused={}, first_refused=[],
        usable=1, yes=1, unused={}, repeated_keys=0, table_sha256="0" * 64,
    )  # fmt: skip
    prediction = RecordPrediction(
        case="c", key=HOSTILE, verdict=Verdict.PREDICTED, probability=0.377, label=True,
        threshold=0.25, model="c/1",
    )  # fmt: skip
    sample = Sample(
        mode="stream", key=HOSTILE, record=HOSTILE, record_place="c.raw/1@22", latency_ms=4.56,
        produced_time_ns=1, record_appended_time_ns=2, prediction=prediction, inference_us=77.7,
        prediction_place="c.said/1@33", prediction_appended_time_ns=3,
    )  # fmt: skip
    letter = RefusedSample(
        fault="too_long", detail=HOSTILE, identity="c.raw@1:44", key="", original=HOSTILE * 99,
        bytes=5_000,
    )  # fmt: skip
    return Rehearsal(
        ok=True, problems=[], case=HOSTILE, log=HOSTILE, file=HOSTILE, invented_records=False,
        started_time_ns=10**18, seconds=60.0, phase_seconds={HOSTILE: 1.0}, dataset=manifest,
        training=training, champion=HOSTILE, unseen_rows=700,
        reliability=[ReliabilityBin(rows=700, mean_probability=0.3, frequency=0.4)],
        stream=mode(1000, 5, too_long=2), batch=mode(7000), samples=[sample], refused=[letter],
        dead_letters_command="barograph deadletters list --case c --home /h",
    )  # fmt: skip
