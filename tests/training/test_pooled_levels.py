"""The pooled level forecasts of a walk over the queues: who is chosen, scored and gated by them."""

import math

import numpy as np
import pytest

from barograph.evaluation import gate, scores
from barograph.evaluation.conformal import Intervals
from barograph.registry.registry import Registry
from barograph.training.pooled import Pooled
from barograph.training.train import train
from barograph.training.walkforward import CHOSEN, Training, walk
from queue_levels import LEVEL, QUEUE_LEVELS, dataset

HOW = Training(folds=2, resamples=60, seed=5, gate=gate.PromotionGate(resamples=60, min_blocks=5))


@pytest.fixture(scope="module")
def walked():
    return walk(QUEUE_LEVELS, QUEUE_LEVELS.table(dataset(1800, seed=4).frame), HOW)


@pytest.fixture(scope="module")
def pooled(walked):
    return Pooled(walked, HOW)


def test_the_choice_is_the_lowest_qlike_of_held_out_rows_among_those_with_a_median(walked):
    assert walked.choices == ["linear", "linear"]
    for number, question in enumerate(walked.questions):
        tested = walked.tested["linear"][number]
        outcome = walked.table.outcome[question.fold.held_out]
        square = np.mean((outcome / tested.held_out) ** 2)
        expected = scores.qlike(outcome, tested.held_out * np.sqrt(square))
        assert tested.selection == pytest.approx(expected, rel=1e-9)
    assert all(math.isinf(fold.selection) for fold in walked.tested["logistic"])


def test_members_of_a_combination_are_fitted_once_and_it_lies_between_them(walked):
    for fold in range(2):
        linear, har, both = (
            walked.tested[name][fold].volatility for name in ("linear", "har", "combination")
        )
        assert both == pytest.approx(np.sqrt(linear * har), rel=1e-12)


def test_scores_of_a_level_stand_beside_those_of_the_probability(pooled):
    rows = {row.name: row for row in pooled.score_rows()}
    assert rows["logistic"].level is None
    assert rows["logistic"].qlike is None
    chosen = rows[CHOSEN]
    assert chosen.level.coverage.estimate == pytest.approx(LEVEL.coverage, abs=0.03)
    assert len(chosen.level.coverage_by_slot) == LEVEL.slots
    assert chosen.level.width < 1.3 < rows["persistence"].level.width
    assert chosen.log_r2.estimate > 0.9 > rows["har"].log_r2.estimate
    forecast = pooled.levels.gated(CHOSEN, np.ones(len(pooled.rows), np.bool_)).value
    assert chosen.qlike.estimate == pytest.approx(scores.qlike(pooled.outcome, forecast))


def test_differences_have_those_of_qlike_with_a_test_of_them(pooled):
    known = {(one.name, one.minus): one for one in pooled.differences()}
    better = known[CHOSEN, "har"]
    assert better.qlike.high < 0
    assert better.diebold_mariano.statistic < -3
    assert better.diebold_mariano.p_value < 0.01
    assert known["logistic", "har"].qlike is None


def test_what_intervals_know_at_the_end_is_kept_with_the_model(walked, pooled):
    """As many residuals as a window, of rows that the last fold was not fitted on."""
    last = walked.questions[-1].fold
    tested = walked.chosen[-1]
    for key, state in pooled.levels.facts.states.items():
        place = walked.table.keys.index(key)
        of_key = walked.table.key[last.test] == place
        residuals = np.log(walked.table.outcome[last.test] / tested.volatility)[of_key]
        slots = [LEVEL.slot(second) for second in walked.table.order[last.test][of_key].tolist()]
        for slot in range(LEVEL.slots):
            ours = np.array(state.slots[slot].residuals) / 1e6
            theirs = residuals[np.array(slots) == slot][-len(ours) :]
            assert ours[-len(theirs) :] == pytest.approx(theirs, abs=1e-6)
        Intervals(LEVEL, QUEUE_LEVELS.horizon_s, state)


@pytest.mark.slow
def test_a_model_that_forecasts_a_level_is_promoted_by_qlike_and_coverage(tmp_path):
    """The next one, of the same data, finds its champion's rows used; later rows decide again."""
    registry = Registry(tmp_path)
    data = dataset(1800, seed=4)
    report = train(QUEUE_LEVELS, data, registry, HOW, clock_ns=lambda: 1)
    reasons = "; ".join(report.gate.decision.reasons)
    assert report.gate.decision.promote, reasons
    assert "QLIKE must be better than har's: -" in reasons
    assert "coverage must not be surely outside 88% to 92%: " in reasons
    assert "PR-AUC" not in reasons
    model = registry.load("queue-levels", 1, QUEUE_LEVELS.feature_set)
    assert model.onnx.has_median
    assert model.facts.level.states.keys() == {"north", "south"}
    assert model.facts.scores["chosen"]["coverage"] == pytest.approx(0.9, abs=0.03)


@pytest.mark.slow
def test_a_champion_is_compared_on_rows_it_was_not_fitted_on_with_its_own_intervals(tmp_path):
    registry = Registry(tmp_path)
    whole = dataset(3600, seed=4)
    early = whole._replace(frame=whole.frame.filter(whole.frame["second"] < _middle(whole)))
    assert train(QUEUE_LEVELS, early, registry, HOW, clock_ns=lambda: 1).gate.decision.promote
    report = train(QUEUE_LEVELS, whole, registry, HOW, clock_ns=lambda: 2)
    reasons = "; ".join(report.gate.decision.reasons)
    assert report.gate.champion.startswith("queue-levels/1, on ")
    assert "QLIKE must be better than queue-levels/1's: " in reasons


def _middle(data):
    second = data.frame["second"]
    return (second.min() + second.max()) // 2
