"""What every stage stands on: a handle of its own on a log, with the topics that it needs."""

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from barograph.log import Log, open_log
from barograph.pipeline.stage_outage import through_outages
from barograph.pipeline.worker import M, Route, Tally, Until, work


class Ground(NamedTuple):
    """A log's address, what makes the topics of a stage there, and how it works.

    batch_records: how many records are polled at most for one commit. patient: wait for a log that
    is unavailable, and try it every `retry_s` seconds; otherwise `work` raises LogUnavailableError.
    wait_s: how long a poll waits for records, and so how late at most the end of them shows.
    """

    address: str | Path
    ensure: Callable[[Log], object]
    warn: Callable[[str], None]
    lease_s: float
    patient: bool
    batch_records: int = 5000
    retry_s: float = 1.0
    wait_s: float = 0.25

    def work(
        self,
        route: Route,
        new_machine: Callable[[], M],
        until: Until,
        before_poll: Callable[[Iterable[Any]], None] | None = None,
    ) -> Tally:
        """Run a stage until stopped, on a handle that is closed at its end."""

        def once(until: Until) -> Tally:
            with closing(open_log(self.address, lease_s=self.lease_s)) as log:
                self.ensure(log)
                return work(
                    log,
                    route,
                    new_machine,
                    clock_ns=time.time_ns,
                    until=until,
                    before_poll=before_poll,
                    limit=self.batch_records,
                    timeout_s=self.wait_s,
                    warn=self.warn,
                )

        return self._through(once, until, route.group)

    def prepare(self, until: Until, stage: str) -> None:
        """Make the topics there, and nothing else. stage: who waits for the log, in warnings."""

        def once(_until: Until) -> Tally:
            with closing(open_log(self.address, lease_s=self.lease_s)) as log:
                self.ensure(log)
            return Tally()

        self._through(once, until, stage)

    def _through(self, once: Callable[[Until], Tally], until: Until, stage: str) -> Tally:
        if not self.patient:
            return once(until)
        return through_outages(once, until, self.warn, stage, retry_s=self.retry_s)
