"""What a running verb logs: events with their facts, for people or for machines.

A line says when (UTC), how grave, what happened, and the facts that the metrics count. As JSON each
line is an object with `time`, `level` and `event`, and a member for each fact.
"""

import math
import os
import time
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Literal, TextIO

from barograph import __version__, telemetry
from barograph.app.service_manager import ServiceManager
from barograph.foreign import one_line

Form = Literal["console", "json"]


STATUS_EVERY_S = 60.0
_LOOK_EVERY_S = 1.0


class Journal:
    """The events of one process, as lines of a stream. Thread-safe.

    quiet: write warnings only.
    """

    def __init__(self, form: Form, stream: TextIO, *, quiet: bool = False) -> None:
        import structlog  # noqa: PLC0415 - slow to import, and only what runs for long logs

        written: list[Any] = [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.JSONRenderer() if form == "json" else _for_people,
        ]
        lowest = "warning" if quiet else "info"
        self._logger = structlog.wrap_logger(
            structlog.WriteLogger(stream),
            processors=written,
            wrapper_class=structlog.make_filtering_bound_logger(lowest),
        ).bind()

    def note(self, event: str, /, **facts: object) -> None:
        """Log an event that is as it should be, with its facts; units stand in their names."""
        self._logger.info(event, **facts)

    def alarm(self, event: str, /, **facts: object) -> None:
        """Log an event that somebody should look at, with its facts."""
        self._logger.warning(event, **facts)

    def warn(self, text: str) -> None:
        """Log and count a warning in words."""
        telemetry.WARNINGS.add(1)
        self._logger.warning(one_line(text))


def _for_people(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    time, level, what = event.pop("time"), event.pop("level"), event.pop("event")
    facts = [f"{name}={_shown(fact)}" for name, fact in event.items() if fact is not None]
    return "  ".join([f"{time[:19]}Z", f"{level:<7}", " ".join([what, *facts])])


def _shown(fact: object) -> str:
    if isinstance(fact, Mapping):
        return ",".join(f"{one_line(name)}:{_shown(each)}" for name, each in fact.items()) or "none"
    if isinstance(fact, list | tuple):
        return ",".join(map(_shown, fact)) or "none"
    if isinstance(fact, float):
        return f"{fact:.6g}"
    text = one_line(fact)
    return f'"{text}"' if " " in text else text


class Events:
    """What happens in a running verb, for its log lines; without a journal nothing is written.

    metrics: where the metrics are served, empty for nowhere. manager: the service manager that is
    told of the data that comes. Not thread-safe, but for `note`.
    """

    def __init__(
        self,
        verb: str = "",
        journal: Journal | None = None,
        *,
        metrics: str = "",
        manager: ServiceManager | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verb, self._journal, self._metrics = verb, journal, metrics
        self._manager, self._look_s = manager, -math.inf
        self._monotonic = monotonic
        self._next_s = monotonic() + STATUS_EVERY_S

    @property
    def logged(self) -> bool:
        """Whether events are written."""
        return self._journal is not None

    def started(self, home: Path, log: str | Path, **facts: object) -> None:
        """Log what runs and where; facts: what else is known of it."""
        metrics = {"metrics": self._metrics} if self._metrics else {}
        self.note(
            "started",
            verb=self._verb,
            version=__version__,
            pid=os.getpid(),
            home=str(home.absolute()),
            log=str(log),
            **metrics,
            **facts,
        )

    def starting(self, home: Path, log: str | Path, **facts: object) -> Callable[..., None]:
        """Return a `note` that logs the start before its first event, as `started` does.

        What cannot start has nothing to log but its error.
        """
        begun = False

        def note(event: str, /, **of_event: object) -> None:
            nonlocal begun
            if not begun:
                begun = True
                self.started(home, log, **facts)
            self.note(event, **of_event)

        return note

    def note(self, event: str, /, **facts: object) -> None:
        """Log an event with its facts."""
        if self._journal is not None:
            self._journal.note(event, **facts)

    def alarm(self, event: str, /, **facts: object) -> None:
        """Log an event that somebody should look at, with its facts."""
        if self._journal is not None:
            self._journal.alarm(event, **facts)

    def status(self, facts: Callable[[], Mapping[str, object]]) -> None:
        """Log a status line once a minute; call it as often as is convenient.

        The service manager is told once a second whether `ticks` or `heartbeats` have grown.
        """
        if self._manager is not None and self._monotonic() >= self._look_s:
            self._look_s = self._monotonic() + _LOOK_EVERY_S
            now = facts()
            self._manager.look(now.get("ticks"), now.get("heartbeats"))
        if self._journal is not None and self._monotonic() >= self._next_s:
            self._next_s = self._monotonic() + STATUS_EVERY_S
            self._journal.note("status", **facts())
