"""The law of numbers: whatever a venue counts, it mutes no product and no calm is invented."""

import json
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph import codec
from barograph.feature_set.catalogue import COLUMN
from barograph.feature_set.featurizer import Featurizer
from barograph.types import Fault, Frame, Gap, Tick
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Dialect, Heard, Opening, Settlement
from barograph.venues.numbers import CONFIRMED_BY
from coinbase_messages import START, TICKER, S, at, beats, envelope, heartbeat, ticker

VOL_10S = COLUMN["realized_vol_10s"]
FIRST = TICKER["trade_id"]

numbers = st.sampled_from(
    [2**63 - 1, 2**63, 10**15, 1, 0, -1, FIRST + 9_000, FIRST + 300, FIRST - 7, FIRST + 5]
)
steps = st.one_of(
    st.tuples(st.just("honest"), st.integers(1, 30)),
    st.tuples(st.just("honest"), st.integers(1, 30)),
    st.tuples(st.just("tick"), numbers),
    st.tuples(st.just("beat"), numbers),
    st.tuples(st.just("still"), st.integers(1, 7)),
    st.tuples(st.just("restart"), st.sampled_from([1, FIRST - 20, FIRST + 50, 10**15])),
    st.tuples(st.just("old tick"), numbers),
    st.tuples(st.just("crossed"), st.just(0)),
    st.tuples(st.just("repeat"), st.just(0)),
    st.tuples(st.just("settle"), st.just(0)),
)


class Venue:
    """A venue that sends what was drawn; the machine's answers, and what each frame was."""

    def __init__(self, fill):
        self.machine, self.events, self.letters = Coinbase(), [], []
        self.fresh, self.now, self.next_id = {}, 0.0, FIRST
        self.frames = count(1)
        self.last = None
        self.take(Opening(connection="c", dialect=Dialect.EXCHANGE, fill=fill))

    def take(self, entry):
        received = self.machine.take(entry)
        self.events += received.events
        self.letters += received.dead_letters

    def send(self, message, *, fresh):
        position = str(next(self.frames))
        if fresh:
            self.fresh[position] = self.now
        data = json.dumps(message).encode()
        self.take(Heard(Frame(data=data, connection="c"), Dialect.EXCHANGE))

    def tick(self, **changes):
        self.now += 0.5
        # The mid moves with every tick: a market that stands still is invented.
        bid = 100 + int(self.now * 2) % 7
        quote = {"best_bid": f"{bid}", "best_ask": f"{bid + 1}", "time": at(self.now)}
        self.send(ticker(0, **quote | changes), fresh="time" not in changes)
        return quote

    def honest(self, n):
        for _ in range(n):
            self.last = self.tick(trade_id=self.next_id), self.next_id
            self.next_id += 1
            if self.next_id % 4 == 0:
                beat = heartbeat(0, 0, time=at(self.now), last_trade_id=self.next_id - 1)
                self.send(beat, fresh=False)

    def step(self, what, number):
        if what == "honest":
            self.honest(number)
        elif what == "tick":
            self.tick(trade_id=number)
        elif what == "still":
            for _ in range(number):
                self.tick(trade_id=self.next_id - 1)
        elif what == "old tick":
            self.tick(trade_id=number, time=at(self.now - 30))
        elif what == "beat":
            self.now += 0.5
            beat = heartbeat(0, 0, time=at(self.now), last_trade_id=number)
            self.send(beat, fresh=False)
        elif what == "restart":
            self.next_id = number
        elif what == "crossed":
            self.tick(trade_id=self.next_id, best_bid="900", best_ask="1")
            self.next_id += 1
        elif what == "repeat" and self.last is not None:
            quote, trade_id = self.last
            self.send(ticker(0, **quote, trade_id=trade_id), fresh=False)
        elif what == "settle":
            self.settle()

    def settle(self):
        while self.machine.holes():
            self.take(Settlement(connection="c", product="BTC-USD"))


@settings(max_examples=300)
@given(st.lists(steps, max_size=14), st.booleans())
def test_an_ordinary_stream_is_heard_again_behind_a_gap_and_no_refused_second_has_a_value(
    drawn, fill
):
    venue = Venue(fill)
    venue.honest(24)
    for what, number in drawn:
        venue.step(what, number)
    venue.settle()
    begun = START + int(venue.now * S)
    venue.honest(2 * CONFIRMED_BY)
    venue.settle()
    # After so many ordinary ticks the next ones pass, whatever came before them.
    venue.honest(10)
    venue.settle()
    ordinary = [e for e in venue.events if isinstance(e, Tick) and e.event_time_ns > begun]
    assert len(ordinary) >= 10 + CONFIRMED_BY
    check_gaps(venue)
    check_values(venue)


def refused_s(venue):
    """When the ticks with news that were refused happened, in seconds from the start."""
    return sorted(venue.fresh[x.position] for x in venue.letters if x.position in venue.fresh)


def check_gaps(venue):
    """Every moment at which a tick with news was refused lies in a gap."""
    spans = [(event.start_ns, event.end_ns) for event in venue.events if isinstance(event, Gap)]
    for refused in refused_s(venue):
        moment = START + int(refused * S)
        assert any(start <= moment <= end for start, end in spans), (refused, spans)


def check_values(venue):
    """A volatility that is known is of seconds in which every tick with news was heard."""
    featurizer = Featurizer()
    numbers = [codec.decode_numbers(codec.encode(event)) for event in venue.events]
    rows, _ = featurizer.update(codec.event_array(numbers, featurizer.product_index))
    known = {int(row["second"]) for row in rows if not np.isnan(row["values"][VOL_10S])}
    for refused in refused_s(venue):
        second = (START + int(refused * S)) // S
        assert not known & set(range(second, second + 10)), refused
    assert known, "the market was heard for twelve seconds at first"


ADVANCED = st.lists(
    st.one_of(
        st.tuples(st.just("honest"), st.integers(1, 6)),
        st.tuples(st.just("number"), st.sampled_from([2**63 - 1, -1, 0, 1, 9_000, 10**12])),
        st.tuples(st.just("restart"), st.sampled_from([1, 5, 10**12])),
        st.tuples(st.just("beat"), st.sampled_from([2**63 - 1, 0, 10**12])),
        st.tuples(st.just("bad"), st.sampled_from(["NaN", "-1", ["1"]])),
    ),
    max_size=12,
)


@settings(max_examples=200)
@given(ADVANCED)
def test_no_sequence_number_mutes_a_connection(drawn):
    machine, events, sent = Coinbase(), [], []
    sequence, now = 0, 0.0

    def send(message, *, ticks):
        frame = Frame(data=json.dumps(message).encode(), connection="a")
        received = machine.take(Heard(frame, Dialect.ADVANCED))
        events.extend(received.events)
        if ticks:
            sent.append((now, any(isinstance(event, Tick) for event in received.events)))

    def honest(n):
        nonlocal sequence, now
        for _ in range(n):
            now += 0.5
            send(envelope(sequence, seconds=now), ticks=True)
            sequence += 1

    honest(3)
    for what, value in drawn:
        now += 0.5
        if what == "honest":
            honest(value)
        elif what == "number":
            send(envelope(value, seconds=now), ticks=True)
        elif what == "restart":
            sequence = value
        elif what == "beat":
            send(beats(sequence, 1, seconds=now, sequence_num=value), ticks=False)
        else:
            message = envelope(sequence, seconds=now)
            message["events"][0]["tickers"][0]["price"] = value
            send(message, ticks=True)
            sequence += 1
    honest(CONFIRMED_BY)
    begun = len(sent)
    honest(5)
    assert all(passed for _, passed in sent[begun:])
    for (before, _), (moment, passed), (_, _) in zip(sent, sent[1:], sent[2:], strict=False):
        if not passed:
            assert any(
                isinstance(e, Gap)
                and e.start_ns <= START + int(moment * S)
                and e.end_ns > START + int(before * S)
                for e in events
            ), (moment, events)


@pytest.mark.parametrize("number", [2**63 - 1, 10**15])
def test_the_fault_that_numbers_are_refused_for_has_a_name(number):
    venue = Venue(fill=False)
    venue.honest(3)
    venue.step("tick", number)
    assert [letter.fault for letter in venue.letters] == [Fault.IMPLAUSIBLE]
