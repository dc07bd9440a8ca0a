"""Words ↔ bytes ↔ arrays: what goes in comes out, and what is no record is refused."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import codec
from barograph.codec import FILLED, GAP, HEARTBEAT, NAT, TICK, TRADE
from barograph.feature_set.catalogue import FEATURE_SET_HASH, FEATURES, ROW
from barograph.feature_set.featurizer import Featurizer
from barograph.feature_set.rows import feature_rows
from barograph.types import (
    LATEST_NS,
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

times = st.integers(0, LATEST_NS)
decimals = st.decimals(min_value=0, max_value=10**9, places=8).map(lambda d: f"{d:f}")
prices = st.decimals(min_value="1e-8", max_value=10**9, places=8).map(lambda d: f"{d:f}")
printable = st.characters(exclude_categories=["C", "Z"]) | st.just(" ")
names = st.text(printable, min_size=1, max_size=100)

ticks = st.builds(
    Tick,
    product=names,
    event_time_ns=times,
    price=prices,
    bid=prices,
    ask=st.just("1000000000"),
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
heartbeats = st.builds(Heartbeat, product=names, event_time_ns=times)
gaps = st.builds(
    Gap,
    product=names,
    start_ns=st.integers(0, 2**61),
    end_ns=st.integers(2**61, 2**62),
    cause=st.sampled_from(GapCause),
)
trades = st.builds(
    Trade,
    product=names,
    event_time_ns=times,
    price=prices,
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


@pytest.mark.slow
@given(st.lists(events, max_size=20))
def test_the_arrays_hold_what_the_words_say(given_events):
    known = []

    def index(product):
        if product not in known:
            known.append(product)
        return known.index(product)

    numbers = [codec.decode_numbers(codec.encode(event)) for event in given_events]
    array = codec.event_array(numbers, index)
    for event, row in zip(given_events, array, strict=True):
        assert known[row["product"]] == event.product
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
    (row,) = feature_rows(rows, ["BTC-USD"], FEATURE_SET_HASH)
    again = codec.decode_row(codec.encode(row))
    assert again.values == [0.1] + [None] * (len(FEATURES) - 1)  # exact: written and read back
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


GOOD = {
    "type": "tick/1", "product": "BTC-USD", "event_time_ns": 1, "price": "1", "bid": "1", "ask": "2"
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"side": "BUY"}, {"event_time_ns": 2**63}, {"event_time_ns": -5}, {"trade_id": -5},
        {"price": "NaN"}, {"price": "Infinity"}, {"price": "1e400"}, {"price": "9" * 10_000},
        {"price": ""}, {"bid": "3"}, {"ask": "0"}, {"bid_size": "-1"}, {"type": "tick/2"},
        {"product": ""}, {"product": chr(0) + "next"}, {"product": "x" * 1_000_000},
        {"receive_time_ns": 2**63 - 1}, {"event_time_ns": None},
    ],
)  # fmt: skip
def test_a_field_out_of_its_bounds_makes_a_record_unreadable(changes):
    value = msgspec.json.encode(GOOD | changes)
    for decode in (codec.decode_event, codec.decode_numbers):
        decode(msgspec.json.encode(GOOD))
        with pytest.raises(codec.UnreadableError):
            decode(value)


@pytest.mark.parametrize(
    "value",
    [
        b'{"note":"\xff","type":"tick/1"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b'"\\ud800"',
    ],
)  # fmt: skip
def test_no_bytes_raise_anything_else(value):
    for decode in (codec.decode_event, codec.decode_numbers, codec.decode_row, codec.decode_status,
                   codec.decode_prediction, codec.decode_record_prediction,
                   codec.decode_dead_letter, codec.decode_alert, codec.decode_health,
                   codec.decode_undelivered, codec.decode_candle):  # fmt: skip
        with pytest.raises(codec.UnreadableError):
            decode(value)


def test_a_gap_that_ends_before_it_starts_is_unreadable():
    gap = Gap(product="A", start_ns=2, end_ns=1, cause=GapCause.SILENCE)
    for decode in (codec.decode_event, codec.decode_numbers):
        with pytest.raises(codec.UnreadableError, match="ends before it starts"):
            decode(codec.encode(gap))


@given(events)
def test_what_a_word_says_is_readable_as_numbers_too(event):
    assert codec.decode_numbers(codec.encode(event)).product == event.product


@pytest.mark.parametrize("text", [None, "", "x", "-1", "1" * 20, "٣", b"x", b"", "1.0"])
def test_what_is_no_natural_number_is_none(text):
    assert codec.natural(text) is None
    assert codec.natural("7") == codec.natural(b"7") == 7


@given(st.lists(events, min_size=1, max_size=5), st.integers(0, 4), st.sampled_from("csn"))
def test_records_together_are_refused_as_each_alone(some, place, what):
    """`all_of` leaves to `event_array` what a record alone is checked for at once."""
    values = [msgspec.json.decode(codec.encode(event)) for event in some]
    spoiled = values[place % len(values)]
    spoiled["product"] = "\0next" if what == "n" else spoiled["product"]
    spoiled["bid" if what == "c" else "start_ns"] = "1e17" if what == "c" else 10**18
    unsound = []
    for number, value in enumerate(map(msgspec.json.encode, values)):
        try:
            codec.decode_numbers(value)
        except codec.UnreadableError:
            unsound.append(str(number))
    stream = [
        Record("ticks.raw", 0, number, value["product"], msgspec.json.encode(value))
        for number, value in enumerate(values)
    ]
    refused = Featurizer().receive(stream).dead_letters
    unreadable = [each for each in refused if each.fault not in {Fault.LATE, Fault.FUTURE}]
    assert sorted(each.position.partition(":")[2] for each in unreadable) == unsound
