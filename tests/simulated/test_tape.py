"""How events are written: the venue's members in its order, and nothing that is not known."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.simulated.tape import (
    Print,
    advanced_ticker,
    exchange_frame,
    exchange_last_match,
    exchange_match,
    maker_side,
    rest_trades,
    stamp,
)
from barograph.times import parse_time
from barograph.types import Side
from coinbase_messages import ENVELOPE
from market_events import beat, trade

BARE = Print("A-USD", 1_750_000_000_123_456_789, 7, 9, price="1.5", bid="1.4", ask="1.6")


@given(st.integers(0, 2**62))
def test_a_stamp_is_the_time_to_its_last_digit(time_ns):
    assert parse_time(stamp(time_ns)) == time_ns


def test_a_stamp_has_six_digits_where_these_say_all():
    assert stamp(1_750_000_000_000_001_000) == "2025-06-15T15:06:40.000001Z"
    assert stamp(1_750_000_000_000_001_001) == "2025-06-15T15:06:40.000001001Z"


def test_a_match_has_the_sequence_of_its_ticker_and_the_other_side():
    ticker = json.loads(exchange_frame(trade(3)))
    match = json.loads(exchange_match(trade(3)))
    shared = ("sequence", "trade_id", "product_id", "price", "time")
    assert [match[name] for name in shared] == [ticker[name] for name in shared]
    assert (match["type"], match["size"]) == ("match", ticker["last_size"])
    assert (ticker["side"], match["side"]) == ("buy", "sell")
    assert match["maker_order_id"] != match["taker_order_id"]
    assert json.loads(exchange_last_match(trade(3))) == match | {"type": "last_match"}


@pytest.mark.parametrize(("aggressor", "maker"), [(Side.BUY, "sell"), (Side.SELL, "buy")])
def test_the_maker_is_on_the_other_side(aggressor, maker):
    assert maker_side(trade(1, side=aggressor)) == maker


def test_what_is_not_known_is_left_out():
    assert json.loads(exchange_frame(BARE)) == {
        "type": "ticker",
        "sequence": 9,
        "product_id": "A-USD",
        "price": "1.5",
        "best_bid": "1.4",
        "best_ask": "1.6",
        "time": "2025-06-15T15:06:40.123456789Z",
        "trade_id": 7,
    }
    assert json.loads(advanced_ticker(BARE)) == {
        "type": "ticker",
        "product_id": "A-USD",
        "price": "1.5",
        "best_bid": "1.4",
        "best_ask": "1.6",
    }


def test_an_advanced_ticker_has_the_members_of_a_recorded_one_in_their_order():
    recorded = ENVELOPE["events"][0]["tickers"][0]
    ours = json.loads(advanced_ticker(trade(1, low_24h="99", high_24h="200")))
    assert list(ours) == list(recorded)
    assert float(ours["price_percent_chg_24_h"]) == pytest.approx(1.5)


def test_a_heartbeat_names_the_last_trade():
    assert json.loads(exchange_frame(beat(2.5, 2))) == {
        "type": "heartbeat",
        "sequence": 21,
        "last_trade_id": 2,
        "product_id": "BTC-USD",
        "time": "2025-06-15T15:06:42.500000Z",
    }


@given(st.text(min_size=1, max_size=100))
def test_a_products_name_is_quoted_whatever_it_is(product):
    for text in (exchange_frame(trade(1, product=product)), advanced_ticker(trade(1, 0, product))):
        assert json.loads(text)["product_id"] == product


def test_rest_tells_the_same_trade():
    assert json.loads(rest_trades([trade(2), trade(1)])) == [
        {
            "trade_id": n,
            "side": "sell",
            "size": "0.25",
            "price": f"{100 + n}.5",
            "time": f"2025-06-15T15:06:4{n}.000000Z",
        }
        for n in (2, 1)
    ]
