"""By when parts of a process that end one after the other have ended, all together."""

import math
import time
from collections.abc import Callable

RETAINED, FINISHED, LEFT, MEASURED, WATCHED, SENT, SERVED = 0.2, 0.4, 0.55, 0.65, 0.75, 0.85, 1.0
"""Shares of the common time by which the parts of a live run have ended, in their order: retention;
stages that finish, and that leave; measures of health; alerts; senders; the web server."""


class Deadline:
    """One limit for several parts, each of which has a limit of its own as well. Thread-safe.

    There is none until `begin`: then each part takes as long as its own.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._limit: tuple[float, float] | None = None
        """Since when, and how many seconds; set in one step, also by a signal handler."""

    def begin(self, seconds: float) -> None:
        """Let everything end within so many seconds from now, or from the first call's time."""
        if self._limit is None:
            self._limit = self._monotonic(), seconds

    def left_s(self, most_s: float, share: float) -> float:
        """How long a part may take that takes `most_s` at most by itself.

        share: of the common time, that which is over when the part has to have ended; the rest is
        for those after it.
        """
        begun_s, seconds = self._limit or (self._monotonic(), math.inf)
        passed_s = self._monotonic() - begun_s
        return max(0.0, min(most_s, share * seconds - passed_s))


class StartStopped(SystemExit):
    """The verb is stopped while its parts start; whoever does not catch it leaves with code 0."""


class Start:
    """The start of a verb: `interrupt` leaves it until it is `over`. Main thread only."""

    def __init__(self) -> None:
        self._is_over = False

    def over(self) -> None:
        """Declare that everything runs: from now on the verb looks for a stop by itself."""
        self._is_over = True

    def interrupt(self) -> None:
        """Raise StartStopped in the main thread, once, unless the start is over."""
        if not self._is_over:
            self._is_over = True
            raise StartStopped(0)
