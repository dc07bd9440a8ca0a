"""Workers of alerts beside a pipeline: one for each series, and one for the health samples.

Each is a thread with a log of its own. They are no part of the path from tick to prediction: what
one of them dies of is reported, and all others go on.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from barograph.cases.live_series import LiveSeries
from barograph.deadline import Deadline
from barograph.log import Log
from barograph.log.topics import ALERT_LETTERS, ALERTS, HEALTH, ensure_alert_topics
from barograph.machine import Machine
from barograph.pipeline.alerts import PredictionAlerts, Series
from barograph.pipeline.beside import Beside, Job
from barograph.pipeline.case_topics import ensure_series
from barograph.pipeline.counted import count_alerts
from barograph.pipeline.health_alerts import HealthAlerts, HealthRule
from barograph.pipeline.stage_ground import Ground
from barograph.pipeline.worker import Route, Tally, Until

STAMP = "alerted_time_ns"
"""The header in which the time of work stands."""

_LINGER_S = 0.02
"""The predictions that an alert is made of go to their readers first."""


def alert_route(live: LiveSeries) -> Route:
    """The route from the predictions of a series to `alerts`."""
    return Route(
        group=f"{live.group_prefix}alerts",
        source=live.predictions,
        target=ALERTS,
        dead_letters=live.dead_letters,
        stamp=STAMP,
        count=count_alerts,
        linger_s=_LINGER_S,
    )


def health_route() -> Route:
    """The route from the health samples to `alerts`."""
    return Route(
        group="health-alerts",
        source=HEALTH,
        target=ALERTS,
        dead_letters=ALERT_LETTERS,
        stamp=STAMP,
        count=count_alerts,
        linger_s=_LINGER_S,
    )


class WatchedSeries(msgspec.Struct, frozen=True, kw_only=True):
    """A series whose predictions are watched, and what its alerts say of it."""

    live: LiveSeries
    series: Series


class AlertPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched in which log, and by which rules.

    `release` and `after_s` are those of the AlertMachine. `retry_s` is how long a worker pauses
    that cannot work.
    """

    address: str | Path
    series: Sequence[WatchedSeries]
    rules: Sequence[HealthRule]
    release: float
    after_s: float
    lease_s: float = 30.0
    retry_s: float = 1.0

    def predictions(
        self, watched: WatchedSeries, until: Until, warn: Callable[[str], None]
    ) -> Tally:
        """Make alerts of the predictions of one series until stopped."""

        def machine() -> PredictionAlerts:
            return PredictionAlerts(watched.series, release=self.release, after_s=self.after_s)

        return self._work(
            alert_route(watched.live),
            machine,
            until,
            warn,
            lambda log: ensure_series(log, watched.live),
        )

    def health(self, until: Until, warn: Callable[[str], None]) -> Tally:
        """Make alerts of the health samples until stopped."""
        return self._work(health_route(), lambda: HealthAlerts(self.rules), until, warn)

    def _work(
        self,
        route: Route,
        new_machine: Callable[[], Machine],
        until: Until,
        warn: Callable[[str], None],
        ensure: Callable[[Log], object] = lambda _log: None,
    ) -> Tally:
        def ensure_all(log: Log) -> None:
            ensure(log)
            ensure_alert_topics(log)

        ground = Ground(
            self.address, ensure_all, warn, lease_s=self.lease_s, patient=True, retry_s=self.retry_s
        )
        return ground.work(route, new_machine, until)


class AlertWorkers(Beside):
    """The workers of a plan as threads."""

    def __init__(
        self, plan: AlertPlan, warn: Callable[[str], None], deadline: Deadline | None = None
    ) -> None:
        jobs: list[Job] = [(_ended("health"), partial(plan.health, warn=warn))]
        super().__init__([*jobs, *prediction_jobs(plan, warn)], warn, deadline)


def prediction_jobs(plan: AlertPlan, warn: Callable[[str], None]) -> list[Job]:
    """The work of a plan on the predictions of each of its series."""
    return [
        (_ended(each.series.case), partial(plan.predictions, each, warn=warn))
        for each in plan.series
    ]


def _ended(name: str) -> str:
    return f"alerts of {name}: nobody watches any more"
