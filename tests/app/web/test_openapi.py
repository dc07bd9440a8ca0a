"""The description: every route, its types, its errors, and examples that work."""

import pytest

from barograph.app.secrets import TOKEN
from barograph.app.web.openapi import ROUTES
from barograph.cases.spikes import SPIKES
from champions import crowned
from level_hours import CASES, hour_log
from waiting import until
from web_site import market_log, served


@pytest.fixture
def client(made_home, tmp_path, monkeypatch):
    monkeypatch.setenv(TOKEN, "word")
    crowned(made_home, tmp_path)
    with market_log(tmp_path), served(tmp_path) as client:
        yield client


def test_every_route_is_described_with_its_types(client):
    document = client.get("/openapi.json").json
    described = {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert set(described) == set(ROUTES)
    for operation in described.values():
        assert operation["description"]
        for response in operation["responses"].values():
            assert response["content"]
    assert "SeriesPrediction" in document["components"]["schemas"]


@pytest.mark.slow
def test_every_example_works(client):
    document = client.get("/openapi.json").json
    sent = 0
    for path, operations in document["paths"].items():
        body = operations.get("post", {}).get("requestBody")
        if body is None:
            continue
        example = body["content"]["application/json"]["example"]
        place = path.replace("{case}", "spikes")
        until(lambda: client.post("/v1/predict", document_example(document)).status == 200)
        answer = client.post(place, example, Authorization="Bearer word")
        assert answer.status == 200, (path, answer.body)
        sent += 1
    assert sent == 5


def test_the_example_of_a_forecast_works(tmp_path):
    with hour_log(tmp_path) as log, served(tmp_path, cases=(SPIKES, *CASES)) as client:
        log.hours(3)
        until(lambda: client.get("/v1/cases/hours/keys").json["keys"])
        document = client.get("/openapi.json").json
        path = "/v1/cases/{case}/forecast"
        parameters = document["paths"][path]["get"]["parameters"]
        (case,) = [each["example"] for each in parameters if "example" in each]
        answer = client.get(path.replace("{case}", case))
        assert answer.status == 200, answer.body
        assert answer.json["forecasts"]
        schema = document["components"]["schemas"]["LevelForecast"]["properties"]
        assert set(answer.json["forecasts"][0]["newest"]) == set(schema)


def document_example(document):
    body = document["paths"]["/v1/predict"]["post"]["requestBody"]
    return body["content"]["application/json"]["example"]
