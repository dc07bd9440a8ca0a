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
        self._begun_s, self._seconds = 0.0, math.inf

    def begin(self, seconds: float) -> None:
        """Let everything end within so many seconds from now."""
        self._begun_s, self._seconds = self._monotonic(), seconds

    def left_s(self, most_s: float, share: float) -> float:
        """How long a part may take that takes `most_s` at most by itself.

        share: of the common time, that which is over when the part has to have ended; the rest is
        for those after it.
        """
        passed_s = self._monotonic() - self._begun_s
        return max(0.0, min(most_s, share * self._seconds - passed_s))
