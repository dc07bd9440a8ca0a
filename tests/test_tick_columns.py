"""A batch of plain ticks is read as `codec` reads it, and every other batch is left alone."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from barograph import codec
from barograph.codec import EVENT, event_array
from barograph.tick_columns import tick_array
from barograph.types import LATEST_NS, Record, Tick

decimals = st.from_regex(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,8})?", fullmatch=True)
sizes = st.none() | decimals | st.sampled_from(["0", "1e-7", "123456789012345678"])
times = st.integers(0, LATEST_NS) | st.integers(1_700_000_000 * 10**9, 1_800_000_000 * 10**9)
counts = st.none() | st.integers(0, 2**63 - 1) | st.integers(0, 10**12)
ticks = st.builds(
    Tick,
    product=st.sampled_from(["BTC-USD", "ETH-USD", "A-NAME-OF-OVER-16-LETTERS", "é", 'a"b']),
    event_time_ns=times,
    price=decimals,
    bid=decimals,
    ask=decimals,
    connection=st.sampled_from(["", "c", "replay:0123/exchange", 'a"b', "é"]),
    receive_time_ns=st.none() | times,
    bid_size=sizes,
    ask_size=sizes,
    volume_24h=sizes,
    trade_id=counts,
    last_size=sizes,
    side=st.sampled_from([None, "buy", "sell"]),
    sequence=counts,
    snapshot=st.sampled_from([False, False, False, True]),
    event_clock=st.sampled_from(["venue", "venue", "recorder"]),
)
TICK = Tick(
    product="BTC-USD", event_time_ns=1_762_932_011 * 10**9, price="103472.28", bid="103472.27",
    ask="103472.28", connection="c", receive_time_ns=1_762_932_012 * 10**9, bid_size="0.04145138",
    ask_size="3.00", volume_24h="5461.74127717", trade_id=900701309, last_size="0.00068754",
    side="sell", sequence=115498669093,
)  # fmt: skip
VALUE = codec.encode(TICK)


def record(value, key="BTC-USD"):
    return Record("ticks.raw", 0, 7, key, value)


def index():
    places = {}
    return places, lambda product: places.setdefault(product, len(places))


def same_as_codec(records):
    """Whether the batch is plain; where it is, what comes of it is what comes by the codec."""
    ours, place = index()
    events = tick_array(records, place)
    if events is None:
        assert ours == {}
        return False
    readable, numbers, letters = codec.decode_numbers.all_of(records)
    theirs, place = index()
    expected = event_array(numbers, place)
    assert letters == []
    assert list(readable) == list(records)
    assert ours == theirs
    for name in EVENT.names:
        assert events[name].tobytes() == expected[name].tobytes(), name  # exact: encoded records
    return True


@pytest.mark.slow
@given(st.lists(ticks, min_size=1, max_size=5))
def test_any_ticks_are_read_as_the_codec_reads_them_or_left_alone(drawn):
    same_as_codec([record(codec.encode(tick), tick.product) for tick in drawn])


@pytest.mark.slow
@given(st.integers(0, len(VALUE) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_any_bytes_are_read_as_the_codec_reads_them_or_left_alone(place, put, taken):
    changed = VALUE[:place] + put + VALUE[place + taken :]
    same_as_codec([record(VALUE), record(changed), record(VALUE)])


@pytest.mark.parametrize("change", [
    {}, {"connection": ""}, {"receive_time_ns": None}, {"bid_size": None, "ask_size": None},
    {"volume_24h": None}, {"trade_id": None, "sequence": None}, {"last_size": None},
    {"side": None}, {"side": "buy"}, {"event_clock": "recorder"}, {"bid_size": "0"},
    {"price": "1", "bid": "103472.28"},
])  # fmt: skip
def test_these_are_plain(change):
    fields = {name: getattr(TICK, name) for name in Tick.__struct_fields__}
    assert same_as_codec([record(codec.encode(Tick(**(fields | change))))])


@pytest.mark.parametrize("value", [
    b"", b"{}", VALUE[:-1], VALUE + b" ", VALUE + b"\n", VALUE + b"\n" + VALUE, b" " + VALUE,
    VALUE.replace(b"103472.27", b"103472.29"), VALUE.replace(b"103472.27", b"0"),
    VALUE.replace(b"tick/1", b"tick/2"), VALUE.replace(b'"sell"', b'"xsell"'),
    VALUE.replace(b"1762932012000000000", b"9223372036854775807"),
    VALUE.replace(b'"side"', b'"snapshot":true,"side"'),
    b'{"type":"heartbeat/1","product":"BTC-USD","event_time_ns":1}',
])  # fmt: skip
def test_these_are_left_alone(value):
    assert not same_as_codec([record(VALUE), record(value)])


@example("ETH-USD")
@given(st.text(max_size=20))
def test_a_tick_under_the_key_of_another_product_is_left_alone(key):
    assert same_as_codec([record(VALUE, key)]) is (key == "BTC-USD")


def test_products_have_their_places_in_the_order_of_their_first_ticks():
    names = ["B", "A", "B", "C"]
    values = [VALUE.replace(b"BTC-USD", name.encode()) for name in names]
    assert same_as_codec([record(*each) for each in zip(values, names, strict=True)])


def test_no_record_is_no_batch():
    assert tick_array([], index()[1]) is None
