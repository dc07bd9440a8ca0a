"""The demo: a market's history in seconds, a model trained and gated on it, then live.

Every step is the real one: frames of the simulated exchange go through the same feed, archive, log,
featurizer, dataset, training, gate and scorer as those of a real one.
"""

import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec
from rich.console import Console
from rich.live import Live
from rich.status import Status

from barograph import dataset, terminal, train
from barograph.cases.spikes import SPIKES
from barograph.codec import encode
from barograph.featurizer import Featurizer
from barograph.feed import Feed, Summary, ingest
from barograph.log import Log, open_log
from barograph.log.topics import TICKS
from barograph.market import PRESETS
from barograph.pipeline import Pipeline, stages
from barograph.registry import Registry
from barograph.settings import Settings
from barograph.simulator import SimulatedMarket
from barograph.train import TrainingReport
from barograph.types import NS_PER_S, Frame, Record, Verdict
from barograph.venues.coinbase import ExchangeFeed
from barograph.venues.continuity import Dialect, Rules
from barograph.verify import Verification, verify
from barograph.view import Latencies, Watch, render

PRODUCTS = ("BTC-USD", "ETH-USD")
CHECK_LIVE_S = 5.0
_HISTORY_CHUNK_S = 600
_LOOK_S = 0.25


class LiveSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of the live part."""

    seconds: float
    predictions: int
    verdicts: dict[str, int]
    models: dict[str, int]
    alerts: int
    latency: Latencies


class DemoSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a demo did; `ok` says that everything that should have happened did."""

    ok: bool
    problems: list[str]
    seconds: float
    phase_seconds: dict[str, float]
    peak_rss_mb: float
    history: Summary
    training: TrainingReport
    live: LiveSummary
    verification: Verification


def run(settings: Settings, *, hours: float, seed: int, check: bool) -> DemoSummary:
    """Run it in `settings.home`; with `check` headless and bounded, else until interrupted."""
    console = Console(stderr=True)
    phases = terminal.Phases(console)
    home, registry = settings.home, Registry(settings.home)
    now_ns = time.time_ns() // NS_PER_S * NS_PER_S
    market = SimulatedMarket(
        PRESETS["market"], PRODUCTS, seed, now_ns - int(hours * 3600) * NS_PER_S
    )
    log = open_log(home)
    try:
        with (
            _Exchange(home, market, now_ns) as exchange,
            Pipeline(stages(settings, home, console.log)) as pipeline,
        ):
            exchange.start()
            with phases.of(f"{hours:g} hours of {' and '.join(PRODUCTS)}: feed and features"):
                exchange.wait_for_history(pipeline)
                history = msgspec.structs.replace(exchange.feed.summary)
            with phases.of("dataset: the same features again, from the archive"):
                dataset.build(home, SPIKES)
            with phases.of("training, walk-forward"):
                how = train.Training(seed=seed, folds=settings.folds)
                examples = dataset.read(home, SPIKES)
                report = train.train(SPIKES, examples, registry, how, clock_ns=time.time_ns)
            console.print(terminal.training(report))
            with phases.of("live") as status:
                live = _live(log, exchange, pipeline, status, check=check)
            # Before the pipeline ends: it finishes what was fed, and this feeds the last of it.
            exchange.stop()
            exchange.join()
        with phases.of("verify: live features against a replay of the log"):
            verification = verify(log)
        console.print(terminal.verified(verification))
    finally:
        log.close()
    problems = _problems(report, live, verification)
    return DemoSummary(
        ok=not problems,
        problems=problems,
        seconds=round(sum(phases.seconds.values()), 3),
        phase_seconds=phases.seconds,
        peak_rss_mb=_peak_rss_mb(),
        history=history,
        training=report,
        live=live,
        verification=verification,
    )


def compile_kernels() -> None:
    """Compile what a market runs through, into the cache: `make install` calls it once."""
    machine, featurizer = ExchangeFeed(), Featurizer()
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, 1, 0)
    events = [event for frame in market.advance(3) for event in machine.receive(frame).events]
    featurizer.receive(
        [Record(TICKS, 0, i, event.product, encode(event)) for i, event in enumerate(events)]
    )


class _Exchange:
    """The simulated exchange and its feed, on one connection that is never lost.

    In a thread of its own: the history at once, then nothing until `go_live`, then what passed
    meanwhile, then each frame when its time has come.
    """

    def __init__(self, home: Path, market: SimulatedMarket, live_from_ns: int) -> None:
        self._log = open_log(home)
        self.feed = Feed(self._log, home / "archive", Rules(products=frozenset(market.products)))
        self._market, self._live_from_ns = market, live_from_ns
        self._told = threading.Event()
        self._live = threading.Event()
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._thread.ident is not None:
            self._thread.join()
        self.feed.close()
        self._log.close()

    def start(self) -> None:
        self._thread.start()

    def wait_for_history(self, pipeline: Pipeline) -> None:
        """Until every frame of the history is fed, featurized and scored."""
        while not (
            self._told.is_set()
            and pipeline.featurized.records == self._events()
            and pipeline.scored.records == pipeline.featurized.values
        ):
            pipeline.check()
            self.check()
            self._stop.wait(_LOOK_S)

    def go_live(self) -> None:
        self._live.set()

    def stop(self) -> None:
        self._stop.set()
        self._live.set()

    def join(self) -> None:
        """Wait for the feed's last commit; raise what it died of, if it did."""
        self._thread.join()
        self.check()

    def check(self) -> None:
        if self._failures:
            raise self._failures[0]

    def _events(self) -> int:
        summary = self.feed.summary
        return summary.ticks + summary.heartbeats + sum(summary.gaps.values())

    def _run(self) -> None:
        try:
            ingest(self.feed, self._frames(), Dialect.EXCHANGE)
        except BaseException as error:  # noqa: BLE001 - not lost: `check` raises it at the door
            self._failures.append(error)

    def _frames(self) -> Iterator[Frame | None]:
        while self._market.now_ns < self._live_from_ns and not self._stop.is_set():
            left_s = (self._live_from_ns - self._market.now_ns) // NS_PER_S
            yield from self._market.advance(min(_HISTORY_CHUNK_S, left_s))
        yield None
        self._told.set()
        self._live.wait()
        while not self._stop.is_set():
            for frame in self._market.advance(1):
                wait_s = ((frame.receive_time_ns or 0) - time.time_ns()) / NS_PER_S
                if wait_s > 0:
                    yield None
                    if self._stop.wait(wait_s):
                        return
                yield msgspec.structs.replace(frame, receive_time_ns=time.time_ns())


def _live(
    log: Log, exchange: _Exchange, pipeline: Pipeline, status: Status, *, check: bool
) -> LiveSummary:
    watch = Watch(log)
    started = time.monotonic()
    exchange.go_live()
    leave = threading.Event()

    def look() -> None:
        pipeline.check()
        exchange.check()
        watch.look()

    if check:
        status.update(f"live for {CHECK_LIVE_S:g} s")
        while time.monotonic() - started < CHECK_LIVE_S and not leave.wait(_LOOK_S):
            look()
    else:
        status.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: leave.set())
        with Live(console=Console(), refresh_per_second=4, screen=sys.stdout.isatty()) as shown:
            while not leave.wait(_LOOK_S):
                look()
                shown.update(render(watch, _feed_state(exchange.feed.summary)))
    return LiveSummary(
        seconds=round(time.monotonic() - started, 3),
        predictions=sum(watch.verdicts.values()),
        verdicts=watch.verdicts,
        models=watch.models,
        alerts=watch.alert_count,
        latency=watch.latencies(),
    )


def _feed_state(summary: Summary) -> str:
    gaps = sum(summary.gaps.values())
    letters = sum(summary.dead_letters.values())
    return (
        f"simulated exchange, {summary.ticks:,} ticks, {summary.heartbeats:,} heartbeats, "
        f"{gaps} gaps, {letters} dead letters · Ctrl-C leaves"
    )


def _problems(report: TrainingReport, live: LiveSummary, verification: Verification) -> list[str]:
    problems = []
    if not report.decision.promote:
        problems.append("the gate promoted nothing")
    if not live.verdicts.get(Verdict.PREDICTED):
        problems.append("nothing was predicted live")
    if not verification.same:
        problems.append("live features and their replay differ")
    return problems


def _peak_rss_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS bytes.
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
