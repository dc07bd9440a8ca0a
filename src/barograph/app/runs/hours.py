"""The cases of hours beside a live feed: candles of its ticks, their rows, and forecasts."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from barograph.app.settings import Settings
from barograph.app.wiring import candle_stages, stages
from barograph.errors import RegistryError
from barograph.pipeline.beside import Beside, Job
from barograph.pipeline.candle_stages import CandleStages
from barograph.pipeline.worker import Tally, Until
from barograph.registry.registry import Registry

if TYPE_CHECKING:  # compiled features, loaded where one of them has a champion
    from barograph.cases.case import Case


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


NAMES = ("hourly", "hourly-6h", "hourly-24h")


def cases_with_champion(settings: Settings, warn: Callable[[str], None]) -> "list[Case]":
    """The cases of hours that have a champion; with any of them `hourly`, which makes their rows.

    A registry that cannot be read is a warning and has none, as a feed goes on without one.
    """
    registry = Registry(settings.home)
    try:
        names = [name for name in NAMES if registry.champion_version(name) is not None]
    except RegistryError as error:
        warn(f"no forecast of hours before the next start: {error}")
        return []
    if not names:
        return []
    from barograph.cases.hourly import HOURLY, HOURLY_6H, HOURLY_24H  # noqa: PLC0415 - see above

    return [case for case in (HOURLY, HOURLY_6H, HOURLY_24H) if case.name in {*names, HOURLY.name}]


def beside(
    settings: Settings,
    address: str | Path,
    cases: "Sequence[Case]",
    warn: Callable[[str], None],
) -> Beside:
    """Candles, their checks, rows and forecasts of these cases, in a thread each; none for none."""
    if not cases:
        return Beside([], warn)
    candles = candle_stages(settings, address, warn, patient=True)
    jobs: list[Job] = [
        ("candles of ticks are made no more", candles.candles),
        ("candles of ticks are compared no more", candles.checks),
    ]
    for case in cases:
        of_case = stages(settings, address, case, warn, patient=True)
        if of_case.live.machine is not None:
            jobs.append((f"case {case.name}: rows are made no more", of_case.featurize))
        jobs.append((f"case {case.name}: forecasts are made no more", of_case.score))
    return Beside(jobs, warn)
