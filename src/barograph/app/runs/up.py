"""Feed, featurizer, scorer and live view of a venue in one process.

The feed and each stage have their own thread and log connection; `barograph feed`, `barograph
featurize --follow` and `barograph score --follow` run the same three as processes. Training is a
child process, as with `barograph train --follow`.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Self

import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from barograph.alert_records import NEWS_S, Change
from barograph.app.alerting.sink import Sink
from barograph.app.alerting.watching import watching
from barograph.app.intake import feed_of
from barograph.app.logs import Events
from barograph.app.prompt_threads import prompt_threads
from barograph.app.registries import registry_of
from barograph.app.runs.cases_beside import CasesBeside
from barograph.app.runs.retraining import Retraining, training
from barograph.app.settings import Settings
from barograph.app.terminal import listing, terminal
from barograph.app.terminal.live_view import render
from barograph.app.wiring import stages
from barograph.cases.affordable import SHORT_S
from barograph.cases.spikes import FIRST, SPIKES
from barograph.deadline import Deadline, Start, StartStopped
from barograph.evaluation.alerts import RELEASE, Alert
from barograph.feed.live import LiveSummary, listen
from barograph.feed.summary import Summary
from barograph.feed.venue_socket import ListenPlan
from barograph.figures import MS, duration
from barograph.log import Log, open_log
from barograph.log.retention import PeriodicRetention
from barograph.log.topics import ensure_alert_topics
from barograph.pipeline.progress import warmups_s
from barograph.pipeline.threads import Pipeline
from barograph.pipeline.watch import Latencies, PredictionWatch
from barograph.times import time_of
from barograph.training.due import Due, due, newest_frame_ns, training_state
from barograph.training.first_training import FirstTraining
from barograph.types import NS_PER_S

LOOK_S = 0.25

ENDS_S = 3.5
"""How long all parts together may take to end after a stop; a verb is killed a second later."""

_SILENT = Events()

_SILENT_S = 90.0
"""After so long without a prediction of a product its alert is over, as far as anybody knows: more
than the horizon, so that what can still be judged is."""


class WatchSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Counts and latency of the predictions during a watch.

    `judgements` counts the alerts that turned out right, wrong, or could not be judged.
    """

    seconds: float
    predictions: int
    verdicts: dict[str, int]
    models: dict[str, int]
    alerts: int
    latency: Latencies
    judgements: dict[str, int] = {}


class UpSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `up`: the feed, the predictions, and a line for each training."""

    heard: LiveSummary
    seen: WatchSummary
    trained: list[str]


_NOTHING_SEEN = WatchSummary(
    seconds=0.0,
    predictions=0,
    verdicts={},
    models={},
    alerts=0,
    latency=Latencies(count=0, p50_ms=None, p99_ms=None),
)


def nothing_done(venue: str, address: str, products: tuple[str, ...]) -> UpSummary:
    """The summary of a run that was stopped before its feed began."""
    heard = LiveSummary(
        venue=venue,
        address=address,
        products=products,
        refused={},
        connections=0,
        queue_full=0,
        holes_asked=0,
        rest_failures=0,
        clock=None,
        feed=Summary(),
    )
    return UpSummary(heard=heard, seen=_NOTHING_SEEN, trained=[])


class Listener:
    """A live feed with its own thread and log connection, running while its `with` block runs.

    The constructor raises BadInputError as `Feed` does.
    """

    def __init__(  # noqa: PLR0913 - what it listens to, and how it is shown
        self,
        settings: Settings,
        address: str | Path,
        plan: ListenPlan,
        warn: Callable[[str], None],
        page: str = "",
        events: Events = _SILENT,
    ) -> None:
        self._plan, self._warn, self._page, self._events = plan, warn, page, events
        self._home = settings.home
        self._stop = threading.Event()
        self._thread = ThreadPoolExecutor(1, "feed")
        self._heard: Future[LiveSummary] = Future()
        self._log = open_log(address, lease_s=settings.lease_s, live=True)
        try:
            self._feed = feed_of(settings, self._log, plan.products, warn, plan.books)
        except BaseException:
            self._log.close()
            raise

    def __enter__(self) -> Self:
        """Start the thread and return self."""
        note = self._events.starting(
            self._home,
            self._log.address,
            venue=self._plan.endpoint.venue,
            address=self._plan.endpoint.socket,
            products=self._plan.products,
            page=self._page,
        )
        self._heard = self._thread.submit(
            listen, self._feed, self._plan, self._stop, self._warn, note=note
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the feed, commit what it received, and close feed and log."""
        self._stop.set()
        self._thread.shutdown()
        self._feed.close()
        self._log.close()

    @property
    def ended(self) -> bool:
        """Whether the feed has ended; re-raises the error that ended it."""
        return self._heard.done() and bool(self._heard.result())

    def end(self) -> LiveSummary:
        """Stop, wait for the last commit and return the summary; re-raises the feed's error."""
        self._stop.set()
        return self._heard.result()

    def heard(self) -> LiveSummary | None:
        """The summary of a feed that was left; None where its thread did not begin."""
        return self.end() if self._heard.running() or self._heard.done() else None

    def facts(self) -> dict[str, object]:
        """What the feed took and refused so far, by name."""
        return self._feed.summary.facts()

    def state(self) -> str:
        """One line: venue and counts so far, and where the page is."""
        ends = f"{self._page} · Ctrl-C stops" if self._page else "Ctrl-C stops"
        return f"{self._plan.endpoint.venue}, {self._feed.summary.line()} · {ends}"


def run(  # noqa: PLR0913 - what runs on what, and who sees and hears of it
    settings: Settings,
    address: str | Path,
    plan: ListenPlan,
    stop: threading.Event,
    warn: Callable[[str], None],
    page: str = "",
    events: Events = _SILENT,
    sinks: Sequence[Sink] = (),
    deadline: Deadline | None = None,
    start: Start | None = None,
) -> UpSummary:
    """Feed, featurize, score, alert and retrain until `stop` is set or the plan's time is over.

    The live view is shown if standard output is a terminal, with the address of the `page`. sinks:
    where alerts are sent; they link to the page, unless the settings name another. deadline: begins
    with a stop, for all parts here and around. start: over when all parts run; a StartStopped
    before is a summary of what was heard by then. From the moment at which another horizon has a
    champion, it forecasts beside; a case of hours, too, from candles that are made of the ticks.
    Raises as `live.listen` does.
    """
    retraining, deadline = _retraining(settings, address, plan, warn), deadline or Deadline()
    measured, link = (retraining.measures,), settings.page_url or page
    listener = Listener(settings, address, plan, warn, page, events)
    try:
        with (
            prompt_threads(),
            listener,
            watching(
                settings,
                address,
                [SPIKES],
                sinks,
                warn,
                measured=measured,
                link=link,
                deadline=deadline,
            ),
            CasesBeside(settings, address, warn, deadline=deadline),
            Pipeline(
                stages(settings, address, SPIKES, warn, patient=True), stop, deadline=deadline
            ) as pipeline,
            retraining,
            PeriodicRetention(lambda: open_log(address), warn, deadline=deadline),
            closing(open_log(address)) as log,
        ):
            ensure_alert_topics(log)
            seen = watch(
                log,
                listener,
                pipeline,
                stop,
                shown=sys.stdout.isatty(),
                retraining=retraining,
                alerts_of_log=True,
                events=events,
                start=start,
            )
            if stop.is_set():
                deadline.begin(ENDS_S)
            retraining.stop()
            # End the feed before the pipeline, which then processes the last records.
            return UpSummary(heard=listener.end(), seen=seen, trained=retraining.trained)
    except StartStopped:
        heard = listener.heard()
        if heard is None:
            raise
        return UpSummary(heard=heard, seen=_NOTHING_SEEN, trained=retraining.trained)


def _retraining(
    settings: Settings, address: str | Path, plan: ListenPlan, warn: Callable[[str], None]
) -> Retraining:
    home, every_h = settings.home, settings.retrain_every_h
    # No control: nobody reads the report of an automatic training.
    words = ["train", "--if-due", "--split", "walk-forward", "--no-control", "--json"]
    first = FirstTraining(
        SPIKES,
        address,
        home / "archive",
        features=FIRST,
        folds=settings.folds,
        keys=len(plan.products),
        warmup_s=SHORT_S,
    )

    def ask() -> Due:
        state = training_state(registry_of(settings), SPIKES.name, newest_frame_ns(home))
        if every_h and state.trained_ns is None:
            return first.due()  # also before the first frame: it says how long that takes
        return due(state, time.time_ns(), every_h)

    return Retraining(ask, lambda: training(words, settings), warn)


def summary_table(done: UpSummary) -> RenderableType:
    """The summary of `up` for a terminal."""
    seen = done.seen
    latency = seen.latency
    lines = Text(
        f"predictions   {seen.predictions:,}  {terminal.counts_of(seen.verdicts)}".rstrip()
    )
    judged = terminal.counts_of(seen.judgements)
    lines.append(f"\nalerts        {seen.alerts:,}  {judged}".rstrip())
    if latency.p50_ms is not None:
        half, most = duration(latency.p50_ms, MS), duration(latency.p99_ms, MS)
        lines.append(f"\nlatency       p50 {half}, p99 {most}")
    if done.trained:
        lines.append("\ntrained       " + "\n              ".join(done.trained))
    return Group(listing.live(done.heard), lines)


def _log_alert(events: Events, change: Change, alert: Alert) -> None:
    is_news = time.time_ns() - alert.started_ns <= NEWS_S * NS_PER_S
    log = events.alarm if change is Change.BEGAN and is_news else events.note
    log(
        f"alert {change}",
        product=alert.product,
        since=time_of(alert.started_ns),
        probability=alert.probability,
        threshold=alert.threshold,
        model=alert.model,
        judgement=alert.judgement,
    )


def _facts_of(watched: PredictionWatch) -> dict[str, object]:
    latency = watched.latencies()
    return {
        "predictions": dict(watched.verdicts),
        "models": dict(watched.models),
        "alerts": watched.alert_count,
        "judgements": dict(watched.judgements),
        "latency_p50_ms": latency.p50_ms,
        "latency_p99_ms": latency.p99_ms,
    }


def watch(  # noqa: PLR0913 - the parts, and how long they are watched
    log: Log,
    listener: Listener,
    pipeline: Pipeline,
    stop: threading.Event,
    *,
    shown: bool,
    seconds: float | None = None,
    retraining: Retraining | None = None,
    release: float = RELEASE,
    events: Events = _SILENT,
    alerts_of_log: bool = False,
    start: Start | None = None,
) -> WatchSummary:
    """Watch the predictions until `stop` is set, the feed ends, or `seconds` have passed.

    start: over once what the log holds already is read. shown: draw the live view. release,
    alerts_of_log: as PredictionWatch says. Re-raises errors of feed and pipeline.
    """
    watched = PredictionWatch(log, release=release, alerts_of_log=alerts_of_log, case=SPIKES.name)
    if start is not None:
        start.over()
    started_s = time.monotonic()
    ends_s = None if seconds is None else started_s + seconds

    def going_on() -> bool:
        over = ends_s is not None and time.monotonic() >= ends_s
        pipeline.check()
        watched.look(stop.is_set)
        watched.silent(time.time_ns(), _SILENT_S)
        while watched.changes:
            _log_alert(events, *watched.changes.popleft())
        while watched.health_changes:
            notice = watched.health_changes.popleft()
            log_it = events.alarm if notice.change is Change.BEGAN else events.note
            log_it(f"alert {notice.change}", rule=notice.rule, text=notice.text)
        events.status(lambda: {**listener.facts(), **_facts_of(watched)})
        return not (over or listener.ended or stop.wait(LOOK_S))

    if shown:
        with Live(console=terminal.Screen(), refresh_per_second=4, screen=True) as view:
            while going_on():
                state = listener.state()
                if retraining is not None and retraining.state:
                    state += f"\ntraining: {retraining.state}"
                view.update(render(watched, state, warmups_s=warmups_s(pipeline.champion)))
    else:
        while going_on():
            pass
    return WatchSummary(
        seconds=round(time.monotonic() - started_s, 3),
        predictions=sum(watched.verdicts.values()),
        verdicts=watched.verdicts,
        models=watched.models,
        alerts=watched.alert_count,
        latency=watched.latencies(),
        judgements=watched.judgements,
    )
