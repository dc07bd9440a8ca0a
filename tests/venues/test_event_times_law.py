"""The law of event times: whatever times a venue tells in between, no calm is invented."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph import codec
from barograph.feature_set.catalogue import COLUMN, LONGEST_WINDOW_S
from barograph.feature_set.featurizer import Featurizer
from barograph.types import Frame
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Dialect, Heard, Opening, Settlement
from coinbase_messages import START, TICKER, S, at, beats, envelope, heartbeat, ticker

VALUES = [COLUMN["realized_vol_10s"], COLUMN["log_return_10s"]]
HONEST_S = 14.0

times = st.one_of(
    st.just("1970-01-01T00:00:00Z"),
    st.floats(2.0, 20.0).map(lambda back_s: -back_s),
    st.floats(4.0, 50.0),
)
stretches = st.lists(st.tuples(st.integers(1, 20), times), max_size=8)


def message_of(dialect, number, now_s):
    """The frame of that number, of an honest venue: every third is a heartbeat."""
    bid = f"{100 + number * 5 % 7}"
    trades = number - number // 3
    if dialect is Dialect.ADVANCED:
        if number % 3 == 0:
            return beats(number, number, seconds=now_s, sequence_num=number)
        message = envelope(number, seconds=now_s)
        quote = {"best_bid": bid, "best_ask": "108", "volume_24_h": f"{number}"}
        message["events"][0]["tickers"][0] |= quote
        return message
    trade_id = TICKER["trade_id"] + trades
    if number % 3 == 0:
        return heartbeat(0, 0, time=at(now_s), last_trade_id=trade_id)
    return ticker(0, best_bid=bid, best_ask="108", time=at(now_s), trade_id=trade_id)


def lying(message, now_s, time):
    """The frame with another time: a text, or so many seconds ahead."""
    name = "timestamp" if "timestamp" in message else "time"
    return message | {name: time if isinstance(time, str) else at(now_s + time)}


def rows_of(dialect, frames, fill):
    """{second: the values of its row}."""
    machine, events = Coinbase(), []
    machine.take(Opening(connection="c", dialect=dialect, fill=fill))
    for message, receive_time_ns in frames:
        data = json.dumps(message).encode()
        frame = Frame(data=data, connection="c", receive_time_ns=receive_time_ns)
        events += machine.take(Heard(frame, dialect)).events
        for hole in machine.holes():
            events += machine.take(Settlement(connection="c", product=hole.product)).events
    featurizer = Featurizer()
    numbers = [codec.decode_numbers(codec.encode(event)) for event in events]
    rows, late = featurizer.update(codec.event_array(numbers, featurizer.product_index))
    assert len(rows) < 4 * LONGEST_WINDOW_S
    assert not len(late)
    return {int(row["second"]): row["values"][VALUES].tolist() for row in rows}


@pytest.mark.slow
@settings(max_examples=80)
@given(
    st.sampled_from(list(Dialect)),
    st.booleans(),
    stretches,
    st.lists(st.floats(0.1, 0.7), min_size=7, max_size=7),
    st.lists(st.sampled_from([0.01, 0.05, 0.2, 1.0]), min_size=5, max_size=5),
)
def test_what_is_known_is_true_whatever_times_a_venue_tells(dialect, fill, drawn, steps, delays):
    honest, heard, now_s = [], [], 0.0
    received_s, number = 0.0, 0

    def send(time=None):
        nonlocal now_s, received_s, number
        number += 1
        now_s += steps[number % len(steps)]
        received_s = max(received_s, now_s + delays[number % len(delays)])
        receive_time_ns = START + int(received_s * S)
        message = message_of(dialect, number, now_s)
        honest.append((message, receive_time_ns))
        heard.append((message if time is None else lying(message, now_s, time), receive_time_ns))

    for ordinary, time in drawn:
        for _ in range(ordinary):
            send()
        send(time)
    until_s = now_s + HONEST_S
    while now_s < until_s:
        send()
    truth, ours = rows_of(dialect, honest, fill), rows_of(dialect, heard, fill)
    for second, values in ours.items():
        for value, true in zip(values, truth.get(second, values), strict=True):
            assert np.isnan(value) or value == true, (second - START // S, value, true)
    last = max(truth)
    assert not np.isnan(ours[last]).any()
