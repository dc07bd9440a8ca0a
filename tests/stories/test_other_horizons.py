"""Another horizon on the market's rows: dataset, champion, live forecasts, and what is served."""

import json
import math
from contextlib import closing

import pytest

from barograph import codec
from barograph.archive.writer import ArchiveWriter
from barograph.cases.spikes import HORIZONS, SPIKES, SPIKES_5M
from barograph.log import browse, open_log
from barograph.log.topics import FEATURES, PREDICTIONS
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import NS_PER_S
from barograph.venues.entries import Dialect, Heard, Opening
from verb_processes import Life
from waiting import until
from web_site import served

START_S, HOURS, PRODUCT = 1_750_000_000, 3, "BTC-USD"
CASE, LIVE = SPIKES_5M.name, SPIKES_5M.live


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The archive of a simulated market."""
    place = tmp_path_factory.mktemp("market") / "archive"
    market = SimulatedMarket(PRESETS["market"], [PRODUCT], 1, START_S * NS_PER_S)
    writer = ArchiveWriter(place)
    writer.write(Opening(connection="simulated", dialect=Dialect.EXCHANGE))
    for frame in market.advance(HOURS * 3600):
        writer.write(Heard(frame, Dialect.EXCHANGE))
    writer.close()
    return place


def answer(*words):
    return json.loads(Life(*words, "--json").answer())


def taken(log, topic, decode):
    """The records of a topic by second."""
    made = [decode.of(each) for each in browse.last(log, topic, HOURS * 3600)]
    return {each.second: each for each in made}


def agrees(forecast, rows):
    """A forecast's value now, and the one that comes due with the row a horizon later."""
    now, later = (rows.get(forecast.second + ahead) for ahead in (0, LIVE.horizon_s))
    place = LIVE.places[LIVE.value_now]
    assert (forecast.value_now, forecast.horizon_s) == (now.values[place], 300)
    return later is not None and later.values[place] is not None


@pytest.mark.slow
def test_a_case_of_another_horizon_is_trained_and_forecasts_beside_the_minute(archive, tmp_path):
    place = ("--home", tmp_path)
    Life("replay", archive, *place).answer()
    of_case = ("--case", CASE, *place)
    made = answer("dataset", *of_case)
    assert (made["case"], made["horizon_s"]) == (CASE, 300)
    assert answer("dataset", *place)["data_hash"] == made["data_hash"]
    report = answer("train", *of_case, "--candidates", "ridge", "--folds", "2", "--no-control")
    assert report["model"]["version"] == 1
    Life("models", "promote", "1", *of_case).answer()
    listed = answer("models", "list", *of_case)
    assert [each["version"] for each in listed["versions"]] == [1]
    answer("score", *of_case)

    with closing(open_log(tmp_path)) as log:
        rows = taken(log, FEATURES, codec.decode_row)
        forecasts = taken(log, LIVE.predictions, codec.decode_prediction)
        of_a_minute = taken(log, PREDICTIONS, codec.decode_prediction)
    assert forecasts.keys() == of_a_minute.keys() == rows.keys()
    known = [each for each in forecasts.values() if each.probability is not None]
    assert {each.model for each in known} == {f"{CASE}/1"}
    assert {each.tau for each in known} == {report["model"]["tau"][PRODUCT]}
    assert sum(agrees(each, rows) for each in known) > HOURS * 3600 / 2
    assert {each.horizon_s for each in of_a_minute.values()} == {SPIKES.horizon_s}

    with served(tmp_path, cases=(SPIKES, *HORIZONS)) as client:
        until(lambda: client.get(f"/v1/cases/{CASE}/predictions/{PRODUCT}").status == 200)
        newest = client.get(f"/v1/cases/{CASE}/predictions/{PRODUCT}").json
        last = forecasts[max(forecasts)]
        assert (newest["case"], newest["horizon_s"]) == (CASE, 300)
        assert newest["probability"] == last.probability  # exact: the same number, served
        assert newest["matured"]["outcome"] == (last.value_now >= known[-1].tau)
        assert math.isclose(newest["share_of_tau"], last.value_now / last.tau)
        until(lambda: client.get("/health").json["cases"].keys() == {SPIKES.name, CASE})
        of_case = client.get("/health").json["cases"][CASE]
        assert (of_case["lag"], of_case["problems"]) == ({f"{CASE}-scorer": 0}, [])
