"""The live feed: from the simulated exchange's socket to the durable log, on one machine.

.venv/bin/python benchmarks/live.py TICKS_PER_S SECONDS     serves the exchange alone
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from barograph.feed.feed import Feed
from barograph.feed.live import LiveSummary, listen
from barograph.feed.venue_socket import ListenPlan
from barograph.log import open_log
from barograph.simulated.exchange import Exchange, Terms, running
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from barograph.types import NS_PER_S, Tick
from barograph.venues.coinbase.endpoints import endpoint
from barograph.venues.continuity import Received
from barograph.venues.entries import Entry, Heard, Rules
from measure import Measured, NotMeasuredError, row, sized

PRODUCTS = tuple(f"P{n}-USD" for n in range(5))
_CALM_S, _BUSY_S = 20, 60
_SPARE_S = 5.0


@row(
    "live: receipt of a tick to durable log, p99 at 1,000 ticks/s",
    "ms",
    ("ours", "<=", 20),
    less_is_better=True,
)
def durable(_repeats: int) -> Measured:
    """Ticker, matches and heartbeats of five products; archive and log both on the disk."""
    timed, heard = _listen(sized(1000, 100), sized(_CALM_S, 2))
    assert heard.feed.gaps == heard.feed.dead_letters == {}
    return Measured(float(np.percentile(timed, 99)))


@row("live: socket to durable log for a minute, nothing dropped", "ticks/s", ("ours", ">=", 5000))
def busy(_repeats: int) -> Measured:
    """The exchange, in a process of its own, makes 5,050 ticks a second, and as many matches."""
    _, heard = _listen(sized(5050, 500), sized(_BUSY_S, 2))
    if heard.feed.gaps or heard.feed.dead_letters or heard.connections != 1:
        raise NotMeasuredError(
            f"the exchange dropped us: {heard.feed.gaps}, {heard.connections} connections"
        )
    span_ns = (heard.feed.last_event_time_ns or 0) - (heard.feed.first_event_time_ns or 0)
    return Measured(heard.feed.ticks / (span_ns / NS_PER_S))


class _Timed(Feed):
    """A feed that notes how long after its receipt each tick was durable, in ms."""

    def __init__(self, *arguments: object) -> None:
        self.took_ms: list[float] = []
        self._waiting: list[int] = []
        super().__init__(*arguments)  # type: ignore[arg-type]

    def take(self, entry: Entry, source: tuple[str, int] | None = None) -> Received:
        received = super().take(entry, source)
        if type(entry) is Heard and any(type(event) is Tick for event in received.events):
            self._waiting.append(entry.frame.receive_time_ns or 0)
        return received

    def commit(self, *arguments: object) -> None:
        super().commit(*arguments)  # type: ignore[arg-type]
        now_ns = time.time_ns()
        self.took_ms += [(now_ns - then_ns) / 1e6 for then_ns in self._waiting]
        self._waiting.clear()


def _listen(ticks_per_s: int, seconds: int) -> tuple[list[float], LiveSummary]:
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder:
        home = Path(folder)
        with _exchange(ticks_per_s, seconds) as address, closing(open_log(home)) as log:
            plan = ListenPlan(
                endpoint=endpoint("simulated", f"ws://{address}"),
                products=PRODUCTS,
                seconds=seconds + sized(_SPARE_S, 1.0),
            )
            rules = Rules(products=frozenset(PRODUCTS))
            with closing(_Timed(log, home / "archive", rules)) as feed:
                heard = listen(feed, plan, threading.Event(), lambda _warning: None)
                return feed.took_ms, heard


@contextmanager
def _exchange(ticks_per_s: int, seconds: int) -> Iterator[str]:
    command = [sys.executable, __file__, str(ticks_per_s), str(seconds)]
    served = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - this file
    try:
        assert served.stdout is not None
        yield served.stdout.readline().strip()
    finally:
        served.kill()
        served.communicate()


def _serve(ticks_per_s: int, seconds: int) -> None:
    model = PRESETS["constant"]
    orders_per_trade = model.order_rate_per_s / model.trades_per_s()
    rate = ticks_per_s / len(PRODUCTS) * orders_per_trade
    start_ns = (time.time_ns() // NS_PER_S - 1) * NS_PER_S
    market = SimulatedMarket(model._replace(order_rate_per_s=rate), PRODUCTS, 1, start_ns)
    terms = Terms(limit_s=float(seconds), wait_for_reader=True, keep_trades=100_000)
    with running(Exchange(simulated(market), terms=terms)) as exchange:
        print(exchange.address, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
