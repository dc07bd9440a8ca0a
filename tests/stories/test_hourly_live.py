"""A case of hours: candles train a model that forecasts from hours of ticks, on either log."""

import json
import math
import re
import signal
from contextlib import closing, suppress

import httpx
import pytest

import hourly_oracle
from barograph import codec
from barograph.alert_records import FORECAST, Change, Judgement
from barograph.cases.hourly import HOURLY
from barograph.log import browse, open_log
from barograph.log.topics import (
    ALERTS,
    CANDLE_PREDICTIONS,
    CANDLES,
    ensure_alert_topics,
    ensure_candle_topics,
)
from barograph.pipeline.case_topics import ensure_series
from barograph.simulated.exchange import Exchange, Terms, running
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.pages import CandleTerms
from barograph.simulated.sources import simulated
from barograph.times import format_time
from barograph.types import NS_PER_S
from verb_processes import Life
from waiting import until

PRODUCT = "BTC-USD"
FIRST_S = 1_750_006_800
"""The beginning of the first hour that is heard whole; the market opens five minutes before."""

MODEL = PRESETS["market"]._replace(order_rate_per_s=0.25)
"""Hours have few trades, which are soon heard."""

HISTORY_H = 7_000
"""Fewer leave too few rows beside the thirty days between the two sides of a fold."""

SPEED, LIMIT_S, PAUSE_S = 300.0, 480.0, 0.25
LIMIT_VOL = 1e-6
"""In 1/√h: far below the volatility of any hour of a market, so that each forecast is above."""


def answer(*words):
    return json.loads(Life(*words, "--json").answer(LIMIT_S))


def end_of(hour):
    """The end of the n-th hour that is heard whole; 0 is the one in which the feed begins."""
    return format_time((FIRST_S + hour * 3_600) * NS_PER_S)


class Followed:
    """The records of a topic from now on, in `all`, as far as somebody looked."""

    def __init__(self, log, topic, decode):
        self._tail, self._decode, self.all = browse.Tail(log, topic), decode, []

    def look(self):
        self.all += [self._decode.of(record) for record in self._tail.take()]
        return self.all


def trained(place, source):
    """Candles of the exchange, a dataset of their rows, and a champion."""
    hourly = ("--case", HOURLY.name, *place)
    (done,) = answer(*source, "--hours", HISTORY_H, "--until", end_of(-1))["extracts"]
    assert (done["new"], done["missing"]) == (HISTORY_H, 0)
    assert answer("featurize", *hourly)["values"] == HISTORY_H
    Life("dataset", *hourly).answer(LIMIT_S)
    answer("train", *hourly, "--candidates", "har_season", "--folds", "2", "--no-control")
    Life("models", "promote", "1", "--case", HOURLY.name, *place[2:]).answer(LIMIT_S)


def served(up):
    """The newest forecast that the page serves; None while it has none."""
    url = re.search(rb"page=(\S+)", up.warned())[1]
    with suppress(httpx.TransportError):
        path = f"/v1/cases/{HOURLY.name}/predictions/{PRODUCT}"
        reply = httpx.get(url.decode() + path, timeout=30)
        return reply.json() if reply.is_success else None
    return None


@pytest.mark.operations
def test_candles_train_a_model_that_forecasts_from_hours_of_ticks(address, tmp_path, made_home):
    assert made_home
    market = SimulatedMarket(MODEL, [PRODUCT], 7, (FIRST_S - 300) * NS_PER_S)
    # Without an end: a slow machine needs more hours.
    terms = Terms(wait_for_reader=True, rest_per_s=100.0, candles=CandleTerms(seed=7))
    place = ("--log", address, "--home", tmp_path)
    with (
        running(Exchange(simulated(market), speed=SPEED, terms=terms)) as exchange,
        closing(open_log(address)) as log,
    ):
        ensure_candle_topics(log)
        ensure_series(log, HOURLY.live)
        ensure_alert_topics(log)
        source = ("extract", "--url", f"http://{exchange.address}", *place)
        trained(place, source)

        candles = Followed(log, CANDLES, codec.decode_candle)
        forecasts = Followed(log, CANDLE_PREDICTIONS, codec.decode_prediction)
        alerts = Followed(log, ALERTS, codec.decode_alert)
        up = Life(
            "up", "--venue", "simulated", "--url", f"ws://{exchange.address}", "--products",
            PRODUCT, "--no-retrain", "--port", "0", *place, BAROGRAPH_CLOCK_LIMIT_S="1e12",
            BAROGRAPH_ALERT_FORECASTS=f"{HOURLY.name}={LIMIT_VOL * 100:f}",
        )  # fmt: skip

        def wait_for(condition):
            until(lambda: not up.is_alive() or condition(), LIMIT_S, PAUSE_S)
            assert up.is_alive(), up.end()[2].decode()

        wait_for(lambda: any(each.source == "ticks" for each in candles.look()))
        # The hour in which the feed began was not heard whole: the exchange has it.
        (done,) = answer(*source, "--hours", "2", "--until", end_of(1))["extracts"]
        assert (done["new"], done["own"], done["differing"]) == (2, 1, 0)

        def matured():
            newest = served(up)
            outcome = newest and newest["matured"]
            return outcome and outcome["time_ns"] > FIRST_S * NS_PER_S

        wait_for(matured)

        def alerted():
            """Changes of alerts on forecasts made of ticks; those of the history are there, too."""
            return [
                each
                for each in alerts.look()
                if each.rule == FORECAST and (each.started_ns or 0) > FIRST_S * NS_PER_S
            ]

        wait_for(lambda: any(each.judgement is Judgement.RIGHT for each in alerted()))
        made = {each.second + 1: each for each in forecasts.look() if each.second >= FIRST_S}
        own = {each.end_s: each for each in candles.look() if each.source == "ticks"}
        first = alerted()[0]
        up.terminate()
        code, _, err = up.end(LIMIT_S)
    # What was heard too fast to be written in the seconds that a stop may take is heard again.
    assert code in {0, 128 + signal.SIGTERM}, err.decode()
    assert b"Traceback" not in err
    forecasts_of_own_candles_come_due(made, own)
    assert (first.change, first.case, first.subject) == (Change.BEGAN, HOURLY.name, PRODUCT)
    assert first.value == pytest.approx(made[first.started_ns // NS_PER_S].forecast)
    assert "volatility is forecast to be" in first.text


def forecasts_of_own_candles_come_due(made, own):
    """Each row is of a candle of ticks; its volatility is the outcome of the forecast before.

    Both are by the second in which the hour ends.
    """
    assert made.keys() <= own.keys()
    forecasts = {end_s: each for end_s, each in made.items() if each.forecast is not None}
    assert {each.model for each in forecasts.values()} == {f"{HOURLY.name}/1"}
    due = [end_s for end_s in forecasts if end_s + 3_600 in made]
    assert due
    for end_s in due:
        candle = own[end_s + 3_600]
        names = ("open", "high", "low", "close")
        prices = {name: float(getattr(candle, name)) for name in names}
        vol = math.sqrt(hourly_oracle.variance(prices))
        assert made[end_s + 3_600].value_now == pytest.approx(vol, rel=1e-9)
        assert forecasts[end_s].low <= forecasts[end_s].median <= forecasts[end_s].high
