"""Words ↔ bytes ↔ arrays: what goes in comes out, and what is no record is refused."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import codec
from barograph.codec import FILLED, GAP, HEARTBEAT, NAT, TICK, TRADE
from barograph.kernels import FEATURE_SET_HASH, FEATURES, ROW
from barograph.types import (
    DeadLetter,
    Fault,
    Gap,
    GapCause,
    Heartbeat,
    Record,
    Side,
    Tick,
    Trade,
)

times = st.integers(0, 2**62)
decimals = st.decimals(min_value=0, max_value=10**9, places=8).map(lambda d: f"{d:f}")

ticks = st.builds(
    Tick,
    product=st.text(min_size=1),
    event_time_ns=times,
    price=decimals,
    bid=decimals,
    ask=decimals,
    connection=st.text(),
    receive_time_ns=st.none() | times,
    bid_size=st.none() | decimals,
    ask_size=st.none() | decimals,
    volume_24h=st.none() | decimals,
    trade_id=st.none() | st.integers(0, 2**62),
    last_size=st.none() | decimals,
    side=st.none() | st.sampled_from(Side),
    sequence=st.none() | st.integers(0, 2**62),
    snapshot=st.booleans(),
)
heartbeats = st.builds(Heartbeat, product=st.text(min_size=1), event_time_ns=times)
gaps = st.builds(
    Gap, product=st.text(min_size=1), start_ns=times, end_ns=times, cause=st.sampled_from(GapCause)
)
trades = st.builds(
    Trade,
    product=st.text(min_size=1),
    event_time_ns=times,
    price=decimals,
    size=decimals,
    side=st.none() | st.sampled_from(Side),
    trade_id=st.integers(0, 2**62),
    receive_time_ns=st.none() | times,
    filled=st.booleans(),
)
events = st.one_of(ticks, heartbeats, trades, gaps)


@given(events)
def test_every_event_survives_its_bytes(event):
    assert codec.decode_event(codec.encode(event)) == event


@given(st.lists(events, max_size=20))
def test_the_arrays_hold_what_the_words_say(given_events):
    names = []

    def index(product):
        if product not in names:
            names.append(product)
        return names.index(product)

    numbers = [codec.decode_numbers(codec.encode(event)) for event in given_events]
    array = codec.event_array(numbers, index)
    for event, row in zip(given_events, array, strict=True):
        assert names[row["product"]] == event.product
        received = event.receive_time_ns
        assert row["receive_time_ns"] == (NAT if received is None else received)
        if isinstance(event, Tick):
            assert row["kind"] == TICK
            assert row["event_time_ns"] == event.event_time_ns
            for name in ("price", "bid", "ask", "bid_size", "ask_size", "volume_24h", "last_size"):
                text = getattr(event, name)
                assert math.isnan(row[name]) if text is None else row[name] == float(text)
            assert row["trade_id"] == (-1 if event.trade_id is None else event.trade_id)
            assert row["side"] == {None: 0, Side.BUY: 1, Side.SELL: -1}[event.side]
        elif isinstance(event, Heartbeat):
            assert (row["kind"], row["event_time_ns"]) == (HEARTBEAT, event.event_time_ns)
        elif isinstance(event, Trade):
            assert row["kind"] == (FILLED if event.filled else TRADE)
            assert row["event_time_ns"] == event.event_time_ns
            assert (row["price"], row["last_size"]) == (float(event.price), float(event.size))
            assert row["trade_id"] == event.trade_id
            assert row["side"] == {None: 0, Side.BUY: 1, Side.SELL: -1}[event.side]
        else:
            assert (row["kind"], row["gap_start_ns"]) == (GAP, event.start_ns)
            assert row["event_time_ns"] == event.end_ns


def test_a_record_tells_its_type_and_version():
    value = codec.encode(Heartbeat(product="BTC-USD", event_time_ns=1))
    assert value == b'{"type":"heartbeat/1","product":"BTC-USD","event_time_ns":1}'


def test_a_gap_of_an_older_log_has_nothing_filled():
    value = b'{"type":"gap/1","product":"A","start_ns":1,"end_ns":2,"cause":"silence"}'
    assert codec.decode_event(value).filled == 0


@pytest.mark.parametrize(
    "value",
    [b"", b"{}", b'{"type":"tick/2"}', b'{"type":"tick/1","product":1}', b"\xff\xfe", b"[]"],
)
def test_what_is_no_event_is_refused(value):
    with pytest.raises(msgspec.DecodeError):
        codec.decode_event(value)
    with pytest.raises(msgspec.DecodeError):
        codec.decode_numbers(value)


def test_an_unknown_value_is_null_in_json_and_none_when_read():
    rows = np.zeros(1, ROW)
    rows["values"] = math.nan
    rows["values"][0, 0] = 0.1
    rows["reasons"] = 1
    rows["reasons"][0, 0] = 0
    rows["return_e9"] = NAT
    (row,) = codec.feature_rows(rows, ["BTC-USD"], FEATURE_SET_HASH)
    again = codec.decode_row(codec.encode(row))
    assert again.values == [0.1] + [None] * (len(FEATURES) - 1)
    assert again.reasons == "0" + "1" * (len(FEATURES) - 1)
    assert again.return_e9 is None
    assert again.receive_time_ns == 0


@given(st.binary())
def test_a_dead_letter_keeps_the_original_bytes(original):
    record = Record("ticks.raw", 2, 7, "BTC-USD", original, {})
    letter = codec.dead(record, Fault.WRONG_SHAPE, "why")
    again = codec.decode_dead_letter(codec.encode(letter))
    assert isinstance(again, DeadLetter)
    assert (again.original, again.source, again.position) == (original, "ticks.raw", "2:7")
