"""Products are looked up before the socket opens, where the venue can be asked."""

import json

import pytest

from barograph.errors import BadInputError
from barograph.feed.product_check import check_products
from barograph.rest import AnswerError
from barograph.simulated.exchange import Exchange
from barograph.simulated.exchange import running as exchanging
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from barograph.venues.books import UNIFIED
from barograph.venues.coinbase.endpoints import endpoint

BOTH = pytest.mark.parametrize(
    ("venue", "path"), [("simulated", "exchange"), ("coinbase-advanced", "advanced")]
)
PRODUCTS = ["BTC-USD", "ETH-USD", "USDT-USD", "USDT-USDC"]


def listing(body):
    """A venue that answers so, and notes where it was asked."""

    async def fetch(url, most_bytes):
        fetch.asked.append((url, most_bytes))
        if isinstance(body, Exception):
            raise body
        return body

    fetch.asked = []
    return fetch


@pytest.fixture(scope="module")
def address():
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, 3, 1_750_000_000 * 10**9)
    with exchanging(Exchange(simulated(market))) as exchange:
        yield exchange.address


@pytest.mark.parametrize(
    ("venue", "path"), [("simulated", "exchange"), ("coinbase-advanced", "advanced")]
)
def test_names_that_are_one_book_are_joined_and_said_and_others_stay_apart(address, venue, path):
    place = endpoint(venue, f"ws://{address}/{path}")
    checked = check_products(place, ["BTC-USDC", "USDT-USD", "USDT-USDC", "BTC-USD"])
    assert checked.products == ("BTC-USD", "USDT-USD", "USDT-USDC")
    assert checked.one_book == checked.books == {"BTC-USDC": "BTC-USD"}
    (remark,) = checked.remarks
    assert remark.startswith("BTC-USDC is one series with BTC-USD, which is taken")
    source = {"exchange": "its documentation", "advanced": "its list of products"}[path]
    assert remark.endswith(f"one book at Coinbase, by {source}")


@pytest.mark.parametrize(
    ("venue", "path"), [("simulated", "exchange"), ("coinbase-advanced", "advanced")]
)
def test_a_product_that_is_not_listed_is_refused_with_names_that_are_near(address, venue, path):
    place = endpoint(venue, f"ws://{address}/{path}")
    with pytest.raises(BadInputError, match=r"product BTC-USDD.*does not list it.*BTC-USD") as one:
        check_products(place, ["ETH-USD", "BTC-USDD"])
    assert "\n" not in str(one.value)
    with pytest.raises(BadInputError, match=r"products FOO-USD, BAR-USD.*does not list them"):
        check_products(place, ["FOO-USD", "BAR-USD"])


@pytest.mark.parametrize(
    "body",
    [AnswerError("HTTP status 503"), OSError("no route"), TimeoutError(), b"<html>", b"\xff"],
)
def test_where_the_list_does_not_come_it_goes_on_and_says_so(body):
    checked = check_products(endpoint("coinbase"), ["XYZ-USD", "ETH-USDC"], listing(body))
    assert (checked.products, checked.books) == (("XYZ-USD", "ETH-USD"), UNIFIED)
    assert checked.unchecked.endswith("the products are not checked")
    assert "ETH-USDC is one series" in checked.remarks[0]


def test_each_venue_is_asked_at_its_own_address():
    body = json.dumps([{"id": "BTC-PERP-INTX"}]).encode()
    fetch = listing(body)
    assert check_products(endpoint("coinbase"), ["BTC-PERP-INTX"], fetch).products == (
        "BTC-PERP-INTX",
    )
    fetch = listing(json.dumps({"products": [{"product_id": "BIT-29AUG25-CDE"}]}).encode())
    names = ["BIT-29AUG25-CDE"]
    assert check_products(endpoint("coinbase-advanced"), names, fetch).remarks == ()
    assert fetch.asked[0][0] == "https://api.coinbase.com/api/v3/brokerage/market/products"


def test_the_word_of_the_venue_goes_before_our_own_list():
    listed = {"products": [{"product_id": "BTC-USD"}, {"product_id": "BTC-USDC", "alias": ""}]}
    checked = check_products(
        endpoint("coinbase-advanced"), ["BTC-USD", "BTC-USDC"], listing(json.dumps(listed).encode())
    )
    assert checked.products == ("BTC-USD", "BTC-USDC")
    assert (checked.books, checked.remarks) == ({}, ())


def test_a_future_that_the_list_leaves_out_is_asked_for_by_its_name():
    async def fetch(url, _most_bytes):
        if url.endswith("/BTC-PERP-INTX"):
            return b'{"product_id": "BTC-PERP-INTX"}'
        if url.endswith("/products"):
            return b'{"products": [{"product_id": "BTC-USD"}]}'
        raise AnswerError("HTTP status 404")

    place = endpoint("coinbase-advanced")
    assert check_products(place, ["BTC-PERP-INTX"], fetch).products == ("BTC-PERP-INTX",)
    with pytest.raises(BadInputError, match="does not list it"):
        check_products(place, ["BTC-PERP-INTX", "NONE-USD"], fetch)
