"""The API of a real server, attacked: descriptions, fuzzed bodies, hostile HTTP, deaf readers."""

import json
import os
import random
import socket
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from barograph.app.secrets import TOKEN
from barograph.app.web import guard
from barograph.app.web.openapi import ROUTES
from barograph.log import open_log
from champions import crowned
from waiting import until
from web_site import (
    LIMIT_S,
    NS,
    SECOND,
    append_predictions,
    market_log,
    predictions_of,
    served,
    until_known,
)

pytestmark = pytest.mark.operations

BODIES = int(os.environ.get("BAROGRAPH_FUZZ_BODIES", "3000"))
"""Fuzzed bodies; 100000 in the one full run that is reported."""

GOOD = {"product": "BTC-USD", "features": {"realized_vol_10s": 4e-5, "realized_vol_60s": 6e-5}}


@pytest.fixture(scope="module")
def home(made_home, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    registry = crowned(made_home, home)
    with market_log(home) as log:
        append_predictions(log, predictions_of(model="spikes/1"))
        append_predictions(log, predictions_of("ETH-USD", model="spikes/1"))
    return home, registry


@pytest.fixture(scope="module")
def client(home):
    patch = pytest.MonkeyPatch()
    patch.setenv(TOKEN, "a secret word")
    with served(home[0]) as client:
        until_known(client, ["BTC-USD", "ETH-USD"])
        until(lambda: client.post("/v1/predict", GOOD).status == 200)
        yield client
    patch.undo()


def state_of(home):
    """All that a request could change: aliases, history, and the ends of all topics."""
    folder, registry = home
    with closing(open_log(folder)) as log:
        ends = {topic.name: log.extents(topic.name) for topic in log.topics()}
    return registry.champion_version("spikes"), registry.history("spikes"), ends


@pytest.mark.slow
def test_no_request_of_the_description_makes_the_server_fail(client, home):
    """Schemathesis: each route with valid and invalid parameters; answers keep their schemas."""
    before, seen = state_of(home), {}
    schema = schemathesis.openapi.from_url(f"{client.url}/openapi.json")
    count = max(3, BODIES // 300)
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in {"/v1/stream", "/metrics"}:
            continue  # one never ends, the other is text

        @settings(
            max_examples=count, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck), derandomize=True,
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def ask(case):
            response = case.call(headers={"Accept": "*/*"})
            assert response.status_code < 500 or response.status_code == 503, response.text
            key = f"{case.method} {case.operation.path}"
            seen.setdefault(key, set()).add(response.status_code)
            if response.headers.get("content-type") == "application/json":
                assert response.status_code in {200, *ROUTES[key].errors, 503}, (key, response.text)
                if response.status_code != 200 and "live" not in response.json():
                    assert set(response.json()) == {"error", "cure"}

        ask()
    assert state_of(home) == before
    assert {200, 404, 422} <= set().union(*seen.values())


def test_every_documented_error_is_seen(client, monkeypatch):
    # What other tests asked of this server may have used up the budget of this address.
    monkeypatch.setattr(guard, "cost_of", lambda _path: 0.0)
    seen = {
        client.get("/v1/cases/weather/keys").status: "404",
        client.get("/v1/predictions?limit=0").status: "422",
        client.get("/v1/cases", Host="evil.example").status: "421",
        client.post("/v1/models/promote", {"version": 2}).status: "401",
        client.post("/v1/predict", GOOD, Origin="https://evil.example").status: "403",
        client.post("/v1/cases/churn/predict", {"records": [{}]}).status: "503",
        client.post(
            "/v1/models/promote", {"version": 9}, Authorization="Bearer a secret word"
        ).status: "409",
    }
    # The head alone: it is refused before the body, which would meet a connection that is closed.
    size = f"Content-Length: {guard.MAX_BODY_BYTES + 1}"
    large = f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n{size}\r\n\r\n"
    seen[int(raw(client, large.encode()).split()[1])] = "413"
    with monkeypatch.context() as patch:
        patch.setattr(guard, "BODY_S", 0.05)
        head = "POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{"
        seen[int(raw(client, head.encode()).split()[1])] = "408"
        patch.setattr(guard, "cost_of", lambda _path: 1e9)
        seen[client.get("/v1/cases").status] = "429"
    documented = {status for route in ROUTES.values() for status in route.errors}
    assert {str(status) for status in seen} == set(seen.values())
    assert documented <= set(seen)


def raw(client, *parts):
    """What comes back until the server closes, or b"" where it resets."""
    with closing(socket.create_connection((client.host, int(client.port)), LIMIT_S)) as line:
        received = b""
        try:
            for part in parts:
                line.sendall(part)
            while part := line.recv(65_536):
                received += part
        except (ConnectionResetError, BrokenPipeError):
            return received
        return received


def fuzzed(number):
    """A body: a good one with damage, or none at all; the same for the same number."""
    rng = random.Random(number)
    body = bytearray(json.dumps({"rows": [GOOD]} if number % 2 else GOOD).encode())
    kind = number % 5
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        for _ in range(rng.randrange(1, 6)):
            body[rng.randrange(len(body))] = rng.randrange(256)
    elif kind == 2:
        del body[rng.randrange(len(body)) :]
    elif kind == 3:
        odd = rng.choice(
            [b"NaN", b"1e999", b"null", b'"x"', b"true", b"[]", b"{}", b"-0", b"1e-400"]
        )
        body = bytearray(bytes(body).replace(b"4e-05", odd))
    else:
        at = rng.randrange(len(body))
        body[at:at] = rng.choice([b"{", b"[", b'"', b"\x00", b"\xff", b",", b'"a":1,', b"[" * 5000])
    return bytes(body)


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/models/promote", "/v1/models/rollback"])
def test_fuzzed_bodies_are_answered_and_change_nothing(client, home, path, monkeypatch):
    # How many a second are let in is not the point here.
    monkeypatch.setattr(guard, "cost_of", lambda _path: 0.0)
    before, statuses = state_of(home), {}
    for number in range(BODIES if path == "/v1/predict" else BODIES // 10):
        answer = client.post(path, fuzzed(number))
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        assert answer.status in {200, 401, 404, 422}, (number, answer.body)
        if answer.status == 200:
            for scored in answer.json["predictions"]:
                assert scored["probability"] is None or 0 <= scored["probability"] <= 1
    assert state_of(home) == before
    if path == "/v1/predict":
        assert statuses[422] > BODIES / 3
    else:
        assert set(statuses) == {401}


SMUGGLED = b"GET /v1/model HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
POST = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
GET = b"GET /v1/cases HTTP/1.1\r\nConnection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
HOSTILE = {
    "both lengths": POST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + SMUGGLED,
    "a length with a sign": POST + b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "a space before the colon": POST + b"Content-Length : 0\r\n\r\n" + SMUGGLED,
    "an odd coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a chunk with a sign": POST + CHUNKED + b"-1\r\n\r\n" + SMUGGLED,
    "a folded header": POST + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "a line feed alone": POST.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n" + SMUGGLED,
    "a zero byte": POST + b"X: \x00\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "a full address": GET.replace(b"/v1", b"http://evil.example/v1") + b"Host: 127.0.0.1\r\n\r\n",
    "no host": GET + b"\r\n",
    "two hosts": GET + b"Host: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_smuggled_behind_a_request(client, name, monkeypatch):
    """One answer at most, and never that of the request hidden in the body."""
    # What other tests asked of this server may have used up the budget of this address.
    monkeypatch.setattr(guard, "cost_of", lambda _path: 0.0)
    received = raw(client, HOSTILE[name])
    assert received.count(b"HTTP/1.1 ") <= 1, received
    assert b'"facts"' not in received
    assert client.get("/v1/cases").status == 200


def resident_bytes():
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
def test_readers_that_never_read_cost_no_memory_and_nobody_else(tmp_path):
    """200 connections that send a request for the stream and read nothing."""
    with market_log(tmp_path) as log, served(tmp_path) as client, ExitStack() as deaf:
        append_predictions(log, predictions_of())
        until_known(client, ["BTC-USD"])
        for _ in range(200):
            line = deaf.enter_context(
                closing(socket.create_connection((client.host, int(client.port)), LIMIT_S))
            )
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            line.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        fanout = client.server._site.fanouts["spikes"]
        until(lambda: len(fanout.readers) == 200)
        with client.stream() as events:
            events.next()
            before = resident_bytes()
            for start in range(SECOND + 200, SECOND + 5_200, 250):
                append_predictions(log, predictions_of(seconds=range(start, start + 250)))
                for _ in range(250):
                    assert events.next("prediction") is not None
            assert resident_bytes() - before < 150 << 20
        # The one that reads is among them where this machine kept it from reading.
        until(lambda: client.server.summary().let_go >= 200)
        assert client.get("/v1/cases").status == 200


@pytest.mark.slow
def test_a_reader_misses_no_second_while_the_server_restarts_again_and_again(tmp_path):
    half, seen, last = 20, [], None
    with market_log(tmp_path) as log:
        append_predictions(log, predictions_of(seconds=[SECOND]))
        for life in range(4):
            with served(tmp_path) as client:
                until_known(client, ["BTC-USD"])
                with client.stream(**({"Last-Event-ID": last} if last else {})) as events:
                    events.next("status")
                    first = SECOND + 1 + 2 * life * half
                    append_predictions(log, predictions_of(seconds=range(first, first + half)))
                    for _ in range(half if not life else 2 * half):
                        event = events.next("prediction")
                        seen.append(event["data"]["time_ns"] // NS - SECOND)
                        last = event["id"]
            first += half
            append_predictions(log, predictions_of(seconds=range(first, first + half)))
    assert seen == list(range(2, 2 + len(seen)))


@pytest.mark.slow
def test_the_api_is_the_same_over_kafka(tmp_path, kafka):
    address = f"kafka://{kafka}/api-{random.Random(tmp_path.name).getrandbits(40):x}"
    with market_log(address) as log:
        append_predictions(log, predictions_of())
        with served(tmp_path, address) as client:
            until_known(client, ["BTC-USD"])
            assert len(client.get("/v1/series/BTC-USD?span=200&step=1").json["time_ns"]) == 200
            with client.stream() as events:
                events.next("status")
                append_predictions(log, predictions_of(seconds=[SECOND + 200]))
                last = events.next("prediction")["id"]
            append_predictions(log, predictions_of(seconds=range(SECOND + 201, SECOND + 260)))
            with client.stream(**{"Last-Event-ID": last}) as events:
                times = [events.next("prediction")["data"]["time_ns"] // NS for _ in range(59)]
            assert times == list(range(SECOND + 202, SECOND + 261))
            page = client.get("/v1/predictions?since=0.0.0&limit=1000").json
            assert len(page["predictions"]) == 260
