"""The routes that read, of a real server over a real log."""

import msgspec
import pytest

from barograph.app.web import series_board, tail
from barograph.log.topics import DEAD_LETTERS
from barograph.pipeline.worker import dead_letter
from barograph.types import DeadLetter, Fault
from waiting import until
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
        append_predictions(log, predictions_of("ETH-USD", range(SECOND, SECOND + 20)))
        append_gap(log)
    return tmp_path


@pytest.fixture
def client(home):
    with served(home) as client:
        until_known(client, ["BTC-USD", "ETH-USD"])
        yield client


def test_cases_tell_their_kind_unit_horizon_and_keys(client):
    spikes, churn = client.get("/v1/cases").json["cases"]
    assert (spikes["name"], spikes["kind"], spikes["default"]) == ("spikes", "series", True)
    assert (spikes["horizon_s"], spikes["step_s"]) == (60, 1)
    assert spikes["keys"] == ["BTC-USD", "ETH-USD"]
    assert (churn["name"], churn["kind"], churn["horizon_s"]) == ("churn", "records", None)


def test_the_newest_prediction_comes_with_verdict_and_reason(client):
    newest = client.get("/v1/predictions/BTC-USD").json
    assert newest["time_ns"] == (SECOND + 200) * NS
    assert (newest["verdict"], newest["reason"]) == ("PREDICTED", "there is a probability")
    assert newest["share_of_tau"] == pytest.approx(0.5, rel=1e-12)
    assert newest["matured"]["time_ns"] == (SECOND + 140) * NS
    assert client.get("/v1/cases/spikes/predictions/BTC-USD").json == newest


def test_a_product_without_predictions_is_refused_with_those_that_have_one(client):
    answer = client.get("/v1/predictions/DOGE-USD")
    assert answer.status == 404
    assert "DOGE-USD" in answer.json["error"]
    assert "BTC-USD" in answer.json["cure"]


def test_pages_go_through_all_predictions_once(client):
    newest = client.get("/v1/predictions?limit=5").json
    assert len(newest["predictions"]) == 5
    seen, cursor = [], "0.0.0"
    while page := client.get(f"/v1/predictions?since={cursor}&limit=37").json:
        if not page["predictions"]:
            break
        seen += [(each["product"], each["time_ns"]) for each in page["predictions"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == 220
    assert page["next"] == newest["next"] == cursor


def test_a_page_behind_the_end_has_what_comes_later(client, home):
    cursor = client.get("/v1/predictions?limit=1").json["next"]
    assert client.get(f"/v1/predictions?since={cursor}").json["predictions"] == []
    with market_log(home) as log:
        append_predictions(log, predictions_of("ETH-USD", [SECOND + 20]))
    until(lambda: client.get(f"/v1/predictions?since={cursor}").json["predictions"])
    page = client.get(f"/v1/predictions?since={cursor}").json
    assert [each["time_ns"] for each in page["predictions"]] == [(SECOND + 21) * NS]


def test_a_series_has_its_buckets_and_the_recorded_gap(client):
    made = client.get("/v1/series/BTC-USD?span=200&step=10").json
    assert made["step_s"] == 10
    assert len(made["time_ns"]) == 20
    assert max(filter(None, made["probability"]["max"])) == pytest.approx(0.9)
    assert sum(made["alarm"]) == 4
    assert [gap["cause"] for gap in made["gaps"]] == ["trade_id"]
    assert made["outcome"][0] is False
    assert made["outcome"][-1] is None


def test_a_span_that_a_start_has_still_to_read_is_answered_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(series_board, "SHOWN_STEPS", 100)
    monkeypatch.setattr(tail, "_PAUSE_S", 0.05)
    with market_log(tmp_path) as log:
        append_predictions(log, predictions_of("BTC-USD", range(SECOND, SECOND + 3_000)))
    with served(tmp_path) as client:
        until_known(client, ["BTC-USD"])
        for path in ("/v1/series/BTC-USD?span=3000&step=1", "/v1/series/none?span=3000"):
            answer = client.get(path)
            assert answer.status == 200
            assert len(answer.json["time_ns"]) == (3_000 if "BTC" in path else 0)


def test_a_span_of_time_is_named_in_nanoseconds(client):
    start, end = (SECOND + 50) * NS, (SECOND + 60) * NS
    made = client.get(f"/v1/series/BTC-USD?from={start}&to={end}").json
    assert made["time_ns"] == [start + (n + 1) * NS for n in range(10)]


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("from=9&to=5", "before"),
        ("step=0", "step"),
        ("from=x", "from"),
        ("to=-1", "to"),
        ("from=99999999999999999999", "from"),
    ],
)
def test_a_span_that_makes_no_sense_is_refused_with_a_cure(client, query, word):
    answer = client.get(f"/v1/series/BTC-USD?{query}")
    assert answer.status == 422
    assert word in answer.json["error"]
    assert answer.json["cure"]


def test_a_case_of_records_has_a_status_and_no_series(client):
    assert client.get("/v1/cases/churn/status").json["records"]["predictions"] == 0
    assert client.get("/v1/cases/churn/series/x").status == 404
    assert client.get("/v1/cases/weather/status").status == 404


def test_the_status_tells_what_is_now(client):
    status = client.get("/v1/status").json
    assert set(status["now"]) == {"BTC-USD", "ETH-USD"}
    assert status["now"]["BTC-USD"]["verdict"] == "PREDICTED"
    assert status["feed"]["latency_p50_ms"] is not None
    assert status == {**status, "case": "spikes"}


def test_a_path_that_nothing_answers_is_a_refusal_too(client):
    answer = client.get("/v2/everything")
    assert answer.status == 404
    assert set(answer.json) == {"error", "cure"}
    assert client.post("/v1/cases", {}).status == 405


def test_dead_letters_are_counted_by_reason(client, home):
    letter = DeadLetter(
        fault=Fault.LATE, detail="", source="s", position="0:1", key="k", original=b"x"
    )
    with market_log(home) as log:
        log.append([dead_letter(DEAD_LETTERS, letter)])
    until(lambda: client.get("/v1/status").json["feed"]["dead_letters"])
    assert client.get("/v1/status").json["feed"]["dead_letters"] == {"late": 1}


def test_every_answer_is_json_that_msgspec_reads_back(client):
    for path in ("/v1/cases", "/v1/status", "/v1/predictions", "/v1/series/BTC-USD"):
        answer = client.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert msgspec.json.decode(answer.body)
