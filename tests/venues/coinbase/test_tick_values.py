"""The bytes of a plain line's tick are those of the tick that the machine makes of it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codec import EVENT, encode
from barograph.times import format_time, parse_time
from barograph.venues.coinbase.exchange import ExchangeFeed
from barograph.venues.coinbase.fast_lane import Columns
from barograph.venues.coinbase.tick_values import TickValues
from barograph.venues.continuity import Continuity
from barograph.venues.entries import Dialect, Opening, Rules
from barograph.venues.holes import Holes
from coinbase_messages import START, frame, ticker

connections = st.sampled_from(["", "c", 'replay:0123/"é\\', "x" * 90])
clocks = st.sampled_from(["venue", "recorder"])
decimals = st.from_regex(
    r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,8})?", fullmatch=True, alphabet="0123456789."
)
prices = decimals.filter(lambda text: float(text) > 0)
changes = st.fixed_dictionaries(
    {},
    optional={
        "price": prices,
        "best_bid_size": decimals | st.none(),
        "best_ask_size": decimals | st.none(),
        "volume_24h": decimals | st.none(),
        "last_size": decimals | st.none(),
        "side": st.sampled_from(["buy", "sell", None]),
        "sequence": st.integers(0, 10**18 - 1) | st.none(),
        "note": st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    },
)


def beside(opening):
    """A machine that has heard a tick, and the lane beside it."""
    continuity = Continuity(Rules(silence_timeout_s=None))
    machine = ExchangeFeed(holes=Holes(continuity))
    machine.open(opening)
    machine.receive(frame(ticker(0, trade_id=None), opening.connection))
    lane = Columns(opening, continuity, None, lambda _product: 0)
    lane.learn(["BTC-USD"])
    return machine, lane


@pytest.mark.slow
@given(connections, clocks, st.lists(changes, min_size=1, max_size=5), st.booleans())
def test_values_are_the_encoded_ticks_of_the_machine(connection, clock, drawn, is_spaced):
    opening = Opening(
        connection=connection, dialect=Dialect.EXCHANGE, continuity="none", event_clock=clock
    )
    machine, lane = beside(opening)
    messages = [
        {name: value for name, value in (ticker(n) | change).items() if value is not None}
        for n, change in enumerate(drawn, 1)
    ]
    separators = (",  ", ": ") if is_spaced else (",", ":")
    lines = [json.dumps(message, separators=separators).encode() for message in messages]
    block = b"\n".join([*lines, b""])
    values, events = TickValues(opening, len(lines), len(block)), np.zeros(len(lines), EVENT)
    _, taken = lane.take(block, 0, events, 0, values)
    heard = [
        encode(event)
        for line in lines[:taken]
        for event in machine.receive(frame(line, connection)).events
    ]
    assert values.first(taken) == heard


@given(st.integers(START, parse_time("2262-01-01T00:00:00Z") - 1))
def test_any_time_is_written_in_its_digits(time_ns):
    opening = Opening(connection="c", dialect=Dialect.EXCHANGE, continuity="none")
    _, lane = beside(opening)
    block = json.dumps(ticker(1, time=format_time(time_ns))).encode() + b"\n"
    values = TickValues(opening, 1, len(block))
    assert lane.take(block, 0, np.zeros(1, EVENT), 0, values)[1] == 1
    assert b',"event_time_ns":%d,' % time_ns in values.first(1)[0]


def test_no_line_gives_no_value():
    opening = Opening(connection="c", dialect=Dialect.EXCHANGE)
    assert TickValues(opening, 0, 0).first(0) == []
