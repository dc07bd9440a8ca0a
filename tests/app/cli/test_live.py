"""`barograph feed`: what it answers, what it refuses, and how it is stopped."""

import json

import pytest

from barograph.log import open_log
from barograph.log.topics import TICKS
from barograph.simulated.exchange import Exchange
from barograph.simulated.exchange import running as exchanging
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from log_contents import events
from scripted_venue import Scripted
from venue_threads import running


@pytest.fixture
def exchange():
    """An hour of yesterday's market in a minute, on a real socket."""
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD", "ETH-USD"], 3, 1_750_000_000 * 10**9)
    with exchanging(Exchange(simulated(market), speed=20)) as exchange:
        yield exchange


def logged(home):
    """{product: its events}; none before the feed has made the log and its topics."""
    if not (home / "log.sqlite").exists():
        return {}
    log = open_log(home)
    try:
        return events(log) if TICKS in (topic.name for topic in log.topics()) else {}
    finally:
        log.close()


@pytest.mark.slow
def test_a_feed_that_is_interrupted_says_what_it_took(run, exchange, tmp_path, signalled):
    signaller = signalled(lambda: sum(map(len, logged(tmp_path / "h").values())) > 200)
    code, out, err = run(
        "feed", "--venue", "simulated", "--url", f"ws://{exchange.address}", "--home", "h",
        "--products", "BTC-USD,ETH-USDC", "--json",
    )  # fmt: skip
    signaller.join()
    answer = json.loads(out)
    by_product = logged(tmp_path / "h")
    assert code == 0
    assert "ETH-USDC is one series with ETH-USD" in err
    assert answer["products"] == ["BTC-USD", "ETH-USD"]
    assert (
        sum(map(len, by_product.values())) == answer["feed"]["ticks"] + answer["feed"]["heartbeats"]
    )
    assert answer["feed"]["gaps"] == answer["feed"]["dead_letters"] == {}
    assert (answer["connections"], answer["refused"]) == (1, {})


@pytest.mark.slow
def test_minutes_end_it_and_a_person_sees_a_table(run, exchange):
    words = ("feed", "--venue", "simulated", "--url", f"ws://{exchange.address}", "--home", "h")
    code, out, err = run(*words, "--minutes", "0.02")
    assert (code, err) == (0, "")
    for word in ("ticks", "heartbeats", "gaps", "dead letters", "clock"):
        assert word in out


@pytest.mark.slow
def test_both_dialects_are_heard(run, exchange):
    code, out, _ = run(
        "feed", "--venue", "coinbase-advanced", "--url", f"ws://{exchange.address}/advanced",
        "--minutes", "0.02", "--home", "h", "--json",
    )  # fmt: skip
    answer = json.loads(out)
    assert code == 0
    assert answer["feed"]["products"].keys() == {"BTC-USD", "ETH-USD"}


REFUSED = {
    "an unknown venue": ("--venue", "binance"),
    "no address": ("--url", "https://example.test"),
    "no product": ("--products", "bitcoin"),
    "half a key": ("--venue", "coinbase-advanced"),
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_fed_is_one_line(run, monkeypatch, words):
    monkeypatch.setenv("COINBASE_API_KEY", "half")
    monkeypatch.delenv("COINBASE_API_SECRET", raising=False)
    code, out, err = run("feed", *words, "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_venue_that_cannot_be_reached_is_one_line_that_names_the_simulated_one(run):
    with running(Scripted(None)) as venue:
        url = venue.url
    code, out, err = run("feed", "--venue", "coinbase", "--url", url, "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--venue simulated" in err


def test_a_product_that_the_venue_does_not_list_is_refused_before_anything_is_made(
    run, exchange, tmp_path
):
    code, _, err = run(
        "feed", "--venue", "simulated", "--url", f"ws://{exchange.address}", "--home", "h",
        "--products", "BTC-USD,ETH-USDD",
    )  # fmt: skip
    assert code == 2
    assert "product ETH-USDD: simulated does not list it. Give a name" in " ".join(err.split())
    assert "ETH-USD" in err
    assert not (tmp_path / "h").exists()
