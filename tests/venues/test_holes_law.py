"""The law of the feed: whatever is lost, late or repeated, each trade is one event or missed."""

import json
from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.times import format_time, parse_time
from barograph.types import Fault, Frame, Gap, Heartbeat, Side, Tick, Trade
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Answer, Closing, Dialect, Heard, Opening, Settlement
from coinbase_messages import TICKER, S, at, heartbeat, ids, match, page, ticker

FIRST = TICKER["trade_id"]

cascades = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from([0, 0, 0.05, 0.4, 1.1]), st.booleans()),
    min_size=2,
    max_size=14,
)
"""Trades of one moment, how long after the last ones, whether each has a ticker of its own."""

fates = st.dictionaries(
    st.integers(0, 60),
    st.tuples(
        st.sampled_from(["heard", "lost", "lost", "twice"]),
        st.sampled_from([0, 1, 2, 4, 7]),
        st.sampled_from(["", "", "page", "page", "settle", "reconnect"]),
        st.integers(0, 2**16),
    ),
    max_size=16,
)
"""What becomes of some frames, how far they are late, what comes after, and a number for that."""

COMES = ("heard", 0, "", 0)


class Market:
    """The trades of the venue, and the frames that hold them."""

    def __init__(self, drawn):
        self.matches, self.frames, now, n = {}, [], 0.0, 0
        for size, after_s, each in drawn:
            seconds = range(int(now) + 1, int(now + after_s) + 1)
            self.frames += [heartbeat(second, n) for second in seconds]
            now += after_s
            for place in range(size):
                n += 1
                self.matches[n] = match(n, time=at(now), size=f"0.{n}", price=f"{100 + n}.5")
                self.frames.append(self.matches[n])
                if each or place == size - 1:
                    self.frames.append(self.ticker(n))
        self.last = n

    def ticker(self, n):
        trade = self.matches[n]
        quote = {"best_bid": f"{100 + n}", "best_ask": f"{101 + n}"}
        return ticker(n, time=trade["time"], price=trade["price"], last_size=trade["size"], **quote)

    def page(self, hole, number):
        """What REST may answer: some of the trades around a hole."""
        near = range(hole.first_trade_id - FIRST - 1, hole.last_trade_id - FIRST + 2)
        return page(
            *(self.matches[n] for n in near if n in self.matches and number >> (n % 16) & 1)
        )


def entries_of(market, drawn):
    """All that happens, as entries; what depends on the holes is decided by a machine that runs."""
    machine, number = Coinbase(), 0

    def name():
        return f"c{number}"

    def heard(message):
        return Heard(Frame(data=json.dumps(message).encode(), connection=name()), Dialect.EXCHANGE)

    def opening():
        return Opening(connection=name(), dialect=Dialect.EXCHANGE, fill=True)

    def happen(entry):
        machine.take(entry)
        return entry

    late = {place: place + drawn.get(place, COMES)[1] for place in range(len(market.frames))}
    reconnected = highest = 0
    yield happen(opening())
    yield happen(heard(ticker(0, best_bid="1")))
    for place in sorted(late, key=late.get):
        fate, _, then, chance = drawn.get(place, COMES)
        if place < reconnected:
            # What a connection did not bring in its time no later one brings.
            fate = "lost"
        highest = max(highest, place)
        for _ in range({"lost": 0, "twice": 2}.get(fate, 1)):
            yield happen(heard(market.frames[place]))
        open_holes = machine.holes()
        if then == "page" and open_holes:
            yield happen(Answer("BTC-USD", heard(market.page(open_holes[0], chance)).frame))
        elif then == "settle" and open_holes:
            yield happen(Settlement(connection=name(), product="BTC-USD"))
        elif then == "reconnect":
            yield happen(Closing(name()))
            number, reconnected = number + 1, highest
            yield happen(opening())
    yield happen(heard(market.ticker(market.last)))
    while machine.holes():
        yield happen(Settlement(connection=name(), product="BTC-USD"))


def run(entries, cuts=()):
    machine, received = Coinbase(), []
    for place, entry in enumerate(entries):
        if place in cuts:
            state = machine.snapshot()
            machine = Coinbase()
            machine.restore(state)
        received.append(machine.take(entry))
    return received, machine


@settings(max_examples=400)
@given(cascades, fates, st.sets(st.integers(0, 120), max_size=5))
def test_each_trade_is_an_event_once_and_in_order_or_missed_in_a_gap(drawn, drawn_fates, cuts):
    market = Market(drawn)
    entries = list(entries_of(market, drawn_fates))
    received, machine = run(entries)
    events = [event for part in received for event in part.events]
    letters = [letter for part in received for letter in part.dead_letters]

    check_truth(market, events)
    check_order(events)
    check_account(market, events)
    check_closes(events)
    # Every ticker and heartbeat went somewhere, and nothing is held at the end.
    sent = Counter(
        json.loads(entry.frame.data)["type"] for entry in entries if isinstance(entry, Heard)
    )
    refused = Counter((json.loads(letter.original)["type"], letter.fault) for letter in letters)
    repeats, late = refused["ticker", Fault.DUPLICATE], refused["heartbeat", Fault.LATE]
    assert sent["ticker"] == sum(isinstance(e, Tick) for e in events) + repeats
    assert sent["heartbeat"] == sum(isinstance(e, Heartbeat) for e in events) + late
    assert len(letters) == repeats + late
    assert len({letter.identity for letter in letters}) == len(letters)
    assert machine.holes() == []
    # The same entries again, stopped and restored anywhere, come to the same.
    again, _ = run(entries, cuts)
    assert [tuple(map(list, part)) for part in again] == [tuple(map(list, p)) for p in received]


def check_truth(market, events):
    for event in events:
        if isinstance(event, Trade):
            sent = market.matches[event.trade_id - FIRST]
            assert (event.price, event.size) == (sent["price"], sent["size"])
            assert format_time(event.event_time_ns) == sent["time"]
            assert event.side is Side.BUY
        elif isinstance(event, Tick) and event.trade_id > FIRST:
            sent = market.ticker(event.trade_id - FIRST)
            assert (event.price, event.bid) == (sent["price"], sent["best_bid"])
            assert format_time(event.event_time_ns) == sent["time"]


def check_order(events):
    """Ids rise; only behind a lost connection the last trade may come again, with its quote."""
    numbered = [e for e in events if isinstance(e, Tick | Trade)]
    for before, event in pairwise(numbered):
        rises = event.trade_id > before.trade_id
        assert rises or (
            event.trade_id == before.trade_id and event.connection != before.connection
        ), ids(numbered)


def check_account(market, events):
    """Gaps count exactly the trades that are no event, up to every tick.

    A heartbeat closes no second with a trade in it that is neither an event nor in a gap.
    """
    covered, skipped, missing, behind_gap = FIRST, 0, 0, False
    for event in events:
        if isinstance(event, Gap):
            missing += event.missing or 0
            behind_gap = True
        elif isinstance(event, Tick | Trade):
            skipped += max(event.trade_id - covered - 1, 0)
            covered = max(covered, event.trade_id)
            if isinstance(event, Tick):
                assert skipped == missing, ids(events)
                behind_gap = False
        elif behind_gap:
            skipped += max(event.last_trade_id - covered, 0)
            covered = max(covered, event.last_trade_id)
            assert skipped == missing, ids(events)
            behind_gap = False
        else:
            untold = range(covered - FIRST + 1, event.last_trade_id - FIRST + 1)
            seconds = {parse_time(market.matches[n]["time"]) // S for n in untold}
            assert seconds <= {event.event_time_ns // S}, ids(events)


def check_closes(events):
    """A trade without a quote has one behind it in its second, or stands behind a gap."""
    behind_gap, waiting = False, []
    for event in events:
        if isinstance(event, Gap):
            behind_gap = True
        elif isinstance(event, Trade):
            waiting += [] if behind_gap else [event.event_time_ns // S]
        else:
            assert set(waiting) <= {event.event_time_ns // S}, ids(events)
            behind_gap, waiting = False, []
