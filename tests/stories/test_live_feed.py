"""`barograph feed` as a process on a real socket: stopped and killed, in the midst of faults."""

import json
import os
import signal
from contextlib import closing

import pytest

from barograph.log import open_log
from barograph.log.topics import ensure_topics
from barograph.simulated.exchange import Exchange, running
from barograph.simulated.fault_script import FaultKind, ScriptedFault
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from barograph.types import Gap, GapCause, Tick
from barograph.venues.entries import Dialect
from fault_accounts import nothing_invented, nothing_lost_by_ids
from log_contents import events, heard_again, letters
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations

PRODUCTS = ("BTC-USD", "ETH-USD")
SPEED = 10.0


@pytest.fixture
def exchange(warm):  # noqa: ARG001 - this market waits for nobody
    """A market of yesterday, ten times as fast, that loses frames and connections on purpose."""
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, 5, 1_750_000_000 * 10**9)
    faults = [
        ScriptedFault(kind=FaultKind.DROP, at_s=10.0, count=8),
        ScriptedFault(kind=FaultKind.REORDER, at_s=25.0, count=5),
        ScriptedFault(kind=FaultKind.DISCONNECT, at_s=40.0),
        ScriptedFault(kind=FaultKind.DUPLICATE, at_s=55.0, count=3),
        ScriptedFault(kind=FaultKind.GARBAGE, at_s=60.0, count=2),
    ]
    with running(Exchange(simulated(market), faults, speed=SPEED)) as exchange:
        yield exchange


@pytest.fixture
def home(tmp_path):
    """One whose log has the market's topics."""
    with closing(open_log(tmp_path)) as log:
        ensure_topics(log)
    return tmp_path


def fed_until(condition, exchange, home, by=signal.SIGTERM):
    """Run the command until then, and end it by a signal; what it says at its end."""
    life = Life(
        "feed", "--venue", "simulated", "--url", f"ws://{exchange.address}",
        "--products", ",".join(PRODUCTS), "--home", home, "--json",
        # Ten market seconds are one of ours: the way to the socket is ten times as long.
        BAROGRAPH_CLOCK_LIMIT_S="1e12",
    )  # fmt: skip
    until(lambda: not life.is_alive() or condition(), 120)
    os.kill(life.pid, by)
    code, out, err = life.end()
    assert (code, err) == (0 if by is signal.SIGTERM else -by, b"")
    return out


def logged(home):
    with closing(open_log(home)) as log:
        return events(log)


def market_seconds(exchange, home):
    last = [
        of_product[-1] for of_product in logged(home).values() if type(of_product[-1]) is not Gap
    ]
    return max((e.event_time_ns - exchange.ledger.start_ns for e in last), default=0) / 1e9


def account(exchange, home):
    """Hold the log against the exchange's ledger: lost 0, invented 0."""
    with closing(open_log(home)) as log:
        by_product, refused = events(log), letters(log)
    for product, of_product in by_product.items():
        made = exchange.ledger.trades[product]
        nothing_invented(of_product, made, Dialect.EXCHANGE)
        # The market goes on without us.
        last_id = max(getattr(event, "trade_id", 0) for event in of_product)
        nothing_lost_by_ids(of_product, [each for each in made if each.trade_id <= last_id])
    assert by_product.keys() == set(PRODUCTS)
    assert heard_again(home / "archive") == by_product
    return by_product, refused


def test_a_feed_that_is_told_to_stop_has_all_it_took_and_every_hole_is_filled(exchange, home):
    answer = json.loads(fed_until(lambda: market_seconds(exchange, home) > 80, exchange, home))
    by_product, refused = account(exchange, home)
    assert answer["connections"] >= 2
    assert answer["feed"]["ticks"] == sum(
        type(event) is Tick for product in by_product.values() for event in product
    )
    assert answer["feed"]["missing"] == 0, "REST had them all"
    assert answer["feed"]["filled"] > 0
    assert answer["holes_asked"] > 0
    garbage = {"not_json", "not_utf8"}
    assert sum(letter.fault in garbage for letter in refused) == 2
    for product in PRODUCTS:
        causes = [event.cause for event in by_product[product] if type(event) is Gap]
        assert causes.count(GapCause.DISCONNECT) < answer["connections"]


def test_a_feed_that_is_killed_and_started_again_misses_nothing_it_does_not_tell(exchange, home):
    endings = [signal.SIGKILL] * 3 + [signal.SIGTERM]
    for number, by in enumerate(endings):
        goal = 12.0 + market_seconds(exchange, home) + 10.0 * number
        out = fed_until(lambda goal=goal: market_seconds(exchange, home) > goal, exchange, home, by)
    assert json.loads(out)["feed"]["ticks"] > 0
    account(exchange, home)
