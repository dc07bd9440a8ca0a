"""The stages of dvc.yaml under a real DVC, with a real S3 server as the remote."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from candle_tables import csv_of
from invented_market_hours import bars
from s3_servers import BIN, s3_server, variables

ROOT = Path(__file__).resolve().parents[2]
HOURS = 8000

pytestmark = [
    pytest.mark.unattended,
    pytest.mark.skipif(not BIN.is_dir(), reason="DVC is not installed: `make dvc`"),
]


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """The address of an S3 server with an empty bucket."""
    with s3_server(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture(scope="module")
def shell(s3, tmp_path_factory):
    """Run a program in a checkout, with DVC, the command line and the remote at hand."""
    home = tmp_path_factory.mktemp("home")
    environment = os.environ | {
        "PATH": os.pathsep.join([str(BIN), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(home),  # no cache or configuration of anybody's
        "DVC_SITE_CACHE_DIR": str(home),
        "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home),
        **variables(s3), "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b", "DVC_NO_ANALYTICS": "1",
        "NUMBA_CACHE_DIR": str(ROOT / "build" / "numba"),
    }  # fmt: skip

    def run(place, *words, code=0):
        done = subprocess.run(
            words, cwd=place, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{words}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def checkout(shell, tmp_path_factory):
    """The stages in a repository of their own, with candles, run once."""
    place = tmp_path_factory.mktemp("dvc") / "checkout"
    place.mkdir()
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, place / name)
    (place / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, place / ".dvc" / name)
    terms = (ROOT / "params.yaml").read_text()
    terms = terms.replace("linear,lightgbm_regression,combination", "linear")
    (place / "params.yaml").write_text(terms)
    (place / "data").mkdir()
    (place / "data" / "candles.csv").write_text(csv_of(bars(HOURS)))
    shell(place, "git", "init", "--quiet")
    shell(place, "dvc", "add", "data/candles.csv")
    shell(place, "dvc", "repro")
    return place


def test_what_was_made_is_not_made_again_and_its_metrics_and_plots_are_there(shell, checkout):
    assert "Data and pipelines are up to date" in shell(checkout, "dvc", "repro")
    metrics = shell(checkout, "dvc", "metrics", "show", "--json")
    assert "qlike" in metrics
    assert '"passed": true' in metrics
    shell(checkout, "dvc", "plots", "show", "--out", "plots")
    assert '"positive"' in (checkout / "plots" / "index.html").read_text()


def test_another_clone_makes_the_same_model_of_the_remote_alone(shell, checkout, tmp_path):
    shell(checkout, "git", "add", ".")
    shell(checkout, "git", "commit", "--quiet", "--message", "A model")
    shell(checkout, "dvc", "push", "--remote", "s3")
    shell(tmp_path, "git", "clone", "--quiet", checkout, "clone")
    clone = tmp_path / "clone"
    assert not (clone / "data" / "candles.csv").exists()
    shell(clone, "dvc", "pull", "--remote", "s3", "data/candles.csv.dvc")
    shell(clone, "dvc", "repro", "--no-run-cache")
    model = (clone / "build" / "dvc" / "model.onnx").read_bytes()
    assert model == (checkout / "build" / "dvc" / "model.onnx").read_bytes()
    (clone / "build" / "dvc" / "model.onnx").unlink()
    shell(clone, "git", "checkout", "--quiet", "dvc.lock")
    shell(clone, "dvc", "pull", "--remote", "s3", "build/dvc/model.onnx")
    assert (clone / "build" / "dvc" / "model.onnx").read_bytes() == model


def test_candles_that_the_gate_stops_make_no_model(shell, checkout, tmp_path):
    place = shutil.copytree(checkout, tmp_path / "checkout")
    with (place / "data" / "candles.csv").open("a") as file:
        file.write("\n" + ",,,,,5\n" * 2000)
    before = (place / "dvc.lock").read_bytes()
    shell(place, "dvc", "repro", "quality", code=255)
    assert (place / "dvc.lock").read_bytes() == before
