"""The monitor: measures a running log every few seconds and writes what it found to `health`.

A clocked shell: it goes on while the feed is silent, and writes what it knows while it can. The
measures come from what is in the log (`pipeline.health`, `ticks.status`), and from functions that
others give it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Self

from barograph import codec
from barograph.alert_records import NEWS_S, HealthSample
from barograph.cases.live_series import LiveSeries
from barograph.deadline import MEASURED, Deadline
from barograph.errors import BarographError, RemovedError
from barograph.log import Log, browse, open_log
from barograph.log.topics import HEALTH, STATUS, TICKS, ensure_alert_topics
from barograph.pipeline.health import Health, Heard, health_of, newest_statuses
from barograph.pipeline.recorded_gaps import gap_of
from barograph.pipeline.stages import featurize_route, groups_at_work, score_route
from barograph.types import NS_PER_S, FeedStatus, GapCause, Message, Record, Verdict

SOURCE = "monitor"
"""The name under which samples are written, so that a restart goes on with the alerts of before."""

Measures = Mapping[str, float | None]
Measured = Callable[[], Measures]
"""What others measure: returns numbers by name, as HealthSample says."""

Begins = Callable[[Log, int], bool]
"""From when on a log is measured: given the log and the time, in epoch nanoseconds."""

_LEAVE_S = 2.0
_WINDOW_NS = 60 * NS_PER_S
_LAST = 200
_STATUS_NS = 120 * NS_PER_S
_MAX_GAPS = 10_000
_OLDEST_NS = 3600 * NS_PER_S


class LogMeasures:
    """What a log tells of the health of one series, measured from now on. Not thread-safe.

    `measure` returns a sample. Measures: `feed_age_s`, since the newest record of the source came,
    also by product; `gap_s`, the longest gap of the last minute, by product; `lag_s`, for how long
    the oldest unread record waits, by group; `dead_letters_per_min`; `clock_offset_s`, the size of
    the median of exchange − receive time; `reconnects`; `prediction_age_s`, `probability_age_s`;
    `model_expired`, 1 where a newest prediction says so.
    """

    def __init__(
        self,
        log: Log,
        live: LiveSeries,
        champion: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._log, self._live, self._champion = log, live, champion
        self._source: browse.Tail | None = None
        self._letters: browse.Tail | None = None
        self._heard_ns: dict[str, int] = {}
        self._gaps: deque[tuple[int, str, float]] = deque(maxlen=_MAX_GAPS)
        self._letter_times_ns: deque[int] = deque(maxlen=100_000)

    def measure(self, now_ns: int) -> tuple[dict[str, float | None], dict[str, str]]:
        """Return measures and facts at `now_ns`. Raises LogError and OutageError of the log."""
        topics = {topic.name for topic in self._log.topics()}
        self._follow(topics, now_ns)
        known = newest_statuses(self._log) if self._of_market and STATUS in topics else []
        statuses = _of_now(known)
        measures: dict[str, float | None] = {}
        newest_ns = max(self._heard_ns.values(), default=None)
        measures["feed_age_s"] = None if newest_ns is None else _age_s(now_ns, newest_ns)
        subscribed = {product for status in statuses for product in status.products}
        for product, heard_ns in sorted(self._heard_ns.items()):
            if product in subscribed or not self._of_market:
                measures[f"feed_age_s:{product}"] = _age_s(now_ns, heard_ns)
        measures |= self._gap_measures(now_ns)
        measures["dead_letters_per_min"] = self._letters_now(now_ns)
        measures |= _feed_measures(statuses)
        health = self._health(topics, statuses, now_ns, newest_ns)
        measures |= {f"lag_s:{group}": wait_s for group, wait_s in health.behind_s.items()}
        for route in (featurize_route(self._live), score_route(self._live)):
            measures.setdefault(f"lag_s:{route.group}", 0.0)
        measures["prediction_age_s"] = health.prediction_age_s
        measures["probability_age_s"] = health.probability_age_s
        if health.verdicts:
            expired = Verdict.MODEL_EXPIRED in health.verdicts.values()
            measures["model_expired"] = float(expired)
        facts = {"champion": health.champion or "", "problems": "; ".join(health.problems)}
        refusals = [status.first_refusal for status in statuses if status.first_refusal]
        return measures, {**facts, "first_refusal": "; ".join(refusals)}

    @property
    def _of_market(self) -> bool:
        return self._live.source == TICKS

    def _health(
        self, topics: set[str], statuses: list[FeedStatus], now_ns: int, newest_ns: int | None
    ) -> Health:
        if self._live.source not in topics:
            return Health()
        groups = groups_at_work(self._log, self._live, topics)
        return health_of(
            self._log,
            Heard(now_ns=now_ns, newest_ns=newest_ns, watched_s=None, products=None),
            statuses=statuses,
            groups=groups,
            max_age_s=None if statuses else _OLDEST_NS / NS_PER_S,
            champion=self._champion,
            predictions=self._live.predictions,
            scorer=score_route(self._live).group,
        )

    def _follow(self, topics: set[str], now_ns: int) -> None:
        if self._source is None and self._live.source in topics:
            self._source = browse.Tail(self._log, self._live.source)
            for record in browse.last(self._log, self._live.source, _LAST):
                self._take(record, now_ns)
        if self._letters is None and self._live.dead_letters in topics:
            self._letters = browse.Tail(self._log, self._live.dead_letters)
        if self._source is not None:
            for record in self._source.take():
                self._take(record, now_ns)
        if self._letters is not None:
            self._letter_times_ns += [now_ns for _ in self._letters.take()]

    def _take(self, record: Record, now_ns: int) -> None:
        written_ns = browse.appended_time_ns(record)
        if record.key in self._heard_ns or len(self._heard_ns) < _LAST:
            self._heard_ns[record.key] = max(written_ns, self._heard_ns.get(record.key, 0))
        if now_ns - written_ns >= _WINDOW_NS:
            return
        gap = gap_of(record)
        if gap is None or written_ns - gap.end_ns > NEWS_S * NS_PER_S:
            return
        if gap.cause is not GapCause.SESSION:
            length_s = max(0, gap.end_ns - gap.start_ns) / NS_PER_S
            self._gaps.append((written_ns, gap.product, length_s))

    def _gap_measures(self, now_ns: int) -> dict[str, float | None]:
        while self._gaps and now_ns - self._gaps[0][0] >= _WINDOW_NS:
            self._gaps.popleft()
        longest = {f"gap_s:{product}": 0.0 for product in self._heard_ns}
        for _, product, length_s in self._gaps:
            name = f"gap_s:{product}"
            longest[name] = max(length_s, longest.get(name, 0.0))
        return dict(longest)

    def _letters_now(self, now_ns: int) -> float:
        while self._letter_times_ns and now_ns - self._letter_times_ns[0] >= _WINDOW_NS:
            self._letter_times_ns.popleft()
        return float(len(self._letter_times_ns))


def _of_now(statuses: list[FeedStatus]) -> list[FeedStatus]:
    """Those of the connections that write a status now, not of an earlier run's."""
    newest_ns = max((status.time_ns for status in statuses), default=0)
    return [status for status in statuses if status.time_ns >= newest_ns - _STATUS_NS]


def _feed_measures(statuses: list[FeedStatus]) -> dict[str, float | None]:
    """What the newest status of each connection says, the newest of each venue."""
    newest: dict[str, FeedStatus] = {}
    for status in statuses:
        if status.venue not in newest or status.time_ns > newest[status.venue].time_ns:
            newest[status.venue] = status
    measures: dict[str, float | None] = {}
    for venue, status in newest.items():
        offset_ms = status.offset_median_ms
        measures[f"clock_offset_s:{venue}"] = None if offset_ms is None else abs(offset_ms) / 1e3
        measures[f"reconnects:{venue}"] = float(status.reconnects)
        measures[f"open_holes:{venue}"] = float(status.open_holes)
    return measures


def _age_s(now_ns: int, then_ns: int) -> float:
    return round(max(0, now_ns - then_ns) / NS_PER_S, 3)


def at_once(_log: Log, _now_ns: int) -> bool:
    """The first sample is made as soon as the monitor runs."""
    return True


class Monitor:
    """Writes a sample every `every_s` seconds in a thread of its own, while its `with` block runs.

    measured: more measures, each called for each sample. begins: asked with the log and the time in
    epoch nanoseconds instead of each sample, until it returns True once. A log that cannot be used
    is tried again with the next sample; what keeps a sample from being made is reported to `warn`,
    once a reason.
    """

    def __init__(  # noqa: PLR0913 - what is measured, how often, and for whom
        self,
        address: str | Path,
        live: LiveSeries,
        warn: Callable[[str], None],
        *,
        measured: tuple[Measured, ...] = (),
        champion: Callable[[], str | None] = lambda: None,
        every_s: float = 5.0,
        source: str = SOURCE,
        clock_ns: Callable[[], int] = time.time_ns,
        begins: Begins = at_once,
        deadline: Deadline | None = None,
    ) -> None:
        self._deadline = deadline or Deadline()
        self._begins, self._begun = begins, False
        self._address, self._live, self._warn = address, live, warn
        self._measured, self._champion = measured, champion
        self._every_s, self._source_name, self._clock_ns = every_s, source, clock_ns
        self._problem = ""
        self._removed: RemovedError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread and return self."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; waits for a sample under way, for two seconds at most and not beyond `deadline`."""
        self._stop.set()
        self._thread.join(self._deadline.left_s(_LEAVE_S, MEASURED))

    def check(self) -> None:
        """Raise RemovedError if the log was removed."""
        if self._removed is not None:
            raise self._removed

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with closing(open_log(self._address)) as log:
                    ensure_alert_topics(log)
                    self._watch(log)
            except RemovedError as error:
                self._removed = error
                return  # opening it again would make a new log
            except BarographError as error:
                self._report(str(error))
            except BaseException as error:  # noqa: BLE001 - reported, and tried again
                self._report(repr(error))
            self._stop.wait(self._every_s)

    def _watch(self, log: Log) -> None:
        while not self._begun:
            self._begun = self._begins(log, self._clock_ns())
            if not self._begun and self._stop.wait(self._every_s):
                return
        of_log = LogMeasures(log, self._live, self._champion)
        while True:
            log.append([self.sample(of_log)])
            self._problem = ""
            if self._stop.wait(self._every_s):
                return

    def sample(self, of_log: LogMeasures) -> Message:
        """Return one sample as a message of the topic `health`."""
        now_ns = self._clock_ns()
        measures, facts = of_log.measure(now_ns)
        for measured in self._measured:
            measures |= measured()
        sample = HealthSample(
            time_ns=now_ns, source=self._source_name, measures=measures, facts=facts
        )
        return Message(HEALTH, self._source_name, codec.encode(sample))

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._warn(f"monitor: no health sample is written: {problem}")
