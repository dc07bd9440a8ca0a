"""Stored models: a validated ONNX graph and the facts beside it.

Features are float32 in training and scoring; everything after that is computed in float64, in the
trained model and in its graph. Trees are written as `TreeEnsemble` nodes with float64
thresholds and leaves (ai.onnx.ml 5), so `x <= t` decides the same in both and nothing is rounded.
A graph has one input, `features` float32 (n, f), and the output `probability` float64 (n,). It may
have a second output, `median` float64 (n,): the median of the value one horizon later, in its unit.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Collection
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np

from barograph import environment
from barograph.arrays import Float32, Float64
from barograph.errors import (
    ExportRefusedError,
    ForeignFeaturesError,
    RegistryError,
    TooLittleDataError,
    UnsoundModelError,
)
from barograph.evaluation.conformal import IntervalState, LevelRule, fits

INPUT, OUTPUT, MEDIAN = "features", "probability", "median"
"""Names of a graph's input, of its output, and of the output that it may have besides."""

TAU = "tau"
"""An input besides the features: the volatility from which a minute is a spike."""


EXPORT_TOLERANCE = 1e-6
"""Largest allowed difference between the probabilities of export and trained model, and largest
relative difference between their medians."""

MAX_ONNX_BYTES = 64 * 2**20
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})


class Proven(Protocol):
    """A trained model against which its export is verified."""

    @property
    def name(self) -> str:
        """Name of the candidate."""

    @property
    def features(self) -> tuple[str, ...]:
        """The columns of `x`, in order."""

    def predict(self, x: Float32) -> Float64:
        """Probabilities (n,) of finite features x (n, f)."""

    def volatility(self, x: Float32) -> Float64 | None:
        """Medians (n,) of the value one horizon later, or None if the model has none."""

    def to_onnx(self, *, median: bool = False) -> bytes:
        """The model as an ONNX graph, with the output `median` if asked for and there is one."""


class OnnxModel:
    """A validated graph, ready to score. Not thread-safe: use one instance per thread.

    `onnx` must be a valid graph of standard operators with the input and outputs of this module,
    without control flow, functions or external data, of at most `MAX_ONNX_BYTES`; `width` is the
    number of features. Raises UnsoundModelError otherwise, and RegistryError if ONNX Runtime fails;
    `version` names the model in both.
    """

    def __init__(self, onnx: bytes, width: int, version: str = "without a version") -> None:
        environment.for_onnxruntime()
        import onnxruntime  # noqa: PLC0415 - heavy; only who scores needs it
        from onnxruntime.capi import onnxruntime_pybind11_state as status  # noqa: PLC0415

        _refuse_unless_plain(onnx, width, version)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                onnx, options, providers=["CPUExecutionProvider"]
            )
            session.run(None, {INPUT: np.zeros((1, width), np.float32)})  # prove that it runs
        except (
            status.InvalidGraph,
            status.InvalidArgument,
            status.InvalidProtobuf,
            status.NotImplemented,
        ) as error:
            why = f"ONNX Runtime refuses it: {error}"
            raise UnsoundModelError(version, why, RETRAIN) from error
        except (status.Fail, status.RuntimeException) as error:  # also out of memory
            raise RegistryError(version, f"ONNX Runtime fails at it: {error}", RETRAIN) from error
        self._run = session.run
        self.has_median = len(session.get_outputs()) == 2

    def predict(self, x: Float32) -> Float64:
        """Probabilities (n,) of x (n, width), float32, C-contiguous and finite.

        The last bit may depend on the number of rows (ONNX Runtime's exponential does). For
        reproducible bits pass one row at a time.
        """
        probability: Float64 = self._run([OUTPUT], {INPUT: x})[0]
        return probability

    def forecast(self, x: Float32) -> tuple[Float64, Float64 | None]:
        """Probabilities and medians (n,) of x as for `predict`, in one run.

        The medians are of the value one horizon later, in its unit; None if the graph has none.
        """
        if not self.has_median:
            return self.predict(x), None
        probability, median = self._run([OUTPUT, MEDIAN], {INPUT: x})
        return probability, median


class LevelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How a model's intervals are made, and what they had learned of each key when it was trained.

    The residuals are of rows that the model was not fitted on.
    """

    rule: LevelRule
    states: dict[str, IntervalState]


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a model version; stored beside its graph as JSON.

    `features` are in input order, `feature_set` is the hash of their definitions. `tau` is the
    volatility (1/√s) from which a product's minute is a spike, fixed by the training labels;
    `threshold` is the probability that raises an alert. Spans are [start, end) of event time, zeros
    without time. `last_order` is the highest order among the training rows, None in older facts.
    `scores` maps groups ("chosen", "persistence", …) to scores by name; None is undefined.
    `level` is of a model that forecasts the value itself, else None.
    """

    case: str
    candidate: str
    features: tuple[str, ...]
    feature_set: str
    tau: dict[str, float]
    threshold: float
    horizon_s: int
    train_start_ns: int
    train_end_ns: int
    data_hash: str
    seed: int
    sha256: str
    scores: dict[str, dict[str, float | None]]
    created_time_ns: int
    expires_time_ns: int | None = None
    last_order: int | None = None
    level: LevelFacts | None = None

    def expired(self, time_ns: int) -> bool:
        """Whether the model's lifetime has passed at `time_ns` (Unix time)."""
        return self.expires_time_ns is not None and time_ns > self.expires_time_ns


def refuse_unsound(label: str, facts: ModelFacts, known: Collection[str] | None = None) -> None:
    """Raise UnsoundModelError unless a model with these facts can score.

    known: the allowed feature names, or None to skip that check.
    """
    unknown = [] if known is None else [name for name in facts.features if name not in known]
    twice = [name for name, count in Counter(facts.features).items() if count > 1]
    taus = [f"{key} {tau}" for key, tau in facts.tau.items() if not 0.0 <= tau < math.inf]
    if not facts.features:
        why = "it has no features"
    elif unknown:
        why = f"it needs {', '.join(unknown)[:200]}, which no row has"
    elif twice:
        why = f"it has duplicate features: {', '.join(twice)[:200]}"
    elif taus:
        why = f"its tau is not a volatility ({', '.join(taus)[:200]})"
    elif not 0.0 <= facts.threshold <= _HIGHEST_THRESHOLD:
        why = f"its threshold {facts.threshold} is not a probability"
    elif foreign := _foreign_states(facts.level):
        why = f"its intervals of {', '.join(foreign)[:200]} are of another level"
    else:
        return
    raise UnsoundModelError(label, why, RETRAIN)


def _foreign_states(level: LevelFacts | None) -> list[str]:
    states = {} if level is None else level.states
    return [key for key, state in states.items() if level and not fits(level.rule, state)]


_HIGHEST_THRESHOLD = math.nextafter(1.0, 2.0)  # of a model that never alarms


def sha256_of(onnx: bytes) -> str:
    """SHA-256 of `onnx` in hexadecimal."""
    return hashlib.sha256(onnx).hexdigest()


def export(fitted: Proven, x_test: Float32, *, median: bool = False) -> bytes:
    """Export a model as ONNX, verified on every row of `x_test` (n, f).

    median: whether the graph has the output `median` too, if the model has medians.
    Raises ExportRefusedError if a probability differs by more than `EXPORT_TOLERANCE` or is NaN,
    or a median by more than this share of it, TooLittleDataError without rows.
    """
    if not len(x_test):
        raise TooLittleDataError(
            f"the export of {fitted.name}", "0 rows", "1", "Give the rows of the test fold"
        )
    onnx = fitted.to_onnx(median=median)
    exported, medians = OnnxModel(onnx, len(fitted.features), fitted.name).forecast(x_test)
    differences = np.abs(exported - fitted.predict(x_test))
    if medians is not None and (trained := fitted.volatility(x_test)) is not None:
        off = np.abs(medians - trained) / np.maximum(trained, np.finfo(np.float64).tiny)
        differences = np.maximum(differences, off)
    worst = float(np.where(np.isfinite(differences), differences, np.inf).max())
    if worst > EXPORT_TOLERANCE:
        raise ExportRefusedError(fitted.name, worst, EXPORT_TOLERANCE, len(x_test))
    return onnx


RETRAIN = (
    "Train again (`barograph train --case …`) or roll back (`barograph models rollback --case …`)"
)


def _refuse_unless_plain(onnx: bytes, width: int, version: str) -> None:
    """Raise UnsoundModelError unless the bytes meet the requirements of `OnnxModel`."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - comes with onnx
    from onnx import checker, load_model_from_string, shape_inference  # noqa: PLC0415 - heavy

    if len(onnx) > MAX_ONNX_BYTES:
        why = f"{len(onnx)} bytes are more than the {MAX_ONNX_BYTES} allowed"
        raise UnsoundModelError(version, why, RETRAIN)
    try:
        model = load_model_from_string(onnx)
        checker.check_model(model, full_check=True)
    except (DecodeError, checker.ValidationError, shape_inference.InferenceError) as error:
        why = f"not a valid ONNX graph ({' '.join(str(error).split())[:200]})"
        raise UnsoundModelError(version, why, RETRAIN) from error
    if why := _shape_fault(model.graph, width) or _content_fault(model):
        raise UnsoundModelError(version, why, RETRAIN)


def _shape_fault(graph: Any, width: int) -> str:  # noqa: ANN401 - onnx has no types
    from onnx import TensorProto  # noqa: PLC0415 - heavy

    def shapes(values: Any) -> list[tuple[str, int, list[int | None]]]:  # noqa: ANN401
        tensors = [(value.name, value.type.tensor_type) for value in values]
        return [
            (name, t.elem_type, [d.dim_value or None for d in t.shape.dim]) for name, t in tensors
        ]

    if shapes(graph.input) != [(INPUT, TensorProto.FLOAT, [None, width])]:
        return f"its input is not one float32 tensor {INPUT!r} (n, {width})"
    outputs = [(name, TensorProto.DOUBLE, [None]) for name in (OUTPUT, MEDIAN)]
    if shapes(graph.output) not in (outputs[:1], outputs):
        return f"its output is not one float64 tensor {OUTPUT!r} (n,), or that and {MEDIAN!r} (n,)"
    return ""


def _content_fault(model: Any) -> str:  # noqa: ANN401 - onnx has no types
    from onnx import AttributeProto, TensorProto  # noqa: PLC0415 - heavy

    graph = model.graph
    attributes = [(node, attribute) for node in graph.node for attribute in node.attribute]
    tensors = [*graph.initializer, *(a.t for _, a in attributes)]
    tensors += [tensor for _, a in attributes for tensor in a.tensors]
    domains = {entry.domain for entry in [*model.opset_import, *graph.node]}
    if foreign := domains - _DOMAINS:
        return f"it needs operators of {', '.join(sorted(foreign))}"
    if model.functions or any(
        a.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for _, a in attributes
    ):
        return "it has functions or control flow"
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in tensors):
        return "it has external data"
    widths = _widths(model)
    for node, indices in ((n, a.ints) for n, a in attributes if a.name == "nodes_featureids"):
        width = widths.get(node.input[0], 0)
        if any(not 0 <= feature < width for feature in indices):
            return f"a tree uses a feature beyond its {width}"
    return ""


def _widths(model: Any) -> dict[str, int]:  # noqa: ANN401 - onnx has no types
    """Last dimension of each value of a graph, 0 if unknown."""
    from onnx import shape_inference  # noqa: PLC0415 - heavy

    graph = shape_inference.infer_shapes(model).graph
    shapes = {v.name: v.type.tensor_type.shape.dim for v in [*graph.input, *graph.value_info]}
    return {name: dims[-1].dim_value if dims else 0 for name, dims in shapes.items()}


class Model(NamedTuple):
    """A registered model as the scorer uses it: `label` is "case/version"."""

    label: str
    facts: ModelFacts
    onnx: OnnxModel


def refuse_unusable(model: Model, feature_set: str, known: Collection[str]) -> None:
    """Raise an error unless rows of `feature_set` with these inputs can be scored with a model.

    ForeignFeaturesError where it was made with another feature set, UnsoundModelError where its
    facts are not sound or it asks for an input that is not known.
    """
    if model.facts.feature_set != feature_set:
        facts = model.facts
        raise ForeignFeaturesError(model.label, facts.feature_set, feature_set, facts.case)
    refuse_unsound(model.label, model.facts, known)
