"""Models on a real MLflow server that keeps their files in a real S3 bucket."""

import hashlib

import httpx
import pytest

from barograph.app.registries import registry_of
from barograph.app.settings import Settings
from barograph.errors import RegistryError, RegistryServerError
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.registry.s3_files import KEY, s3_access, utc_now
from mlflow_servers import MlflowServer
from registered_models import facts_of, graph
from s3_servers import BIN, BUCKET, s3_server, variables

pytestmark = [
    pytest.mark.unattended,
    pytest.mark.skipif(not BIN.is_dir(), reason="no S3 server is installed: `make dvc`"),
]


def asked(method, key, content):
    """Change what the bucket holds behind the registry's back."""
    access = s3_access("the test")
    url, question = access.request(method, f"s3://{BUCKET}", key, content, utc_now())
    headers = dict(question.headers)
    httpx.request(method, url, headers=headers, content=content, timeout=60).raise_for_status()


def test_models_are_written_to_a_bucket_read_from_it_and_verified(made_home, tmp_path, monkeypatch):
    for name in ("server", "home", "elsewhere", "s3"):
        (tmp_path / name).mkdir()
    root = f"s3://{BUCKET}/models of ann"
    with (
        s3_server(tmp_path / "s3") as s3,
        MlflowServer(tmp_path / "server", made_home, bucket=root) as server,
    ):
        for name, text in (server.variables() | variables(s3)).items():
            monkeypatch.setenv(name, text)
        registry = registry_of(Settings(home=tmp_path / "home"))
        onnx = graph(1.0)
        registry.register("spikes", onnx, facts_of(onnx, case="spikes"))
        registry.promote("spikes", 1, "first")
        registry.attach("spikes", 1, "card.json", b"{}")

        other = registry_of(Settings(home=tmp_path / "elsewhere"))
        assert other.load("spikes", "champion", FEATURE_SET_HASH).label == "spikes/1"
        assert other.attached("spikes", 1, "model.onnx") == onnx
        assert other.attached("spikes", 1, "card.json") == b"{}"
        listed = httpx.get(f"{s3}/{BUCKET}?list-type=2").text
        assert "/artifacts/model.onnx</Key>" in listed
        assert "<Key>models of ann/" in listed
        assert hashlib.md5(onnx).hexdigest() in listed  # noqa: S324 - what S3 calls its ETag

        (key,) = [
            part.partition("</Key>")[0]
            for part in listed.split("<Key>")
            if "/artifacts/card.json" in part
        ]
        asked("PUT", key, b"{1}")
        (tmp_path / "third").mkdir()
        with pytest.raises(RegistryError, match=r"its card\.json is not what was"):
            registry_of(Settings(home=tmp_path / "third")).attached("spikes", 1, "card.json")
        asked("DELETE", key, b"")
        with pytest.raises(RegistryError, match=r"card\.json is not among the artifacts"):
            registry_of(Settings(home=tmp_path / "third")).attached("spikes", 1, "card.json")

        monkeypatch.delenv(KEY)
        with pytest.raises(RegistryServerError, match=f"{KEY} is not set"):
            registry.register("spikes", onnx, facts_of(onnx, case="spikes"))
        assert [each.version for each in registry.versions("spikes")] == [1]
