"""A model's page says what it is, how it was tested and how it fares, within 80 columns."""

import math

import msgspec

from barograph.app.terminal.model_page import page
from barograph.evaluation.matured import LiveScores, Paired
from barograph.pipeline.live_scores import LiveReport
from barograph.types import Interval
from scored_rows import model
from screen_text import text_of

FACTS = msgspec.structs.replace(
    model().facts,
    train_end_ns=3600 * 10**9,
    scores={
        "chosen": {
            "base_rate": 0.1, "pr_auc": 0.4321, "pr_auc_low": 0.31, "pr_auc_high": 0.52,
            "roc_auc": 0.9, "brier": 0.06, "log_loss": 0.2, "calibration_error": 0.017,
            "pr_auc_share": 0.714, "knowable_pr_auc": 0.625,
        },
        "last_fold": {"pr_auc": 0.25, "roc_auc": None},
    },
)  # fmt: skip


def interval(estimate, low=math.nan, high=math.nan):
    return Interval(estimate=estimate, low=low, high=high, level=0.95, resamples=200, undefined=0)


def scores(rows=86_340, **more):
    known = {
        "model": "spikes/1", "first_second": 0, "last_second": 86_399, "rows": rows,
        "immature": 60, "verdicts": {"PREDICTED": 86_400, "GAP": 7},
        "base_rate": interval(0.123), "pr_auc": interval(0.456, 0.3, 0.6),
        "roc_auc": interval(0.8), "brier": interval(0.0789), "log_loss": interval(0.2345),
        "calibration_error": 0.034, "episodes": 17, "recall": 0.76, "lead_s": 42.0,
        "false_alarms_per_hour": 1.5,
    }  # fmt: skip
    return LiveScores(**{**known, **more})


def shown(live, aliases=("candidate",)):
    text = text_of(page("spikes/1", aliases, FACTS, live, feature_set=FACTS.feature_set))
    assert max(map(len, text.splitlines())) <= 80
    return " ".join(text.split())


def test_without_a_log_it_shows_the_facts_and_the_tests_only():
    text = shown(None)
    assert text.startswith("spikes/1 (lightgbm), candidate")
    for words in (
        "trained on 1970-01-01 00:00:00Z → 1970-01-01 01:00:00Z", "tau BTC-USD 0.0001",
        "chosen 0.100 0.43 [0.31, 0.52] 0.900 0.0600 0.200 0.017",
        "last_fold n/d 0.250 n/d n/d n/d n/d",
        "chosen: 71% of the PR-AUC above the base rate that can be known (0.625)",
    ):  # fmt: skip
        assert words in text
    assert "live" not in text


def test_a_version_without_alias_is_neither():
    assert "neither champion nor candidate" in shown(None, ())
    assert "champion and candidate" in shown(None, ("champion", "candidate"))


def test_a_version_without_live_predictions_has_no_table_of_them():
    text = shown(LiveReport(scored=None, shadowed=None, paired=None))
    assert "live: the log has no prediction of this model" in text


def test_how_it_fared_beside_the_champion_stands_with_the_paired_difference():
    paired = Paired(
        champion="spikes/0", shadow="spikes/1", rows=12_345, left_out=6,
        pr_auc=interval(0.012, -0.001, 0.03), log_loss=interval(-0.0123, -0.02, -0.01),
    )  # fmt: skip
    nothing = scores(0, lead_s=math.nan, pr_auc=interval(math.nan))
    text = shown(LiveReport(scored=nothing, shadowed=scores(), paired=paired))
    for words in (
        "champion 0 0.123 n/d 0.0789 0.034 0.76 n/d 1.5",
        "shadow 86,340 0.123 0.46 [0.30, 0.60] 0.0789 0.034 0.76 42 1.5",
        "1970-01-01 00:00:00Z → 1970-01-01 23:59:59Z, 17 episodes",
        "PREDICTED 86,400, GAP 7; 60 not matured",
        "spikes/1 minus spikes/0 on 12,345 rows of both, without 6",
        "PR-AUC +0.012 [-0.001, +0.030], logloss -0.0123 [-0.0200, -0.0100]",
    ):
        assert words in text, text
