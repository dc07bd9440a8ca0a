"""Whole trainings on the real customers: what can be known of them is found, and nothing else."""

import dataclasses
import json
import sys
import time

import numpy as np
import pytest

from barograph.app import cli
from barograph.cases.case import Dataset
from barograph.cases.churn import CHURN, CONTRACT
from barograph.cases.record_file import lines
from barograph.training import dataset, record_dataset
from barograph.training.train import Training, train
from barograph.training.walkforward import CHOSEN

QUICK = dataclasses.replace(CHURN, candidates=lambda *about: CHURN.candidates(*about)[:2])
"""For what does not hang on who competes: tenure alone, and a logistic model."""


@pytest.fixture(scope="module")
def table(data):
    return data / "churn" / "Telco-Customer-Churn.csv"


@pytest.fixture(scope="module")
def examples(table, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    made = record_dataset.build(home, CHURN, [table])
    assert (made.rows, made.usable, made.yes, made.refused) == (7043, 7043, 1869, {})
    return dataset.read(home, CHURN)


@pytest.fixture(scope="module")
def report(examples, registry):
    return train(CHURN, examples, registry, Training(), clock_ns=time.time_ns)


def test_the_chosen_model_is_as_good_as_the_best_known_and_becomes_champion(report, registry):
    rows = {row.name: row for row in report.tested.scores}
    chosen = rows[CHOSEN]
    assert chosen.pr_auc.estimate >= 0.65
    assert chosen.roc_auc.estimate >= 0.845
    assert chosen.pr_auc.low > 0.62
    assert chosen.calibration_error.estimate < 0.02
    assert chosen.log_loss.estimate < 0.42
    assert report.tested.base_rate.estimate == pytest.approx(1869 / 7043)
    assert report.tested.rows == 7043
    assert report.gate.decision.promote, report.gate.decision.reasons
    assert registry.champion_version("churn") == report.model.version


def test_the_command_line_shows_a_champion_with_features_of_its_own(
    report, registry, monkeypatch, capsys
):
    home = str(registry._store._root.parent)
    monkeypatch.setattr(
        sys, "argv", ["barograph", "models", "show", "--case", "churn", "--home", home, "--json"]
    )
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert not left.value.code
    shown = json.loads(capsys.readouterr().out)
    assert shown["facts"]["candidate"] == report.model.chosen
    assert shown["live"] is None, "there is no log"


def test_a_held_out_quarter_confirms_it(report, registry):
    """The last fold's test: the registered model never saw it, and nothing was tuned on it."""
    itself = registry.load("churn", "champion", CHURN.feature_set).facts.scores["last_fold"]
    assert report.tested.folds[-1].test.rows == 1761
    assert itself["pr_auc"] >= 0.65
    assert itself["roc_auc"] >= 0.845


def test_every_candidate_beats_the_reference_by_its_whole_interval(report):
    assert {difference.name for difference in report.tested.differences} == {
        "logistic", "gradient_boosting", "lightgbm", CHOSEN,
    }  # fmt: skip
    for difference in report.tested.differences:
        assert difference.pr_auc.low > 0.1
        assert difference.log_loss.high < 0
    assert any("tenure's" in reason for reason in report.gate.decision.reasons)


def test_a_record_is_scored_in_the_registry_as_it_was_in_the_test(
    report, registry, examples, table
):
    model = registry.load("churn", "champion", CHURN.feature_set)
    rows = CHURN.table(examples.frame)
    predictions = model.onnx.predict(rows.columns(model.facts.features, np.arange(len(rows.order))))
    for place, line in enumerate(lines(table, CONTRACT)):
        if place % 100 == 0:
            numbers = CONTRACT.numbers(CONTRACT.decode(line.value))
            alone = model.onnx.predict(np.array([numbers], np.float32))
            assert alone[0] == pytest.approx(predictions[place], abs=1e-12)
    assert model.facts.features == CONTRACT.features
    assert 0.2 < report.model.threshold < 0.5


def test_the_same_customers_are_judged_once(report, registry, examples):
    """Another seed is another chance only where there are customers that no gate has looked at."""
    assert report.gate.judged_rows == 7043
    how = Training(seed=2, folds=2, resamples=50)
    second = train(QUICK, examples, registry, how, clock_ns=time.time_ns)
    assert second.gate.decision.reasons == (
        "no tested row is left to decide on: a gate has used all of them",
    )
    assert registry.champion_version("churn") == report.model.version


def test_a_later_training_is_compared_on_customers_that_are_new_and_unseen(examples, registry):
    """The first three quarters of the file make a champion; the whole file comes later."""
    case, how = dataclasses.replace(QUICK, name="churn-later"), Training(resamples=200)
    early = Dataset(examples.frame[:5200], "three quarters")
    first = train(case, early, registry, how, clock_ns=time.time_ns)
    assert first.gate.decision.promote, first.gate.decision.reasons
    facts = registry.load("churn-later", first.model.version, case.feature_set).facts
    later = train(case, examples, registry, how, clock_ns=time.time_ns)
    fresh = int((CHURN.table(examples.frame[5200:]).order > facts.last_order).sum())
    assert 400 < fresh < 520
    assert later.gate.judged_rows == fresh
    assert later.gate.champion == f"churn-later/1, on {fresh} rows that it was not fitted on"
    assert any("churn-later/1's" in reason for reason in later.gate.decision.reasons)


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(each, marks=pytest.mark.operations) for each in (2, 3))]
)
def test_where_the_outcome_is_drawn_by_lot_nothing_is_found_and_nothing_promoted(
    examples, registry, seed
):
    shuffled = examples.frame.with_columns(examples.frame["Churn"].shuffle(seed))
    case = dataclasses.replace(CHURN, name=f"shuffled-{seed}")
    trained = train(
        case,
        Dataset(shuffled, f"shuffled {seed}"),
        registry,
        Training(folds=2, resamples=200),
        clock_ns=time.time_ns,
    )
    assert not trained.gate.decision.promote
    assert registry.champion_version(case.name) is None
    for row in trained.tested.scores:
        assert row.roc_auc.low < 0.5 < row.roc_auc.high + 0.01, row.name
        assert row.pr_auc.low <= trained.tested.base_rate.estimate, row.name
