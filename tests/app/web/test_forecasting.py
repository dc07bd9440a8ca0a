"""The route of forecasts of a value, of a real server over a log of hours."""

import pytest

from barograph.cases.churn import CHURN
from barograph.cases.spikes import SPIKES
from barograph.types import Verdict
from level_hours import CASES, HOUR, HOURS, NEWEST, NS, OUTSIDE, forecast, hour_log, volatility
from waiting import until
from web_site import served

COUNT = 100


@pytest.fixture
def log(tmp_path):
    with hour_log(tmp_path) as log:
        log.hours(COUNT)
        yield log


@pytest.fixture
def client(log):
    with served(log.home, cases=(SPIKES, *CASES, CHURN)) as client:
        until(lambda: client.get("/v1/cases/hours/keys").json["keys"])
        yield client


def test_the_newest_forecast_comes_with_its_interval_unit_and_reason(client):
    answer = client.get("/v1/cases/hours/forecast").json
    (of_key,) = answer["forecasts"]
    newest, said = of_key["newest"], forecast(HOURS, NEWEST)
    assert (answer["case"], of_key["product"]) == ("hours", "BTC-USD")
    assert (newest["second"], newest["horizon_s"]) == (NEWEST - 1, HOUR)
    assert newest["due_ns"] == (NEWEST + HOUR) * NS
    assert (newest["value"], newest["unit"]) == ("waiting", "1/√h")
    assert newest["coverage"] == 0.9  # exact: as given
    assert newest["value_now"] == volatility(NEWEST // HOUR)  # exact: as stored
    for name in ("median", "forecast", "low", "high", "probability", "tau"):
        assert newest[name] == getattr(said, name)
    assert (newest["verdict"], newest["reason"]) == ("PREDICTED", "there is a probability")
    assert newest["model"] == "hours/2"


def test_the_fan_has_every_horizon_of_the_same_rows_with_how_often_it_held(client):
    (of_key,) = client.get("/v1/cases/hours-6h/forecast?key=BTC-USD").json["forecasts"]
    assert of_key["newest"]["case"] == "hours-6h"
    assert [each["case"] for each in of_key["fan"]] == [case.name for case in CASES]
    assert [each["horizon_s"] // HOUR for each in of_key["fan"]] == [1, 6, 24]
    made_at = range(NEWEST - (COUNT - 1) * HOUR, NEWEST + 1, HOUR)
    for case, each in zip(CASES, of_key["fan"], strict=True):
        due = [(forecast(case, end), end + case.horizon_s) for end in made_at]
        came = [(said, volatility(end // HOUR)) for said, end in due if end <= NEWEST]
        assert each["matured"] == len(came)
        held = sum(said.low <= value <= said.high for said, value in came)
        assert len(came) // 2 < each["held"] == held <= len(came) - len(came) // OUTSIDE


def test_a_key_without_an_interval_says_why(log, client):
    nothing = dict.fromkeys(("probability", "median", "forecast", "low", "high"))
    log.forecast(HOURS, forecast(HOURS, NEWEST, "ETH-USD", verdict=Verdict.GAP, **nothing))
    until(lambda: len(client.get("/v1/cases/hours/forecast").json["forecasts"]) == 2)
    (of_key,) = client.get("/v1/cases/hours/forecast?key=ETH-USD").json["forecasts"]
    newest = of_key["newest"]
    assert (newest["median"], newest["low"], newest["probability"]) == (None, None, None)
    assert (newest["held"], newest["matured"]) == (0, 0)
    assert newest["verdict"] == "GAP"
    assert "gap" in newest["reason"]
    assert of_key["fan"] == [newest]


@pytest.mark.parametrize(
    ("path", "status", "error", "cure"),
    [
        ("spikes/forecast", 404, "forecasts no value", "hours, hours-6h, hours-24h"),
        ("churn/forecast", 404, "no series", "/v1/cases/churn"),
        ("weather/forecast", 404, "not served", "hours"),
        ("hours/forecast?key=DOGE-USD", 404, "no prediction", "BTC-USD"),
        (f"hours/forecast?key={'x' * 300}", 422, "key", "openapi.json"),
    ],
)
def test_what_has_no_forecast_is_refused_with_a_cure(client, path, status, error, cure):
    answer = client.get(f"/v1/cases/{path}")
    assert answer.status == status
    assert error in answer.json["error"]
    assert cure in answer.json["cure"]


def test_a_series_of_hours_has_its_forecasts_in_buckets(client):
    made = client.get(f"/v1/cases/hours/series/BTC-USD?span={48 * HOUR}").json
    assert (made["step_s"], len(made["time_ns"])) == (HOUR, 48)
    level = made["level"]
    ends = [time_ns // NS for time_ns in made["time_ns"]]
    said = [forecast(HOURS, end_s) for end_s in ends]
    for name in ("median", "forecast", "low", "high"):
        assert level[name] == [getattr(each, name) for each in said]
    came = [volatility(end_s // HOUR + 1) for end_s in ends[:-1]]
    inside = [each.low <= value <= each.high for each, value in zip(said, came, strict=False)]
    assert level["inside"] == [*inside, None]
    assert {True, False} <= set(inside)


@pytest.mark.slow
def test_sixty_days_of_hours_are_kept(log, client):
    log.hours(40 * 24, newest_s=NEWEST - COUNT * HOUR, product="OLD-USD")
    until(lambda: "OLD-USD" in client.get("/v1/cases/hours-24h/keys").json["keys"])
    span = f"/v1/cases/hours/series/OLD-USD?span={40 * 24 * HOUR}"
    until(lambda: len(client.get(span).json["time_ns"]) == 40 * 24)


@pytest.mark.parametrize(
    ("model", "why"), [("persistence/cold-start", "no model yet"), ("hours/2", "hours/2 forecasts")]
)
def test_a_probability_without_a_value_has_its_reason(log, client, model, why):
    silent = dict.fromkeys(("median", "forecast", "low", "high"))
    log.forecast(HOURS, forecast(HOURS, NEWEST, "ETH-USD", model=model, **silent))
    until(lambda: len(client.get("/v1/cases/hours/forecast").json["forecasts"]) == 2)
    (of_key,) = client.get("/v1/cases/hours/forecast?key=ETH-USD").json["forecasts"]
    newest = of_key["newest"]
    assert (newest["verdict"], newest["median"]) == ("PREDICTED", None)
    assert newest["reason"].startswith(why)
    assert "whether the value reaches tau" in newest["reason"]
