"""Whatever a venue does, the product goes on, holes are settled, and the feed ends when told to.

Each way to be hostile runs against a live feed of its own, many of them at one time.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec
import pytest

from barograph.errors import BadInputError
from barograph.feed import live
from barograph.feed.venue_socket import Limits, ListenPlan
from barograph.types import Gap, Tick, Trade
from barograph.venues.coinbase.endpoints import endpoint
from homes import Home
from hostile_venues import ANSWERS, HANDSHAKES, HOLE, SESSIONS, Hostile
from log_contents import events, heard_again
from venue_threads import running
from waiting import until

pytestmark = pytest.mark.operations

AT_ONCE = 12
SHORT = Limits(silence_s=1.5, open_s=1.0, subscribe_s=1.0, close_s=0.3, fill_s=1.0, hold_s=3.0)
LONGEST_STOP_S = 60.0
"""A live feed's own limits add up to less than one second; the machine is shared."""

PATIENT = msgspec.structs.replace(SHORT, open_s=10.0)
"""Where the first handshake is good: a flood keeps the processor from it."""

RECONNECTING = msgspec.structs.replace(SHORT, open_s=5.0)
"""Where good handshakes stand beside bad ones, some of which last as long as they may."""

ANSWERED = msgspec.structs.replace(PATIENT, silence_s=60.0, fill_s=3.0, hold_s=9.0)
"""Where only REST is hostile: a busy machine is silent for a while too."""

GOOD_TICKS = 3


class Outcome(NamedTuple):
    """How a feed on a hostile venue fared."""

    went_on: bool
    error: BadInputError | None
    stop_s: float
    warned: list[str]
    summary: live.LiveSummary | None
    events: list
    heard_again: list
    strangers: int
    requests: int


def fared(path, venue, condition, limits=PATIENT):
    """Listen until a condition of the product's events holds, and then stop."""
    home, warned, stop, result = Home(path), [], threading.Event(), []
    feed = home.feed()
    with running(venue):
        plan = ListenPlan(
            endpoint=endpoint("simulated", venue.url), products=("BTC-USD",), limits=limits,
            queue_bytes=4 << 20, clock_limit_s=float("inf"),
        )  # fmt: skip

        def listen():
            try:
                result.append(live.listen(feed, plan, stop, warned.append))
            except BadInputError as error:
                result.append(error)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            until(lambda: result or condition(events(home.log).get("BTC-USD", [])), 120, 0.05)
            went_on = not result
        except AssertionError:
            went_on = False
        begun_s = time.monotonic()
        stop.set()
        thread.join(LONGEST_STOP_S)
        stop_s = time.monotonic() - begun_s
    thread.join(LONGEST_STOP_S)
    assert not thread.is_alive(), f"still at it {2 * LONGEST_STOP_S} s after it was stopped"
    feed.close()
    (end,) = result or [None]
    failed = isinstance(end, BadInputError)
    logged = events(home.log).get("BTC-USD", [])
    again = heard_again(home.archive).get("BTC-USD", [])
    home.log.close()
    return Outcome(
        went_on, end if failed else None, stop_s, warned, None if failed else end, logged, again,
        venue.strangers, venue.requests,
    )  # fmt: skip


def on_connections(count):
    """Whether enough ticks came of so many connections in all."""

    def condition(received):
        ticks = [event for event in received if type(event) is Tick]
        last = ticks[-1].connection if ticks else ""
        number = int(last.rpartition("-")[2] or 0)
        return number >= count and sum(t.connection == last for t in ticks) >= GOOD_TICKS

    return condition


def at_first(name, path):
    async def play(wire, _number):
        await HANDSHAKES[name](wire)

    return fared(path, Hostile(play), lambda _events: False, SHORT)


def at_a_reconnect(name, path):
    async def play(wire, number):
        if number == 2:
            await HANDSHAKES[name](wire)
            return
        await wire.accept()
        if number > 2:
            await wire.on()
        await wire.tick()

    return fared(path, Hostile(play), on_connections(2), RECONNECTING)


def behind_a_handshake(name, path):
    async def play(wire, number):
        await wire.accept()
        await wire.tick()
        await (wire.on() if number > 1 else SESSIONS[name](wire))

    def goes_on(received):
        ticks = sum(type(event) is Tick for event in received)
        return on_connections(2)(received) or ticks > 2 * GOOD_TICKS

    return fared(path, Hostile(play), goes_on)


def in_an_answer(name, path):
    async def play(wire, _number):
        await wire.accept()
        await wire.tick()
        wire.venue.ticker(skip=HOLE - 2)
        await wire.on()

    return fared(
        path,
        Hostile(play, ANSWERS[name]),
        lambda received: sum(type(event) is Tick for event in received) > 2 * GOOD_TICKS,
        ANSWERED,
    )


KINDS = {
    "at first": (at_first, HANDSHAKES),
    "at a reconnect": (at_a_reconnect, HANDSHAKES),
    "behind a handshake": (behind_a_handshake, SESSIONS),
    "in an answer": (in_an_answer, ANSWERS),
}
CASES = [(kind, name) for kind, (_, names) in KINDS.items() for name in names]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Each case's future outcome: they run at once, and a test waits for its own."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            (kind, name): pool.submit(KINDS[kind][0], name, tmp_path_factory.mktemp("home"))
            for kind, name in CASES
        }


@pytest.fixture
def outcome(request, outcomes):
    return outcomes[request.param].result()


def cases(kind):
    names = KINDS[kind][1]
    return pytest.mark.parametrize(
        "outcome", [(kind, name) for name in names], ids=list(names), indirect=True
    )


def check_that_it_went_on(outcome):
    assert outcome.error is None
    assert outcome.went_on, (outcome.warned, outcome.events)
    assert outcome.stop_s < LONGEST_STOP_S
    assert outcome.summary is not None
    assert outcome.heard_again == outcome.events
    assert outcome.strangers == 0
    assert len(outcome.warned) == len(set(outcome.warned))
    for line in outcome.warned:
        assert line.isprintable(), line
        assert len(line) < 500


@cases("at first")
def test_a_handshake_that_is_none_ends_a_feed_that_was_never_connected_in_one_line(outcome):
    """Unless it is one, whatever follows: then there is a connection, and it goes on."""
    if outcome.error is None:
        assert outcome.summary.connections
        assert outcome.stop_s < LONGEST_STOP_S
        return
    assert str(outcome.error).isprintable()
    assert "--url" in str(outcome.error) or "--venue simulated" in str(outcome.error)
    assert outcome.strangers == 0


@cases("at a reconnect")
def test_a_handshake_that_is_none_at_a_reconnect_is_reported_and_made_again(outcome):
    check_that_it_went_on(outcome)
    # A good handshake may take too long as well, and each reason is reported once.
    assert len(outcome.warned) <= outcome.summary.troubles
    assert bool(outcome.warned) == bool(outcome.summary.troubles)


@cases("behind a handshake")
def test_whatever_comes_behind_a_handshake_the_product_goes_on(outcome):
    check_that_it_went_on(outcome)


@cases("in an answer")
def test_whatever_rest_answers_the_hole_is_settled_and_the_product_goes_on(outcome):
    check_that_it_went_on(outcome)
    gaps = [event for event in outcome.events if type(event) is Gap]
    filled = [event for event in outcome.events if type(event) is Trade]
    assert sum(gap.missing for gap in gaps) + len(filled) == HOLE - 1
    assert outcome.summary.holes_asked == 1
    assert 1 <= outcome.requests <= 3 * 3
    # A page may look whole and be refused by the machine, as a dead letter.
    assert outcome.summary.rest_failures or outcome.summary.first_refusals
    assert len(outcome.warned) == min(outcome.summary.rest_failures, 1)
