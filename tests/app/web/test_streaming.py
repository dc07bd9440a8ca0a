"""The stream: what comes, what was missed, and who is too slow."""

import json
import socket
from contextlib import closing

import pytest
from websockets.sync.client import connect

from barograph.app.web import streaming
from barograph.app.web.fanout import MAX_WAITING
from waiting import until
from web_site import (
    LIMIT_S,
    NS,
    SECOND,
    append_gap,
    append_predictions,
    market_log,
    predictions_of,
    served,
    until_known,
)


@pytest.fixture
def home(tmp_path):
    with market_log(tmp_path) as log:
        append_predictions(log, predictions_of("BTC-USD"))
    return tmp_path


def times(events, count):
    return [events.next("prediction")["data"]["time_ns"] // NS - SECOND for _ in range(count)]


def test_a_stream_begins_with_the_status_and_goes_on_with_what_comes(home):
    with served(home) as client, market_log(home) as log, client.stream() as events:
        first = events.next()
        assert first["event"] == "status"
        append_predictions(log, predictions_of("BTC-USD", range(SECOND + 200, SECOND + 203)))
        assert times(events, 3) == [201, 202, 203]
        append_gap(log)
        gap = events.next("gap")["data"]
        assert (gap["product"], gap["cause"], gap["missing"]) == ("BTC-USD", "trade_id", 3)


@pytest.mark.slow
def test_a_reader_resumes_behind_the_last_id_and_misses_nothing(home):
    with market_log(home) as log:
        with served(home) as client, client.stream() as events:
            events.next()
            append_predictions(log, predictions_of("BTC-USD", [SECOND + 200]))
            last = events.next("prediction")["id"]
        append_predictions(log, predictions_of("BTC-USD", range(SECOND + 201, SECOND + 900)))
        append_gap(log, missing=7)
        with served(home) as client:
            until_known(client, ["BTC-USD"])
            with client.stream(**{"Last-Event-ID": last}) as events:
                assert events.next("gap")["data"]["missing"] == 7
                assert times(events, 699) == list(range(202, 901))
                append_predictions(log, predictions_of("BTC-USD", [SECOND + 900]))
                assert times(events, 1) == [901]


def test_a_reader_of_one_product_gets_no_other(home):
    path = "/v1/stream?products=ETH-USD"
    with served(home) as client, market_log(home) as log, client.stream(path) as events:
        events.next()
        append_predictions(log, predictions_of("BTC-USD", [SECOND + 200]))
        append_predictions(log, predictions_of("ETH-USD", [SECOND + 5]))
        assert events.next("prediction")["data"]["product"] == "ETH-USD"


def test_a_cursor_that_is_none_is_refused(home):
    with served(home) as client:
        answer = client.get("/v1/stream", **{"Last-Event-ID": "nonsense"})
        assert answer.status == 422
        assert "cursor" in answer.json["error"]


def test_an_event_is_one_line_of_json_under_an_id(home):
    with served(home) as client, client.stream() as events:
        first = events.next()
        assert set(first) == {"id", "event", "data"}
        assert json.dumps(first["data"])


def over_socket(client, query="", sock=None):
    """A WebSocket client of the stream, over a connection of its own."""
    line = sock or socket.create_connection((client.host, int(client.port)), LIMIT_S)
    address = f"ws://{client.host}:{client.port}/v1/ws{query}"
    return connect(address, sock=line, max_queue=1, max_size=1 << 20)


def heard(web_socket, *names):
    """The next event over a WebSocket, of these names where any are given."""
    while True:
        event = json.loads(web_socket.recv(LIMIT_S))
        if not names or event["event"] in names:
            return event


def test_a_web_socket_gets_the_events_of_the_stream(home):
    """Under the same ids, as a browser's EventSource and a client of WebSockets see them."""
    with (
        served(home) as client,
        market_log(home) as log,
        client.stream() as events,
        over_socket(client) as web_socket,
    ):
        assert (events.next()["event"], heard(web_socket)["event"]) == ("status", "status")
        append_predictions(log, predictions_of("BTC-USD", range(SECOND + 200, SECOND + 300)))
        names = ("prediction", "gap")
        streamed = [events.next(*names) for _ in range(100)]
        assert [heard(web_socket, *names) for _ in range(100)] == streamed
        append_gap(log)
        assert heard(web_socket, *names) == events.next(*names)


def test_a_web_socket_of_one_product_gets_no_other(home):
    with (
        served(home) as client,
        market_log(home) as log,
        over_socket(client, "?products=ETH-USD") as web_socket,
    ):
        heard(web_socket)
        append_predictions(log, predictions_of("BTC-USD", [SECOND + 200]))
        append_predictions(log, predictions_of("ETH-USD", [SECOND + 5]))
        assert heard(web_socket, "prediction")["data"]["product"] == "ETH-USD"


@pytest.mark.slow
def test_a_web_socket_resumes_behind_an_id_also_of_another_server(home):
    with market_log(home) as log:
        with served(home) as client, over_socket(client) as web_socket:
            heard(web_socket)
            append_predictions(log, predictions_of("BTC-USD", [SECOND + 200]))
            last = heard(web_socket, "prediction")["id"]
        append_predictions(log, predictions_of("BTC-USD", range(SECOND + 201, SECOND + 900)))
        with served(home) as client:
            until_known(client, ["BTC-USD"])
            with over_socket(client, f"?since={last}") as web_socket:
                missed = [heard(web_socket, "prediction")["data"]["time_ns"] for _ in range(699)]
                assert missed == [(SECOND + n) * NS for n in range(202, 901)]


@pytest.mark.slow
def test_a_web_socket_that_does_not_read_is_let_go_with_the_reason(home, monkeypatch):
    """What it had taken on comes first, then the reason, then the end (1013: try again later)."""
    monkeypatch.setattr(streaming, "GRACE_S", LIMIT_S)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    with served(home) as client, market_log(home) as log, closing(slow):
        slow.settimeout(LIMIT_S)
        slow.connect((client.host, int(client.port)))
        with over_socket(client, sock=slow) as deaf, over_socket(client) as other:
            heard(deaf)
            count = 0
            while client.server.summary().let_go == 0:
                start = SECOND + 200 + count
                append_predictions(log, predictions_of("BTC-USD", range(start, start + 500)))
                count += 500
                assert count < 50 * MAX_WAITING, "nobody was let go"
                for _ in range(500):
                    heard(other, "prediction")
            reason = heard(deaf, "behind")["data"]["reason"]
            assert reason == f"more than {MAX_WAITING:,} events waited: the reader was too slow"
            until(lambda: deaf.protocol.close_rcvd is not None)
            assert deaf.protocol.close_rcvd.code == 1013
