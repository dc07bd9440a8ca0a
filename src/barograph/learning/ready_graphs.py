"""Candidates from an ONNX graph that another program trained."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from barograph.arrays import Float64
from barograph.errors import BadInputError, UnsoundModelError
from barograph.learning.candidate_names import feature_names, refuse_unusable
from barograph.learning.candidates import Candidate
from barograph.learning.examples import Examples, both_kinds, uncalibrated
from barograph.learning.fitted import AsGiven, Chance, Fitted, Seen
from barograph.learning.onnx_graph import LEAST_OPSET, Graph, versions_of
from barograph.registry.model import MAX_ONNX_BYTES, OnnxModel

_CURE = (
    "Export it with one input (n, features) and the probability as an output (n,), (n, 1) or (n, 2)"
)
_AS_ARRAY = (
    """Export the probabilities as one array (n, 2) (of skl2onnx: options={"zipmap": False})"""
)
_OPSETS = "of skl2onnx: target_opset={0}; of PyTorch: opset_version={0}"


def from_onnx(
    onnx: bytes,
    *,
    features: Sequence[str],
    name: str,
    fitted_until_ns: int | None = None,
    repeats: float = 60,
) -> Candidate:
    """A candidate that is a graph: it is not fitted, and calibrated in each fold as all others.

    onnx: a model with one input (n, f), float32 or float64, whose columns are `features`, and one
    floating-point output with the probability, (n,) or (n, 1), or with that of both classes,
    (n, 2); other outputs, such as labels, are not used. fitted_until_ns: the end of what it was
    trained on, Unix time; folds that test earlier rows leave it out. Without it nobody knows what
    it has seen, and its scores are worth what the reader knows of that.
    repeats: rows that carry the information of one independent row (see `Candidate`).

    Raises BadInputError for a name, features or `repeats` that are none, for another graph, one of
    more than 64 MiB, and one that needs operators that are not ONNX's own, control flow or files
    beside it; when it is tested, for outputs that are no probabilities.
    """
    refuse_unusable(name, repeats)
    names = feature_names(f"candidate {name}", features)
    ready = ReadyGraph(f"candidate {name}", onnx, len(names))

    def grow(train: Examples, _seed: int) -> Fitted:
        both_kinds(train.y)
        chance = ready(train.x)
        if not ((chance >= 0) & (chance <= 1)).all():
            seen = f"on training rows its output goes from {chance.min():g} to {chance.max():g}"
            raise BadInputError(f"candidate {name}", seen, "Export probabilities, not scores")
        head = Chance(float(train.weight.sum() / repeats))
        return replace(uncalibrated(AsGiven(), ready, head), name=name, features=names)

    return Candidate(name, names, grow, repeats, fitted_until_ns=fitted_until_ns)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a graph takes and gives, and whether it takes float32."""

    input: str
    narrow: bool
    output: str
    columns: int


class ReadyGraph:
    """The core of a graph. Not thread-safe. Raises BadInputError, which names `what`."""

    def __init__(self, what: str, onnx: bytes, width: int) -> None:
        self._model = _read(what, onnx)
        self._shape = _shape_of(what, self._model, width)
        graph = Graph(width)
        column = graph.constant(np.array([1], np.int64))
        chance = graph.add("Squeeze", self.nodes(graph, graph.wide()), column)
        try:
            self._run = OnnxModel(graph.finished(what, chance), width, what).predict
        except UnsoundModelError as error:
            raise BadInputError(what, error.why, _CURE) from error

    def __call__(self, seen: Seen) -> Float64:
        """Evaluate inputs (n, m) to (n,)."""
        return self._run(np.ascontiguousarray(seen, np.float32))

    def nodes(self, graph: Graph, seen: str) -> str:
        """Add the graph; return the name of its output (n, 1)."""
        shape = self._shape
        value = graph.rounded(seen) if shape.narrow else seen
        value = graph.widened(graph.embed(self._model, value, shape.output))
        if shape.columns == 2:
            return graph.column(value, 1)
        return graph.add("Reshape", value, graph.constant(np.array([-1, 1], np.int64)))


def _read(what: str, onnx: bytes) -> Any:  # noqa: ANN401 - onnx has no types
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - comes with onnx
    from onnx import checker, load_model_from_string, shape_inference  # noqa: PLC0415 - heavy

    if len(onnx) > MAX_ONNX_BYTES:
        why = f"it has {len(onnx) >> 20} MiB, allowed are {MAX_ONNX_BYTES >> 20}"
        raise BadInputError(what, why, "Let it be smaller")
    try:
        model = load_model_from_string(onnx)
        checker.check_model(model)
        inferred = shape_inference.infer_shapes(model, strict_mode=True)
    except (DecodeError, checker.ValidationError, shape_inference.InferenceError) as error:
        why = f"it is no valid ONNX graph ({' '.join(str(error).split())[:200]})"
        raise BadInputError(what, why, _CURE) from error
    if any(node.op_type == "ZipMap" for node in model.graph.node):
        why = "it gives probabilities as maps of classes (ZipMap)"
        raise BadInputError(what, why, _AS_ARRAY)
    if (version := versions_of(model).get("", LEAST_OPSET)) < LEAST_OPSET:
        why = f"it has version {version} of ONNX's operators"
        cure = f"Export it with version {LEAST_OPSET} or later ({_OPSETS.format(LEAST_OPSET)})"
        raise BadInputError(what, why, cure)
    return inferred


def _shape_of(what: str, model: Any, width: int) -> _Shape:  # noqa: ANN401 - onnx has no types
    from onnx import TensorProto  # noqa: PLC0415 - heavy

    floats, graph = (TensorProto.FLOAT, TensorProto.DOUBLE), model.graph
    constants = {each.name for each in graph.initializer}
    given = [each for each in graph.input if each.name not in constants]
    if len(given) != 1 or (kind := given[0].type.tensor_type.elem_type) not in floats:
        names = ", ".join(each.name for each in given)
        raise BadInputError(what, f"its inputs are {names}, not one of floats", _CURE)
    rows, *columns = _dimensions(given[0])
    if rows is not None or columns not in ([width], [None]):
        why = f"its input is {_text(rows, *columns)}, not (n, {width}) for its features"
        raise BadInputError(what, why, _CURE)
    outputs = [
        each
        for each in graph.output
        if each.type.tensor_type.elem_type in floats and _dimensions(each)[1:] in ([], [1], [2])
    ]
    if len(outputs) != 1:
        names = ", ".join(each.name for each in graph.output)
        why = f"which of its outputs ({names}) has the probabilities is not clear"
        raise BadInputError(what, why, _AS_ARRAY if len(outputs) > 1 else _CURE)
    last = (_dimensions(outputs[0])[1:] or [1])[0] or 1
    return _Shape(given[0].name, kind == TensorProto.FLOAT, outputs[0].name, last)


def _dimensions(value: Any) -> list[int | None]:  # noqa: ANN401 - onnx has no types
    return [each.dim_value or None for each in value.type.tensor_type.shape.dim] or [None]


def _text(*sizes: int | None) -> str:
    return f"({', '.join('n' if size is None else str(size) for size in sizes)})"
