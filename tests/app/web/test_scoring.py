"""POST /v1/predict: what the champion says, and every way to be refused."""

import json
import math

import msgspec
import numpy as np
import pytest

from barograph.app.web import scoring
from barograph.cases.churn import CHURN, CONTRACT, invent
from barograph.registry.model import OnnxModel
from barograph.registry.registry import Registry
from champions import crowned
from handmade_models import linear
from registered_models import FEATURES, facts_of, graph
from waiting import until
from web_site import market_log, served

OF_CUSTOMERS = ("MonthlyCharges", "tenure")
"""Features of the churn champion, neither all of the contract's nor in its order."""
CHURNING = linear(OF_CUSTOMERS, [1.0, -0.5], scale=20.0).to_onnx()

GOOD = {"realized_vol_10s": 4e-5, "realized_vol_60s": 6e-5}


@pytest.fixture(scope="module")
def client(made_home, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    crowned(made_home, home)
    with market_log(home), served(home) as client:
        until(lambda: client.post("/v1/predict", row()).status == 200)
        yield client


@pytest.fixture(scope="module")
def churn_client(tmp_path_factory):
    """A server whose churn case has a champion."""
    home = tmp_path_factory.mktemp("churn")
    registry = Registry(home)
    facts = facts_of(
        CHURNING, case="churn", candidate="logistic", features=OF_CUSTOMERS,
        feature_set=CHURN.feature_set, tau={}, horizon_s=0,
    )  # fmt: skip
    registry.register("churn", CHURNING, facts)
    registry.promote("churn", 1, "for a test")
    with market_log(home), served(home) as client:
        until(lambda: predicted(client, *customers(1)).status == 200)
        yield client


def row(product="BTC-USD", **features):
    return {"product": product, "features": {**GOOD, **features}}


def expected(features):
    x = np.array([[features[name] for name in FEATURES]], np.float32)
    return float(OnnxModel(graph(), len(FEATURES)).predict(x)[0])


@pytest.mark.slow
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


@pytest.mark.slow
def test_an_expired_champion_says_so_instead_of_a_probability(made_home, tmp_path):
    crowned(made_home, tmp_path, expires_time_ns=1)
    with market_log(tmp_path), served(tmp_path) as client:
        until(lambda: client.post("/v1/predict", row()).status == 200)
        [scored] = client.post("/v1/predict", row()).json["predictions"]
    assert (scored["verdict"], scored["probability"]) == ("MODEL_EXPIRED", None)


def test_a_probability_is_never_made_of_what_is_no_number(client):
    [scored] = client.post("/v1/predict", row(realized_vol_10s=0)).json["predictions"]
    assert scored["probability"] is None or math.isfinite(scored["probability"])


def customers(count):
    """Customers as a client has them: without what became of them."""
    records = [msgspec.json.decode(record) for record in invent(count, seed=1)]
    return [{k: v for k, v in record.items() if k != CONTRACT.outcome} for record in records]


def predicted(client, *records):
    return client.post("/v1/cases/churn/predict", {"records": records})


def test_records_get_what_their_champion_says(churn_client):
    sent = customers(30)
    by_case = predicted(churn_client, *sent).json["predictions"]
    named = churn_client.post("/v1/predict", {"case": "churn", "records": sent}).json
    assert named["predictions"] == by_case
    x = np.array([[each[name] for name in OF_CUSTOMERS] for each in sent], np.float32)
    for record, x_of, scored in zip(sent, x, by_case, strict=True):
        probability = float(OnnxModel(CHURNING, len(OF_CUSTOMERS)).predict(x_of[np.newaxis])[0])
        assert scored["probability"] == pytest.approx(probability, rel=1e-9)
        assert (scored["key"], scored["model"]) == (record["customerID"], "churn/1")
        assert (scored["case"], scored["tau"]) == ("churn", None)
        assert scored["alarm"] == (scored["probability"] >= scored["threshold"])
    assert len({scored["probability"] for scored in by_case}) > 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tenure": None}, "tenure"),
        ({"tenure": -1}, "tenure"),
        ({"gender": "F"}, "gender"),
        ({"churned": "No"}, "$.churned: is no field"),
        ({"TotalCharges": None, "tenure": 5}, "TotalCharges is null at tenure 5"),
    ],
)
def test_a_record_that_breaks_its_contract_is_refused_with_its_place(churn_client, change, words):
    [good, other] = customers(2)
    answer = predicted(churn_client, good, other | change)
    assert answer.status == 422
    assert "records[1]: " in answer.json["error"]
    assert words in answer.json["error"]
    assert "contract of case churn" in answer.json["cure"]


@pytest.mark.parametrize("name", [*OF_CUSTOMERS, "gender"])
def test_a_field_that_is_missing_from_a_record_is_never_filled(churn_client, name):
    [good] = customers(1)
    answer = predicted(churn_client, {k: v for k, v in good.items() if k != name})
    assert (answer.status, name in answer.json["error"]) == (422, True)
