"""Candles as records of a log: what is readable, when one is known, and what contradicts itself."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import codec
from barograph.candle_records import HOUR_S, Candle
from barograph.codec import UnreadableError
from barograph.types import LATEST_NS, NS_PER_S, Fault, Record

HOUR = Candle(
    product="BTC-USD",
    start_s=1_574_247_600,
    open="8073.27",
    high="8109.55",
    low="8064.8",
    close="8098.82",
    volume="575.88",
    quote_volume="4665150.84",
    source="file",
)
QUIET = Candle(product="BTC-USD", start_s=1_574_247_600, volume="0", source="coinbase")

prices = st.decimals("1e-8", 10**9, places=8).map(lambda price: f"{price:f}")


@st.composite
def candles(draw):
    low, one, other, high = sorted(draw(st.tuples(*[prices] * 4)), key=float)
    open_, close = draw(st.permutations([one, other]))
    return Candle(
        product=draw(st.sampled_from(["BTC-USD", "x"])),
        start_s=HOUR_S * draw(st.integers(0, LATEST_NS // NS_PER_S // HOUR_S)),
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=draw(prices),
        quote_volume=draw(st.none() | prices),
        source=draw(st.sampled_from(["cryptocompare", "coinbase", "file", "ticks"])),
        version=draw(st.integers(1, 2**31 - 1)),
        receive_time_ns=draw(st.none() | st.integers(0, LATEST_NS)),
        realized_vol=draw(st.none() | st.floats(0, 1)),
    )


@given(candles())
def test_every_candle_survives_its_bytes(candle):
    assert codec.decode_candle(codec.encode(candle)) == candle


def test_a_candle_is_written_without_what_it_does_not_say():
    written = b'{"type":"candle/1","product":"BTC-USD","start_s":1574247600,"volume":"0","source":'
    assert codec.encode(QUIET) == written + b'"coinbase"}'


def test_a_candle_is_known_at_its_close_and_not_at_its_open():
    assert HOUR.end_s == HOUR.start_s + HOUR_S
    assert HOUR.known_ns == HOUR.end_s * NS_PER_S


def test_an_hour_without_a_trade_has_no_prices():
    assert codec.decode_candle(codec.encode(QUIET)).prices is None
    assert HOUR.prices == (8073.27, 8109.55, 8064.8, 8098.82)  # exact: the decimals as written


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"high": "8098.81"}, "close 8098.82 is outside"),
        ({"low": "8073.28"}, "open 8073.27 or"),
        ({"low": "9000"}, "is outside of low 9000"),
        ({"low": "0"}, "a price is 0"),
        ({"close": None}, "some of its prices are missing"),
        ({"start_s": 1_574_247_601}, "no multiple of 3600 s"),
        (dict.fromkeys(["open", "high", "low", "close"]), "volume without prices"),
    ],
)
def test_fields_that_cannot_be_true_together_are_a_contradiction(changes, why):
    with pytest.raises(UnreadableError, match=why) as refused:
        codec.decode_candle(codec.encode(msgspec.structs.replace(HOUR, **changes)))
    assert refused.value.fault is Fault.CONTRADICTION


def test_volatility_without_a_trade_is_a_contradiction():
    with pytest.raises(UnreadableError, match="volatility without prices"):
        codec.decode_candle(codec.encode(msgspec.structs.replace(QUIET, realized_vol=0.01)))


@pytest.mark.parametrize(
    "changes",
    [
        {"start_s": -3600}, {"start_s": 2**63}, {"start_s": 0.5}, {"step_s": 0}, {"step_s": 86401},
        {"open": 8073.27}, {"open": "-1"}, {"open": "NaN"}, {"high": "1e9"}, {"volume": None},
        {"volume": "-1"}, {"version": 0}, {"version": 2**31}, {"source": "rumour"},
        {"realized_vol": -1.0}, {"product": ""}, {"product": "\0x"}, {"receive_time_ns": -1},
        {"type": "candle/2"},
    ],
)  # fmt: skip
def test_a_field_out_of_its_bounds_makes_a_candle_unreadable(changes):
    fields = msgspec.json.decode(codec.encode(HOUR))
    assert codec.decode_candle(msgspec.json.encode(fields)) == HOUR
    with pytest.raises(UnreadableError) as refused:
        codec.decode_candle(msgspec.json.encode(fields | changes))
    assert refused.value.fault is Fault.WRONG_SHAPE


def test_a_candle_lies_under_its_product():
    record = Record("candles.raw", 0, 0, "ETH-USD", codec.encode(HOUR))
    with pytest.raises(UnreadableError, match="lies under the key"):
        codec.decode_candle.of(record)


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_no_bytes_raise_anything_else(value):
    with pytest.raises(UnreadableError):
        codec.decode_candle(value)
