"""Feed, featurizer and scorer beside each other: until told, and when a part cannot go on."""

import sys
import threading
import time
from contextlib import closing

import pytest

from barograph.app.cli.stopping import CLEAN_S
from barograph.app.runs.up import (
    ENDS_S,
    LOOK_S,
    UpSummary,
    WatchSummary,
    nothing_done,
    run,
    summary_table,
)
from barograph.app.settings import Settings
from barograph.deadline import Start
from barograph.errors import BadInputError
from barograph.feed.clock_offset import Offset
from barograph.feed.live import LiveSummary
from barograph.feed.summary import Summary
from barograph.feed.venue_socket import ListenPlan
from barograph.log import open_log
from barograph.log.topics import FEATURES, PREDICTIONS, TICKS
from barograph.pipeline.verify import verify
from barograph.pipeline.watch import Latencies
from barograph.simulated.exchange import Exchange, Terms, running
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from barograph.venues.coinbase.endpoints import endpoint
from log_contents import values
from screen_text import text_of

S = 1_000_000_000
PRODUCTS = ("BTC-USD", "ETH-USD")


@pytest.fixture
def exchange():
    """A market whose time is the machine's, twenty seconds of which have passed already."""
    start_ns = (time.time_ns() // S - 20) * S
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, 3, start_ns)
    terms = Terms(wait_for_reader=True, present=True)
    with running(Exchange(simulated(market), terms=terms)) as exchange:
        yield exchange


def plan(address, **changes):
    return ListenPlan(
        endpoint=endpoint("simulated", f"ws://{address}"), products=PRODUCTS, **changes
    )


UNFINISHED = "stopped before all was scored that was heard; the next run goes on"


def unexpected(warned):
    """The warnings but for those that a run has, or has not, by how fast the machine is."""
    return [
        text
        for text in warned
        if text != UNFINISHED and not text.startswith("retraining: first training in about")
    ]


def test_all_parts_have_ended_before_the_verb_is_killed():
    assert ENDS_S + LOOK_S < CLEAN_S


@pytest.mark.slow
def test_what_is_heard_is_featurized_and_scored_until_the_time_is_over(tmp_path, exchange):
    settings, warned = Settings(home=tmp_path), []
    before_s = sys.getswitchinterval()
    done = run(
        settings, tmp_path, plan(exchange.address, seconds=4.0), threading.Event(), warned.append
    )
    assert sys.getswitchinterval() == before_s
    assert unexpected(warned) == []
    assert UNFINISHED not in warned
    # How much is heard, and how much of it was seen when the feed ended, is the machine's.
    assert done.heard.feed.ticks > 0
    assert done.heard.feed.gaps == {}
    with closing(open_log(tmp_path)) as log:
        raw, rows, predictions = (
            sum(map(len, values(log, topic).values())) for topic in (TICKS, FEATURES, PREDICTIONS)
        )
        assert raw == done.heard.feed.ticks + done.heard.feed.heartbeats
        assert rows == predictions >= done.seen.predictions
        assert predictions > 0
        assert verify(log, archive=tmp_path / "archive").same


@pytest.mark.slow
def test_it_ends_when_it_is_asked(tmp_path, exchange):
    stop, warned = threading.Event(), []
    stop.set()
    done = run(Settings(home=tmp_path), tmp_path, plan(exchange.address), stop, warned.append)
    assert done.heard.connections <= 1
    assert unexpected(warned) == []


class StoppedAtItsEnd(Start):
    """A start that is interrupted when everything runs."""

    def over(self):
        self.interrupt()


@pytest.mark.slow
def test_a_start_that_is_stopped_says_what_was_heard_by_then(tmp_path, exchange):
    stop, start = threading.Event(), StoppedAtItsEnd()
    settings, warned = Settings(home=tmp_path), []
    done = run(settings, tmp_path, plan(exchange.address), stop, warned.append, start=start)
    assert done.seen.seconds == done.seen.predictions == 0
    with closing(open_log(tmp_path)) as log:
        raw = sum(map(len, values(log, TICKS).values()))
    heard = done.heard.feed
    assert raw == heard.ticks + heard.heartbeats + sum(heard.gaps.values())


def test_a_run_that_was_stopped_before_its_feed_has_a_summary_too():
    done = nothing_done("simulated", "", PRODUCTS)
    assert done.heard.products == PRODUCTS
    assert done.heard.feed.ticks == done.seen.predictions == 0
    assert "predictions   0" in shown(summary_table(done))


@pytest.mark.slow
def test_a_venue_that_is_not_there_is_one_line_that_names_another(tmp_path):
    settings, warned = Settings(home=tmp_path), []
    with pytest.raises(BadInputError, match="--venue simulated"):
        run(settings, tmp_path, plan("127.0.0.1:9"), threading.Event(), warned.append)
    assert unexpected(warned) == []


def shown(answer):
    return text_of(answer, width=100)


def test_a_live_run_reports_what_was_received_and_predicted():
    heard = LiveSummary(
        venue="coinbase",
        address="wss://example",
        products=("BTC-USD", "FOO-USD"),
        refused={"FOO-USD": "not a [valid] product"},
        connections=2,
        queue_full=3,
        overflows=2,
        troubles=4,
        rest_failures=6,
        holes_asked=1,
        clock=Offset(median_ms=-12.5, min_ms=-40.0, max_ms=2.0),
        feed=Summary(ticks=1234, trades=7, filled=5, gaps={"disconnect": 1}, missing=2),
    )
    seen = WatchSummary(
        seconds=9.0,
        predictions=40,
        verdicts={"PREDICTED": 40},
        models={"spikes/1": 40},
        alerts=3,
        judgements={"right": 2, "wrong": 1},
        latency=Latencies(count=40, p50_ms=12.3, p99_ms=45.6),
    )
    text = " ".join(
        shown(
            summary_table(UpSummary(heard=heard, seen=seen, trained=["spikes/2 (har), keep: few"]))
        ).split()
    )
    for part in (
        "refused FOO-USD: not a [valid] product", "ticks 1,234",
        "trades 7 without a quote, 5 of them from REST", "gaps 1 disconnect 1, 2 trades missing",
        "connections 2, 1 holes requested", "queue full 3 times",
        "troubles 4 connections failed or dropped, 2 of them by overflow",
        "REST 6 unusable answers", "-12.5 ms (-40.0 … +2.0)",
        "predictions 40 PREDICTED 40", "alerts 3 right 2, wrong 1", "p50 12.3 ms, p99 45.6 ms",
        "trained spikes/2 (har), keep: few",
    ):  # fmt: skip
        assert part in text, text
