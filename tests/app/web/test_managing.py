"""Health, model, alerts, dead letters; and nothing changes without the token."""

import pytest

from barograph import codec
from barograph.alert_records import AlertRecord, Change
from barograph.app.secrets import TOKEN
from barograph.log.topics import ALERTS, DEAD_LETTERS, ensure_alert_topics
from barograph.pipeline.worker import dead_letter
from barograph.training.card import PAGE
from barograph.training.walkforward import CHOSEN
from barograph.types import DeadLetter, Fault, Message
from champions import crowned
from waiting import until
from web_site import NS, SECOND, append_predictions, market_log, predictions_of, served

BEARER = {"Authorization": "Bearer a secret word"}


@pytest.fixture
def client(made_home, tmp_path, monkeypatch):
    monkeypatch.setenv(TOKEN, "a secret word")
    scores = {CHOSEN: {"pr_auc": 0.31, "lead_time_s": None}, "persistence": {"pr_auc": 0.25}}
    registry = crowned(made_home, tmp_path, scores=scores)
    with market_log(tmp_path) as log:
        ensure_alert_topics(log)
        append_predictions(log, predictions_of(model="spikes/1"))
        with served(tmp_path) as client:
            until(lambda: client.get("/v1/model").json["model"]["live"])
            client.log, client.registry = log, registry
            yield client


def alert(id_="a1", change=Change.BEGAN, **more):
    return AlertRecord(
        id=id_, rule="probability", subject="BTC-USD", change=change, time_ns=SECOND * NS,
        case="spikes", text="BTC-USD: a spike is likely.",
        **{"started_ns": SECOND * NS, **more},
    )  # fmt: skip


def test_the_model_is_shown_with_what_it_promised_and_how_it_fares(client):
    answer = client.get("/v1/model").json
    assert answer["model"]["label"] == "spikes/1"
    assert answer["model"]["since_ns"] > 0
    assert answer["model"]["promised"] == {"pr_auc": 0.31, "lead_time_s": None}  # exact: as stored
    assert answer["model"]["live"]["rows"] == 140
    assert answer["facts"]["features"] == ["realized_vol_10s", "realized_vol_60s"]
    assert client.get("/v1/cases/spikes/model").json == answer
    assert client.get("/v1/cases/churn/model").json["model"]["label"] is None


def test_the_card_is_a_page_that_may_load_nothing(client):
    assert client.get("/v1/model/card").status == 404
    client.registry.attach("spikes", 1, PAGE, b"<title>card</title>")
    card = client.get("/v1/model/card")
    assert (card.status, card.body) == (200, b"<title>card</title>")
    assert "default-src 'none'" in card.headers["content-security-policy"]


def test_alerts_are_merged_by_id_the_newest_first(client):
    changes = [alert(), alert("a2", started_ns=(SECOND + 5) * NS), alert(change=Change.ENDED)]
    client.log.append([Message(ALERTS, each.id, codec.encode(each)) for each in changes])
    until(lambda: len(client.get("/v1/alerts").json["alerts"]) == 2)
    shown = client.get("/v1/alerts").json["alerts"]
    until(lambda: client.get("/v1/alerts").json["alerts"][1]["change"] == "ended")
    assert [each["id"] for each in shown] == ["a2", "a1"]
    assert client.get("/v1/cases/churn/alerts").json["alerts"] == []
    assert client.get(f"/v1/alerts?since={(SECOND + 1) * NS}").json["alerts"] == []


def test_an_alert_is_an_event_and_is_made_up_for(client):
    with client.stream() as events:
        first = events.next()["id"]
        client.log.append([Message(ALERTS, "a1", codec.encode(alert()))])
        assert events.next("alert")["data"]["id"] == "a1"
    with client.stream(**{"Last-Event-ID": first}) as events:
        assert events.next("alert")["data"]["text"] == "BTC-USD: a spike is likely."


def test_dead_letters_are_listed_the_newest_first(client):
    for n in range(3):
        letter = DeadLetter(
            fault=Fault.LATE, detail=f"n {n}", source="s", position=f"0:{n}", key="k", original=b"x"
        )
        client.log.append([dead_letter(DEAD_LETTERS, letter)])
    letters = client.get("/v1/deadletters?limit=2").json["letters"]
    assert [each["detail"] for each in letters] == ["n 2", "n 1"]
    assert client.get("/v1/deadletters?case=churn").json["letters"] == []


def test_a_log_that_was_replayed_is_ready_and_has_no_age_to_judge(client):
    health = client.get("/health")
    assert (health.status, health.json["ready"], health.json["problems"]) == (200, True, [])
    assert health.json["model"] == "spikes/1"


def test_metrics_are_there(client):
    text = client.get("/metrics").body.decode()
    assert 'http_requests_total{method="GET",route="/v1/model",status="200"}' in text


@pytest.mark.parametrize("path", ["/v1/models/promote", "/v1/models/rollback"])
@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Authorization": "Bearer"}, {"Authorization": "Bearer a secret"},
        {"Authorization": "Basic a secret word"}, {"Authorization": "a secret word"},
    ],
)  # fmt: skip
def test_nothing_changes_without_the_token(client, path, headers):
    body = {"version": 2} if path.endswith("promote") else {}
    answer = client.post(path, body, **headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert client.registry.champion_version("spikes") == 1


@pytest.mark.slow
def test_the_token_promotes_and_rolls_back(client):
    entry = client.post("/v1/models/promote", {"version": 2, "reason": "better"}, **BEARER).json
    assert (entry["version"], entry["previous"], entry["reason"]) == (2, 1, "better")
    until(lambda: client.get("/v1/model").json["model"]["label"] == "spikes/2")
    assert client.post("/v1/models/rollback", {}, **BEARER).json["version"] == 1
    assert client.registry.champion_version("spikes") == 1


def test_what_the_registry_refuses_is_a_conflict_with_its_cure(client):
    answer = client.post("/v1/models/promote", {"version": 77}, **BEARER)
    assert answer.status == 409
    assert "models list" in answer.json["cure"]
    assert client.post("/v1/models/promote", {"version": "x"}, **BEARER).status == 422
    assert client.post("/v1/models/rollback", {"case": "weather"}, **BEARER).status == 404


def test_a_server_without_a_token_changes_nothing_for_nobody(tmp_path, monkeypatch):
    monkeypatch.delenv(TOKEN, raising=False)
    with market_log(tmp_path), served(tmp_path) as client:
        for headers in ({}, {"Authorization": "Bearer "}, BEARER):
            answer = client.post("/v1/models/promote", {"version": 1}, **headers)
            assert answer.status == 403
            assert TOKEN in answer.json["cure"]
