"""Digests come from a registry, as anybody may ask it, and stand behind the tags."""

import json
import runpy
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

DIGEST = f"sha256:{'ab' * 32}"


@pytest.fixture(scope="module")
def script(root):
    return runpy.run_path(str(root / "deploy" / "pin_images.py"))


class Registry(BaseHTTPRequestHandler):
    """One that wants a token, which it gives to anybody, and has one image."""

    def log_message(self, *_):
        """Print nothing."""

    def do_HEAD(self):
        if self.headers.get("Authorization") != "Bearer for-all":
            here = f"http://127.0.0.1:{self.server.server_port}/token"
            self._answer(401, f'Bearer realm="{here}",service="r",scope="repository:a/b:pull"')
        elif self.path == "/v2/a/b/manifests/1.0" and "image.index" in self.headers["Accept"]:
            self._answer(200)
        else:
            self._answer(404)

    def do_GET(self):
        body = json.dumps({"token": "for-all"}).encode()
        assert self.path == "/token?service=r&scope=repository%3Aa%2Fb%3Apull"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, status, challenge=""):
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        if status == 200:
            self.send_header("Docker-Content-Digest", DIGEST)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def registry():
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_digest_is_asked_of_the_registry_with_a_token_for_anybody(script):
    with registry() as address:
        assert script["digest"](f"{address}/a/b", "1.0", scheme="http") == DIGEST
        with pytest.raises(OSError, match="404"):
            script["digest"](f"{address}/a/b", "2.0", scheme="http")


def test_names_are_read_as_docker_reads_them(script):
    assert script["place"]("python") == ("registry-1.docker.io", "library/python")
    assert script["place"]("apache/kafka") == ("registry-1.docker.io", "apache/kafka")
    assert script["place"]("ghcr.io/mlflow/mlflow") == ("ghcr.io", "mlflow/mlflow")


def test_every_image_that_is_not_ours_gets_its_digest_once(script):
    texts = [path.read_text(encoding="utf-8") for path in script["FILES"]]
    images = {found[1:] for text in texts for found in script["IMAGE"].findall(text)}
    others = dict.fromkeys((name, tag) for name, tag in images if name != "barograph")
    assert len(others) > 6
    for text in texts:
        pinned = script["pinned"](text, dict.fromkeys(others, DIGEST))
        lines = [
            line for line in pinned.splitlines() if line.strip().startswith(("image:", "FROM"))
        ]
        assert lines
        for line in lines:
            assert (f"@{DIGEST}" in line) != ("barograph:" in line), line
        assert script["pinned"](pinned, dict.fromkeys(others, DIGEST)) == pinned
