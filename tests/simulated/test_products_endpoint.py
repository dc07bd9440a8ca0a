"""The simulated exchange lists its products as both APIs of Coinbase do."""

import json
from http import HTTPStatus

import pytest

from barograph.simulated.products_endpoint import ProductsEndpoint
from barograph.venues.coinbase.product_list import decode_products
from barograph.venues.entries import Dialect

ADVANCED = "/api/v3/brokerage/market/products"


@pytest.fixture
def endpoint():
    return ProductsEndpoint(["BTC-USD", "USDT-USD", "USDT-USDC"])


def test_the_exchange_lists_its_own_names_alone(endpoint):
    status, body = endpoint.answer("/products")
    listed = decode_products(body, Dialect.EXCHANGE)
    assert (status, listed.books) == (HTTPStatus.OK, {})
    assert listed.names == {"BTC-USD", "USDT-USD", "USDT-USDC"}


def test_advanced_trade_lists_the_second_name_of_a_book_as_its_alias(endpoint):
    _, body = endpoint.answer(ADVANCED)
    listed = decode_products(body, Dialect.ADVANCED)
    assert listed.books == {"BTC-USDC": "BTC-USD"}
    assert listed.names == {"BTC-USD", "BTC-USDC", "USDT-USD", "USDT-USDC"}


def test_a_product_is_there_by_its_name_or_not_found(endpoint):
    status, body = endpoint.answer(f"{ADVANCED}/BTC-USDC")
    assert (status, json.loads(body)["alias"]) == (HTTPStatus.OK, "BTC-USD")
    assert endpoint.answer("/products/BTC-USDC")[0] == HTTPStatus.NOT_FOUND
    assert endpoint.answer("/products/BTC-USD")[0] == HTTPStatus.OK


@pytest.mark.parametrize("path", ["/", "/product", "/products/BTC-USD/trades", "/products/"])
def test_another_path_is_not_its_own(endpoint, path):
    assert endpoint.answer(path) is None
