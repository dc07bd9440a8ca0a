"""What is found on this machine, by its real limits, packages and ports."""

import http.server
import resource
import socket
import threading

import pytest

from barograph.app.runs.doctor import machine
from barograph.app.runs.doctor.examination import State


def states(findings):
    return {each.name: each.state for each in findings}


def test_versions_are_named():
    (found,) = machine.versions()
    assert found.state is State.OK
    for name in ("Barograph", "Python 3.", "SQLite 3.", "ONNX Runtime"):
        assert name in found.text


def test_what_is_installed_is_no_problem():
    assert set(states(machine.packages()).values()) == {State.OK}


def test_an_extra_that_is_wanted_and_missing_names_what_installs_it(monkeypatch):
    monkeypatch.setattr(
        machine.importlib.metadata, "requires", lambda _: ["numpy", "no-such-x; extra == 'odd'"]
    )
    found = {each.name: each for each in machine.packages(("odd",))}
    assert found["packages"].state is State.OK
    assert found["extra odd"].state is State.PROBLEM
    assert "'.[odd]'" in found["extra odd"].cure


def test_a_package_of_our_own_that_is_missing_is_a_problem(monkeypatch):
    monkeypatch.setattr(machine.importlib.metadata, "requires", lambda _: ["no-such-x>=1"])
    first, *_ = machine.packages()
    assert (first.state, first.text) == (State.PROBLEM, "missing: no-such-x")


def test_few_handles_and_small_files_are_warned_of():
    kept = {kind: resource.getrlimit(kind) for kind in (resource.RLIMIT_NOFILE,)}
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, kept[resource.RLIMIT_NOFILE][1]))
        (found,) = machine.limits()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, kept[resource.RLIMIT_NOFILE])
    assert (found.state, found.cure) == (State.WARNING, "`ulimit -n 1024`")
    assert "512 open files" in found.text


class _Health(http.server.BaseHTTPRequestHandler):
    body = b"{}"

    def do_GET(self):
        self.send_response(503)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def served(request):
    handler = type("Handler", (_Health,), {"body": request.param})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("served", [b'{"live": true, "ready": false}'], indirect=True)
def test_a_port_that_is_ours_is_well(served):
    (found,) = machine.port(served)
    assert found.state is State.OK
    assert "Barograph answers" in found.text


@pytest.mark.parametrize("served", [b"{}", b"hello", b"[]"], indirect=True)
def test_a_port_of_another_program_names_how_to_take_another(served):
    (found,) = machine.port(served)
    assert (found.state, found.cure) == (State.WARNING, "Name another: `--port 0`")


def test_a_closed_port_is_free():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        number = taken.getsockname()[1]
        (found,) = machine.port(number)
    assert found.state is State.OK


def test_a_command_that_is_not_on_the_path_is_a_problem_for_airflow(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {each.name: each for each in machine.airflow()}
    assert found["command"].state is State.PROBLEM
    assert found["command"].cure.startswith('`export PATH="')
