"""Subscriptions: a refused product is reported once and stops no other; none at all is an error."""

import pytest

from barograph.feed.subscriptions import PATIENCE_S, Subscribed
from barograph.types import Heartbeat
from barograph.venues.coinbase.dialect_machine import product_names
from barograph.venues.coinbase.endpoints import VENUES

BOTH = ("BTC-USD", "FOO-USD")


@pytest.fixture
def warnings():
    return []


def subscribed(warnings, products=BOTH):
    return Subscribed(VENUES["coinbase"], products, warnings.append)


def test_a_refused_product_is_reported_once_and_the_others_go_on(warnings):
    state = subscribed(warnings)
    for now_s in (0.0, 100.0):  # it is refused again on every connection
        state.opened(now_s)
        state.confirmed(["BTC-USD"])
        state.error("Failed to subscribe: FOO-USD is not a valid product", ())
        assert state.look(now_s + 2 * PATIENCE_S) is None
        state.closed()
    assert warnings == [
        "coinbase refuses FOO-USD: Failed to subscribe: FOO-USD is not a valid product"
    ]
    assert list(state.refused) == ["FOO-USD"]


def test_what_the_venue_does_not_confirm_is_reported_after_a_while(warnings):
    state = subscribed(warnings)
    state.opened(10.0)
    state.heard([Heartbeat(product="BTC-USD", event_time_ns=0)])
    assert state.look(10.0 + PATIENCE_S / 2) is None
    assert warnings == []
    for _ in range(2):
        assert state.look(10.0 + PATIENCE_S) is None
    assert warnings == ["coinbase does not confirm FOO-USD"]


def test_nothing_confirmed_and_nothing_heard_is_an_error(warnings):
    state = subscribed(warnings)
    state.opened(10.0)
    error = state.look(10.0 + PATIENCE_S)
    assert "confirms none of BTC-USD, FOO-USD" in str(error)


def test_everything_refused_is_an_error_at_once(warnings):
    state = subscribed(warnings)
    state.opened(10.0)
    for product in BOTH:
        state.error("no", (product,))
    assert "refuses BTC-USD, FOO-USD" in str(state.look(10.0))


def test_a_lost_connection_needs_not_have_confirmed_anything(warnings):
    state = subscribed(warnings)
    state.opened(10.0)
    state.closed()
    assert state.look(100.0) is None
    assert warnings == []


def test_an_error_about_no_product_is_reported_once(warnings):
    state = subscribed(warnings)
    for _ in range(2):
        state.error("rate limit exceeded", ())
    assert warnings == ["coinbase says: rate limit exceeded"]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("ETH-USDT is not a valid product", []),
        ("ETH-USD-PERP is not a valid product", []),
        ("XETH-USD, ETH-USD_2, ETH-USD.P: no", []),
        ("WETH-ETH-USD", []),
        ("ETH-USD is not a valid product", ["ETH-USD"]),
        ("no eth-usd.", ["ETH-USD"]),
        ("no: [ETH-USD,BTC-EUR]", ["ETH-USD"]),
        ("BTC-USD/ETH-USDT", []),
        ("rate limit exceeded", []),
    ],
)
def test_a_refusal_is_of_products_by_their_whole_names(warnings, text, refused):
    state = subscribed(warnings, ("BTC-USD", "ETH-USD"))
    state.opened(0.0)
    state.error(text, tuple(product_names(text)))
    assert list(state.refused) == refused
    state.error(text, ())
    assert list(state.refused) == refused
