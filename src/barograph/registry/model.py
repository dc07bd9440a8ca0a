"""What a model lives on as: an ONNX graph, checked, with the facts that stand beside it.

Features enter as float32 in training as in scoring; everything after that is computed in float64,
in the trained model and in its graph. Trees are written as `TreeEnsemble` nodes with float64
thresholds and leaves (ai.onnx.ml 5), so `x <= t` decides the same in both and nothing is rounded.
A graph has one input, `features` float32 (n, f), and one output, `probability` float64 (n,).
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
    RegistryError,
    TooLittleDataError,
    UnsoundModelError,
)

INPUT, OUTPUT = "features", "probability"
"""The names of a graph's one input and one output."""

TAU = "tau"
"""The input that is no feature: the volatility from which a minute counts as a spike."""


EXPORT_TOLERANCE = 1e-6
"""An export that differs more than this from the trained model, on any row, is refused."""

MAX_ONNX_BYTES = 64 * 2**20
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})


class Proven(Protocol):
    """A trained model: the judge of its own export."""

    @property
    def name(self) -> str:
        """The candidate's name."""

    @property
    def features(self) -> tuple[str, ...]:
        """The columns of `x`, in order."""

    def predict(self, x: Float32) -> Float64:
        """Probabilities (n,) of finite rows (n, f)."""

    def to_onnx(self) -> bytes:
        """The same function as a graph."""


class OnnxModel:
    """A graph, checked and ready to score. Not for several threads.

    `onnx` must be a valid graph of standard operators with the input and output of this module,
    without control flow, functions or data outside of it, of at most `MAX_ONNX_BYTES`; `width` is
    the number of features. Raises UnsoundModelError, in which `version` names
    the model, and RegistryError where ONNX Runtime fails at it.
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
            session.run([OUTPUT], {INPUT: np.zeros((1, width), np.float32)})  # it can be run
        except (
            status.InvalidGraph,
            status.InvalidArgument,
            status.InvalidProtobuf,
            status.NotImplemented,
        ) as error:
            why = f"ONNX Runtime refuses it: {error}"
            raise UnsoundModelError(version, why, RETRAIN) from error
        except (status.Fail, status.RuntimeException) as error:  # of too little memory, too
            raise RegistryError(version, f"ONNX Runtime fails at it: {error}", RETRAIN) from error
        self._run = session.run

    def predict(self, x: Float32) -> Float64:
        """Probabilities (n,) of C-contiguous float32 rows (n, width), all finite.

        The last bit may depend on how many rows come together (ONNX Runtime's exponential does):
        who needs the same bits always gives one row at a time.
        """
        probability: Float64 = self._run([OUTPUT], {INPUT: x})[0]
        return probability


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a model version says of itself; stored beside its graph as JSON.

    `features` are the used ones in input order, `feature_set` the hash of the catalogue they come
    from. `tau` is the volatility (1/√s) from which a product's minute is a spike, frozen on the
    training labels; `threshold` the probability that raises an alert. Spans are [start, end) of
    event time, zeros where time plays no part. `last_order` is the highest order of a row that was
    fitted on, None where older facts do not tell. `scores` are groups of figures ("test",
    "persistence", …); None is undefined.
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

    def expired(self, time_ns: int) -> bool:
        """Whether it may no longer be used at that time."""
        return self.expires_time_ns is not None and time_ns > self.expires_time_ns


def refuse_unsound(label: str, facts: ModelFacts, known: Collection[str] | None = None) -> None:
    """Raise UnsoundModelError unless the facts can be scored with.

    known: the names that a model may ask for, where that is known here.
    """
    unknown = [] if known is None else [name for name in facts.features if name not in known]
    twice = [name for name, count in Counter(facts.features).items() if count > 1]
    taus = [f"{key} {tau}" for key, tau in facts.tau.items() if not 0.0 <= tau < math.inf]
    if not facts.features:
        why = "it asks for no feature"
    elif unknown:
        why = f"it asks for {', '.join(unknown)[:200]}, which no row has"
    elif twice:
        why = f"it asks twice for {', '.join(twice)[:200]}"
    elif taus:
        why = f"its tau is no volatility ({', '.join(taus)[:200]})"
    elif not 0.0 <= facts.threshold <= _HIGHEST_THRESHOLD:
        why = f"its threshold {facts.threshold} is no probability"
    else:
        return
    raise UnsoundModelError(label, why, RETRAIN)


_HIGHEST_THRESHOLD = math.nextafter(1.0, 2.0)  # of a model that never alarms


def sha256_of(onnx: bytes) -> str:
    """The name by which a graph's bytes are known."""
    return hashlib.sha256(onnx).hexdigest()


def export(fitted: Proven, x_test: Float32) -> bytes:
    """The model as ONNX, proven on every row of `x_test` (n, f).

    Raises ExportRefusedError when a probability differs by more than `EXPORT_TOLERANCE` or is not
    a number, TooLittleDataError when there is no row to prove it on.
    """
    if not len(x_test):
        raise TooLittleDataError(
            f"the export of {fitted.name}", "0 rows", "1", "Give the rows of the test fold"
        )
    onnx = fitted.to_onnx()
    exported = OnnxModel(onnx, len(fitted.features), fitted.name).predict(x_test)
    differences = np.abs(exported - fitted.predict(x_test))
    worst = float(np.where(np.isfinite(differences), differences, np.inf).max())
    if worst > EXPORT_TOLERANCE:
        raise ExportRefusedError(fitted.name, worst, EXPORT_TOLERANCE, len(x_test))
    return onnx


RETRAIN = "Train again (`barograph train`) or roll back (`barograph models rollback`)"


def _refuse_unless_plain(onnx: bytes, width: int, version: str) -> None:
    """Raise UnsoundModelError unless the bytes are what `OnnxModel` asks for."""
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
    if shapes(graph.output) != [(OUTPUT, TensorProto.DOUBLE, [None])]:
        return f"its output is not one float64 tensor {OUTPUT!r} (n,)"
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
        return "it keeps data outside of its bytes"
    widths = _widths(model)
    for node, asked in ((n, a.ints) for n, a in attributes if a.name == "nodes_featureids"):
        width = widths.get(node.input[0], 0)
        if any(not 0 <= feature < width for feature in asked):
            return f"a tree asks for a feature beyond its {width}"
    return ""


def _widths(model: Any) -> dict[str, int]:  # noqa: ANN401 - onnx has no types
    """The last dimension of each value of a graph, 0 where it is not known."""
    from onnx import shape_inference  # noqa: PLC0415 - heavy

    graph = shape_inference.infer_shapes(model).graph
    shapes = {v.name: v.type.tensor_type.shape.dim for v in [*graph.input, *graph.value_info]}
    return {name: dims[-1].dim_value if dims else 0 for name, dims in shapes.items()}


class Model(NamedTuple):
    """A registered model as the scorer uses it: `label` is "case/version"."""

    label: str
    facts: ModelFacts
    onnx: OnnxModel
