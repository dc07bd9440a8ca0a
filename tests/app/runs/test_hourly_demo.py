"""The demo of the hourly cases: what it answers, what it shows of a forecast, what ends it."""

import json

import msgspec
import pytest

from barograph.app.runs.hourly_demo import HourlyForecast, sentence
from barograph.types import NS_PER_S, Prediction, Verdict
from command_line import call

LAST_S = 1_750_000_000 // 3600 * 3600

SAID = Prediction(
    product="BTC-USD",
    second=LAST_S - 1,
    event_time_ns=LAST_S * NS_PER_S,
    receive_time_ns=None,
    verdict=Verdict.PREDICTED,
    probability=0.1,
    alarm=False,
    threshold=0.5,
    tau=0.01,
    horizon_s=6 * 3600,
    value_now=0.004,
    mid=None,
    model="hourly-6h/1",
    median=0.0031,
    forecast=0.0034,
    low=0.0021,
    high=0.0049,
)


def test_a_forecast_is_a_line_of_a_terminal():
    forecast = HourlyForecast(case="hourly-6h", horizon_h=6, prediction=SAID, scores=None)
    text = sentence(forecast)
    assert text == "next 6 hours: 0.34 %/√h, 90 % from 0.21 to 0.49"
    assert len(text) + len("; held 100% of 336 hours") < 80


def test_no_forecast_has_its_reason():
    said = msgspec.structs.replace(SAID, verdict=Verdict.NO_MODEL, forecast=None, low=None)
    forecast = HourlyForecast(case="hourly", horizon_h=1, prediction=said, scores=None)
    assert sentence(forecast) == "next hour: no forecast (NO_MODEL)"


@pytest.mark.slow
def test_candles_that_the_gate_stops_end_it_and_the_report_says_why(
    monkeypatch, capfdbinary, tmp_path
):
    monkeypatch.chdir(tmp_path)
    rows = [f"{LAST_S - 3600 * n},9,8,7,9,1" for n in range(48, 0, -1)]
    (tmp_path / "c.csv").write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    code, out, err = call(
        monkeypatch, capfdbinary, "demo", "--case", "hourly", "--file", "c.csv", "--json"
    )
    assert code == 2
    assert json.loads(out)["cure"] in err
    assert "See why: `barograph quality c.csv`" in err
    code, out, _ = call(monkeypatch, capfdbinary, "quality", "c.csv", "--home", "h")
    assert code == 1
    assert "low ≤ open, close ≤ high" in out


def test_only_the_hourly_demo_takes_a_file(monkeypatch, capfdbinary, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, _, err = call(monkeypatch, capfdbinary, "demo", "--file", "c.csv", "--check")
    assert code == 2
    assert "only --case hourly takes one" in err
