from contextlib import suppress
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.venues.entries import Dialect
from barograph.venues.forms.fields import enveloped, frame_of, plain_decimal
from barograph.venues.refusals import FrameRefusedError

TIME = "2026-02-02T02:40:00.008Z"
QUOTE = {"product": "ABC-USD", "price": "200.00", "bid": "199.99", "ask": "200.00"}


def ticker(values, dialect=Dialect.EXCHANGE):
    frame = msgspec.json.decode(frame_of(values, TIME, dialect))
    return frame if dialect is Dialect.EXCHANGE else frame["events"][0]["tickers"][0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("6.44E-6"), "0.00000644"),
        ("6.44e-06", "0.00000644"),
        ("6.44E-06", "0.00000644"),
        (" 200.00 ", "200.00"),
        (Decimal("200.00"), "200.00"),
        (7, "7"),
        ("odd", "odd"),
        ("one", "one"),
        ("", None),
        (None, None),
        ("1e999999999", "1e999999999"),
    ],
)
def test_a_number_is_its_plain_digits_however_it_was_written(value, text):
    assert plain_decimal(value) == text


@pytest.mark.parametrize("odd", ["", None, "n/a", "BUY", [], True, Decimal(-1), "nan"])
@pytest.mark.parametrize("dialect", Dialect)
def test_optional_fields_that_are_odd_are_not_offered(odd, dialect):
    optional = ["bid_size", "ask_size", "volume_24h", "last_size", "side", "trade_id", "sequence"]
    assert ticker({**QUOTE, **dict.fromkeys(optional, odd)}, dialect) == ticker(QUOTE, dialect)


def test_ids_side_and_sizes_are_kept_where_the_dialect_has_them():
    values = {**QUOTE, "trade_id": "7", "side": "sell", "last_size": "1e-8", "bid_size": Decimal(2)}
    read = ticker(values)
    assert (read["trade_id"], read["side"]) == (7, "sell")
    assert (read["last_size"], read["best_bid_size"]) == ("0.00000001", "2")


@pytest.mark.parametrize("missing", ["product", "bid", "ask"])
def test_a_tick_needs_a_product_and_a_quote(missing):
    with pytest.raises(FrameRefusedError):
        frame_of({**QUOTE, missing: ""}, TIME, Dialect.ADVANCED)


def test_without_a_trade_the_price_is_the_middle():
    values = {"product": "P", "bid": "1.01", "ask": "1.04"}
    assert ticker(values)["price"] == "1.025"


@pytest.mark.parametrize(
    ("more", "bid", "ask"),
    [
        ({"mid": Decimal("67234.965"), "spread": Decimal("0.01")}, "67234.96", "67234.97"),
        ({"mid": "67636.195", "spread_bps": "0.0014784983091910048"}, "67636.19", "67636.2"),
        ({"mid": "10", "spread": "2"}, "9", "11"),
    ],
)
def test_bid_and_ask_are_made_of_middle_and_spread(more, bid, ask):
    read = ticker({"product": "P", **more})
    assert read["best_bid"] == bid
    assert read["best_ask"] == ask


def test_a_snapshot_stays_one():
    frame = msgspec.json.decode(frame_of({**QUOTE, "kind": "snapshot"}, TIME, Dialect.ADVANCED))
    assert frame["events"][0]["type"] == "snapshot"
    assert msgspec.json.decode(enveloped(TIME, "update", b"{}"))["timestamp"] == TIME


values = st.text(max_size=9) | st.integers() | st.decimals() | st.none() | st.booleans()


@given(st.dictionaries(st.sampled_from([*QUOTE, "mid", "spread", "side", "trade_id"]), values))
def test_any_values_make_a_frame_or_are_refused(read):
    for dialect in Dialect:
        with suppress(FrameRefusedError):
            assert msgspec.json.decode(frame_of(read, TIME, dialect))
