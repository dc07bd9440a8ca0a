"""Candidates that come as a graph: what they must be, and that they are calibrated like others."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from barograph.errors import BadInputError
from barograph.learning import ready_graphs
from barograph.learning.estimators import has_skl2onnx
from barograph.learning.ready_graphs import from_onnx
from barograph.registry.model import OnnxModel, export
from foreign_graphs import DOUBLE, FLOAT, graph
from model_kinds import VOLS, examples, slices


@pytest.mark.parametrize("kind", [FLOAT, DOUBLE])
@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("opset", [13, 17, 21])
def test_a_graph_becomes_a_model_that_says_what_it_says_calibrated(kind, columns, opset):
    onnx = graph(kind=kind, columns=columns, opset=opset)
    candidate = from_onnx(onnx, features=VOLS, name="theirs")
    fitted = candidate.fit(slices(candidate), 1)
    x = examples(VOLS, 9).x
    said = fitted.core(x)
    assert np.allclose(said, 1 / (1 + np.exp(-1e4 * x.sum(axis=1, dtype=np.float64))), atol=1e-6)
    model = OnnxModel(export(fitted, x), 3)
    assert np.abs(model.predict(x) - fitted.predict(x)).max() < 1e-6
    # exact: the order of the rows is kept, ties included
    assert np.array_equal(np.argsort(said, kind="stable"), np.argsort(fitted.z(x), kind="stable"))


def test_what_skl2onnx_makes_is_taken_as_it_is():
    skl2onnx = pytest.importorskip("skl2onnx")
    train = examples(VOLS, 1)
    theirs = LogisticRegression().fit(train.x * 1e4, train.y.astype(int))
    onnx = skl2onnx.to_onnx(theirs, train.x[:1], options={"zipmap": False}).SerializeToString()
    candidate = from_onnx(onnx, features=VOLS, name="theirs")
    assert np.allclose(
        candidate.grow(train, 1).core(train.x), theirs.predict_proba(train.x)[:, 1], atol=1e-5
    )


@pytest.mark.parametrize(
    ("onnx", "why"),
    [
        (b"nonsense", "no valid ONNX graph"),
        (graph(width=2), r"its input is \(n, 2\), not \(n, 3\)"),
        (graph(rows=1), r"its input is \(1, 3\)"),
        (graph(twice=True), "which of its outputs"),
        (graph(opset=12, ir=7), "version 12 of ONNX's operators"),
    ],
)
def test_another_graph_is_refused_at_once_with_what_it_should_be(onnx, why):
    with pytest.raises(BadInputError, match=why):
        from_onnx(onnx, features=VOLS, name="theirs")


def test_a_graph_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(ready_graphs, "MAX_ONNX_BYTES", 100)
    with pytest.raises(BadInputError, match="allowed are"):
        from_onnx(graph(), features=VOLS, name="theirs")


def test_a_score_is_not_taken_for_a_probability():
    candidate = from_onnx(graph(odds=True), features=VOLS, name="theirs")
    train = examples(VOLS, 1)
    far = type(train)(train.x * np.float32(1e4), train.y, train.outcome)
    with pytest.raises(BadInputError, match="Export probabilities"):
        candidate.grow(far, 1)


@pytest.mark.skipif(not has_skl2onnx(), reason="the extra sklearn is not installed")
@pytest.mark.parametrize("options", [None, {"zipmap": "columns"}])
def test_probabilities_that_are_no_array_are_cured_by_the_option_that_is_named(options):
    """First the version was complained of, under a name that skl2onnx does not have."""
    from skl2onnx import to_onnx  # noqa: PLC0415 - an extra

    x = np.random.default_rng(1).normal(size=(100, 2)).astype(np.float32)
    fitted = LogisticRegression().fit(x, x[:, 0] > 0)
    given = {"features": ("a", "b"), "name": "theirs"}
    with pytest.raises(BadInputError, match=r'options=\{"zipmap": False\}'):
        from_onnx(to_onnx(fitted, x[:1], options=options).SerializeToString(), **given)
    cured = to_onnx(fitted, x[:1], options={"zipmap": False}, target_opset=13)
    assert from_onnx(cured.SerializeToString(), **given).name == "theirs"
