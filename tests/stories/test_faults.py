"""Every fault of a venue in both of its dialects, over a real socket: lost 0, invented 0."""

import threading
from contextlib import closing

import pytest

from barograph.feed.feed import Feed
from barograph.feed.live import listen
from barograph.feed.venue_socket import Limits, ListenPlan
from barograph.log import open_log
from barograph.simulated.exchange import Exchange, Terms, running
from barograph.simulated.fault_script import FaultKind, ScriptedFault
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from barograph.types import Gap
from barograph.venues.coinbase.endpoints import endpoint
from barograph.venues.entries import Dialect, Rules
from fault_accounts import account
from waiting import until

PRODUCTS = ("BTC-USD", "ETH-USD")
START_NS = 1_750_000_000 * 10**9
SPEED, MARKET_S = 25.0, 45.0
VENUES = {Dialect.EXCHANGE: "simulated", Dialect.ADVANCED: "coinbase-advanced"}
PATHS = {Dialect.EXCHANGE: "/exchange", Dialect.ADVANCED: "/advanced"}


def fault(kind, at_s=12.0, **how):
    return ScriptedFault(kind=FaultKind(kind), at_s=at_s, **how)


SCRIPTS = {
    "nothing": [],
    "drop": [fault("drop", count=5)],
    "drop one product": [fault("drop", count=4, product="ETH-USD")],
    "drop heartbeats": [fault("drop", count=3, channel="heartbeat")],
    "duplicate": [fault("duplicate", count=5)],
    "reorder": [fault("reorder", count=4)],
    "garbage": [fault("garbage", count=4)],
    "wrong types": [fault("wrong_types", count=4)],
    "oversized": [fault("oversized")],
    "silence": [fault("silence", seconds=14.0)],
    "silence of a product": [fault("silence", seconds=14.0, product="BTC-USD")],
    "half open": [fault("half_open")],
    "disconnect": [fault("disconnect")],
    "disconnect with a word": [fault("disconnect", code=1012)],
    "disconnect at once": [fault("disconnect"), fault("refuse", 12.0, count=3)],
    "slow reader": [fault("slow_reader")],
    "clock jump": [fault("clock_jump", seconds=1.5)],
    "clock jump back": [fault("clock_jump", seconds=-1.5)],
    "burst": [fault("burst", seconds=3.0)],
    "halt": [fault("halt", seconds=20.0, product="BTC-USD")],
    "sequence restart": [fault("sequence_restart")],
    "rest down": [fault("rest_down", seconds=60.0), fault("drop", 14.0, count=6)],
    "rest partial": [
        fault("rest_partial", seconds=60.0, count=2), fault("drop", 14.0, count=20),
    ],
    "many at once": [
        fault("drop", count=3), fault("reorder", 12.5, count=5), fault("duplicate", 13.0, count=3),
        fault("garbage", 13.5, count=3), fault("disconnect", 15.0), fault("drop", 18.0, count=9),
    ],
}  # fmt: skip


@pytest.mark.operations
@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("name", SCRIPTS)
def test_every_frame_that_was_sent_is_accounted_for(tmp_path, name, dialect):
    terms = Terms(limit_s=MARKET_S, wait_for_reader=True, keep_frames=True)
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, 7, START_NS)
    with (
        running(Exchange(simulated(market), SCRIPTS[name], speed=SPEED, terms=terms)) as exchange,
        closing(open_log(tmp_path)) as log,
    ):
        silence_s = BUSY_S if name in UNBROKEN else SILENCE_S
        listen_until_the_end(exchange, log, tmp_path, dialect, silence_s)
        logged = account(exchange, log, tmp_path / "archive")
    assert set(logged) == set(PRODUCTS)
    if name in HEALED and dialect is Dialect.EXCHANGE:
        assert not [event for events in logged.values() for event in events if type(event) is Gap]


HEALED = {
    "nothing", "drop heartbeats", "duplicate", "reorder", "halt", "burst",
}  # fmt: skip
"""What leaves no hole in the Exchange feed, where each trade has a number."""

UNBROKEN = HEALED | {"oversized"}
"""What breaks no connection by silence. Of an oversized frame it is known that it came by nothing
else coming (`quiet`), which a connection that is given up meanwhile would prevent."""


SILENCE_S = 0.5
"""A twentieth of the time that the same silence has on a market at its own speed."""

BUSY_S = 60.0
"""So long a busy machine is not silent; where nothing falls silent, no connection is given up."""


def listen_until_the_end(exchange, log, home, dialect, silence_s):
    """Listen until the market ended and all that was sent is here."""
    url = f"ws://{exchange.address}{PATHS[dialect]}"
    plan = ListenPlan(
        endpoint=endpoint(VENUES[dialect], url),
        products=PRODUCTS,
        limits=Limits(silence_s=silence_s, open_s=10.0, close_s=0.3),
        clock_limit_s=float("inf"),
    )
    stop, failed = threading.Event(), []
    with closing(Feed(log, home / "archive", Rules(products=frozenset(PRODUCTS)))) as feed:

        def work():
            try:
                listen(feed, plan, stop, lambda _warning: None)
            except BaseException as error:  # it is raised below, in the test's own thread
                failed.append(error)
                raise

        thread = threading.Thread(target=work)
        thread.start()
        try:
            until(lambda: exchange.ended or failed)
            until(lambda: failed or all_is_here(exchange, feed))
        finally:
            stop.set()
            thread.join(120)
    assert not failed
    assert not thread.is_alive()


def all_is_here(exchange, feed):
    """Whether the last connection's frames were all taken, and no hole is still being filled."""
    sent = sum(line.frames for line in exchange.ledger.connections)
    lost = exchange.ledger.connections[-1].closed_ns is not None
    return not feed.holes() and not lost and (feed.summary.lines >= sent or quiet(feed))


def quiet(feed, looks=200):
    """Whether nothing more comes for a while: some frames of lost connections never do."""
    before = feed.summary.lines
    pause = threading.Event()
    for _ in range(looks):
        pause.wait(0.01)
        if feed.summary.lines != before:
            return False
    return True
