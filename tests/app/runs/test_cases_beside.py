"""Other cases beside a feed: those with a champion, what they forecast, and alerts on it."""

import shutil
from contextlib import closing
from threading import enumerate as threads

import msgspec
import pytest

from barograph import codec
from barograph.app.runs.cases_beside import CasesBeside, cases_with_champion
from barograph.app.settings import Settings
from barograph.candle_records import Candle
from barograph.cases.spikes import SPIKES_5M
from barograph.feature_set.hourly.catalogue import FEATURE_SET_HASH
from barograph.log import browse, open_log
from barograph.log.topics import (
    CANDLE_PREDICTIONS,
    CANDLES,
    FEATURES,
    PREDICTIONS,
    ensure_candle_topics,
    ensure_topics,
)
from barograph.registry.registry import Registry
from barograph.types import Message
from registered_models import facts_of, graph
from scored_rows import row
from waiting import until


@pytest.fixture
def settings(made_home, tmp_path):
    shutil.copytree(made_home, tmp_path, dirs_exist_ok=True)
    return Settings(home=tmp_path)


HOURLY = {"feature_set": FEATURE_SET_HASH, "features": ("gk_vol_1h", "gk_vol_6h")}


CANDLE = Candle(
    product="BTC-USD", start_s=1_700_002_800, open="1", high="2", low="1", close="2",
    volume="1", source="file",
)  # fmt: skip


def promote(settings, case, **facts):
    registry, onnx = Registry(settings.home), graph()
    registry.register(case, onnx, facts_of(onnx, case=case, **facts))
    registry.promote(case, 1, "for a test")


def candle_threads():
    return sum(each.name.startswith("candles of ticks are made") for each in threads())


def names(settings):
    return [case.name for case in cases_with_champion(settings)]


def test_without_a_champion_there_is_nothing_beside(tmp_path):
    settings = Settings(home=tmp_path)
    assert names(settings) == []
    with CasesBeside(settings, tmp_path, pytest.fail) as beside:
        beside.look()
        assert beside.running == frozenset()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_case_is_taken_up_when_it_gets_its_first_champion(settings):
    """With the case that makes its rows; and what it forecasts is watched for alerts."""
    with closing(open_log(settings.home)) as log:
        ensure_candle_topics(log)
        log.append([Message(CANDLES, CANDLE.product, msgspec.json.encode(CANDLE))])
        with CasesBeside(settings, settings.home, pytest.fail, look_s=0.05) as beside:
            promote(settings, "hourly-6h", **HOURLY)
            until(lambda: beside.running == {"hourly", "hourly-6h"})
            topics = (f"{CANDLE_PREDICTIONS}.6h", CANDLE_PREDICTIONS)
            until(lambda: {*topics} <= {each.name for each in log.topics()})
            until(lambda: all(browse.last(log, topic, 1) for topic in topics))
            promote(settings, "hourly", **HOURLY)
            beside.look()
            assert beside.running == {"hourly", "hourly-6h"}
        beside.look()
        assert sum(log.positions("hourly-6h-alerts", topics[0]).values()) == 1


@pytest.mark.slow
def test_hours_are_watched_on_a_log_that_has_no_candles_yet(settings):
    """What reads them begins before what makes them."""
    promote(settings, "hourly", **HOURLY)
    with (
        closing(open_log(settings.home)) as log,
        CasesBeside(settings, settings.home, pytest.fail) as beside,
    ):
        assert beside.running == {"hourly"}
        until(lambda: CANDLES in {each.name for each in log.topics()})
        log.append([Message(CANDLES, CANDLE.product, msgspec.json.encode(CANDLE))])
        until(lambda: CANDLE_PREDICTIONS in {each.name for each in log.topics()})
        until(lambda: browse.last(log, CANDLE_PREDICTIONS, 1))
        until(lambda: sum(log.positions("hourly-alerts", CANDLE_PREDICTIONS).values()) == 1)


@pytest.mark.slow
def test_another_horizon_forecasts_from_the_rows_that_are_there(settings):
    live = SPIKES_5M.live
    with closing(open_log(settings.home)) as log:
        ensure_topics(log)
        log.append([Message(FEATURES, "BTC-USD", codec.encode(row(100 + n))) for n in range(10)])
        promote(settings, SPIKES_5M.name, horizon_s=300)
        with CasesBeside(settings, settings.home, pytest.fail) as beside:
            assert beside.running == {SPIKES_5M.name}
            until(lambda: live.predictions in {each.name for each in log.topics()})
            until(lambda: len(browse.last(log, live.predictions, 20)) == 10)
            made = [
                codec.decode_prediction.of(each) for each in browse.last(log, live.predictions, 9)
            ]
            assert {(each.model, each.horizon_s) for each in made} == {("spikes-5m/1", 300)}
            until(lambda: log.positions("spikes-5m-alerts", live.predictions))
            assert candle_threads() == 0
            assert not browse.last(log, PREDICTIONS, 1), "the champion of a minute is another job"
            ensure_candle_topics(log)
            promote(settings, "hourly", **HOURLY)
            beside.look()
            assert beside.running == {SPIKES_5M.name, "hourly"}
            assert candle_threads() == 1


def test_a_registry_that_cannot_be_read_is_a_warning_for_each_cause(tmp_path):
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "mlflow.db").write_bytes(b"no database" * 100)
    warnings = []
    with CasesBeside(Settings(home=tmp_path), tmp_path, warnings.append) as beside:
        beside.look()
        assert beside.running == frozenset()
    assert len(warnings) == 1
    assert "while the registry cannot be read" in warnings[0]
