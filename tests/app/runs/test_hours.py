"""Cases of hours beside a feed: those with a champion, and the stages of their candles."""

import shutil
from contextlib import closing

import pytest

from barograph.app.runs import hours
from barograph.app.settings import Settings
from barograph.app.wiring import candle_stages
from barograph.errors import LogUnavailableError
from barograph.log import open_log
from barograph.log.topics import TICKS, ensure_topics
from barograph.pipeline.worker import Tally, when_idle
from barograph.registry.registry import Registry
from barograph.types import Message
from registered_models import facts_of, graph


@pytest.fixture
def settings(made_home, tmp_path):
    shutil.copytree(made_home, tmp_path, dirs_exist_ok=True)
    return Settings(home=tmp_path)


def promote(settings, case):
    registry, onnx = Registry(settings.home), graph()
    registry.register(case, onnx, facts_of(onnx, case=case))
    registry.promote(case, 1, "for a test")


def names(settings, warn=pytest.fail):
    return [case.name for case in hours.cases_with_champion(settings, warn)]


def test_without_a_champion_there_is_nothing_beside(tmp_path):
    settings = Settings(home=tmp_path)
    assert names(settings) == []
    with hours.beside(settings, tmp_path, [], pytest.fail) as workers:
        workers.check()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_case_with_a_champion_comes_with_the_one_that_makes_its_rows(settings):
    promote(settings, "hourly-6h")
    assert names(settings) == ["hourly", "hourly-6h"]
    promote(settings, "hourly")
    assert names(settings) == ["hourly", "hourly-6h"]


def test_a_registry_that_cannot_be_read_is_a_warning(tmp_path):
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "mlflow.db").write_bytes(b"no database" * 100)
    warnings = []
    assert names(Settings(home=tmp_path), warnings.append) == []
    assert len(warnings) == 1


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
