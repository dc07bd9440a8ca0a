"""Candles of a log's ticks and their checks, side by side or one after the other."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from barograph.pipeline.candle_stages import CandleStages
from barograph.pipeline.worker import Tally, Until


class CandlesMade(msgspec.Struct, frozen=True, kw_only=True):
    """What was made of the ticks of a log, and what was compared.

    `candles` took records of ticks and made candles; `checks` took candles and made a check for
    each hour that both the ticks and a service have.
    """

    candles: Tally
    checks: Tally


def made(stages: CandleStages, until: Until, *, side_by_side: bool) -> CandlesMade:
    """Run both stages of candles until stopped, one after the other.

    side_by_side: at once, until the first of them ends.
    """
    if not side_by_side:
        candles = stages.candles(until)
        return CandlesMade(candles=candles, checks=stages.checks(until))
    ended = threading.Event()

    def work(stage: Callable[[Until], Tally]) -> Tally:
        try:
            return stage(lambda tally, idle: ended.is_set() or until(tally, idle))
        finally:
            ended.set()

    with ThreadPoolExecutor(1, "checks") as thread:
        checking = thread.submit(work, stages.checks)
        candles = work(stages.candles)
        return CandlesMade(candles=candles, checks=checking.result())
