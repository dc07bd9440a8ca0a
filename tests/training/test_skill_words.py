"""What is said of where there is skill follows from the intervals, and from nothing else."""

import msgspec
import pytest

from barograph.evaluation.gate import PromotionGate
from barograph.training.knowable_scores import Knowable
from barograph.training.skill import PairedScore, SkillRow
from barograph.training.skill_words import sentences
from barograph.training.walkforward import CHOSEN, Training
from rehearsals import candidate, interval, training_report

WORSE, OPEN, BETTER = (0.02, 0.01, 0.03), (0.0, -0.01, 0.01), (-0.02, -0.03, -0.01)


def part(by="all", name="all tested rows", loss=OPEN, better=(), **known):
    paired = PairedScore(baseline="ewma", chosen=0.5, of_baseline=0.5, difference=interval(*loss))
    facts = {
        "rows": 900, "blocks": 30, "events": 7, "base_rate": 0.1, "pr_auc": None, "log_r2": None,
    }  # fmt: skip
    return SkillRow(
        by=by, name=name, log_loss=paired, better_than_reference=[*better], **facts | known
    )


def of(*rows):
    settings = Training(gate=PromotionGate(min_blocks=20))
    report = training_report(skill=[*rows], settings=settings)
    return sentences(report)


@pytest.mark.parametrize(
    ("better", "sentence"),
    [
        ((), "On all tested rows nothing has a log loss surely below that of r."),
        (
            ("har", "xy"),
            "On all tested rows the choices have no log loss surely below that of r; har, xy have.",
        ),
        (
            ("har",),
            "On all tested rows the choices have no log loss surely below that of r; har has.",
        ),
        (
            ("har", CHOSEN),
            "On all tested rows the choices have a log loss surely below that of r.",
        ),
    ],
)
def test_where_nothing_beats_the_reference_it_says_so(better, sentence):
    assert of(part(better=better))[0] == sentence


@pytest.mark.parametrize(
    ("loss", "verdict"),
    [
        (WORSE, "surely worse"),
        (OPEN, "undecided"),
        (BETTER, "surely better"),
        ((0.0, 0.0, 0.0), "the choices are that baseline"),
    ],
)
def test_a_difference_counts_if_its_whole_interval_does(loss, verdict):
    up = PairedScore(
        baseline="har", chosen=0.5, of_baseline=0.5,
        difference=interval(*(-loss[0], -loss[2], -loss[1])),
    )  # fmt: skip
    texts = of(part(loss=loss, pr_auc=up, log_r2=up))
    against = [text for text in texts if text.startswith("Against")]
    assert [text.rsplit(": ", 1)[1] for text in against] == [f"{verdict}."] * 3
    assert [text.split(",")[0] for text in against] == [
        "Against ewma",
        "Against har",
        "Against har",
    ]


def test_parts_are_named_by_kind_and_many_of_them_are_counted():
    hours = [part("hour", f"{hour:02d}:00", WORSE) for hour in range(8)]
    texts = of(
        part(better=["har"]),
        part("key", "A-USD"),
        part("key", "B-USD", BETTER, better=[CHOSEN]),
        part("regime", "calmest third", better=["har"]),
        *hours,
    )
    assert (
        "Nothing has a log loss surely below that of r in: keys A-USD; hours of the day (UTC) "
        "00:00, 01:00, 02:00, 03:00, 04:00, 05:00 and 2 more." in texts
    )
    assert (
        "In log loss the choices are surely worse than the best baseline in: hours of the day "
        "(UTC) 00:00, 01:00, 02:00, 03:00, 04:00, 05:00 and 2 more." in texts
    )
    assert (
        "In log loss the choices are surely better than the best baseline in: keys B-USD." in texts
    )


def test_parts_of_too_few_blocks_are_only_counted():
    whole, small = part(), part("key", "A-USD", WORSE, blocks=19)
    assert of(whole, small)[len(of(whole)) :] == [
        "1 of 2 parts have fewer than 20 blocks: too few for an interval that can be trusted."
    ]
    assert of(msgspec.structs.replace(small, blocks=20)) != of(small)


def known(**changed):
    facts = {
        "label_noise": 0.054, "still": 0.0145, "log_r2": interval(0.63, 0.6, 0.65),
        "pr_auc": interval(0.56, 0.5, 0.6), "own_log_r2": interval(0.956, 0.9, 1),
        "own_pr_auc": interval(0.79, 0.7, 0.8), "log_r2_share": interval(0.941, 0.9, 0.98),
        "pr_auc_share": interval(0.774, 0.7, 0.85),
    }  # fmt: skip
    return Knowable(**facts | changed)


def chosen(**scores):
    return [candidate("r", 0.4, 0.3, 0.5), candidate(CHOSEN, 0.478, 0.4, 0.5, **scores)]


def test_the_choices_have_a_share_of_what_can_be_known():
    scores = chosen(log_r2=interval(0.593, 0.5, 0.7), pr_auc_by_ratio=interval(0.49, 0.4, 0.5))
    first, second, last = sentences(training_report(knowable=known(), scores=scores))
    smoother = "where a smoother that sees what comes before and after each minute has"
    assert first == (
        "The choices have 94% [90%, 98%] of the log R² that can be known: 0.593, "
        f"{smoother} 0.630 [0.600, 0.650]."
    )
    assert second == (
        "The choices have 77% [70%, 85%] of the PR-AUC that can be known above the base rate of "
        f"0.200: 0.490, {smoother} 0.560 [0.500, 0.600]."
    )
    assert last == (
        "Who knew each minute's own volatility would have log R² 0.956 and PR-AUC 0.790: the rest "
        "is chance in the label. In 1.5% of the rows nothing moves in the minute that follows."
    )


def test_without_a_share_the_sentence_says_that_little_can_be_known():
    nothing = known(log_r2_share=None, pr_auc_share=None)
    texts = sentences(training_report(knowable=nothing, scores=chosen()))
    assert texts[0].startswith("Too little can be known to take a share of it: a smoother")
    assert texts[0].endswith("has PR-AUC 0.560 [0.500, 0.600].")
    assert len(texts) == 2  # no sentence about a log R² that the choices do not have


def test_a_case_without_parts_says_nothing():
    assert of() == []
