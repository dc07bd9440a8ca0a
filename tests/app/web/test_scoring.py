"""POST /v1/predict: what the champion says, and every way to be refused."""

import json
import math

import numpy as np
import pytest

from barograph.app.web import scoring
from barograph.registry.model import OnnxModel
from champions import crowned
from registered_models import FEATURES, graph
from waiting import until
from web_site import market_log, served

GOOD = {"realized_vol_10s": 4e-5, "realized_vol_60s": 6e-5}


@pytest.fixture(scope="module")
def client(made_home, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    crowned(made_home, home)
    with market_log(home), served(home) as client:
        until(lambda: client.post("/v1/predict", row()).status == 200)
        yield client


def row(product="BTC-USD", **features):
    return {"product": product, "features": {**GOOD, **features}}


def expected(features):
    x = np.array([[features[name] for name in FEATURES]], np.float32)
    return float(OnnxModel(graph(), len(FEATURES)).predict(x)[0])


def test_one_row_and_many_get_what_the_model_says(client):
    [one] = client.post("/v1/predict", row()).json["predictions"]
    assert one["probability"] == pytest.approx(expected(GOOD), rel=1e-9)
    assert (one["model"], one["verdict"], one["key"]) == ("spikes/1", "PREDICTED", "BTC-USD")
    rows = [row(realized_vol_10s=n * 1e-5) for n in range(1, 40)]
    many = client.post("/v1/cases/spikes/predict", {"rows": rows}).json["predictions"]
    for sent, scored in zip(rows, many, strict=True):
        assert scored["probability"] == pytest.approx(expected(sent["features"]), rel=1e-9)
        assert scored["alarm"] == (scored["probability"] >= scored["threshold"])


def test_the_route_at_the_root_is_the_same(client):
    assert client.post("/predict", row()).json == client.post("/v1/predict", row()).json


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"realized_vol_10s": None}, "realized_vol_10s is null"),
        ({"realized_vol_10s": "NaN"}, "realized_vol_10s is no number"),
        ({"realized_vol_10s": True}, "realized_vol_10s is no number"),
        ({"realized_vol_10s": 1e300}, "realized_vol_10s is no finite number"),
        ({"momentum": 1.0}, "'momentum' is no feature"),
        ({"tau": 1.0}, "'tau' is no feature"),
    ],
)
def test_a_feature_that_is_not_as_it_must_be_is_refused_by_name(client, features, words):
    answer = client.post("/v1/predict", row(**features))
    assert answer.status == 422
    assert words in answer.json["error"]


def test_a_missing_feature_is_never_filled(client):
    answer = client.post("/v1/predict", {"rows": [row(), {"product": "BTC-USD", "features": {}}]})
    assert answer.status == 422
    assert "rows[1]: realized_vol_10s is missing" in answer.json["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"rows":[]}', b'{"rows":1}', b'{"what":1}',
        b'{"rows":[{"product":"BTC-USD","features":{"realized_vol_10s":NaN}}]}',
        b'{"rows":[{"product":"BTC-USD","features":{"realized_vol_10s":1e999}}]}',
        b'{"records":[{}]}', b"[" * 100_000,
        json.dumps({"rows": [row()] * (scoring.MOST_ROWS + 1)}).encode(),
    ],
)  # fmt: skip
def test_a_body_that_is_none_is_refused(client, body):
    answer = client.post("/v1/predict", body)
    assert answer.status == 422
    assert answer.json["cure"]


def test_a_foreign_version_of_the_features_is_refused(client):
    answer = client.post("/v1/predict", {"rows": [row()], "feature_set": "0123456789abcdef"})
    assert answer.status == 422
    assert "0123456789abcdef" in answer.json["error"]


def test_a_product_without_tau_and_a_case_that_is_none_are_refused(client):
    assert "no tau of 'DOGE-USD'" in client.post("/v1/predict", row("DOGE-USD")).json["error"]
    assert client.post("/v1/predict", {**row(), "case": "weather"}).status == 404


def test_a_case_without_a_champion_says_how_to_get_one(client):
    answer = client.post("/v1/cases/churn/predict", {"records": [{}]})
    assert answer.status == 503
    assert "barograph train --case churn" in answer.json["cure"]


def test_an_expired_champion_says_so_instead_of_a_probability(made_home, tmp_path):
    crowned(made_home, tmp_path, expires_time_ns=1)
    with market_log(tmp_path), served(tmp_path) as client:
        until(lambda: client.post("/v1/predict", row()).status == 200)
        [scored] = client.post("/v1/predict", row()).json["predictions"]
    assert (scored["verdict"], scored["probability"]) == ("MODEL_EXPIRED", None)


def test_a_probability_is_never_made_of_what_is_no_number(client):
    [scored] = client.post("/v1/predict", row(realized_vol_10s=0)).json["predictions"]
    assert scored["probability"] is None or math.isfinite(scored["probability"])
