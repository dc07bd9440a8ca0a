"""Cases beside a live feed: other horizons on its rows, and hours from candles of its ticks."""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from barograph.app.alerting.plans import alert_plan
from barograph.app.registries import registry_of
from barograph.app.settings import Settings
from barograph.app.wiring import candle_stages, stages
from barograph.cases.case import live_of
from barograph.cases.spikes import HORIZONS
from barograph.deadline import WATCHED, Deadline
from barograph.errors import RegistryError
from barograph.log.topics import CANDLES
from barograph.pipeline.alert_workers import prediction_jobs
from barograph.pipeline.beside import Beside, Job
from barograph.pipeline.side_threads import SideThreads
from barograph.pipeline.worker import Until

if TYPE_CHECKING:
    from barograph.cases.case import Case

LOOK_S = 5.0
"""Seconds between two looks for a champion of another case."""

_JOIN_S = 2.0


_HOURS = ("hourly", "hourly-6h", "hourly-24h")


def cases_with_champion(settings: Settings) -> "list[Case]":
    """The cases of other horizons that have a champion, then those of hours.

    With any case of hours comes `hourly`, which makes their rows. Raises RegistryError.
    """
    registry = registry_of(settings, last_known=True)
    names = {
        name
        for name in (*(case.name for case in HORIZONS), *_HOURS)
        if registry.champion_version(name) is not None
    }
    found = [case for case in HORIZONS if case.name in names]
    if names.isdisjoint(_HOURS):
        return found
    # Compiled features, loaded where one of them has a champion.
    from barograph.cases.hourly import HOURLY, HOURLY_6H, HOURLY_24H  # noqa: PLC0415 - see above

    hours = (HOURLY, HOURLY_6H, HOURLY_24H)
    return found + [case for case in hours if case.name in {*names, HOURLY.name}]


class CasesBeside:
    """Other cases beside a feed, each from its first champion on, while a `with` block runs.

    Forecasts and the alerts on them have a thread each, and so have, for hours, candles of the
    log's ticks, their checks and rows; while no case has a champion there are none.
    look_s: seconds between two looks for one. deadline: by when all have ended.
    A registry that cannot be read is a warning, once for each cause, and looked at again.
    """

    def __init__(
        self,
        settings: Settings,
        address: str | Path,
        warn: Callable[[str], None],
        look_s: float = LOOK_S,
        deadline: Deadline | None = None,
    ) -> None:
        self._deadline = deadline or Deadline()
        self._settings, self._address, self._warn, self._look_s = settings, address, warn, look_s
        self._running: set[str] = set()
        self._candles = candle_stages(settings, address, warn, patient=True)
        self._makes_candles = False
        self._turn, self._stop = threading.Lock(), threading.Event()
        self._workers, self._refused = ExitStack(), ""
        self._looking = SideThreads(
            [("no other case is taken up before the next start", self._keep_looking)], warn
        )

    def __enter__(self) -> Self:
        """Start what has a champion, and the thread that looks for more, and return self."""
        self.look()
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the forecasts, then the alerts on them."""
        self._stop.set()
        with self._turn:
            self._workers.close()
        self._looking.join(self._deadline.left_s(_JOIN_S, WATCHED))

    @property
    def running(self) -> frozenset[str]:
        """Names of the cases that were taken up."""
        return frozenset(self._running)

    def look(self) -> None:
        """Take up the cases that have a champion and do not run yet."""
        with self._turn:
            if self._stop.is_set():
                return
            try:
                found = cases_with_champion(self._settings)
            except RegistryError as error:
                if str(error) != self._refused:
                    self._warn(
                        f"no forecast of another case while the registry cannot be read: {error}"
                    )
                self._refused = str(error)
                return
            self._refused = ""
            if new := [case for case in found if case.name not in self._running]:
                for jobs in (self._alerts(new), self._stages(new)):
                    self._workers.enter_context(Beside(jobs, self._warn, self._deadline))
                self._running |= {case.name for case in new}

    def _keep_looking(self) -> None:
        while not self._stop.wait(self._look_s):
            self.look()

    def _alerts(self, cases: "Sequence[Case]") -> list[Job]:
        plan = alert_plan(self._settings, self._address, cases)
        jobs = zip(cases, prediction_jobs(plan, self._warn), strict=True)
        return [(report, self._prepared(case, work)) for case, (report, work) in jobs]

    def _stages(self, cases: "Sequence[Case]") -> list[Job]:
        settings, address, warn = self._settings, self._address, self._warn
        jobs: list[Job] = []
        hours = any(live_of(case).source == CANDLES for case in cases)
        if hours and not self._makes_candles:
            self._makes_candles = True
            jobs += [
                ("candles of ticks are made no more", self._candles.candles),
                ("candles of ticks are compared no more", self._candles.checks),
            ]
        for case in cases:
            of_case = stages(settings, address, case, warn, patient=True)
            if of_case.live.machine is not None:
                work = self._prepared(case, of_case.featurize)
                jobs.append((f"case {case.name}: rows are made no more", work))
            work = self._prepared(case, of_case.score)
            jobs.append((f"case {case.name}: forecasts are made no more", work))
        return jobs

    def _prepared(self, case: "Case", work: Callable[[Until], object]) -> Callable[[Until], object]:
        """The work of a case, for hours behind the topic of candles, which a log may lack yet."""
        if live_of(case).source != CANDLES:
            return work

        def prepared(until: Until) -> None:
            self._candles.prepare(until)
            work(until)

        return prepared
