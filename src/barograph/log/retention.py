"""Retention beside the work: what the topics need not keep is removed, in a thread of its own."""

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Self

from barograph.deadline import RETAINED, Deadline
from barograph.errors import BarographError, RemovedError
from barograph.figures import duration
from barograph.log import Log

_EVERY_S = 3600.0
_HELD_S = 1.0
"""How long a failure waits to be reported: what ends the work beside it, that says itself."""
_LEAVE_S = 1.0
"""How long the end waits for a removal under way: it is done in steps, and may stop after any."""


class PeriodicRetention:
    """Calls `Log.retain` at once and every `every_s` seconds, from `with` to its end.

    open_log: opens a handle for each round, so that no commit waits for it. A round that fails is
    reported to `warn` once for each reason, unless the work ends with it at the same time, and the
    next one is tried when it is due: nothing that happens here ends the work beside it.
    """

    def __init__(
        self,
        open_log: Callable[[], Log],
        warn: Callable[[str], None],
        *,
        every_s: float = _EVERY_S,
        deadline: Deadline | None = None,
    ) -> None:
        self._deadline = deadline or Deadline()
        self._open_log, self._warn, self._every_s = open_log, warn, every_s
        self._failure = self._ended_with = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        """Stop the thread; a removal that takes a second more or the deadline is left."""
        self._ended_with = "" if error is None else str(error)
        self._stop.set()
        self._thread.join(self._deadline.left_s(_LEAVE_S, RETAINED))

    def _run(self) -> None:
        while not self._stop.is_set():
            failure = self._failed()
            if failure and failure != self._failure and not self._stop.is_set():
                self._stop.wait(min(_HELD_S, self._every_s))
                if failure != self._ended_with:
                    self._report(failure)
            self._failure = failure
            self._stop.wait(self._every_s)

    def _report(self, failure: str) -> None:
        self._warn(
            f"retention: {failure} Old records stay until it succeeds; the next try is in "
            f"{duration(self._every_s)}."
        )

    def _failed(self) -> str:
        """Run one round; return in one line why it failed, empty where it did not."""
        try:
            with closing(self._open_log()) as log:
                log.retain()
        except RemovedError:  # said once, by who works on the log
            return ""
        except BarographError as error:
            return str(error)
        except BaseException as error:  # noqa: BLE001 - reported, and tried again
            return f"{' '.join(repr(error).split())}."
        return ""
