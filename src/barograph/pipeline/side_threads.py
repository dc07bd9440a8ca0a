"""Threads beside a pipeline that nothing depends on: what one dies of is reported, others go on."""

import threading
import time
from collections.abc import Callable, Iterable

from barograph.errors import BarographError, RemovedError
from barograph.foreign import one_line


class SideThreads:
    """Runs each of `works` in a thread of its own.

    works: each with what is reported, before the cause, when it raises.
    """

    def __init__(
        self, works: Iterable[tuple[str, Callable[[], object]]], warn: Callable[[str], None]
    ) -> None:
        self._warn = warn
        self._threads = [
            threading.Thread(target=self._run, args=each, name=each[0], daemon=True)
            for each in works
        ]
        self.removed: RemovedError | None = None
        """Raised by one of them: the log is gone, for all who use it. It is not reported."""
        self.failed: BaseException | None = None
        """What the first of them died of that was reported."""

    def start(self) -> None:
        """Start all."""
        for thread in self._threads:
            thread.start()

    def join(self, limit_s: float) -> None:
        """Wait until all have ended, for `limit_s` seconds at most; the process ends the others."""
        ends_s = time.monotonic() + limit_s
        for thread in self._threads:
            thread.join(max(0.0, ends_s - time.monotonic()))

    def _run(self, report: str, work: Callable[[], object]) -> None:
        try:
            work()
        except RemovedError as error:
            self.removed = error
        except BaseException as error:  # noqa: BLE001 - reported, and nothing depends on it
            why = error if isinstance(error, BarographError) else one_line(repr(error))
            self._warn(f"{report}: {why}")
            self.failed = self.failed or error
