"""The law of frames: whatever numbers and times they bear, each comes to one thing, once."""

import json
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.types import Frame, Tick
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Closing, Dialect, Heard, Opening, Settlement
from coinbase_messages import START, TICKER, S, at, heartbeat, ticker

steps = st.lists(
    st.tuples(
        st.sampled_from(["ticker", "ticker", "ticker", "heartbeat", "settle", "reconnect"]),
        st.integers(-3, 12),
        st.sampled_from([0.0, 0.05, 0.05, 1.0, -2.0, -86_400.0, 86_400.0]),
    ),
    max_size=60,
)
"""What comes, how far its number is from the last one, and how far the venue's clock moves."""


@settings(max_examples=300)
@given(steps)
def test_each_ticker_becomes_one_event_or_one_letter(drawn):
    machine, events, letters = Coinbase(), [], []
    opened, number, now_s, sent = 0, TICKER["trade_id"], 0.0, []

    def take(entry):
        received = machine.take(entry)
        events.extend(received.events)
        letters.extend(received.dead_letters)

    def hear(message):
        # Each has a receive time of its own, by which it is known again.
        receive_time_ns = START + 86_400 * S + len(sent)
        sent.append((receive_time_ns, message["type"]))
        frame = Frame(
            data=json.dumps(message).encode(),
            connection=f"c{opened}",
            receive_time_ns=receive_time_ns,
        )
        take(Heard(frame, Dialect.EXCHANGE))

    take(Opening(connection="c0", dialect=Dialect.EXCHANGE, fill=True))
    for kind, step, moved_s in drawn:
        if kind == "settle":
            for hole in machine.holes():
                take(Settlement(connection=hole.connection, product=hole.product))
        elif kind == "reconnect":
            take(Closing(f"c{opened}"))
            opened += 1
            take(Opening(connection=f"c{opened}", dialect=Dialect.EXCHANGE, fill=True))
        else:
            number, now_s = number + step, max(0.0, now_s + moved_s)
            if kind == "ticker":
                hear(ticker(0, trade_id=number, time=at(now_s)))
            else:
                hear(heartbeat(0, 0, last_trade_id=number, time=at(now_s)))
    take(Closing(f"c{opened}"))

    assert len({letter.identity for letter in letters}) == len(letters)
    outcomes = Counter(event.receive_time_ns for event in events if type(event) is Tick)
    outcomes.update(letter.receive_time_ns for letter in letters)
    assert {time_ns: outcomes[time_ns] for time_ns, kind in sent if kind == "ticker"} == {
        time_ns: 1 for time_ns, kind in sent if kind == "ticker"
    }
    assert max(outcomes.values(), default=1) == 1
