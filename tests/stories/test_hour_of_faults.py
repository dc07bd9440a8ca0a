"""An hour of a market at fifty times its speed, with two hundred faults, through the whole house.

`barograph up` listens to a real socket, featurizes and scores; then its archive is heard again.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from barograph.log import open_log
from barograph.log.topics import FEATURES, PREDICTIONS
from barograph.pipeline.verify import verify
from barograph.simulated.exchange import Exchange, Terms, running
from barograph.simulated.fault_script import FaultKind
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from barograph.types import Gap
from barograph.venues.entries import Dialect
from fault_accounts import frames_account, nothing_invented, nothing_lost_by_ids
from log_contents import events, heard_again, values
from random_faults import random_script
from waiting import until

pytestmark = pytest.mark.operations

COMMAND = [sys.executable, "-c", "from barograph.app.cli import main; main()"]
PRODUCTS = ("BTC-USD", "ETH-USD")
START_NS = 1_750_000_000 * 10**9
HOUR_S, SPEED, FAULTS = 3600.0, 50.0, 200
SETTINGS = {"BAROGRAPH_CLOCK_LIMIT_S": "1e12", "BAROGRAPH_SILENCE_TIMEOUT_S": "0.6"}
LIMIT_S = 900.0
"""Of each wait: an hour takes 72 s at best, and the market waits for a slow reader."""

# Half a minute of backing off from a venue that refuses would be half an hour of this market.
KINDS = [kind for kind in FaultKind if kind is not FaultKind.REFUSE]


def resident_mb(process):
    ps = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, text=True, check=True
    )
    return int(ps.stdout) / 1024


def market_s(exchange):
    return (exchange.ledger.now_ns - exchange.ledger.start_ns) / 1e9


def test_an_hour_of_faults_is_accounted_for_and_gives_the_same_features_again(tmp_path):
    home = tmp_path / "home"
    script = random_script(3, FAULTS, 0.97 * HOUR_S, PRODUCTS, KINDS)
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, 11, START_NS)
    terms = Terms(limit_s=HOUR_S, wait_for_reader=True, keep_frames=True, rest_per_s=100.0)
    with running(Exchange(simulated(market), script, speed=SPEED, terms=terms)) as exchange:
        child = subprocess.Popen(
            [*COMMAND, "up", "--venue", "simulated", "--url", f"ws://{exchange.address}",
             "--products", ",".join(PRODUCTS), "--home", home, "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **SETTINGS},
        )  # fmt: skip
        try:
            until(lambda: child.poll() is not None or market_s(exchange) > HOUR_S / 3, LIMIT_S)
            early_mb = resident_mb(child)
            until(lambda: child.poll() is not None or exchange.ended, LIMIT_S)
            late_mb = resident_mb(child)
            until(lambda: child.poll() is not None or all_here(exchange, home), LIMIT_S)
            child.send_signal(signal.SIGTERM)
            out, err = child.communicate(timeout=LIMIT_S)
        finally:
            child.kill()
            child.wait()
    assert child.returncode == 0, err
    answer = json.loads(out)
    assert sum(len(line.deeds) for line in exchange.ledger.connections) > FAULTS / 2
    with closing(open_log(home)) as log:
        logged = events(log)
        frames_account(exchange.ledger, home / "archive")
        for product in PRODUCTS:
            made = exchange.ledger.trades[product]
            nothing_invented(logged[product], made, Dialect.EXCHANGE)
            nothing_lost_by_ids(logged[product], made)
        assert any(type(event) is Gap for each in logged.values() for event in each)
        assert heard_again(home / "archive") == logged
        rows = sum(map(len, values(log, FEATURES).values()))
        assert rows == sum(map(len, values(log, PREDICTIONS).values())) > HOUR_S / 2
        assert answer["heard"]["connections"] == len(exchange.ledger.connections)
        assert verify(log).same
        again = verify(log, archive=home / "archive")
        assert again.same
        assert again.rows == rows
    assert late_mb < 1.15 * early_mb, f"{early_mb:.0f} MB after a third, {late_mb:.0f} at the end"


def all_here(exchange, home: Path):
    """Whether the log has the last trade of every product."""
    with closing(open_log(home)) as log:
        logged = events(log)
    made = exchange.ledger.trades
    return all(
        any(getattr(event, "trade_id", None) == made[product][-1].trade_id for event in each[-50:])
        for product, each in logged.items()
    )
