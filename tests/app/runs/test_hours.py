"""Candles of ticks and their checks: both stages, and what ends them."""

from contextlib import closing

import pytest

from barograph.app.runs import hours
from barograph.app.settings import Settings
from barograph.app.wiring import candle_stages
from barograph.errors import LogUnavailableError
from barograph.log import open_log
from barograph.log.topics import TICKS, ensure_topics
from barograph.pipeline.worker import Tally, when_idle
from barograph.types import Message


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
