"""A training on a few lines: ticks and crosses, words where nothing could be judged, what next."""

import math

import msgspec
import pytest

from barograph.app.terminal import terminal, training_summary
from barograph.app.terminal.detail import Detail, choose
from barograph.evaluation.gate import Decision
from barograph.registry.audit import Promotion
from barograph.training.knowable_scores import Knowable
from barograph.training.sample_words import short
from barograph.training.walkforward import CHOSEN
from rehearsals import candidate, interval, training_report
from samples import FACTS
from screen_text import text_of

LONG = "PR-AUC must be at most 0.02 worse than persistence's: -0.0112 [-0.0301, +0.0101], or so"


def shown(report, following="barograph up", lines=12):
    text = text_of(training_summary.training(report, following, lines))
    answer = text.splitlines()
    assert len(answer) <= lines
    assert max(map(len, answer)) <= 80
    return answer


def test_a_promoted_model_has_ticks():
    acting = {"recall": 0.75, "false_alarms_per_hour": 1.96}
    report = training_report(
        scores=[candidate("r", 0.4, 0.3, 0.5), candidate(CHOSEN, 0.61, 0.6, 0.7, acting=acting)]
    )
    assert shown(report) == [
        "✓ c/1 (m) is champion",
        "  4,321 test rows with 3 independent positives, base rate 0.20",
        "  PR-AUC 0.61 [0.60, 0.70], r 0.40 [0.30, 0.50]",
        "  at its threshold it finds 75% of them, with 2.0 false alarms per hour",
        "  ✓ all 1 rules of the gate hold (-v or the card lists them)",
        "next: barograph up",
    ]


def test_the_share_of_what_can_be_known_has_a_line_where_it_is_estimated():
    share = interval(0.774, 0.7, 0.85)
    of = Knowable(
        label_noise=0.05, still=0.01, log_r2=share, pr_auc=share, own_log_r2=share,
        own_pr_auc=share, log_r2_share=interval(0.941, 0.9, 1), pr_auc_share=share,
    )  # fmt: skip
    line = "  77% of the PR-AUC above the base rate that can be known, and 94% of log R²"
    assert line in shown(training_report(knowable=of))
    ranked_only = msgspec.structs.replace(of, log_r2_share=None)
    assert line.removesuffix(", and 94% of log R²") in shown(training_report(knowable=ranked_only))
    unknown = msgspec.structs.replace(of, pr_auc_share=None)
    assert not any("can be known" in each for each in shown(training_report(knowable=unknown)))


@pytest.mark.parametrize("count", [1, 3, 4, 9, 40])
def test_reasons_that_have_no_room_are_counted(count):
    reasons = tuple(f"{number}: {LONG}" for number in range(count))
    answer = shown(training_report(decision=Decision(promote=False, reasons=reasons)))
    assert answer[0] == "✗ c/1 (m) is a candidate; the gate did not promote it"
    crosses = [line for line in answer if line.startswith("  ✗ ")]
    assert all(f"{number}: PR-AUC" in line for number, line in enumerate(crosses))
    left = count - len(crosses)
    assert any("more with -v or on the card" in line for line in answer) is (left > 0)
    assert not left or f"    {left} more with -v or on the card" in answer


@pytest.mark.parametrize(
    ("case", "rate", "words"),
    [
        ("spikes", 0.0, "no minute of the test was a spike, so nothing could be judged"),
        ("spikes", 1.0, "every minute of the test was a spike, so nothing could be judged"),
        ("c", 0.0, "no tested row is positive, so nothing could be judged"),
    ],
)
def test_what_could_not_be_judged_is_one_sentence(case, rate, words):
    report = training_report(
        case=case,
        base_rate=interval(rate, rate, rate),
        scores=[candidate("r", math.nan, 0, 0), candidate(CHOSEN, math.nan, 0, 0)],
        decision=Decision(promote=False, reasons=("n/d", "n/d")),
    )
    following = training_summary.next_step(report, " --home h")
    assert following == "add another session, `barograph dataset --home h`, and train again"
    answer = shown(report, following)
    assert answer[1] == f"  ✗ {words}"
    assert "n/d" not in "".join(answer)


def test_the_next_step_is_the_card():
    following = training_summary.next_step(training_report(), " --case c --home h")
    assert following == "barograph report card 1 --case c --home h"


def test_a_promotion_says_who_is_champion_and_what_next():
    entry = Promotion(version=2, action="promote", previous=1, reason="a\x1b[2J", time_ns=1)
    text = text_of(training_summary.promotion("spikes", entry, "barograph models show"))
    assert text.splitlines() == [
        "✓ spikes/2 is champion, in place of spikes/1: a\\x1b[2J", "next: barograph models show"
    ]  # fmt: skip


def test_v_shows_all_tables_and_q_nothing(capsys):
    lengths = {}
    for detail in Detail:
        choose(detail)
        training_summary.show(terminal.Screen(stderr=True), training_report())
        lengths[detail] = len(capsys.readouterr().err.splitlines())
    assert lengths[Detail.QUIET] == 0
    assert 0 < lengths[Detail.SUMMARY] <= 12 < lengths[Detail.FULL]


def test_a_training_on_a_sample_says_so_in_a_line():
    report = training_report()
    data = msgspec.structs.replace(report.data, sample=FACTS)
    answer = shown(msgspec.structs.replace(report, data=data))
    assert "  " + short(FACTS) in answer
