"""A connection: its head in time and within bounds, and no HTTP is refused in the house's form."""

import json
import socket
from contextlib import closing

import pytest

from barograph.app.web import connection as module
from web_site import LIMIT_S, market_log, served

POST = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n"


@pytest.fixture
def client(tmp_path):
    with market_log(tmp_path), served(tmp_path) as client:
        yield client


def answer_to(client, *parts):
    """What comes back until the server closes."""
    with closing(socket.create_connection((client.host, int(client.port)), LIMIT_S)) as line:
        for part in parts:
            line.sendall(part)
        received = b""
        while part := line.recv(65_536):
            received += part
        return received


def test_a_head_over_the_bound_is_refused(client):
    received = b""
    try:
        received = answer_to(
            client, b"GET /v1/cases HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", *[b"x" * 65_536] * 8
        )
    except (ConnectionResetError, BrokenPipeError):
        return  # closed while it was sent
    assert received.startswith(b"HTTP/1.1 431 ")


def test_a_head_that_does_not_end_is_given_up(client, monkeypatch):
    monkeypatch.setattr(module, "HEADERS_S", 0.1)
    try:
        assert answer_to(client, b"GET /v1/cases HTTP/1.1\r\nHost: 127.0.0.1\r\n") == b""
    except ConnectionResetError:
        return


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /v1/cases SMTP/9\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/cases HTTP/1.1\r\n\r\n",
        POST + b"Content-Length: 6\r\n\r\nabcdef",
        POST.replace(b"5", b"-5") + b"\r\n",
        POST.replace(b"5", b"5, 6") + b"\r\nabcde",
        POST.replace(b"Content-Length: 5", b"Transfer-Encoding: x, chunked, x") + b"\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_once(client, bytes_sent):
    received = answer_to(client, bytes_sent)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1") == 1
    assert json.loads(received.partition(b"\r\n\r\n")[2])["cure"]


def test_a_connection_beyond_the_bound_is_closed_at_once(client, monkeypatch):
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 0)
    try:
        received = answer_to(client, b"GET /v1/cases HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    except (ConnectionResetError, BrokenPipeError):
        return
    assert received == b""


def test_a_connection_goes_on_after_an_answer(client):
    request = b"GET /v1/cases HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert answer_to(client, request, last).count(b"HTTP/1.1 200 ") == 2
