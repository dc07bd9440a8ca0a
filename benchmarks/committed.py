"""A closing frame's way to its committed prediction, on the embedded log and without a page.

.venv/bin/python benchmarks/committed.py     prints the way by stage, and nothing else
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from barograph.app import wiring
from barograph.app.prompt_threads import prompt_threads
from barograph.app.settings import Settings
from barograph.cases.spikes import SPIKES
from barograph.codec import decode_numbers, decode_prediction, decode_row
from barograph.feed.feed import Feed
from barograph.feed.live import listen
from barograph.feed.venue_socket import ListenPlan
from barograph.log import Log, browse, open_log
from barograph.log.topics import FEATURES, PREDICTIONS, TICKS
from barograph.pipeline import threads
from barograph.pipeline.follower import Follower
from barograph.pipeline.stages import Stages
from barograph.pipeline.worker import M, Route, Tally, Until
from barograph.registry.registry import Registry
from barograph.types import APPENDED_TIME, Record, Verdict
from barograph.venues.coinbase.endpoints import endpoint
from barograph.venues.entries import Rules
from live import PRODUCTS, _exchange
from measure import ROOT, Measured, row, sized

sys.path.append(str(ROOT / "tests" / "given"))

from registered_models import facts_of, graph  # type: ignore[import-not-found]

_TICKS_PER_S, _WARM_S, _LIVE_S = 1_000, 75, 60


class Ways(NamedTuple):
    """Milliseconds of each prediction: by stage, and its whole way.

    to_ticks: from the frame to the feed's commit, to_row: on to the featurizer's, to_prediction: on
    to the scorer's, each where its records are stamped; to_disk: until the scorer's commit returns.
    """

    to_ticks: Sequence[float]
    to_row: Sequence[float]
    to_prediction: Sequence[float]
    to_disk: Sequence[float]
    whole: Sequence[float]


@row(
    "live: closing frame to committed prediction, p50 at 1,000 ticks/s",
    "ms",
    ("ours", "<=", 2),
    less_is_better=True,
)
def median(_repeats: int) -> Measured:
    """Feed, featurizer and scorer in one process, as `up` has them; a champion scores.

    From the receipt of the frame that closes a second to the return of the scorer's commit, which
    has the prediction on the disk.
    """
    return Measured(float(np.percentile(_ways().whole, 50)))


@row(
    "live: closing frame to committed prediction, p99 at 1,000 ticks/s",
    "ms",
    ("ours", "<=", 10),
    less_is_better=True,
)
def most(_repeats: int) -> Measured:
    """The same run."""
    return Measured(float(np.percentile(_ways().whole, 99)))


class _Timed(Stages, frozen=True, kw_only=True):
    """Stages of which the scorer notes when each prediction was committed."""

    committed: list[tuple[int, Sequence[bytes]]] = msgspec.field(default_factory=list)

    def _follow(
        self, route: Route, new_machine: Callable[[], M], until: Until, follower: Follower
    ) -> Tally:
        def count(_group: str, values: Sequence[bytes]) -> None:
            if values:
                self.committed.append((time.time_ns(), values))

        if route.target == PREDICTIONS:
            route = msgspec.structs.replace(route, count=count)
        return super()._follow(route, new_machine, until, follower)


@cache
def _ways() -> Ways:
    ticks_per_s, seconds = sized(_TICKS_PER_S, 100), sized(_LIVE_S, 3)
    warm_s = sized(_WARM_S, 1)
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder:
        home = Path(folder)
        onnx, registry = graph(), Registry(home)
        facts = facts_of(onnx, tau=dict.fromkeys(PRODUCTS, 5e-5))
        registry.promote("spikes", registry.register("spikes", onnx, facts), "benchmark")
        settings = Settings(home=home)
        wired = wiring.stages(settings, home, SPIKES, _refuse, patient=True)
        stages = _Timed(**msgspec.structs.asdict(wired))
        with (
            _exchange(ticks_per_s, warm_s + seconds + 5) as address,
            closing(open_log(home, live=True)) as log,
            closing(Feed(log, home / "archive", Rules(products=frozenset(PRODUCTS)))) as feed,
        ):
            plan = ListenPlan(
                endpoint=endpoint("simulated", f"ws://{address}"),
                products=PRODUCTS,
                seconds=warm_s + seconds,
            )
            with prompt_threads(), threads.Pipeline(stages):
                listen(feed, plan, threading.Event(), lambda _warning: None)  # of its clock
            ways = _by_stage(log, stages.committed, warm_s)
    return Ways(*zip(*ways, strict=True))


def _by_stage(
    log: Log, committed: Iterable[tuple[int, Sequence[bytes]]], warm_s: float
) -> list[tuple[float, ...]]:
    """The stages of each prediction behind the warm-up, by when the log took its records."""
    ticks, rows, predictions = dict[int, int](), dict[Any, int](), dict[Any, int]()
    for record in _records(log, TICKS):
        ticks.setdefault(decode_numbers(record.value).receive_time_ns, _taken_ns(record))
    for record in _records(log, FEATURES):
        of = decode_row(record.value)
        rows[of.product, of.second] = _taken_ns(record)
    for record in _records(log, PREDICTIONS):
        each = decode_prediction(record.value)
        predictions[each.product, each.second] = _taken_ns(record)
    ways = []
    first_ns = min(ticks.values())
    for done_ns, values in committed:
        for made in map(decode_prediction, values):
            heard_ns, place = made.receive_time_ns, (made.product, made.second)
            if heard_ns is None or heard_ns < first_ns + warm_s * 1e9:
                continue
            assert made.verdict is sized(Verdict.PREDICTED, made.verdict), made
            times = (heard_ns, ticks[heard_ns], rows[place], predictions[place], done_ns)
            stages = [(end - start) / 1e6 for start, end in pairwise(times)]
            ways.append((*stages, (done_ns - heard_ns) / 1e6))
    return ways


def _records(log: Log, topic: str) -> Iterable[Record]:
    for extent in log.extents(topic):
        yield from browse.upwards(log, topic, extent)


def _taken_ns(record: Record) -> int:
    return int(record.headers[APPENDED_TIME])


def _refuse(message: str) -> None:
    raise AssertionError(message)


def _print_ways() -> None:
    """The way of a prediction by stage, in ms."""
    ways = _ways()
    print(f"{len(ways.whole)} predictions, ms    p10     p50     p90     p99")
    for stage, took_ms in ways._asdict().items():
        shares = np.percentile(took_ms, (10, 50, 90, 99))
        print(f"  {stage:18}", *(f"{share:7.2f}" for share in shares))


if __name__ == "__main__":
    _print_ways()
