"""Addresses and first words to a venue: what it documents, and no way to name nonsense."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError
from barograph.types import MAX_PRODUCTS
from barograph.venues.coinbase.endpoints import (
    VENUES,
    claims,
    endpoint,
    is_news,
    joined,
    lowest_trade_id,
    products_named,
    subscriptions,
    trades_url,
)
from barograph.venues.entries import Dialect
from coinbase_messages import TICKER, beats, envelope, heartbeat


def test_a_venue_has_its_own_address_and_encrypts_unless_it_is_local():
    for place in VENUES.values():
        assert place.encrypted != place.local
    assert endpoint("coinbase").socket == "wss://ws-feed.exchange.coinbase.com"
    assert endpoint("coinbase-advanced").rest is None


@pytest.mark.parametrize(
    ("venue", "url", "socket", "rest"),
    [
        ("simulated", "ws://127.0.0.1:9", "ws://127.0.0.1:9/exchange", "http://127.0.0.1:9"),
        ("simulated", "ws://[::1]:9/exchange", "ws://[::1]:9/exchange", "http://[::1]:9"),
        ("coinbase", "wss://other.test/feed", "wss://other.test/feed", "https://other.test"),
        ("coinbase-advanced", "ws://127.0.0.1:9/advanced", "ws://127.0.0.1:9/advanced", None),
    ],
)
def test_another_address_is_asked_for_trades_too(venue, url, socket, rest):
    place = endpoint(venue, url)
    assert (place.socket, place.rest) == (socket, rest)


@pytest.mark.parametrize("url", ["http://h/", "h:1", "ws://", "", "ws://h:port/", "ws://h:0/"])
def test_what_is_no_websocket_address_is_refused(url):
    with pytest.raises(BadInputError, match="no WebSocket address"):
        endpoint("coinbase", url)


def test_an_unknown_venue_is_refused_with_those_that_are_known():
    with pytest.raises(BadInputError, match="coinbase-advanced"):
        endpoint("binance")


def test_products_are_named_once_and_in_capitals():
    assert products_named(" btc-usd, ETH-USD,BTC-USD,") == ["BTC-USD", "ETH-USD"]


def test_perpetuals_and_futures_are_products_too():
    assert products_named("BTC-PERP-INTX,bit-29aug25-cde") == ["BTC-PERP-INTX", "BIT-29AUG25-CDE"]


def test_a_second_name_of_a_book_is_reported_and_is_one_series_with_it():
    names, remarks = joined(["BTC-USDC", "BTC-USD", "ETH-USDC", "USDT-USDC"])
    assert names == ["BTC-USD", "ETH-USD", "USDT-USDC"]
    assert [remark.split()[0] for remark in remarks] == ["BTC-USDC", "ETH-USDC"]


@pytest.mark.parametrize(
    "text", ["", " , ", "BTC", "BTC-USD;ETH-USD", "../x-Y", "A-B-C-D-E", "A--B", "Ä-USD"]
)
def test_what_is_no_product_is_refused(text):
    with pytest.raises(BadInputError, match="Give"):
        products_named(text)


def test_each_product_of_the_exchange_feed_is_asked_for_by_itself():
    assert subscriptions(Dialect.EXCHANGE, ["A-B", "C-D"]) == [
        {
            "type": "subscribe",
            "product_ids": [product],
            "channels": ["ticker", "heartbeat", "matches"],
        }
        for product in ("A-B", "C-D")
    ]


def test_advanced_trade_takes_one_channel_a_message_and_heartbeats_first():
    assert subscriptions(Dialect.ADVANCED, ["A-B", "C-D"]) == [
        {"type": "subscribe", "channel": "heartbeats"},
        {"type": "subscribe", "channel": "ticker", "product_ids": ["A-B"]},
        {"type": "subscribe", "channel": "ticker", "product_ids": ["C-D"]},
    ]


def test_a_page_of_trades_is_asked_for_from_above():
    assert trades_url("https://r", "A-B", 77) == "https://r/products/A-B/trades?limit=1000&after=77"
    assert trades_url("https://r", "A-B", 77, 3).endswith("?limit=3&after=77")


def test_a_page_tells_its_lowest_id():
    page = json.dumps([{"trade_id": n, "price": "1"} for n in (9, "7", 8)]).encode()
    assert lowest_trade_id(page) == 7
    for none in (b"[]", b"{}", b'{"message":"NotFound"}', b"\xff", b"[" * 10_000, b'[{"id":1}]'):
        assert lowest_trade_id(none) is None


def test_a_token_claims_who_asks_and_is_good_for_two_minutes():
    assert claims("k", 1000) == {"iss": "cdp", "sub": "k", "nbf": 1000, "exp": 1120}


SUBSCRIBED = {"type": "subscriptions", "channels": [{"name": "ticker", "product_ids": ["A-B"]}]}


@pytest.mark.parametrize(
    ("message", "dialect", "news"),
    [
        (TICKER, Dialect.EXCHANGE, True),
        (heartbeat(1, 0), Dialect.EXCHANGE, True),
        (SUBSCRIBED, Dialect.EXCHANGE, False),
        ({"type": "error", "message": "ticker"}, Dialect.EXCHANGE, False),
        (envelope(0), Dialect.ADVANCED, True),
        (beats(1, 1), Dialect.ADVANCED, True),
        (envelope(0, channel="subscriptions"), Dialect.ADVANCED, False),
    ],
)
def test_data_are_distinguished_from_answers(message, dialect, news):
    assert is_news(json.dumps(message).encode(), dialect) is news


@given(st.binary())
def test_no_bytes_are_news_by_accident(data):
    assert is_news(data, Dialect.EXCHANGE) is False


def test_more_products_than_are_remembered_are_reported_in_one_line_and_the_cure_helps():
    names = [f"P{number}-USD" for number in range(MAX_PRODUCTS + 1)]
    with pytest.raises(BadInputError, match=r"4,097 are named.*Name 4,096 at most"):
        products_named(",".join(names))
    assert products_named(",".join(names[1:])) == names[1:]
