"""A recording through archive, log, featurizer and scorer, as `barograph replay` does it."""

import tempfile
from pathlib import Path
from statistics import median

import msgspec

from barograph.app import wiring
from barograph.app.settings import Settings
from barograph.cases.spikes import SPIKES
from barograph.feed import feed
from barograph.feed.replay import replay
from barograph.log import open_log
from barograph.pipeline import threads
from barograph.registry.model import sha256_of
from barograph.registry.registry import Registry
from measure import Measured, benchmark_events, logged_recording, row, seconds
from peers import plain_replay
from scoring import trained


@row("replay through log, featurizer and scorer, beside a script", "ticks/s", ("ratio", ">=", 0.5))
def replayed(repeats: int) -> Measured:
    """In this process, into a fresh home with a champion; from the first line to the last commit.

    The peer is a loop as one writes it in an hour (`peers/plain_replay.py`): it keeps lines and
    ticks and scores each second, with a tenth of the features and none of the promises.
    """
    timed = [(_replay(), _plain()) for _ in range(repeats + 1)][1:]
    events, _ = benchmark_events(logged_recording())
    ours_s, plain_s = (median(side) for side in zip(*timed, strict=True))
    return Measured(len(events) / ours_s, len(events) / plain_s)


def _plain() -> float:
    model = trained().model
    width = len(model.facts.features)
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder:

        def work() -> None:
            made = plain_replay.replay(
                logged_recording(), Path(folder), trained().onnx, width, Settings().batch_records
            )
            assert made > 0

        return seconds(work)


def _replay() -> float:
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder:
        home = Path(folder)
        crown(home)
        settings = Settings(home=home)

        def work() -> None:
            log = open_log(home)
            frames = feed.Feed(log, home / "archive", partitions=settings.partitions)
            frames.batch_lines = settings.batch_records
            try:
                running = threads.Pipeline(wiring.stages(settings, home, SPIKES, _refuse))
                wiring.feed_through(
                    running, lambda: replay(frames, [logged_recording()]), live=False
                )
            finally:
                frames.close()
                log.close()
            events, _ = benchmark_events(logged_recording())
            assert running.featurized.records == len(events)
            assert running.scored.values == running.featurized.values > 0

        return seconds(work)


def crown(home: Path) -> None:
    """Make the trained model the champion of the recording's products."""
    _, products = benchmark_events()
    model = trained().model
    onnx = trained().onnx
    tau = dict.fromkeys(products, next(iter(model.facts.tau.values())))
    facts = msgspec.structs.replace(model.facts, tau=tau, sha256=sha256_of(onnx))
    registry = Registry(home)
    registry.promote("spikes", registry.register("spikes", onnx, facts), "benchmark")


def _refuse(message: str) -> None:
    raise AssertionError(message)
