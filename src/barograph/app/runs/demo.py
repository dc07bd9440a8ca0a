"""The demo: generate market history, train and gate a model on it, and predict live.

Frames of the simulated exchange pass through the same feed, archive, log, featurizer, dataset,
training, gate and scorer as those of a real one.
"""

import math
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from threading import Event
from typing import NamedTuple

import msgspec
import numpy as np

from barograph.app.alerting.watching import watching
from barograph.app.intake import feed_of
from barograph.app.prompt_threads import prompt_threads
from barograph.app.runs.up import Listener, WatchSummary, watch
from barograph.app.settings import Settings
from barograph.app.terminal import terminal, training_summary
from barograph.app.terminal.detail import Detail, chosen
from barograph.app.wiring import feed_through, stages
from barograph.cases import baselines
from barograph.cases.spikes import SPIKES
from barograph.codec import encode
from barograph.evaluation import alarms, bootstrap, labels, scores
from barograph.feature_set.featurizer import Featurizer
from barograph.feed.ingest import ingest
from barograph.feed.summary import Summary
from barograph.feed.venue_socket import ListenPlan
from barograph.learning.trees import TreeTable
from barograph.log import Log, open_log
from barograph.log.retention import PeriodicRetention
from barograph.log.topics import TICKS
from barograph.pipeline.threads import Pipeline
from barograph.pipeline.verify import Verification, verify
from barograph.registry.registry import Registry
from barograph.simulated.exchange import Exchange, Terms, running
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from barograph.training import dataset, train
from barograph.training.report import TrainingReport
from barograph.types import NS_PER_S, Record, Verdict
from barograph.venues.coinbase.endpoints import endpoint
from barograph.venues.coinbase.exchange import ExchangeFeed
from barograph.venues.entries import Dialect, Heard

PRODUCTS = ("BTC-USD", "ETH-USD")
HOURS = 12.0
CHECK_LIVE_S = 5.0
_HISTORY_CHUNK_S = 600
_TRAINING_LINES = 6
"""A demo answers in twelve: five phases, what was trained, and what next."""

_RESAMPLES = 500
"""Resamples for the intervals of the table; the gate uses its own number."""


class DemoSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a demo; `ok` is true if `problems` is empty."""

    ok: bool
    problems: list[str]
    seconds: float
    phase_seconds: dict[str, float]
    peak_rss_mb: float
    history: Summary
    training: TrainingReport
    live: WatchSummary
    verification: Verification


Stopping = Callable[[], AbstractContextManager[Event]]
"""Returns a context whose event is set when the user asks to stop."""


class Showing(NamedTuple):
    """How a demo is shown: until when, on which page, and whether it only checks.

    page: a context that serves the live page, entered as soon as there is something to see; its
    value is the address, empty for none. check: without a view, for a fixed time.
    """

    stopping: Stopping
    page: AbstractContextManager[str]
    check: bool


class _Live(NamedTuple):
    """A feed and the stages behind it, running."""

    listener: Listener
    pipeline: Pipeline


def run(settings: Settings, how: Showing, *, hours: float, seed: int) -> DemoSummary:
    """Run the demo in `settings.home` until stopped; with `how.check` for a fixed time."""
    console = terminal.Screen(stderr=True)
    phases = terminal.Phases(console)
    home, registry = settings.home, Registry(settings.home)
    now_ns = time.time_ns() // NS_PER_S * NS_PER_S
    market = SimulatedMarket(
        PRESETS["market"], PRODUCTS, seed, now_ns - int(hours * 3600) * NS_PER_S
    )
    log = open_log(home)
    try:
        with phases.of(f"{hours:g} hours of {' and '.join(PRODUCTS)}: feed and features"):
            history = _history(settings, log, market, now_ns, console.log)
        with how.page as page, _running(settings, market, console.log, page) as live:
            with phases.of("dataset: the same features again, from the archive"):
                dataset.build(home, SPIKES)
            with phases.of("training, walk-forward"):
                training = train.Training(seed=seed, folds=settings.folds, resamples=_RESAMPLES)
                examples = dataset.read(home, SPIKES)
                report = train.train(SPIKES, examples, registry, training, clock_ns=time.time_ns)
            training_summary.show(console, report, _TRAINING_LINES)
            with phases.of("live, through a socket") as status:
                if not how.check:
                    status.stop()
                with how.stopping() as stop:
                    seen = _watch(settings, log, live, stop, check=how.check)
        with phases.of("verify: live features against a replay of the log"):
            verification = verify(log)
        if chosen() is Detail.FULL or not verification.same:
            console.print(terminal.verified(verification))
        if chosen() is not Detail.QUIET:
            console.print("next: barograph up --venue simulated")
    finally:
        log.close()
    problems = _problems(report, seen, verification)
    return DemoSummary(
        ok=not problems,
        problems=problems,
        seconds=round(sum(phases.seconds.values()), 3),
        phase_seconds=phases.seconds,
        peak_rss_mb=peak_rss_mb(),
        history=history,
        training=report,
        live=seen,
        verification=verification,
    )


def compile_kernels() -> None:
    """Compile the kernels that a demo needs into the cache; `make install` calls this."""
    machine, featurizer = ExchangeFeed(), Featurizer()
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, 1, 0)
    events = [event for frame in market.advance(3) for event in machine.receive(frame).events]
    featurizer.receive(
        [Record(TICKS, 0, i, event.product, encode(event)) for i, event in enumerate(events)]
    )
    y = np.array([0.0, 1.0])  # kernels of the training
    drawn = bootstrap.resamples(np.arange(2), np.zeros(2, np.int64), count=1)
    bootstrap.resampled_together(
        [(scores.pr_auc, y), (scores.roc_auc, y), (scores.brier, y)], y, drawn
    )
    storms = labels.episodes(np.arange(2), y, horizon_s=1)
    watches = [alarms.WatchedRows(second=np.arange(2), probability=y, episodes=storms)]
    alarms.threshold_for_budget(watches, false_alarms_per_hour=1)
    baselines.mean_variance(y, 0.0, 0.1, 0.9, 1)
    trees = TreeTable()
    trees.add({"leaf_value": 0.0})
    trees.total(np.zeros((1, 1), np.float32))


def _history(
    settings: Settings,
    log: Log,
    market: SimulatedMarket,
    until_ns: int,
    warn: Callable[[str], None],
) -> Summary:
    """Feed, featurize and score the market's history up to `until_ns` as fast as possible."""

    def entries() -> Iterator[Heard]:
        while (left_s := (until_ns - market.now_ns) // NS_PER_S) > 0:
            for frame in market.advance(min(_HISTORY_CHUNK_S, left_s)):
                yield Heard(frame, Dialect.EXCHANGE)

    with closing(feed_of(settings, log, market.products, warn)) as feed:
        running = Pipeline(stages(settings, settings.home, SPIKES, warn))
        return feed_through(running, lambda: ingest(feed, entries()), live=False)


@contextmanager
def _running(
    settings: Settings, market: SimulatedMarket, warn: Callable[[str], None], page: str
) -> Iterator[_Live]:
    """Continue the market over a socket: first what passed since the history, then in real time.

    It runs beside the training, which takes longer: the page is live before there is a model.
    """
    terms = Terms(wait_for_reader=True, present=True)
    with running(Exchange(simulated(market), terms=terms)) as exchange:
        address = f"ws://{exchange.address}"
        plan = ListenPlan(
            endpoint=endpoint("simulated", address),
            products=market.products,
            clock_limit_s=math.inf,  # frames since the history arrive late on purpose
        )
        with (
            prompt_threads(),
            Listener(settings, settings.home, plan, warn, page) as listener,
            Pipeline(stages(settings, settings.home, SPIKES, warn)) as pipeline,
            _watching(settings, warn, page) if page else nullcontext(),
            PeriodicRetention(lambda: open_log(settings.home), warn),
        ):
            yield _Live(listener, pipeline)
            listener.end()


def _watch(settings: Settings, log: Log, live: _Live, stop: Event, *, check: bool) -> WatchSummary:
    """Watch what runs until stopped; with `check` for a fixed time."""
    shown, seconds = not check and sys.stdout.isatty(), CHECK_LIVE_S if check else None
    release = settings.alert_release
    return watch(
        log, live.listener, live.pipeline, stop, shown=shown, seconds=seconds, release=release
    )


def _watching(
    settings: Settings, warn: Callable[[str], None], page: str
) -> AbstractContextManager[object]:
    """What makes the alerts of the history and of now, for the page; nobody is sent any.

    Frames of the time since the history arrive late on purpose: health is measured after them.
    """
    return watching(settings, settings.home, [SPIKES], (), warn, link=page, after_backlog=True)


def _problems(report: TrainingReport, live: WatchSummary, verification: Verification) -> list[str]:
    problems = []
    if not report.gate.decision.promote:
        problems.append("the gate promoted nothing")
    if not live.verdicts.get(Verdict.PREDICTED):
        problems.append("nothing was predicted live")
    if not verification.same:
        problems.append("live features and their replay differ")
    return problems


def peak_rss_mb() -> float:
    """The most memory that this process held so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS bytes.
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
