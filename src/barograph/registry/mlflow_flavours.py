"""A version as MLflow's users load it: `mlflow.pyfunc.load_model("models:/spikes@champion")`.

`MLmodel` beside the graph names two flavours: `python_function`, which this module loads, and
`onnx`, the bare graph. Nothing is pickled: what is loaded are the graph and the facts of the
version, verified as the scorer verifies them. This module imports no MLflow.
"""

import math
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from barograph import __version__
from barograph.arrays import Bool, Float32, Float64
from barograph.codec import UNREADABLE
from barograph.errors import RegistryError
from barograph.registry.artifacts import checked, content_of
from barograph.registry.model import MAX_ONNX_BYTES, MEDIAN, OUTPUT, RETRAIN, TAU, ModelFacts
from barograph.times import format_time

_EXAMPLE = "input_example.json"
_MOST_FACTS_BYTES = 64 * 2**20


_KEY = "product"


def inputs_of(facts: ModelFacts) -> tuple[str, ...]:
    """The columns that `predict` takes: features, and of a series `product`, which decides tau."""
    names = tuple(name for name in facts.features if name != TAU)
    return (*names, _KEY) if facts.tau else names


def flavour_files(
    facts: ModelFacts, example: Mapping[str, float | str] | None, *, has_median: bool
) -> dict[str, bytes]:
    """The files that make a version an MLflow model, by name.

    example: a value for each of `inputs_of`, None for no example.
    """
    columns = [
        {"type": "string" if name == _KEY else "double", "name": name, "required": True}
        for name in inputs_of(facts)
    ]
    outputs = [
        {"type": "double", "name": name, "required": True}
        for name in (OUTPUT, *([MEDIAN] if has_median else []))
    ]
    python = platform.python_version()
    about: dict[str, Any] = {
        "flavors": {
            "python_function": {
                "loader_module": __name__,
                "env": {"virtualenv": "python_env.yaml"},
                "python_version": python,
            },
            "onnx": {"data": "model.onnx", "providers": ["CPUExecutionProvider"], "code": None},
        },
        "signature": {
            "inputs": msgspec.json.encode(columns).decode(),
            "outputs": msgspec.json.encode(outputs).decode(),
            "params": None,
        },
        "utc_time_created": format_time(facts.created_time_ns),
        "metadata": {
            "case": facts.case,
            "candidate": facts.candidate,
            "feature_set": facts.feature_set,
            "tau": facts.tau,
            "threshold": facts.threshold,
            "horizon_s": facts.horizon_s,
        },
    }
    files = {
        "requirements.txt": f"barograph=={__version__}\n".encode(),
        "python_env.yaml": f"python: '{python}'\ndependencies: ['-r requirements.txt']\n".encode(),
    }
    if example is not None:
        names = list(inputs_of(facts))
        row = [example[name] for name in names]
        files[_EXAMPLE] = msgspec.json.encode({"columns": names, "data": [row]})
        about["saved_input_example_info"] = {
            "artifact_path": _EXAMPLE,
            "type": "dataframe",
            "pandas_orient": "split",
        }
    # YAML takes JSON as it is.
    return files | {"MLmodel": msgspec.json.format(msgspec.json.encode(about))}


class LoadedModel:
    """A version as MLflow's `python_function`. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Read and verify a version's files. Raises RegistryError."""
        label = str(folder)
        facts = content_of(label, folder / "facts.json", _MOST_FACTS_BYTES)
        try:
            self.facts = msgspec.json.decode(facts, type=ModelFacts)
        except UNREADABLE as error:
            raise RegistryError(label, f"its facts cannot be read ({error})", RETRAIN) from error
        onnx = content_of(label, folder / "model.onnx", MAX_ONNX_BYTES)
        self._onnx = checked(label, onnx, self.facts, self.facts.case)

    def predict(self, model_input: Any, params: Any = None) -> Any:  # noqa: ANN401 - MLflow's
        """A pandas frame: `probability`, and `median` where the model forecasts the value too.

        model_input: a frame with a column for each of `inputs_of`. A row in which one of them is
        not known, or whose product the model was not trained on, is NaN: nothing is filled.
        """
        import pandas as pd  # noqa: PLC0415 - MLflow's flavour has imported it

        del params
        frame = pd.DataFrame(model_input)
        x = self._columns(frame)
        known = np.isfinite(x).all(axis=1) & self._has_tau(frame)
        out = np.full((len(x), len(self._outputs)), np.nan)
        for row in np.flatnonzero(known).tolist():  # one at a time, to the bits of the live scorer
            probability, median = self._onnx.forecast(x[row : row + 1])
            out[row, 0] = probability[0]
            if median is not None:
                out[row, 1] = median[0]
        return pd.DataFrame(out, index=frame.index, columns=list(self._outputs))

    @property
    def _outputs(self) -> tuple[str, ...]:
        return (OUTPUT, MEDIAN) if self._onnx.has_median else (OUTPUT,)

    def _has_tau(self, frame: Any) -> Bool:  # noqa: ANN401 - pandas
        """(n,) whether the model was trained on a row's product, as the live scorer asks."""
        if not self.facts.tau:
            return np.ones(len(frame), np.bool_)
        return np.array([str(key) in self.facts.tau for key in frame[_KEY]], np.bool_)

    def _columns(self, frame: Any) -> Float32:  # noqa: ANN401 - pandas
        columns: list[Float64] = []
        for name in self.facts.features:
            if name == TAU:
                tau = [self.facts.tau.get(str(key), math.nan) for key in frame[_KEY]]
                columns.append(np.array(tau, np.float64))
            else:
                columns.append(frame[name].to_numpy(np.float64, na_value=np.nan))
        with np.errstate(over="ignore"):  # what float32 cannot hold is not known
            return np.column_stack(columns).astype(np.float32)


def _load_pyfunc(path: str) -> LoadedModel:
    """What MLflow calls with the folder of a version."""
    return LoadedModel(Path(path))
