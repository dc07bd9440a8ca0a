"""What is said of where there is skill follows from the intervals, and from nothing else."""

import msgspec
import pytest

from barograph.evaluation.gate import PromotionGate
from barograph.training.skill import PairedScore, SkillRow
from barograph.training.skill_words import sentences
from barograph.training.walkforward import CHOSEN, Training
from rehearsals import interval, training_report

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
    ("loss", "verdict"), [(WORSE, "surely worse"), (OPEN, "undecided"), (BETTER, "surely better")]
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


def test_a_case_without_parts_says_nothing():
    assert of() == []
