"""Candidates of scikit-learn: what is exported says what was fitted, whatever the estimator."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from barograph.errors import BadInputError, ExportRefusedError, MissingExtraError
from barograph.learning import estimators
from barograph.learning.estimators import from_sklearn
from barograph.registry.model import OnnxModel, export
from model_kinds import VOLS, examples, slices

needs_skl2onnx = pytest.mark.skipif(
    not estimators.has_skl2onnx(), reason="the extra sklearn is not installed"
)

TREES = [
    DecisionTreeClassifier(max_depth=5),
    RandomForestClassifier(20, n_jobs=2),
    ExtraTreesClassifier(10, min_samples_leaf=5),
    GradientBoostingClassifier(n_estimators=10, max_depth=2),
    HistGradientBoostingClassifier(max_iter=10),
    make_pipeline(RandomForestClassifier(3)),
    RandomForestRegressor(5, min_samples_leaf=5),
    GradientBoostingRegressor(n_estimators=10, max_depth=2),
    HistGradientBoostingRegressor(max_iter=10),
]
CONVERTED = [
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(StandardScaler(), RandomForestClassifier(10)),
    make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=5)),
    make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=500)),
    CalibratedClassifierCV(LogisticRegression(C=1e9), cv=3),
    make_pipeline(StandardScaler(), Ridge()),
]


def named(estimator):
    return "-".join(
        type(one).__name__ for one in getattr(estimator, "named_steps", {"": estimator}).values()
    )


def of_each(*, all_of=True):
    return [pytest.param(one, id=named(one)) for one in TREES] + [
        pytest.param(one, id=named(one), marks=needs_skl2onnx) for one in CONVERTED if all_of
    ]


@pytest.mark.slow
@pytest.mark.parametrize("estimator", of_each())
def test_the_graph_says_of_unseen_rows_what_the_estimator_says(estimator):
    candidate = from_sklearn(estimator, features=VOLS, name="mine")
    fitted = candidate.fit(slices(candidate), 1)
    unseen = examples(candidate.features, 9).x
    onnx = export(fitted, unseen, median=True)  # refuses more than 1e-6
    model = OnnxModel(onnx, len(candidate.features))
    assert np.abs(model.predict(unseen) - fitted.predict(unseen)).max() < 1e-6
    whole = model.predict(unseen[:50])
    one_by_one = np.concatenate([model.predict(unseen[row : row + 1]) for row in range(50)])
    assert np.allclose(whole, one_by_one, rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator", [RandomForestClassifier(10, n_jobs=2), RandomForestRegressor(5)]
)
def test_the_same_rows_and_seed_give_the_same_bytes(estimator):
    candidate = from_sklearn(estimator, features=VOLS, name="mine")
    one, other, else_ = (candidate.fit(slices(candidate), seed).to_onnx() for seed in (1, 1, 2))
    assert one == other  # exact: a training repeated on one machine
    assert one != else_  # exact: another seed, other trees
    assert estimator.random_state is None
    assert not hasattr(estimator, "estimators_"), "the estimator given is not fitted"


def test_a_seed_of_ones_own_stays():
    candidate = from_sklearn(RandomForestClassifier(5, random_state=7), features=VOLS, name="mine")
    one, other = (candidate.fit(slices(candidate), seed).to_onnx() for seed in (1, 2))
    assert one == other  # exact: a training repeated on one machine


def test_a_value_on_a_threshold_goes_where_the_estimator_sends_it():
    # Thresholds are float64 between two float32 values; in float32 some of them are one of both.
    x = np.full((400, 1), 100, np.float32)
    x[1::2] = np.nextafter(np.float32(100), np.float32(200))
    y = np.tile([False, True], 200)
    train = estimators.Examples(x, y)
    fitted = from_sklearn(DecisionTreeClassifier(), features=("a",), name="mine").grow(train, 1)
    model = OnnxModel(fitted.to_onnx(), 1)
    assert (model.predict(x) > 0.5).tolist() == y.tolist()


def test_a_forest_that_is_sure_has_finite_odds_and_keeps_its_order():
    candidate = from_sklearn(RandomForestClassifier(10), features=VOLS, name="mine")
    train = examples(VOLS, 1)
    fitted = candidate.grow(train, 1)
    raw, z = fitted.core(fitted.view.apply(train.x)), fitted.z(train.x)
    assert {raw.min(), raw.max()} == {0.0, 1.0}  # exact: all trees agree
    assert np.isfinite(z).all()
    assert np.abs(z).max() < np.log(2 * len(train.x) / 60 + 1) + 1e-9
    # exact: the order of the rows is kept, ties included
    assert np.array_equal(np.argsort(raw, kind="stable"), np.argsort(z, kind="stable"))


def test_weights_reach_the_estimator():
    train = examples(VOLS, 1)
    seen = train.x[:, 0] > np.median(train.x[:, 0])
    heavy = estimators.Examples(train.x, train.y, train.outcome, np.where(seen, 1.99, 0.01))
    candidate = from_sklearn(DecisionTreeClassifier(max_depth=3), features=VOLS, name="mine")
    one, other = (candidate.grow(each, 1).to_onnx() for each in (train, heavy))
    assert one != other  # exact: other weights, another tree


def test_what_is_no_estimator_or_gives_no_probabilities_is_refused_at_once():
    for wrong, why in (
        (RandomForestClassifier, "no classifier or regressor"),
        (object(), "no classifier or regressor"),
        (StandardScaler(), "no classifier or regressor"),
        (LinearSVC(), "gives no probabilities"),
    ):
        with pytest.raises(BadInputError, match=why):
            from_sklearn(wrong, features=VOLS, name="mine")
    for features in ((), ("a", "a")):
        with pytest.raises(BadInputError, match="its features are"):
            from_sklearn(RandomForestClassifier(), features=features, name="mine")


@needs_skl2onnx
@pytest.mark.parametrize(
    ("estimator", "why"),
    [
        (
            make_pipeline(FunctionTransformer(np.sqrt), LogisticRegression()),
            "skl2onnx cannot convert",
        ),
        (KNeighborsClassifier(), "functions or control flow"),
        (RandomForestClassifier(5, max_features="all"), "its fit failed"),
    ],
)
def test_what_cannot_be_exported_or_fitted_says_why_and_what_can(estimator, why):
    candidate = from_sklearn(estimator, features=VOLS, name="mine")
    with pytest.raises(BadInputError, match=why):
        candidate.fit(slices(candidate), 1)


def test_a_forest_that_is_too_large_says_how_it_becomes_smaller(monkeypatch):
    monkeypatch.setattr(estimators, "MAX_ONNX_BYTES", 10_000)
    candidate = from_sklearn(RandomForestClassifier(20), features=VOLS, name="mine")
    with pytest.raises(BadInputError, match="min_samples_leaf"):
        candidate.fit(slices(candidate), 1)


def test_an_export_that_says_something_else_is_refused(monkeypatch):
    class Odd(estimators.Estimated):
        def __call__(self, seen):
            return 1 - super().__call__(seen)

    monkeypatch.setattr(estimators, "Estimated", Odd)
    candidate = from_sklearn(DecisionTreeClassifier(max_depth=3), features=VOLS, name="mine")
    with pytest.raises(ExportRefusedError):
        candidate.fit(slices(candidate), 1)


def test_without_skl2onnx_trees_go_on_and_the_rest_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skl2onnx", None)
    trees = from_sklearn(DecisionTreeClassifier(max_depth=3), features=VOLS, name="mine")
    trees.fit(slices(trees), 1)
    other = from_sklearn(make_pipeline(StandardScaler(), Ridge()), features=VOLS, name="mine")
    with pytest.raises(MissingExtraError, match="sklearn"):
        other.fit(slices(other), 1)


class Fails(DecisionTreeClassifier):
    """Raises what it is told, as it is fitted or asked."""

    def __init__(self, fit=None, ask=None):
        super().__init__()
        self.fit_error, self.ask_error = fit, ask

    def get_params(self, deep=True):  # noqa: ARG002 - as scikit-learn calls it
        return {"fit": self.fit_error, "ask": self.ask_error}

    def fit(self, *given, **named):
        if self.fit_error is not None:
            raise self.fit_error
        return super().fit(*given, **named)

    def predict_proba(self, X):
        if self.ask_error is not None:
            raise self.ask_error
        return super().predict_proba(X)


@pytest.mark.parametrize(
    "error", [RuntimeError, NotImplementedError, AssertionError, OSError, KeyError, ValueError]
)
def test_an_estimator_that_raises_is_named_with_what_it_said(error):
    candidate = from_sklearn(Fails(error("no rows like these")), features=VOLS, name="mine")
    with pytest.raises(
        BadInputError, match=r"candidate mine: its fit failed: .*no rows like these"
    ):
        candidate.fit(slices(candidate), 1)
    asked = estimators.Estimated(Fails(ask=error()), classifies=True, width=1)
    with pytest.raises(BadInputError, match=f"Fails: it cannot say anything.*{error.__name__}"):
        asked(np.ones((2, 1)))
