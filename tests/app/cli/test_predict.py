"""The verb `predict`: a table, its summary, and refusals."""

import json
import shutil

import pytest

from barograph.registry.registry import Registry
from registered_models import facts_of, graph


@pytest.mark.slow
def test_a_champion_scores_a_file(run, made_home, recording, tmp_path):
    home = shutil.copytree(made_home, tmp_path / "home")
    registry, onnx = Registry(home), graph()
    registry.register("spikes", onnx, facts_of(onnx))
    registry.promote("spikes", 1, "the first")
    market, out = recording(seconds=90), tmp_path / "p.parquet"
    code, answer, err = run("predict", market, "--out", out, "--home", home)
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in answer.splitlines()] == [
        "rows", "verdicts", "alarms", "model", "table"
    ]  # fmt: skip
    before = out.read_bytes()
    words = ("predict", market, "--out", out, "--home", home, "--model", "1", "--json")
    code, answer, _ = run(*words)
    assert code == 0
    assert json.loads(answer)["model"] == "spikes/1"
    assert out.read_bytes() == before


@pytest.mark.slow
def test_without_a_model_nothing_is_written(run, recording, tmp_path):
    code, out, err = run("predict", recording(), "--out", "p.parquet", "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Train one (`barograph train" in err
    assert not (tmp_path / "p.parquet").exists()


def test_a_file_that_is_not_there_is_refused_first(run):
    code, _, err = run("predict", "nowhere.ndjson", "--out", "p.parquet", "--home", "h")
    assert (code, err.count("\n")) == (2, 1)
    assert "nowhere.ndjson" in err
