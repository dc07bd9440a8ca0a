"""The guard: what it refuses, and what it adds to every answer."""

import asyncio
import json

import pytest

from barograph.app.web import guard as module
from barograph.app.web.guard import HEADERS, Guard
from barograph.app.web.limits import Names
from barograph.app.web.refused import RefusedError, refusal


def scope_of(method="GET", path="/", kind="http", **headers):
    headers = {"host": "127.0.0.1", **headers}
    return {
        "type": kind, "method": method, "path": path, "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value],
    }  # fmt: skip


def asked(scope, *body, app=None, logged=None):
    """(status, headers, body) of a request to a guard in front of an app that reads it all."""

    async def reads(scope, receive, send):
        size = 0
        while True:
            try:
                message = await receive()
            except RefusedError as error:  # as the application does
                answer = refusal(error.status, error.error, error.cure, error.headers)
                await answer(scope, receive, send)
                return
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % size})

    parts = [
        {"type": "http.request", "body": part, "more_body": n + 1 < len(body)}
        for n, part in enumerate(body)
    ]

    async def receive():
        if not parts:
            await asyncio.Event().wait()
        return parts.pop(0)

    sent = []

    async def send(message):
        sent.append(message)

    entries = [] if logged is None else logged
    guarded = Guard(app or reads, Names("127.0.0.1"), entries.append)
    asyncio.run(guarded(scope, receive, send))
    head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], head, b"".join(message.get("body", b"") for message in sent[1:])


def test_an_answer_gets_the_headers_and_a_line_of_the_log():
    logged = []
    status, head, body = asked(scope_of(), b"abc", logged=logged)
    assert (status, body) == (200, b"3")
    assert HEADERS.items() <= head.items()
    assert "default-src 'self'" in head["content-security-policy"]
    assert (logged[0].status, logged[0].path, logged[0].bytes) == (200, "/", 1)


@pytest.mark.parametrize("host", ["evil.example", ""])
def test_another_host_is_not_served(host):
    status, _, body = asked(scope_of(host=host), b"")
    assert status == 421
    assert "web_hosts" in json.loads(body)["cure"]


def test_two_hosts_are_none():
    scope = scope_of()
    scope["headers"].append((b"host", b"127.0.0.1"))
    assert asked(scope, b"")[0] == 421


def test_a_page_of_another_site_may_read_nothing_and_change_nothing():
    assert asked(scope_of("POST", origin="https://evil.example"), b"")[0] == 403
    assert asked(scope_of("POST", origin="http://localhost:8000"), b"")[0] == 200
    _, head, _ = asked(scope_of(origin="https://evil.example"), b"")
    assert not [name for name in head if name.startswith("access-control")]


def test_a_body_over_the_bound_is_refused_by_its_length_and_by_its_bytes():
    large = module.MAX_BODY_BYTES + 1
    assert asked(scope_of("POST", **{"content-length": str(large)}), b"")[0] == 413
    status, head, _ = asked(scope_of("POST"), *[b"x" * 65_536] * 17, b"")
    assert status == 413
    assert head["connection"] == "close"


def test_a_body_that_does_not_come_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "BODY_S", 0.05)
    status, head, _ = asked(scope_of("POST"))
    assert (status, head["connection"]) == (408, "close")


def test_who_asks_too_much_is_told_when_to_come_back(monkeypatch):
    monkeypatch.setattr(module, "cost_of", lambda _path: 1e9)
    status, head, _ = asked(scope_of(), b"")
    assert status == 429
    assert int(head["retry-after"]) >= 1


def test_no_more_requests_are_at_work_than_the_bound(monkeypatch):
    monkeypatch.setattr(module, "MAX_AT_WORK", 0)
    assert asked(scope_of(), b"")[0] == 503
