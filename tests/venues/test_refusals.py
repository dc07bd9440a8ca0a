import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.types import Fault
from barograph.venues.refusals import (
    FrameRefusedError,
    check_quote,
    check_trade,
    fault_of,
    with_numbers_as_text,
)


def fault(**changes):
    quote = {
        "price": "10.1",
        "bid": "10",
        "ask": "10.2",
        "bid_size": "1",
        "ask_size": "0",
        "volume_24h": None,
        "last_size": "",
    }
    try:
        check_quote("BTC-USD", **quote | changes)
    except FrameRefusedError as refused:
        return refused.fault if refused.product == "BTC-USD" else refused
    return None


def test_a_sound_quote_passes():
    assert fault() is None


def test_a_locked_quote_passes():
    assert fault(bid="10.20", ask="10.2") is None


def test_a_crossed_quote_is_named():
    assert fault(bid="10.21") is Fault.CROSSED_QUOTE


@pytest.mark.parametrize("name", ["price", "bid", "ask"])
@pytest.mark.parametrize("text", ["0", "0.000", "-1", "-0.5"])
def test_a_price_is_above_zero(name, text):
    assert fault(**{name: text}) is Fault.NOT_POSITIVE


@pytest.mark.parametrize("name", ["bid_size", "ask_size", "volume_24h", "last_size"])
def test_a_size_is_not_below_zero(name):
    assert fault(**{name: "-1"}) is Fault.NOT_POSITIVE
    assert fault(**{name: "0"}) is None


@pytest.mark.parametrize("name", ["price", "bid", "ask", "bid_size", "volume_24h"])
@pytest.mark.parametrize(
    "text",
    [
        "NaN", "nan", "Infinity", "-inf", "1e5", "1E400", "1_0", " 1", "1 2", "1 ", "+1", "0x1",
        ".5", "5.", "1,5", "١", "1" * 19, "1." + "0" * 19, "None", "1\n",
    ],
)  # fmt: skip
def test_only_plain_digits_are_numbers(name, text):
    assert fault(**{name: text}) is Fault.NOT_A_NUMBER


def test_an_empty_price_is_no_number():
    assert fault(price="") is Fault.NOT_A_NUMBER


def test_a_small_size_may_be_written_with_a_negative_exponent():
    assert fault(last_size="3.61e-06") is None


@given(*[st.decimals(0, 10**17, allow_nan=False, places=8)] * 3)
def test_exactly_positive_ordered_prices_pass(price, bid, ask):
    expected = (
        Fault.NOT_POSITIVE
        if min(price, bid, ask) == 0
        else Fault.CROSSED_QUOTE
        if float(bid) > float(ask)
        else None
    )
    assert fault(price=f"{price:f}", bid=f"{bid:f}", ask=f"{ask:f}") is expected


def test_numbers_become_their_digits_wherever_they_stand():
    frame = b'{"a":103472.2800,"b":[1,-2.5e-3,true,null],"c":{"d":1e400},"e":123456789012345678901}'
    assert with_numbers_as_text(frame) == (
        b'{"a":"103472.2800","b":["1","-0.0025",true,null],"c":{"d":"1E+400"},'
        b'"e":"123456789012345678901"}'
    )


def test_a_number_beyond_all_exponents_stays_the_text_that_it_is():
    """Found by damaging frames: no Decimal holds it, and the reader must not raise for it."""
    frame = b'{"sequence":11e99999999915498669093}'
    assert with_numbers_as_text(frame) == b'{"sequence":"11e99999999915498669093"}'


@pytest.mark.parametrize(
    ("price", "size", "expected"),
    [
        ("103472.28", "0.5", None),
        ("1", "0", None),
        ("1", "3.61e-06", None),
        ("0.00", "1", Fault.NOT_POSITIVE),
        ("-1", "1", Fault.NOT_POSITIVE),
        ("1", "-1", Fault.NOT_POSITIVE),
        ("1e3", "1", Fault.NOT_A_NUMBER),
        ("1", "", Fault.NOT_A_NUMBER),
    ],
)
def test_a_trade_has_a_positive_price_and_a_size_that_is_not_negative(price, size, expected):
    if expected is None:
        check_trade("BTC-USD", price, size)
        return
    with pytest.raises(FrameRefusedError) as refused:
        check_trade("BTC-USD", price, size)
    assert (refused.value.fault, refused.value.product) == (expected, "BTC-USD")


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b'{"type":"ticker","x":"\xff"}', Fault.NOT_UTF8),
        (b'{"type":"ticker"', Fault.NOT_JSON),
        (b'{"price":NaN}', Fault.NOT_JSON),
        (b"[" * 100_000, Fault.NOT_JSON),
        (b"", Fault.NOT_JSON),
        (b"[1]", Fault.WRONG_SHAPE),
        (b"{}", Fault.WRONG_SHAPE),
        (b'{"type":7}', Fault.WRONG_SHAPE),
        (b'{"type":"ticker"}', Fault.WRONG_SHAPE),
        (b'{"type":"match"}', Fault.UNKNOWN_TYPE),
        (b'{"type":"error","message":"slow down"}', Fault.VENUE_ERROR),
    ],
)
def test_the_first_thing_wrong_is_named(frame, expected):
    named, detail = fault_of(frame, ValueError("shape"), "type", frozenset({"ticker"}))
    assert named is expected
    assert detail
