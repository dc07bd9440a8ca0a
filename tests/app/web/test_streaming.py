"""The stream: what comes, what was missed, and who is too slow."""

import json

import pytest

from web_site import (
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
