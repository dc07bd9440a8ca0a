"""What a live feed adds to the metrics: growth of its totals, now and then, and how it stands."""

import time
from collections.abc import Mapping

from barograph import telemetry
from barograph.feed.summary import Summary
from barograph.telemetry import Counter
from barograph.types import NS_PER_S, Fault, FeedStatus, GapCause, Heartbeat, Tick
from barograph.venues.continuity import Received
from barograph.venues.entries import Entry, Heard

EVERY_S = 0.25
"""How often totals are added to the metrics."""

_STAGE = "feed"

_TOTALS: Mapping[str, Counter] = {
    "lines": telemetry.FRAMES,
    "heartbeats": telemetry.HEARTBEATS,
    "trades": telemetry.TRADES,
    "filled": telemetry.TRADES_FILLED,
    "missing": telemetry.TRADES_MISSING,
}
"""Field of a Summary → its metric."""

_STATUS_TOTALS: Mapping[str, Counter] = {
    "queue_full": telemetry.QUEUE_FULL,
    "overflows": telemetry.OVERFLOWS,
    "troubles": telemetry.TROUBLES,
    "rest_failures": telemetry.REST_FAILURES,
}
"""Field of a FeedStatus → its metric."""


class FeedCounts:
    """The metrics of one feed's entries. Not thread-safe.

    What the summary has already, e.g. of what a start took from the archive, is not counted.
    """

    def __init__(self, summary: Summary) -> None:
        self._totals = {name: int(getattr(summary, name)) for name in _TOTALS}
        self._products, self._gaps = dict(summary.products), dict(summary.gaps)
        self._letters = dict(summary.dead_letters)
        self._oldest_ns: int | None = None
        self._newest: Tick | Heartbeat | None = None
        self._next_s = 0.0
        self._in_log = True
        for counter in _TOTALS.values():
            counter.add(0)
        for cause in GapCause:
            telemetry.GAPS.add(0, cause)
        # The first count of a series that was not there is no growth to Prometheus.
        for fault in Fault:
            telemetry.DEAD_LETTERS.add(0, _STAGE, fault)
        telemetry.LAST_FRAME.set(time.time())
        telemetry.LOG_WRITABLE.set(1)

    def take(self, entry: Entry, received: Received) -> None:
        """Remember of a batch its oldest frame and its newest event."""
        if self._oldest_ns is None and type(entry) is Heard:
            self._oldest_ns = entry.frame.receive_time_ns
        events = received.events
        if events and (type(events[-1]) is Tick or type(events[-1]) is Heartbeat):
            self._newest = events[-1]

    def committed(self, summary: Summary, monotonic_s: float, *, in_log: bool) -> None:
        """Count a batch. in_log: the log has it, not the archive alone."""
        oldest_ns, newest = self._oldest_ns, self._newest
        if oldest_ns is not None and in_log:
            telemetry.STEP_LATENCY.observe((time.time_ns() - oldest_ns) / NS_PER_S, "log")
        if newest is not None and newest.receive_time_ns is not None and not _is_old(newest):
            taken_ns = newest.receive_time_ns - newest.event_time_ns
            telemetry.STEP_LATENCY.observe(taken_ns / NS_PER_S, "receive")
        self._oldest_ns = self._newest = None
        if monotonic_s >= self._next_s:
            self._next_s = monotonic_s + EVERY_S
            self.publish(summary)
        self.stands(in_log=in_log)

    def stands(self, *, in_log: bool) -> None:
        """Show whether the log takes what comes, or the archive alone."""
        if in_log != self._in_log:
            self._in_log = in_log
            telemetry.LOG_WRITABLE.set(in_log)

    def publish(self, summary: Summary) -> None:
        """Add to the metrics by how much the totals grew since the last call."""
        now_s = time.time()
        if summary.lines > self._totals["lines"]:
            telemetry.LAST_FRAME.set(now_s)
        for name, counter in _TOTALS.items():
            total = getattr(summary, name)
            counter.add(total - self._totals[name])
            self._totals[name] = total
        for product, grown in _growth(summary.products, self._products):
            telemetry.TICKS.add(grown, product)
            telemetry.LAST_TICK.set(now_s, product)
        for cause, grown in _growth(summary.gaps, self._gaps):
            telemetry.GAPS.add(grown, cause)
        for reason, grown in _growth(summary.dead_letters, self._letters):
            telemetry.DEAD_LETTERS.add(grown, _STAGE, reason)


def _is_old(event: Tick | Heartbeat) -> bool:
    return type(event) is Tick and event.snapshot


def _growth(totals: Mapping[str, int], known: dict[str, int]) -> list[tuple[str, int]]:
    """Names whose total grew, and by how much; `known` has the totals afterwards."""
    grown = [(name, total - known.get(name, 0)) for name, total in totals.items()]
    known.update(totals)
    return [(name, more) for name, more in grown if more]


class ConnectionCounts:
    """The metrics of a live feed's connections. Not thread-safe."""

    def __init__(self) -> None:
        self._totals = dict.fromkeys(_STATUS_TOTALS, 0)
        self._connections = 0
        for counter in (telemetry.CONNECTIONS, *_STATUS_TOTALS.values()):
            counter.add(0)

    def publish(self, status: FeedStatus, opened: int) -> None:
        """Show a status. opened: how many connections there were in this run."""
        telemetry.CONNECTIONS.add(opened - self._connections)
        self._connections = opened
        for name, counter in _STATUS_TOTALS.items():
            total = getattr(status, name)
            counter.add(total - self._totals[name])
            self._totals[name] = total
        telemetry.QUEUE.set(status.queued)
        telemetry.QUEUE_BYTES.set(status.queued_bytes)
        telemetry.OPEN_HOLES.set(status.open_holes)
        if status.offset_median_ms is not None:
            telemetry.CLOCK_OFFSET.set(status.offset_median_ms / 1000)
