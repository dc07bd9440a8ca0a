"""Candidates of scikit-learn: any classifier or regressor whose ONNX says what it says.

Trees become one `TreeEnsemble` node with float64 thresholds, as scikit-learn compares them; all
else is converted by skl2onnx in float64. Each fitted model is exported and compared with itself on
the rows that it was fitted on, before anything is tested with it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from barograph.arrays import Float64
from barograph.errors import BadInputError, MissingExtraError, UnsoundModelError
from barograph.learning.candidate_names import feature_names, refuse_unusable
from barograph.learning.candidates import Candidate
from barograph.learning.examples import Examples, both_kinds, uncalibrated
from barograph.learning.fitted import Chance, Fitted, LogLogistic, Odds, Seen
from barograph.learning.log_logistic import law_around
from barograph.learning.onnx_graph import ML, Graph
from barograph.learning.relative import Ratio, Relative, log_above
from barograph.learning.sklearn_trees import GrownTrees, grown_trees
from barograph.registry.model import MAX_ONNX_BYTES, TAU, export

_SMALLER = (
    "Let it be smaller: fewer trees (`n_estimators`), or smaller ones (`max_leaf_nodes`, "
    "`min_samples_leaf`)"
)
_OTHER = (
    "Take another estimator: trees, forests and boosting of scikit-learn, linear models, neural "
    "networks, and pipelines of these"
)
_FAILURES = (
    ValueError, TypeError, AttributeError, ArithmeticError, LookupError, RuntimeError,
    AssertionError, OSError,
)  # fmt: skip
"""What estimators raise where they fail; what else one raises is of its own and says where."""

_CONVERTED_OPSETS = {"": 21, ML: 3}
"""Versions that skl2onnx is asked for; the graph raises the second, where that changes nothing."""


def has_skl2onnx() -> bool:
    """Whether the extra `sklearn` is installed."""
    return find_spec("skl2onnx") is not None


def from_sklearn(
    estimator: Any,  # noqa: ANN401 - untyped package
    *,
    features: Sequence[str],
    name: str,
    repeats: float = 60,
) -> Candidate:
    """A candidate of any scikit-learn classifier or regressor that can be exported.

    estimator: not fitted, and never changed: each fit has its own copy, with the training's seed
    where `random_state` is None. It gets the features (n, f) float64 in this order, which are
    float32 numbers as in live rows, and sample weights where it takes them. A classifier gives
    probabilities (`predict_proba`); a regressor is fitted on ln of the outcome, and the law of its
    errors gives the probability of reaching tau. Both are calibrated as all candidates.
    repeats: rows that carry the information of one independent row (see `Candidate`).

    Raises BadInputError for what is neither, for a name, features or `repeats` that are none, and,
    when it is fitted, for one that fails, is larger than 64 MiB as ONNX, or needs operators that
    are not ONNX's own; ExportRefusedError where its ONNX differs by more than 1e-6 on a training
    row; MissingExtraError where skl2onnx is needed and not installed.

    >>> from sklearn.ensemble import RandomForestClassifier
    >>> forest = bg.candidates.from_sklearn(
    ...     RandomForestClassifier(20, min_samples_leaf=30),
    ...     features=["observed_vol_10s", "observed_vol_60s"],
    ...     name="forest",
    ... )
    >>> forest.name, forest.features
    ('forest', ('observed_vol_10s', 'observed_vol_60s'))
    """
    from sklearn.base import BaseEstimator, is_classifier, is_regressor  # noqa: PLC0415 - heavy

    refuse_unusable(name, repeats)
    what = f"candidate {name}"
    names = feature_names(what, features)
    known = isinstance(estimator, BaseEstimator)
    if not known or not (is_classifier(estimator) or is_regressor(estimator)):
        kind = f"{estimator!r}"[:100]
        raise BadInputError(
            what, f"{kind} is no classifier or regressor of scikit-learn", "Give one, not fitted"
        )
    if is_classifier(estimator) and not hasattr(estimator, "predict_proba"):
        raise BadInputError(
            what,
            f"{type(estimator).__name__} gives no probabilities",
            "Wrap it (`CalibratedClassifierCV(estimator)`)",
        )
    view = Relative.of([Ratio(one, floor=0.0) for one in names], *_beside(estimator, names))
    grow = _Learner(estimator, name, view, repeats)
    return Candidate(name, view.features, grow, repeats)


@contextmanager
def _named(what: str, failed: str) -> Iterator[None]:
    """Raise BadInputError, which says what failed of what, for `_FAILURES` of an estimator."""
    try:
        yield
    except _FAILURES as error:
        text = " ".join(str(error).split())[:300] or type(error).__name__
        raise BadInputError(what, f"{failed}: {text}", "Correct the estimator") from error


def _beside(estimator: Any, names: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ANN401
    """Tau, beside the features of a regressor."""
    from sklearn.base import is_classifier  # noqa: PLC0415 - only who trains

    return () if is_classifier(estimator) or TAU in names else (TAU,)


@dataclass(frozen=True, slots=True)
class _Learner:
    """Fits copies of an estimator on the columns of `view`."""

    estimator: Any
    name: str
    view: Relative
    repeats: float

    def __call__(self, train: Examples, seed: int) -> Fitted:
        """A model without calibration, whose ONNX was compared with it on `train`."""
        from sklearn.base import is_classifier  # noqa: PLC0415 - only who trains

        classifies, seen = is_classifier(self.estimator), self.view.apply(train.x)
        if classifies:
            both_kinds(train.y)
        target = train.y.astype(np.int64) if classifies else log_above(train.outcome)
        core = Estimated(self._fit(seen, target, train.weight, seed), classifies, len(seen[0]))
        fitted = uncalibrated(self.view, core, self._head(core, train, seen))
        fitted = replace(fitted, name=self.name, features=self.view.features)
        self._prove(fitted, train)
        return fitted

    def _fit(self, seen: Float64, target: Any, weight: Float64, seed: int) -> Any:  # noqa: ANN401
        from sklearn.base import clone  # noqa: PLC0415 - only who trains

        with _named(f"candidate {self.name}", "its fit failed"):
            copy = clone(self.estimator)
            known = copy.get_params()
            drawn = {
                key: seed
                for key, value in known.items()
                if key.split("__")[-1] == "random_state" and value is None
            }
            copy.set_params(**drawn)
            copy.fit(seen, target, **_weights(copy, weight))
            # Several threads would add up in any order, and so change the last bit.
            copy.set_params(**{key: 1 for key in known if key.split("__")[-1] == "n_jobs"})
        return copy

    def _head(self, core: "Estimated", train: Examples, seen: Float64) -> Any:  # noqa: ANN401
        weight = train.weight / self.repeats
        if not core.classifies:
            law: LogLogistic = law_around(self.view, core, train, seen, (), weight, varies=False)
            return law
        return Odds() if core.gives_odds else Chance(float(weight.sum()))

    def _prove(self, fitted: Fitted, train: Examples) -> None:
        what = f"candidate {self.name}"
        if (size := len(fitted.to_onnx())) > MAX_ONNX_BYTES:
            why = f"its ONNX has {size >> 20} MiB, allowed are {MAX_ONNX_BYTES >> 20}"
            raise BadInputError(what, why, _SMALLER)
        try:
            export(fitted, train.x, median=True)
        except UnsoundModelError as error:
            raise BadInputError(what, f"its ONNX cannot be kept: {error.why}", _OTHER) from error


class Estimated:
    """The core of a fitted estimator: a probability, log-odds, or the value of a regressor."""

    def __init__(self, fitted: Any, classifies: bool, width: int) -> None:  # noqa: ANN401
        self.classifies, self._fitted, self._width = classifies, fitted, width
        self._before, self._last = fitted, None
        if type(fitted).__module__.startswith("sklearn.pipeline") and len(fitted) > 1:
            self._before, self._last = fitted[:-1], fitted[-1]
        elif type(fitted).__module__.startswith("sklearn.pipeline"):
            self._before, self._last = None, fitted[-1]
        else:
            self._before, self._last = None, fitted

    @cached_property
    def _trees(self) -> GrownTrees | None:
        return grown_trees(self._last)

    @property
    def gives_odds(self) -> bool:
        """Whether the number is the log-odds of a classifier."""
        return self._trees is not None and self._trees.odds

    def __call__(self, seen: Seen) -> Float64:
        """Evaluate inputs (n, m) to (n,)."""
        from sklearn import config_context  # noqa: PLC0415 - only who trains needs it

        x, what = np.asarray(seen, np.float64), type(self._fitted).__name__
        # Its check of finite values overflows on the largest float32.
        with config_context(assume_finite=True), _named(what, "it cannot say anything of rows"):
            if not self.classifies:
                value = self._fitted.predict(x)
            elif self.gives_odds:
                value = self._fitted.decision_function(x)
            else:
                value = self._fitted.predict_proba(x)[:, 1]
            numbers: Float64 = np.asarray(value, np.float64).reshape(len(x))
        return numbers

    def nodes(self, graph: Graph, seen: str) -> str:
        """Add the estimator to a graph; return the name of its output (n, 1)."""
        trees = self._trees
        if trees is not None:
            if self._before is not None:
                seen = self._embedded(graph, self._before, seen, "transformer")
            return trees.table.node(graph, graph.narrowed(seen) if trees.narrow else seen)
        if self.classifies:
            chances = self._embedded(graph, self._fitted, seen, "classifier")
            return graph.column(graph.widened(chances), 1)
        value = graph.widened(self._embedded(graph, self._fitted, seen, "regressor"))
        return graph.add("Reshape", value, graph.constant(np.array([-1, 1], np.int64)))

    def _embedded(
        self,
        graph: Graph,
        part: Any,  # noqa: ANN401 - untyped package
        seen: str,
        kind: Literal["transformer", "classifier", "regressor"],
    ) -> str:
        model = converted(part, self._width, classifies=kind == "classifier")
        return graph.embed(model, seen, model.graph.output[1 if kind == "classifier" else 0].name)


def converted(part: Any, width: int, *, classifies: bool) -> Any:  # noqa: ANN401 - untyped package
    """A fitted estimator or transformer as a `ModelProto`: double (n, width) in.

    Raises MissingExtraError without skl2onnx, BadInputError for what it cannot convert.
    """
    try:
        from skl2onnx import to_onnx  # noqa: PLC0415 - an extra
        from skl2onnx.common.data_types import DoubleTensorType  # noqa: PLC0415
        from skl2onnx.common.exceptions import (  # noqa: PLC0415
            MissingConverter,
            MissingShapeCalculator,
        )
    except ImportError as error:
        raise MissingExtraError(f"the ONNX of {type(part).__name__}", "sklearn") from error
    refused = (
        MissingConverter, MissingShapeCalculator, NotImplementedError, RuntimeError, ValueError,
        TypeError, AttributeError, LookupError,
    )  # fmt: skip  # what a conversion of foreign classes raises
    try:
        return to_onnx(
            part,
            initial_types=[("x", DoubleTensorType([None, width]))],
            options={id(part): {"zipmap": False}} if classifies else None,
            target_opset=_CONVERTED_OPSETS,
        )
    except refused as error:
        why = f"skl2onnx cannot convert it: {' '.join(str(error).split())[:300]}"
        raise BadInputError(type(part).__name__, why, _OTHER) from error


def _weights(copy: Any, weight: Float64) -> dict[str, Float64]:  # noqa: ANN401 - untyped package
    """The argument of `fit` with the weights, where the estimator takes them."""
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - only who trains
    from sklearn.utils.validation import has_fit_parameter  # noqa: PLC0415

    if isinstance(copy, Pipeline):
        step, last = copy.steps[-1]
        return (
            {f"{step}__sample_weight": weight} if has_fit_parameter(last, "sample_weight") else {}
        )
    return {"sample_weight": weight} if has_fit_parameter(copy, "sample_weight") else {}
