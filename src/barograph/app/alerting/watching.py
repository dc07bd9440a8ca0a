"""All that watches a log and sends its alerts, beside whatever writes it."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from barograph.app.alerting.drift_measures import DriftMeasures
from barograph.app.alerting.plans import alert_plan, sending_plan
from barograph.app.alerting.sender import Sent
from barograph.app.alerting.senders import Senders
from barograph.app.alerting.sink import Sink
from barograph.app.registries import registry_of
from barograph.app.settings import Settings
from barograph.cases.case import live_of
from barograph.cases.live_series import LiveSeries
from barograph.deadline import Deadline
from barograph.pipeline.alert_workers import AlertWorkers
from barograph.pipeline.backlog import worked_off
from barograph.pipeline.monitor import Begins, Measured, Monitor, at_once

_LOOK_S = 0.25

if TYPE_CHECKING:  # every caller has imported it
    from barograph.cases.case import Case


class Watching(NamedTuple):
    """What runs beside a log: who sends its alerts, who makes them, and who measures it."""

    senders: Senders
    workers: AlertWorkers
    monitors: Sequence[Monitor]

    def check(self) -> None:
        """Raise RemovedError if the log was removed."""
        self.workers.check()
        for monitor in self.monitors:
            monitor.check()


@contextmanager
def watching(  # noqa: PLR0913 - the log, what is watched in it, and who hears of it
    settings: Settings,
    address: str | Path,
    cases: "Sequence[Case]",
    sinks: Sequence[Sink],
    warn: Callable[[str], None],
    *,
    measured: tuple[Measured, ...] = (),
    link: str | None = None,
    after_backlog: bool = False,
    deadline: Deadline | None = None,
) -> Iterator[Watching]:
    """Monitor, alert workers and senders in threads of their own while the `with` block runs.

    measured: more measures for the monitor of the first case. link: of the page, instead of the
    setting's. after_backlog: do not measure before the case has worked off what passed before its
    feed began. deadline: by when all of them have ended. Raises BadInputError for a case
    that is no series.
    """
    with ExitStack() as stack:  # the monitors end first, the senders last
        sending = sending_plan(settings, address, link)
        senders = stack.enter_context(Senders(sinks, sending, warn, deadline))
        plan = alert_plan(settings, address, cases)
        workers = stack.enter_context(AlertWorkers(plan, warn, deadline))
        monitors = [
            stack.enter_context(
                Monitor(
                    address,
                    live_of(case),
                    warn,
                    measured=(
                        *(measured if number == 0 else ()),
                        _drift(stack, settings, address, case, warn, deadline),
                    ),
                    champion=partial(
                        registry_of(settings, last_known=True).champion_label, case.name
                    ),
                    every_s=settings.health_every_s,
                    source=f"monitor-{case.name}",
                    begins=_worked_off(live_of(case)) if after_backlog else at_once,
                    deadline=deadline,
                )
            )
            for number, case in enumerate(cases)
        ]
        yield Watching(senders, workers, monitors)


def _worked_off(live: LiveSeries) -> Begins:
    return lambda log, now_ns: worked_off(log, live, now_ns)


def _drift(  # noqa: PLR0913 - what `watching` was given
    stack: ExitStack,
    settings: Settings,
    address: str | Path,
    case: "Case",
    warn: Callable[[str], None],
    deadline: Deadline | None,
) -> Measured:
    """The drift of a case as its monitor measures it, until the stack ends."""
    registry = registry_of(settings, last_known=True)
    drift = DriftMeasures(address, registry, case, warn, deadline)
    stack.callback(drift.close)
    return drift.measure


class AlertsSent(msgspec.Struct, frozen=True, kw_only=True):
    """What `barograph alerts run` did in `seconds`: by sink, what was sent and what was not."""

    seconds: float
    sent: dict[str, Sent]


def run(  # noqa: PLR0913 - the log, what is watched in it, and for how long
    settings: Settings,
    address: str | Path,
    cases: "Sequence[Case]",
    sinks: Sequence[Sink],
    stop: threading.Event,
    warn: Callable[[str], None],
    *,
    seconds: float | None = None,
) -> AlertsSent:
    """Watch and send until `stop` is set, or for so many seconds.

    Raises RemovedError where the log is removed, and what a worker dies of: without it nothing
    would be watched.
    """
    started_s = time.monotonic()
    ends_s = math.inf if seconds is None else started_s + seconds
    with watching(settings, address, cases, sinks, warn) as parts:
        while time.monotonic() < ends_s and not stop.wait(min(_LOOK_S, seconds or _LOOK_S)):
            parts.check()
            if parts.workers.failed is not None:
                break
    if parts.workers.failed is not None:
        raise parts.workers.failed
    seconds = round(time.monotonic() - started_s, 3)
    return AlertsSent(seconds=seconds, sent=parts.senders.sent)
