"""The page of a card: all that was found stands on it, and nothing on it comes from elsewhere."""

import math

import msgspec
import pytest

from barograph.app.reports.card_page import page
from barograph.evaluation.gate import Decision
from barograph.figures import figure
from barograph.training.card import Curve
from barograph.training.knowable_scores import Knowable
from barograph.training.sample_words import sentences
from barograph.training.walkforward import CHOSEN
from cards import KEPT, START, interval, made, replaced
from page_reader import Reader
from samples import FACTS

HOSTILE = """<script src="https://example.org">"&amp;'</script>"""


def words(card):
    return " ".join(Reader(page(card)).text.split())


@pytest.mark.slow
@pytest.mark.parametrize("timed", [True, False])
def test_it_needs_nothing_from_elsewhere_and_runs_nothing(timed):
    text = page(made(timed))
    read = Reader(text)
    assert {"script", "link", "img", "iframe", "object"}.isdisjoint(read.tags)
    assert {"src", "onclick", "onload"}.isdisjoint(name for name, _ in read.attributes)
    references = [value for name, value in read.attributes if name == "href"]
    assert all(value.startswith("#") for value in references)
    assert "url(http" not in text
    assert "@import" not in text
    assert "://" not in text


@pytest.mark.slow
def test_what_others_wrote_is_text_wherever_it_stands():
    card = replaced(
        made(),
        case=HOSTILE,
        code_hash=HOSTILE,
        champion=HOSTILE,
        features_left_out={HOSTILE: HOSTILE},
        decision=Decision(promote=False, reasons=(HOSTILE,)),
    )
    strips = [msgspec.structs.replace(one, key=HOSTILE) for one in card.timeline.strips]
    timeline = msgspec.structs.replace(card.timeline, strips=strips)
    importance = [msgspec.structs.replace(one, feature=HOSTILE) for one in card.importance]
    hostile = msgspec.structs.replace(card, timeline=timeline, importance=importance)
    read = Reader(page(hostile))
    assert "script" not in read.tags
    assert read.text.count(HOSTILE) > 10


@pytest.mark.slow
def test_what_was_found_stands_on_it():
    card, text = made(), words(made())
    chosen = card.training.tested.scores[-1]
    expected = [
        "storms/7: level", "made 2023-11-14 22:13 UTC", "walk-forward", "The gate did not promote",
        "too few", figure(chosen.pr_auc.estimate), figure(chosen.brier.estimate, 4),
        f"base rate {figure(card.training.tested.base_rate.estimate)}", "12.5 µs", "storms/1",
        "d4t4", "c0de", "20 s", "one second in ten", f"{card.facts.threshold:.4f}", "depth: nobody",
        "warm-up 30", "barograph report card 7 --case storms --json",
        *(f"{key} {figure(tau, 2)}" for key, tau in card.facts.tau.items()),
        *card.failures, *(goal.goal for goal in card.goals),
        *(why for goal in card.goals for why in goal.why),
        *(one.feature for one in card.importance),
    ]  # fmt: skip
    for phrase in expected:
        assert phrase in text, phrase


@pytest.mark.slow
def test_a_tile_says_what_can_be_known_where_that_is_estimated():
    best = interval(0.8765, 0.8, 0.9)
    of = Knowable(
        label_noise=0.05, still=0.01, log_r2=best, pr_auc=best, own_log_r2=best, own_pr_auc=best,
        log_r2_share=None, pr_auc_share=None,
    )  # fmt: skip
    assert words(replaced(made(), knowable=of)).count("can be known 0.876") == 1
    assert "can be known" not in words(made())


@pytest.mark.slow
def test_a_promotion_is_reported_with_its_reason():
    text = words(replaced(made(), decision=Decision(promote=True, reasons=("all hold",))))
    assert "The gate promoted it." in text
    assert "all hold" in text


@pytest.mark.slow
def test_without_time_there_are_no_strips_and_no_episodes():
    text = words(made(timed=False))
    assert "Forecasts and episodes over time" in words(made())
    for absent in ("Forecasts and episodes over time", "episode", "1970", "horizon"):
        assert absent not in text, absent


@pytest.mark.slow
def test_without_a_yes_there_is_no_curve_and_figures_say_so():
    row = made().training.tested.scores[-1]
    undefined = msgspec.structs.replace(row.pr_auc, estimate=math.nan, low=math.nan, high=math.nan)
    rows = [msgspec.structs.replace(row, pr_auc=undefined)]
    empty = {CHOSEN: Curve(recall=[], precision=[])}
    card = msgspec.structs.replace(replaced(made(), scores=rows), curves=empty, failures=[])
    text = words(card)
    assert "No tested row is positive" in text
    assert "n/d" in text
    assert "Where it fails" not in text


@pytest.mark.slow
def test_the_same_card_gives_the_same_page():
    assert page(made()) == page(made())
    assert made().training.gate.decision == KEPT
    assert made().facts.created_time_ns == START * 10**9


@pytest.mark.slow
def test_what_was_kept_of_more_rows_than_a_training_may_have_stands_below_the_data():
    card = made()
    fold = card.training.tested.folds[0]
    side = msgspec.structs.replace(fold.train, stands_for=123_456)
    folds = [msgspec.structs.replace(fold, train=side)]
    data = msgspec.structs.replace(card.training.data, sample=FACTS)
    tested = msgspec.structs.replace(card.training.tested, folds=folds)
    training = msgspec.structs.replace(card.training, data=data, tested=tested)
    text = words(msgspec.structs.replace(card, training=training))
    assert " ".join(sentences(FACTS)) in text
    assert f"{side.rows:,} rows that stand for 123,456," in text
    assert "that stand for" not in words(card)
