"""Answers that are none of MLflow, or refusals: each is one line with a cure, without a secret."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from barograph.errors import RegistryError, RegistryServerError
from barograph.registry import s3_files
from barograph.registry.mlflow_api import GoneError, MlflowApi, ThereAlreadyError
from barograph.registry.tracking_server import CA_FILE, PASSWORD, USERNAME, tracking_server
from certificates import certificate, serving
from local_ports import free_port

SECRET = "hunter2"  # noqa: S105 - of the tests
TLS_HELLO = b"\x16"


class Answering(ThreadingHTTPServer):
    """Gives its answers, a status and a body each, in turn, and the last for ever."""

    def __init__(self, answers):
        self.left, self.asked = list(answers), []
        super().__init__(("127.0.0.1", 0), Answer)

    def handle_error(self, request, client_address):
        """Clients that refuse a certificate hang up."""


class Answer(BaseHTTPRequestHandler):
    def handle(self):
        if self.rfile.peek(1)[:1] == TLS_HELLO:
            self.wfile.write(b"HTTP/1.1 400 no HTTP\r\n\r\n")
        else:
            super().handle()

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.command, self.path))
        left = self.server.left
        status, body = left.pop(0) if len(left) > 1 else left[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET  # noqa: N815 - of the base


@contextmanager
def answering(*answers, tls=None):
    """Yields the port of a server with these answers, and the list of what it was asked."""
    with Answering(answers) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port, server.asked
        finally:
            server.shutdown()
            thread.join()


def api(port, scheme="http", **variables):
    host = "localhost" if scheme == "https" else "127.0.0.1"  # as certificates of the tests say
    server = tracking_server(f"{scheme}://{host}:{port}", variables)
    return MlflowApi(server)


def refusal(code, message="no"):
    return json.dumps({"error_code": code, "message": message}).encode()


@pytest.mark.parametrize(
    ("status", "body", "why", "cure"),
    [
        (200, b"<html>", "its answer is none of MLflow", "Correct"),
        (200, b"[1]", "its answer is none of MLflow", "Correct"),
        (302, b"", "a redirect to nowhere", "Correct"),
        (401, b"You are not authenticated", "it refuses the credentials", "MLFLOW_TRACKING_USER"),
        (403, refusal("PERMISSION_DENIED"), r"it does not permit this \(no\)", "administrator"),
        (404, b"<html>", "no such address", "MLflow 2.3"),
        (404, refusal("ENDPOINT_NOT_FOUND", ""), "no such address", "MLflow 2.3"),
        (500, b"", "HTTP status 500", "log"),
        (503, refusal("TEMPORARILY_UNAVAILABLE", "\x1b[2Jbusy"), r"503 \(\\x1b", "log"),
    ],
)
def test_an_answer_of_no_use_is_one_line_with_a_cure(status, body, why, cure):
    with answering((status, body)) as (port, _):
        asking = api(port, **{USERNAME: "ann", PASSWORD: SECRET})
        with pytest.raises(RegistryServerError, match=why) as error:
            asking.get("registered-models/get", dict[str, int], name="spikes")
    line = str(error.value)
    assert line.startswith(f"the registry at http://127.0.0.1:{port}: ")
    assert cure in line
    assert line.isprintable()
    assert SECRET not in line


def test_what_the_server_refuses_is_no_fault_of_the_server():
    with answering((400, refusal("INVALID_PARAMETER_VALUE", "bad name"))) as (port, _):
        with pytest.raises(RegistryError, match=r"MLflow refused \(bad name\)") as error:
            api(port).post("registered-models/create", dict[str, int], name="a:b")
        assert not isinstance(error.value, RegistryServerError)
    for code, kind in (("RESOURCE_DOES_NOT_EXIST", GoneError),
                       ("RESOURCE_ALREADY_EXISTS", ThereAlreadyError)):  # fmt: skip
        with answering((404, refusal(code))) as (port, _), pytest.raises(kind):
            api(port).get("registered-models/get", dict[str, int], name="spikes")


def test_a_server_that_is_away_or_speaks_no_tls_is_one_line():
    with pytest.raises(RegistryServerError, match=r"cannot be reached .*barograph doctor"):
        api(free_port()).get("x", dict[str, int])
    with (
        answering((200, b"{}")) as (port, _),
        pytest.raises(RegistryServerError, match=r"no encrypted .* begins with http://"),
    ):
        api(port, "https").get("x", dict[str, int])


def test_a_certificate_is_verified_by_the_authority_that_is_named(tmp_path):
    pem = certificate(tmp_path / "server.pem")
    with answering((200, b"{}"), tls=serving(pem)) as (port, _):
        with pytest.raises(RegistryServerError, match=rf"not trusted .*{CA_FILE}"):
            api(port, "https").get("x", dict[str, int])
        assert api(port, "https", **{CA_FILE: str(pem)}).get("x", dict[str, int]) == {}


def test_who_writes_asks_a_busy_server_again_and_who_reads_does_not():
    with answering((503, b""), (503, b""), (200, b"{}")) as (port, asked):
        asking = api(port)
        with pytest.raises(RegistryServerError, match="503"):
            asking.get("x", dict[str, int])
        asking.patience_s = 60.0
        assert asking.post("x", dict[str, int], name="spikes") == {}
        assert [method for method, _ in asked] == ["GET", "POST", "POST"]
        assert asked[-1][1] == "/api/2.0/mlflow/x"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            (403, b"<Error><Code>AccessDenied</Code></Error>"),
            r"403 \(AccessDenied\). Let its owner",
        ),
        ((503, b""), "503. Let its owner"),
        ((301, b""), "a redirect to nowhere, which is not followed.*AWS_DEFAULT_REGION"),
    ],
)
def test_a_bucket_that_refuses_is_one_line_without_a_secret(monkeypatch, answer, why):
    monkeypatch.setenv(s3_files.KEY, "key")
    monkeypatch.setenv(s3_files.SECRET, SECRET)
    with answering(answer) as (port, asked):
        monkeypatch.setenv(s3_files.ENDPOINTS[0], f"http://127.0.0.1:{port}")
        with pytest.raises(RegistryServerError, match=why) as caught:
            api(port).put_file("s3://bucket/1", "model.onnx", b"content")
        assert SECRET not in str(caught.value)
        assert asked == [("PUT", "/bucket/1/model.onnx")]


def test_a_file_that_is_not_in_the_bucket_is_gone(monkeypatch):
    monkeypatch.setenv(s3_files.KEY, "key")
    monkeypatch.setenv(s3_files.SECRET, SECRET)
    with answering((404, b"<Error><Code>NoSuchKey</Code></Error>"), (200, b"{}")) as (port, _):
        monkeypatch.setenv(s3_files.ENDPOINTS[0], f"http://127.0.0.1:{port}")
        with pytest.raises(GoneError, match="NoSuchKey"):
            api(port).file("s3://bucket/1", "card.json", 100)
        assert api(port).file("s3://bucket/1", "card.json", 100) == b"{}"


def test_files_are_asked_only_of_the_server_itself():
    """A folder of another host would be given the credentials."""
    with answering((200, b"content")) as (port, asked):
        asking = api(port)
        proxied = f"http://127.0.0.1:{port}/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts"
        for folder in ("mlflow-artifacts:/1/run/artifacts", proxied,
                       f"mlflow-artifacts://127.0.0.1:{port}/1/run/artifacts"):  # fmt: skip
            assert asking.file(folder, "a b.json", 100) == b"content"
            path = "/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts/a%20b.json"
            assert asked[-1] == ("GET", path)
        before = len(asked)
        for folder in ("s3://bucket/1", "file:///srv/1", "/srv/1", "mlflow-artifacts://other/1",
                       "http://other/api/2.0/mlflow-artifacts/artifacts/1", "",
                       "mlflow-artifacts:/1/../../2"):  # fmt: skip
            with pytest.raises(RegistryServerError, match="--serve-artifacts"):
                asking.file(folder, "model.onnx", 100)
        assert len(asked) == before
        with pytest.raises(RegistryServerError, match="more than 3 bytes"):
            asking.file("mlflow-artifacts:/1", "model.onnx", 3)
