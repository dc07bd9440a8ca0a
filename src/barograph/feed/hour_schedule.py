"""When a service is asked for hours of candles: after the end of each, and again after a failure.

A machine without a clock: every call is given the time.
"""

from random import Random

from barograph.candle_records import HOUR_S
from barograph.feed.backoff import Backoff
from barograph.feed.candles import SETTLE_S, last_end_s
from barograph.types import NS_PER_S

FIRST_RETRY_S, LONGEST_RETRY_S = 60.0, 900.0
"""Between two attempts after failures, at most; each asks a service several times by itself."""


class HourSchedule:
    """Says which hours are to be asked for now. random: of the pauses after failures."""

    def __init__(self, random: Random) -> None:
        self._done_s = -1
        self._not_before_ns = 0
        self._backoff = Backoff(random, first_s=FIRST_RETRY_S, cap_s=LONGEST_RETRY_S)

    def due_s(self, now_ns: int) -> int | None:
        """The end in Unix seconds of the last hour to ask for; None while nothing is due."""
        until_s = last_end_s(now_ns)
        return until_s if until_s > self._done_s and now_ns >= self._not_before_ns else None

    def wait_s(self, now_ns: int) -> float:
        """Seconds until something is due, as far as it is known now; 0 where something is."""
        if self.due_s(now_ns) is not None:
            return 0.0
        due_ns = self._not_before_ns
        if last_end_s(now_ns) <= self._done_s:
            due_ns = (last_end_s(now_ns) + HOUR_S + SETTLE_S) * NS_PER_S
        return (due_ns - now_ns) / NS_PER_S

    def done(self, until_s: int) -> None:
        """The hours up to `until_s` were asked for."""
        self._done_s, self._not_before_ns = until_s, 0
        self._backoff.reset()

    def failed(self, now_ns: int) -> float:
        """Nothing came of the hours that are due; returns the seconds until the next attempt."""
        pause_s = self._backoff.next_s()
        self._not_before_ns = now_ns + int(pause_s * NS_PER_S)
        return pause_s
