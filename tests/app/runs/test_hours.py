"""Cases of hours beside a feed: those with a champion, and the stages of their candles."""

import shutil
from contextlib import closing

import msgspec
import pytest

from barograph.app.runs import hours
from barograph.app.settings import Settings
from barograph.app.wiring import candle_stages
from barograph.candle_records import Candle
from barograph.errors import LogUnavailableError
from barograph.feature_set.hourly.catalogue import FEATURE_SET_HASH
from barograph.log import browse, open_log
from barograph.log.topics import (
    CANDLE_PREDICTIONS,
    CANDLES,
    TICKS,
    ensure_candle_topics,
    ensure_topics,
)
from barograph.pipeline.worker import Tally, when_idle
from barograph.registry.registry import Registry
from barograph.types import Message
from registered_models import facts_of, graph
from waiting import until


@pytest.fixture
def settings(made_home, tmp_path):
    shutil.copytree(made_home, tmp_path, dirs_exist_ok=True)
    return Settings(home=tmp_path)


def promote(settings, case):
    registry, onnx = Registry(settings.home), graph()
    hourly = {"feature_set": FEATURE_SET_HASH, "features": ("gk_vol_1h", "gk_vol_6h")}
    registry.register(case, onnx, facts_of(onnx, case=case, **hourly))
    registry.promote(case, 1, "for a test")


def names(settings):
    return [case.name for case in hours.cases_with_champion(settings)]


def test_without_a_champion_there_is_nothing_beside(tmp_path):
    settings = Settings(home=tmp_path)
    assert names(settings) == []
    with hours.HoursBeside(settings, tmp_path, pytest.fail) as beside:
        beside.look()
        assert beside.running == frozenset()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_case_is_taken_up_when_it_gets_its_first_champion(settings):
    """With the case that makes its rows; and what it forecasts is watched for alerts."""
    candle = Candle(
        product="BTC-USD", start_s=1_700_002_800, open="1", high="2", low="1", close="2",
        volume="1", source="file",
    )  # fmt: skip
    with closing(open_log(settings.home)) as log:
        ensure_candle_topics(log)
        log.append([Message(CANDLES, candle.product, msgspec.json.encode(candle))])
        with hours.HoursBeside(settings, settings.home, pytest.fail, look_s=0.05) as beside:
            promote(settings, "hourly-6h")
            until(lambda: beside.running == {"hourly", "hourly-6h"})
            topics = (f"{CANDLE_PREDICTIONS}.6h", CANDLE_PREDICTIONS)
            until(lambda: {*topics} <= {each.name for each in log.topics()})
            until(lambda: all(browse.last(log, topic, 1) for topic in topics))
            promote(settings, "hourly")
            beside.look()
            assert beside.running == {"hourly", "hourly-6h"}
        beside.look()
        assert sum(log.positions("hourly-6h-alerts", topics[0]).values()) == 1


def test_a_registry_that_cannot_be_read_is_a_warning_for_each_cause(tmp_path):
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "mlflow.db").write_bytes(b"no database" * 100)
    warnings = []
    with hours.HoursBeside(Settings(home=tmp_path), tmp_path, warnings.append) as beside:
        beside.look()
        assert beside.running == frozenset()
    assert len(warnings) == 1
    assert "while the registry cannot be read" in warnings[0]


@pytest.mark.parametrize("side_by_side", [False, True])
def test_both_stages_run_until_stopped(tmp_path, side_by_side):
    with closing(open_log(tmp_path)) as log:
        ensure_topics(log)
        log.append([Message(TICKS, "BTC-USD", b"{")])
    stages = candle_stages(Settings(home=tmp_path), tmp_path, pytest.fail)

    def candles_are_idle(tally, idle):
        return idle and tally.assigned == 3  # candles.raw has one partition

    ends = candles_are_idle if side_by_side else when_idle
    done = hours.made(stages, ends, side_by_side=side_by_side)
    assert (done.candles.records, done.candles.dead_letters) == (1, 1)
    assert done.checks.records == 0


@pytest.mark.parametrize("fails", ["candles", "checks"])
def test_what_one_stage_raises_ends_the_other(fails):
    class Stages:
        def _work(self, name, until):
            if name == fails:
                raise LogUnavailableError("log.db", "it is gone")
            while not until(Tally(), False):  # noqa: FBT003 - as a worker calls it
                pass
            return Tally()

        def candles(self, until):
            return self._work("candles", until)

        def checks(self, until):
            return self._work("checks", until)

    with pytest.raises(LogUnavailableError):
        hours.made(Stages(), lambda _tally, _idle: False, side_by_side=True)
