"""Which registry is used, and whether it answers."""

import pytest

from barograph.app.runs.doctor.examination import State
from barograph.app.runs.doctor.model_store import registry
from barograph.registry.tracking_server import PASSWORD, URI, USERNAME
from local_ports import free_port


@pytest.fixture(autouse=True)
def _no_server(monkeypatch):
    for name in (URI, USERNAME, PASSWORD):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("uri", "setting", "noted"),
    [("", "", False), ("databricks", "", True), ("databricks", "home", False)],
)
def test_the_registry_under_the_home_is_named(tmp_path, monkeypatch, uri, setting, noted):
    monkeypatch.setenv(URI, uri)
    [found] = registry(tmp_path, setting)
    assert (found.state, "under the home" in found.text) == (State.OK, True)
    assert (URI in found.text) is noted


def test_a_server_that_is_away_or_cannot_be_one_is_a_problem_with_a_cure(tmp_path, monkeypatch):
    address = f"http://127.0.0.1:{free_port()}"
    [found] = registry(tmp_path, address)
    assert (found.state, address in found.text) == (State.PROBLEM, True)
    assert found.cure
    monkeypatch.setenv(URI, "https://ann:hunter2@x/?y")
    [found] = registry(tmp_path, "")
    assert found.state is State.PROBLEM
    assert "hunter2" not in f"{found.text} {found.cure}"
