"""Frames that were refused once, heard again by the machine as it is today."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.types import DeadLetter, Fault, Tick
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.coinbase.second_hearing import hear_again
from barograph.venues.entries import Dialect, Heard, Opening, Rules
from coinbase_messages import ENVELOPE, START, TICKER, S, beats, envelope, frame, heartbeat, ticker


def refused(*messages, dialect=Dialect.EXCHANGE, rules=None):
    """The dead letters that a live machine makes of messages, received at their time."""
    machine = Coinbase(rules)
    machine.take(Opening(connection="c", dialect=dialect, rules=rules))
    letters = []
    for message in messages:
        letters += machine.take(Heard(frame(message, "c", START), dialect)).dead_letters
    return letters


ONLY_ETH = Rules(products=frozenset({"ETH-USD"}))


def test_a_product_that_was_not_asked_for_passes_now():
    (letter,) = refused(TICKER, rules=ONLY_ETH)
    assert letter.fault is Fault.UNKNOWN_PRODUCT
    (tick,), letters, *_ = hear_again(letter)
    assert letters == ()
    assert (tick.product, tick.price, tick.trade_id) == ("BTC-USD", TICKER["price"], 900701309)
    assert (tick.connection, tick.receive_time_ns) == ("c", START)


def test_both_dialects_are_recognized_by_their_shape():
    (letter,) = refused(ENVELOPE, dialect=Dialect.ADVANCED, rules=ONLY_ETH)
    (tick,), *_ = hear_again(msgspec.structs.replace(letter, receive_time_ns=None))
    assert (tick.product, tick.snapshot) == ("BTC-USD", True)


def test_of_a_frame_that_was_taken_in_part_only_the_rest_comes():
    """The others were ticks already: no tick comes twice."""
    rules = Rules(products=frozenset({"BTC-USD", "SOL-USD"}))
    message = envelope(0, products=("BTC-USD", "ETH-USD", "SOL-USD", "ADA-USD"))
    (letter,) = refused(message, dialect=Dialect.ADVANCED, rules=rules)
    ticks, *_ = hear_again(letter)
    assert [tick.product for tick in ticks] == ["ETH-USD", "ADA-USD"]


def test_what_is_refused_today_too_says_why():
    (letter,) = refused(ticker(price="NaN"))
    events, (again,), *_ = hear_again(letter)
    assert events == ()
    assert (again.fault, again.detail) == (Fault.NOT_A_NUMBER, "price is 'NaN'")
    assert again.identity == letter.identity


def test_what_was_counted_already_stays_refused():
    letters = refused(ticker(0), ticker(1), ticker(0))
    assert [letter.fault for letter in letters] == [Fault.DUPLICATE]
    assert [x.fault for x in hear_again(letters[0]).dead_letters] == [Fault.DUPLICATE]
    letters = refused(envelope(1), envelope(1), dialect=Dialect.ADVANCED)
    assert [letter.fault for letter in letters] == [Fault.DUPLICATE]
    assert hear_again(letters[0]).events == ()


@pytest.mark.parametrize("fault", [Fault.TOO_LONG, Fault.TRUNCATED])
def test_of_what_only_the_beginning_is_known_nothing_comes(fault):
    letter = DeadLetter(
        fault=fault,
        detail="",
        source="f.ndjson",
        position="3",
        key="",
        original=json.dumps(TICKER).encode(),
    )
    assert [x.fault for x in hear_again(letter).dead_letters] == [fault]
    assert len(hear_again(letter, letter.original).events) == 1


MATCH = {
    "type": "match",
    "trade_id": 10,
    "maker_order_id": "a",
    "taker_order_id": "b",
    "side": "sell",
    "size": "0.1",
    "price": "103472.28",
    "product_id": "BTC-USD",
    "sequence": 50,
    "time": TICKER["time"],
}


@pytest.mark.parametrize(
    "message", [heartbeat(0, 0), MATCH, beats(0, 0)], ids=["heartbeat", "match", "beats"]
)
def test_a_frame_without_a_tick_is_nothing(message):
    letter = DeadLetter(
        fault=Fault.UNKNOWN_TYPE,
        detail="",
        source="c",
        position="1",
        key="",
        original=frame(message).data,
        receive_time_ns=START + S,
    )
    assert not any(hear_again(letter)[:2])


def test_a_recorders_line_gives_its_frame():
    line = json.dumps({"ts": 1.5, "raw": json.dumps(TICKER)}).encode()
    letter = DeadLetter(
        fault=Fault.FUTURE, detail="", source="f", position="1", key="", original=line
    )
    (again,) = hear_again(letter).dead_letters
    assert again.fault is Fault.FUTURE
    later = json.dumps({"ts": START / S, "raw": json.dumps(TICKER)}).encode()
    (tick,) = hear_again(letter, later).events
    assert (tick.product, tick.connection) == ("BTC-USD", "f")


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(str.encode),
    st.sampled_from(Fault),
    st.none() | st.binary(max_size=50),
)
def test_whatever_the_bytes_are_it_says_ticks_or_why_not(original, fault, mended):
    letter = DeadLetter(
        fault=fault, detail="d", source="c", position="1", key="k", original=original
    )
    events, letters, *_ = hear_again(letter, mended)
    assert all(isinstance(event, Tick) for event in events)
    assert len(letters) <= 1
    assert not (events and letters)
