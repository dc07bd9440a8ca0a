"""An evaluation of frames is the one of `barograph train` on the same rows."""

import numpy as np
import polars as pl
import pytest
from sklearn.tree import DecisionTreeClassifier

import barograph as bg
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError, TooLittleDataError
from barograph.evaluation import labels
from barograph.library.frames import Features
from barograph.registry.memory import MemoryStore
from barograph.registry.registry import Registry
from barograph.training.train import Training, train
from market_features import features_and_labels

COLUMNS = ["observed_vol_10s", "observed_vol_60s", "log_return_10s"]
TREE = bg.candidates.from_sklearn(
    DecisionTreeClassifier(max_leaf_nodes=8), features=COLUMNS, name="tree"
)
FEW = {"folds": 2, "resamples": 100}


@pytest.fixture(scope="module")
def market():
    return features_and_labels(2.5, seed=4)


@pytest.fixture(scope="module")
def evaluation(market):
    X, y, _ = market
    ridge = [one for one in bg.candidates.default() if one.name == "ridge"]
    return bg.evaluate(X, y, candidates=[*ridge, TREE], **FEW)


@pytest.mark.slow
def test_the_figures_are_those_of_train_on_the_same_rows(market, tmp_path):
    X, y, dataset = market
    found = bg.evaluate(X, y, **FEW)
    report = train(
        SPIKES,
        dataset,
        Registry(tmp_path, store=MemoryStore()),
        Training(**FEW),
        clock_ns=lambda: 1,
    )
    for row, theirs in zip(found.scores.rows(named=True), report.tested.scores, strict=True):
        ours = row["candidate"], row["pr_auc"], row["pr_auc_low"], row["log_loss"]
        pr_auc, log_loss = theirs.pr_auc, theirs.log_loss
        # exact: the same code on the same rows
        assert ours == (theirs.name, pr_auc.estimate, pr_auc.low, log_loss.estimate)
    assert found.gate.promote == report.gate.decision.promote
    assert [one for one in found.gate.reasons if "time per row" not in one] == [
        one for one in report.gate.decision.reasons if "time per row" not in one
    ]
    assert found.chosen == report.model.chosen


@pytest.mark.slow
def test_baselines_are_always_tested_beside_what_was_given(evaluation):
    names = evaluation.scores["candidate"].to_list()
    assert {"persistence", "har", "ewma", "ridge", "tree", "chosen"} <= set(names)
    assert "lightgbm_regression" not in names
    differences = evaluation.differences("har")
    assert differences["candidate"].to_list() == ["ridge", "tree", "chosen"]
    assert (differences["pr_auc_low"] <= differences["pr_auc_high"]).all()
    with pytest.raises(BadInputError, match="Name one of persistence, har"):
        evaluation.differences("ridge")
    assert 0 < evaluation.base_rate.estimate < 1
    assert evaluation.control is None
    assert evaluation.gate.reasons
    assert "ridge" in repr(evaluation)


@pytest.mark.slow
def test_tau_is_that_of_each_folds_training_rows(market, evaluation):
    _, y, _ = market
    folds = evaluation.card.training.tested.folds
    taus = [fold.tau["BTC-USD"] for fold in folds]
    assert len(set(taus)) == 2
    before = y.filter(
        pl.col("product") == "BTC-USD", pl.col("second") * 10**9 < folds[0].train.end_ns
    )
    assert taus[0] != labels.tau(y["future_realized_vol"].drop_nulls().to_numpy())
    assert before["future_realized_vol"].drop_nulls().quantile(0.9) == pytest.approx(
        taus[0], rel=0.05
    )


@pytest.mark.slow
def test_a_report_is_a_page_and_the_model_is_there(evaluation, tmp_path):
    page = evaluation.report(tmp_path / "card.html")
    assert "<svg" in page.read_text(encoding="utf-8")
    assert evaluation.model.facts.candidate == evaluation.chosen
    assert not list(tmp_path.glob("registry*"))


@pytest.mark.slow
def test_a_splitter_cuts_the_folds_and_what_it_lets_leak_is_left_out(market):
    X, y, _ = market
    cv = bg.PurgedWalkForward(n_splits=2, horizon_s=60, embargo_s=300)
    found = bg.evaluate(X, y, candidates=[], cv=cv, resamples=100)
    tested = found.card.training.tested
    assert (tested.split, len(tested.folds)) == ("given", 2)
    for fold in tested.folds:
        # Horizon and longest window lie between the sides, whatever the splitter says.
        assert fold.test.start_ns - fold.train.end_ns >= 300 * 10**9

    class Shuffled:
        """Rows at random, so that each tested second lies among seconds that are trained on."""

        def split(self, _x, _y, groups):
            side = np.random.default_rng(1).integers(0, 2, len(groups))
            yield np.flatnonzero(side == 0), np.flatnonzero(side == 1)

    with pytest.raises(TooLittleDataError, match="train"):
        bg.evaluate(X, y, candidates=[], cv=Shuffled(), resamples=100)


def test_labels_of_another_horizon_quantile_or_market_are_refused(market):
    X, y, _ = market
    few = {"candidates": [TREE], **FEW}
    with pytest.raises(BadInputError, match="not the realized_vol_60s of 60 s later"):
        bg.evaluate(X, bg.label(X, horizon_s=30), **few)
    with pytest.raises(BadInputError, match=r"not the 0\.9 quantile"):
        bg.evaluate(X, bg.label(X, quantile=0.95), **few)
    with pytest.raises(BadInputError, match="its rows are not those of X"):
        bg.evaluate(X, y.with_columns(pl.col("second") + 10**6), **few)
    with pytest.raises(BadInputError, match="it has no column future_realized_vol"):
        bg.evaluate(X, y.drop("future_realized_vol"), **few)


def test_a_feature_that_there_is_not_is_named_with_what_is_near(market):
    X, y, _ = market
    odd = bg.candidates.persistence("observed_vol_61s", name="odd")
    with pytest.raises(BadInputError, match="observed_vol_60s"):
        bg.evaluate(X, y, candidates=[odd], **FEW)


def test_two_candidates_of_one_name_are_refused(market):
    X, y, _ = market
    twice = bg.candidates.persistence("observed_vol_60s", name="har")
    with pytest.raises(BadInputError, match="Give it a name of its own"):
        bg.evaluate(X, y, candidates=[twice], **FEW)


def test_rows_may_be_fewer_than_those_of_the_features(market):
    X, y, _ = market
    short = Features(X.frame.head(600), np.zeros((600, len(X.names)), np.uint8), SPIKES)
    with pytest.raises(BadInputError, match="its rows are not those of X"):
        bg.evaluate(short, y, candidates=[TREE], **FEW)


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ({"quantile": 2}, "between 0 and 1"),
        ({"seed": -1}, "Use 0 to 4294967295"),
        ({"seed": 1.5}, "no whole number"),
        ({"folds": 0}, "folds=0"),
        ({"resamples": 0}, "resamples=0"),
        ({"control": "no"}, "Use True or False"),
        ({"cv": 3}, "Use folds=3"),
        ({"candidates": ["har"]}, "'har' is no candidate"),
        ({"case": 5}, "it is no case"),
        ({"case": "hourly"}, r"`barograph train --case hourly`"),
        ({"case": "churn"}, "X are the rows of case spikes"),
        ({"case": "spikes-10s", "candidates": bg.candidates.default()[:1]}, "'spikes-10s'"),
    ],
)
def test_an_argument_that_is_none_is_refused_before_anything_is_trained(market, option, why):
    X, y, _ = market
    with pytest.raises(BadInputError, match=why):
        bg.evaluate(X, y, **(FEW | {"candidates": [TREE]} | option))


def test_features_are_given_whole(market):
    X, y, _ = market
    with pytest.raises(BadInputError, match=r"not what barograph\.features returns"):
        bg.evaluate(X.frame, y)


@pytest.mark.slow
def test_an_evaluation_stays_as_it_is_and_its_report_is_a_file(evaluation, tmp_path):
    with pytest.raises(AttributeError, match="Evaluation is immutable"):
        evaluation.card = None
    for place, why in ((tmp_path, "it is a directory"), ("", "names one"), (5, "names one")):
        with pytest.raises(BadInputError, match=why):
            evaluation.report(place)
