"""A version as MLflow's users load it, by MLflow itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from barograph.errors import RegistryError
from barograph.registry.mlflow_flavours import LoadedModel, flavour_files, inputs_of
from barograph.registry.model import TAU, OnnxModel
from barograph.registry.registry import Registry
from handmade_models import linear
from registered_models import FEATURES, facts_of, graph

SCRIPT = Path(__file__).parents[1] / "given" / "mlflow_user.py"
EXAMPLE = {"product": "BTC-USD", "realized_vol_10s": 3e-5, "realized_vol_60s": 4e-5}
WITH_TAU = (*FEATURES, TAU)


def with_tau():
    onnx = linear(WITH_TAU, [2e4, 1e4, -3e4], name="relative").to_onnx()
    return onnx, facts_of(onnx, features=WITH_TAU)


def loaded(home, rows):
    """What `mlflow.pyfunc.load_model("models:/spikes@champion")` says of rows."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", SCRIPT, "models:/spikes@champion", json.dumps(rows)],
        env={**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{home}/registry/mlflow.db"},
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_mlflow_loads_the_champion_with_its_signature_and_example(tmp_path):
    pytest.importorskip("pandas")
    home = tmp_path / "home"
    registry = Registry(home)
    onnx, facts = with_tau()
    registry.register("spikes", onnx, facts, example=EXAMPLE)
    registry.promote("spikes", 1, "a test")
    rows = [
        EXAMPLE,
        EXAMPLE | {"product": "ETH-USD"},
        EXAMPLE | {"realized_vol_60s": None},
        EXAMPLE | {"product": "SOL-USD"},
        EXAMPLE | {"realized_vol_10s": 1e300},
    ]
    answer = loaded(home, rows)
    assert answer["inputs"] == list(inputs_of(facts)) == [*FEATURES, "product"]
    assert answer["outputs"] == ["probability"]
    assert answer["metadata"]["tau"] == facts.tau
    assert answer["example"] == [EXAMPLE]
    assert answer["graph"] == "relative"
    x = np.array([[3e-5, 4e-5, 5.6e-5], [3e-5, 4e-5, 7e-5]], np.float32)
    said = OnnxModel(onnx, 3).predict(x)
    assert answer["probability"][:2] == pytest.approx(said, rel=1e-12)
    assert all(one is None for one in answer["probability"][2:])
    assert answer["of_example"] == pytest.approx(said[:1], rel=1e-12)
    assert not list(Path(home).rglob("*.pkl"))
    # What MLflow leaves there does not hurt.
    # exact: the version is still what was registered
    assert registry.load("spikes", "champion", None).facts == facts


def test_a_row_that_is_not_known_is_not_filled(tmp_path):
    pandas = pytest.importorskip("pandas")
    onnx = graph()
    facts = facts_of(onnx)
    (tmp_path / "model.onnx").write_bytes(onnx)
    (tmp_path / "facts.json").write_bytes(msgspec.json.encode(facts))
    model = LoadedModel(tmp_path)
    frame = pandas.DataFrame({name: [1e-5, None, 2e-5] for name in reversed(FEATURES)}, [5, 6, 7])
    frame["product"] = "BTC-USD"
    answer = model.predict(frame)
    assert answer.index.tolist() == [5, 6, 7]
    assert answer["probability"].isna().tolist() == [False, True, False]
    assert model.predict(frame.iloc[1:2])["probability"].isna().all()
    assert model.predict(frame.assign(product="SOL-USD"))["probability"].isna().all()


def test_another_graph_than_that_of_the_facts_is_not_loaded(tmp_path):
    facts = facts_of(graph())
    (tmp_path / "model.onnx").write_bytes(graph(1.0))
    (tmp_path / "facts.json").write_bytes(msgspec.json.encode(facts))
    with pytest.raises(RegistryError, match="another graph"):
        LoadedModel(tmp_path)
    (tmp_path / "facts.json").write_bytes(b"{")
    with pytest.raises(RegistryError, match="cannot be read"):
        LoadedModel(tmp_path)


def test_without_an_example_there_is_none():
    files = flavour_files(facts_of(graph()), None, has_median=True)
    about = json.loads(files["MLmodel"])
    assert "input_example.json" not in files
    assert "saved_input_example_info" not in about
    outputs = json.loads(about["signature"]["outputs"])
    assert [one["name"] for one in outputs] == ["probability", "median"]
