"""The live feed from a socket to the log: every frame, every hole, and how it ends."""

import asyncio
import json
import threading
import time

import msgspec
import pytest

from archive_contents import read_archive
from barograph.errors import BadInputError
from barograph.feed import live
from barograph.feed.venue_socket import Limits, ListenPlan
from barograph.log.topics import STATUS
from barograph.pipeline.check import check
from barograph.times import format_time
from barograph.types import FeedStatus, Gap, GapCause, Heartbeat, Tick, Trade
from barograph.venues.coinbase.endpoints import endpoint
from barograph.venues.entries import Answer, Settlement
from coinbase_messages import TICKER, S, beats, envelope, gaps, heartbeat, ticker
from homes import Home
from log_contents import events, heard_again, letters, values
from scripted_venue import Scripted, forever, pages
from venue_threads import running
from waiting import until

SHORT = Limits(silence_s=60.0, open_s=10.0, close_s=0.3)
FIRST = TICKER["trade_id"]


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    yield home
    home.log.close()


class Listening:
    """A live feed in a thread of its own, as a door runs it."""

    def __init__(self, home, url, venue="simulated", products=("BTC-USD",), **changes):
        self.home, self.warned, self.shown = home, [], []
        self.stop, self.answer, self.error = threading.Event(), None, None
        self.plan = ListenPlan(
            endpoint=endpoint(venue, url), products=tuple(products), limits=SHORT, **changes
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            self.answer = live.listen(
                self._feed, self.plan, self.stop, self.warned.append, self.shown.append
            )
        except BadInputError as error:
            self.error = error
        finally:
            self._feed.close()

    def __enter__(self):
        self._feed = self.home.feed()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self._thread.join(120)
        assert not self._thread.is_alive()

    def ended(self):
        return not self._thread.is_alive()

    def events(self, product="BTC-USD"):
        return events(self.home.log).get(product, [])

    def until(self, count, product="BTC-USD"):
        until(lambda: len(self.events(product)) >= count)


def now(message, shift_ns=0):
    """A message that the venue makes at this moment of its clock."""
    return json.dumps(message | {"time": format_time(time.time_ns() + shift_ns)})


def subscribed(*products):
    return json.dumps(
        {
            "type": "subscriptions",
            "channels": [{"name": "ticker", "product_ids": list(products)}],
        }
    )


def plays(*scripts):
    """The first connection gets the first script, and so on; the last one stays."""

    async def script(socket, number):
        for message in scripts[min(number, len(scripts)) - 1]:
            await socket.send(message if isinstance(message, str | bytes) else now(message))
        if number >= len(scripts):
            await forever()

    return script


def quick(messages):
    return [subscribed("BTC-USD"), *messages]


def test_ticks_and_heartbeats_are_in_the_log_while_the_connection_stands(home):
    script = plays(quick([ticker(0), ticker(1), heartbeat(1, 1)]))
    with running(Scripted(script)) as venue, Listening(home, venue.url) as listening:
        listening.until(3)
    assert [type(event) for event in listening.events()] == [Tick, Tick, Heartbeat]
    answer = listening.answer
    assert (answer.feed.ticks, answer.feed.heartbeats, answer.feed.quiet) == (2, 1, 1)
    assert (answer.connections, answer.queue_full, answer.refused) == (1, 0, {})
    assert abs(answer.clock.median_ms) < 2000
    assert listening.warned == []
    assert heard_again(home.archive) == events(home.log)


def test_what_is_known_of_the_products_is_in_the_answer_and_is_said_once(home):
    script = plays(quick([ticker(0), ticker(1), heartbeat(1, 1)]))
    said = {"one_book": {"BTC-USDC": "BTC-USD"}, "unchecked": "the products are not checked"}
    with running(Scripted(script)) as venue, Listening(home, venue.url, **said) as listening:
        listening.until(3)
    assert listening.answer.feed.one_book == {"BTC-USDC": "BTC-USD"}
    assert listening.warned == ["the products are not checked"]


@pytest.mark.slow
def test_a_lost_connection_leaves_one_gap_a_product_and_the_story_goes_on(home):
    first = [ticker(0), ticker(0, product_id="ETH-USD")]
    second = [ticker(2), ticker(2, product_id="ETH-USD")]
    with running(Scripted(plays(first, [], second))) as venue:
        products = ("BTC-USD", "ETH-USD")
        with Listening(home, venue.url, products=products) as listening:
            listening.until(3)
            listening.until(3, "ETH-USD")
    for product in products:
        of_product = listening.events(product)
        assert [type(event) for event in of_product] == [Tick, Gap, Tick]
        assert of_product[1].cause is GapCause.DISCONNECT
    assert listening.answer.feed.gaps == {"disconnect": 2}
    assert listening.answer.connections == 3


def rest_trades(numbers):
    return {
        FIRST + n: {
            "trade_id": FIRST + n, "price": "103472.30", "size": "0.5", "side": "sell",
            "time": format_time(time.time_ns()),
        }
        for n in numbers
    }  # fmt: skip


def test_a_hole_is_filled_from_rest_and_the_archive_tells_it_again(home):
    script = plays(quick([ticker(0), ticker(4), ticker(5)]))
    with (
        running(Scripted(script, pages(rest_trades(range(10))))) as venue,
        Listening(home, venue.url) as listening,
    ):
        until(lambda: [type(event) for event in listening.events()].count(Tick) == 3)
    logged = listening.events()
    trades = [event for event in logged if type(event) is Trade]
    assert [trade.trade_id for trade in trades] == [FIRST + n for n in (1, 2, 3)]
    assert all(trade.filled for trade in trades)
    assert [gap.missing for gap in gaps(logged)] in ([], [0])
    assert listening.answer.holes_asked == 1
    assert venue.paths == [f"/products/BTC-USD/trades?limit=3&after={FIRST + 4}"]
    kinds = [type(entry) for entry in read_archive(home.archive)]
    assert kinds.count(Answer) == 1
    assert kinds.count(Settlement) == 0
    assert heard_again(home.archive) == events(home.log)


@pytest.mark.slow
def test_what_rest_does_not_know_is_a_gap_after_a_few_tries(home):
    script = plays(quick([ticker(0), ticker(4), ticker(5)]))
    with (
        running(Scripted(script, lambda _path: (500, b"no"))) as venue,
        Listening(home, venue.url) as listening,
    ):
        listening.until(4)
    assert [type(event) for event in listening.events()] == [Tick, Gap, Tick, Tick]
    assert gaps(listening.events())[0].missing == 3
    assert len(venue.paths) == 3
    (warning,) = listening.warned
    assert "500" in warning
    assert heard_again(home.archive) == events(home.log)


def test_one_bad_product_is_reported_and_stops_no_other(home):
    refusal = {
        "type": "error",
        "message": "Failed to subscribe",
        "reason": "FOO-USD is not a valid product",
    }
    script = plays([json.dumps(refusal), subscribed("BTC-USD"), ticker(0)])
    with (
        running(Scripted(script)) as venue,
        Listening(home, venue.url, products=("BTC-USD", "FOO-USD")) as listening,
    ):
        listening.until(1)
        until(lambda: listening.warned)
    (warning,) = listening.warned
    assert "refuses FOO-USD" in warning
    assert list(listening.answer.refused) == ["FOO-USD"]
    assert len(letters(home.log)) == 1


def test_a_venue_that_refuses_everything_ends_the_feed_in_one_line(home):
    refusal = {"type": "error", "message": "Failed to subscribe", "reason": "BTC-USD: no"}
    with (
        running(Scripted(plays([json.dumps(refusal)]))) as venue,
        Listening(home, venue.url) as listening,
    ):
        until(listening.ended)
    assert "refuses BTC-USD" in str(listening.error)


def test_a_venue_that_cannot_be_reached_ends_the_feed_in_one_line(home):
    with running(Scripted(None)) as venue:
        url = venue.url
    with Listening(home, url) as listening:
        until(listening.ended)
    assert "--venue simulated" in str(listening.error)


@pytest.mark.slow
def test_the_time_that_was_asked_for_ends_it(home):
    with (
        running(Scripted(plays(quick([ticker(0)])))) as venue,
        Listening(home, venue.url, seconds=0.5) as listening,
    ):
        until(listening.ended)
    assert listening.answer.feed.ticks == 1


@pytest.mark.slow
def test_everything_received_before_a_stop_is_in_the_log(home):
    """Told to stop under load: as many ticks as frames in the archive, and all from the first."""
    messages = [now(ticker(n)) for n in range(30_000)]
    with (
        running(Scripted(plays(messages))) as venue,
        Listening(home, venue.url) as listening,
    ):
        listening.until(1000)
    numbers = [event.trade_id - FIRST for event in listening.events()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) == listening.answer.feed.lines >= 1000


def test_advanced_trade_is_heard_the_same_way(home):
    def made(message):
        return json.dumps(message | {"timestamp": format_time(time.time_ns())})

    script = plays([made(envelope(0, kind="snapshot")), made(envelope(1)), made(beats(2, 1))])
    with running(Scripted(script)) as venue:
        url = venue.url.replace("/exchange", "/advanced")
        with Listening(home, url, "coinbase-advanced") as listening:
            until(lambda: Heartbeat in [type(event) for event in listening.events()])
    assert listening.answer.feed.heartbeats == 1
    assert heard_again(home.archive) == events(home.log)


def test_a_clock_that_is_off_is_reported_once_and_when_it_is_over(home, monkeypatch):
    monkeypatch.setattr(live, "STATUS_EVERY_S", 0.1)
    warned = threading.Event()

    async def script(socket, _number):
        n = 0
        while True:
            # Later and later ones outnumber the first.
            shift_ns = -5 * S if not warned.is_set() else 0
            await socket.send(now(heartbeat(n, 0), shift_ns))
            n += 1
            await asyncio.wait([asyncio.ensure_future(socket.wait_closed())], timeout=0.01)

    with running(Scripted(script)) as venue, Listening(home, venue.url) as listening:
        until(lambda: listening.warned)
        warned.set()
        until(lambda: len(listening.warned) == 2)
    assert "5.0" in listening.warned[0]
    assert "again" in listening.warned[1]


def test_the_connection_s_state_is_published(home, monkeypatch):
    monkeypatch.setattr(live, "STATUS_EVERY_S", 0.1)
    script = plays(quick([ticker(0), heartbeat(1, 0)]))
    with running(Scripted(script)) as venue, Listening(home, venue.url) as listening:
        until(lambda: values(home.log, STATUS)[0])
    key, value = values(home.log, STATUS)[0][-1]
    status = msgspec.json.decode(value, type=FeedStatus)
    assert (key, status.dialect, status.products) == ("simulated", "exchange", ("BTC-USD",))
    assert (status.reconnects, status.queue_full, status.open_holes) == (0, 0, 0)
    assert status.since_ns <= status.time_ns
    assert "1 ticks" in listening.shown[-1]


def test_a_feed_that_refuses_everything_says_why_and_measures_the_clock(home, monkeypatch):
    monkeypatch.setattr(live, "STATUS_EVERY_S", 0.1)

    async def script(socket, _number):
        await socket.send(subscribed("BTC-USD"))
        for n in range(10**6):
            await socket.send(now(ticker(n), 61 * S + S // 5))
            await asyncio.wait([asyncio.ensure_future(socket.wait_closed())], timeout=0.01)

    def statuses():
        return [
            msgspec.json.decode(value, type=FeedStatus) for _, value in values(home.log, STATUS)[0]
        ]

    with running(Scripted(script)) as venue, Listening(home, venue.url) as listening:
        until(lambda: len(listening.warned) == 2)
        until(lambda: any(status.refused > 20 for status in statuses()))
        until(lambda: "refused in the last minute: future: 61." in "".join(listening.shown))
    assert listening.events() == []
    refused, clock = listening.warned
    assert "messages in the last 60 s were refused: future: 61." in refused
    assert refused.startswith("simulated: all of ")
    assert refused.endswith("; is this machine's clock slow?")
    assert "clock is +61." in clock
    status = statuses()[-1]
    assert (status.passed, status.first_refusal[:11]) == (0, "future: 61.")
    assert status.offset_median_ms == pytest.approx(61_200, abs=1000)
    assert listening.answer.first_refusals["future"].startswith("61.")
    report = check(home.log, "ticks.raw", wanted=1)
    assert not report.ok
    assert report.first_refusal.startswith("future: 61.")
