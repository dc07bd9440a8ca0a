"""What a venue says of its products: which there are, and which names are one book."""

import json

import msgspec
import pytest

from barograph.venues.coinbase.product_list import decode_product, decode_products, near_names
from barograph.venues.entries import Dialect


def advanced(*products):
    return json.dumps({"products": list(products), "num_products": len(products)}).encode()


def test_a_list_of_the_exchange_has_its_products_and_knows_no_aliases():
    body = json.dumps(
        [
            {"id": "BTC-USD", "status": "online", "base_currency": "BTC"},
            {"id": "OLD-USD", "status": "delisted"},
            {"id": "USDT-USDC"},
        ]
    ).encode()
    listed = decode_products(body, Dialect.EXCHANGE)
    assert (listed.names, listed.books) == ({"BTC-USD", "USDT-USDC"}, {})


def test_the_alias_of_a_product_is_its_book_whichever_of_the_two_says_it():
    listed = decode_products(
        advanced(
            {"product_id": "BTC-USDC", "alias": "BTC-USD", "alias_to": [], "price": "1"},
            {"product_id": "BTC-USD", "alias": "", "alias_to": ["BTC-USDC"]},
            {"product_id": "ETH-USD", "alias_to": ["ETH-USDC"]},
            {"product_id": "USDT-USDC", "alias": "", "alias_to": None},
        ),
        Dialect.ADVANCED,
    )
    assert listed.books == {"BTC-USDC": "BTC-USD", "ETH-USDC": "ETH-USD"}
    assert listed.names == {"BTC-USDC", "BTC-USD", "ETH-USD", "USDT-USDC"}


def test_aliases_that_point_at_each_other_or_at_themselves_join_nothing():
    listed = decode_products(
        advanced(
            {"product_id": "A-USD", "alias": "A-USDC"},
            {"product_id": "A-USDC", "alias": "A-USD"},
            {"product_id": "BTC-USD", "alias": "BTC-USD"},
        ),
        Dialect.ADVANCED,
    )
    assert listed.books == {}


def test_one_product_is_a_list_of_one():
    alone = decode_product(b'{"product_id":"BTC-USDC","alias":"BTC-USD"}', Dialect.ADVANCED)
    assert (alone.names, alone.books) == ({"BTC-USDC"}, {"BTC-USDC": "BTC-USD"})
    assert decode_product(b'{"id":"BTC-USD"}', Dialect.EXCHANGE).names == {"BTC-USD"}


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"message":"NotFound"}', b"\xff", b"[{}]"])
@pytest.mark.parametrize("dialect", Dialect)
def test_another_answer_is_no_list(body, dialect):
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_products(body, dialect)


def test_near_names_are_those_that_are_written_alike_and_those_of_the_same_base():
    listed = {"BTC-USD", "BTC-EUR", "ETH-USD", "BTC-PERP-INTX", "DOGE-USD"}
    assert near_names("BTC-USDD", listed)[0] == "BTC-USD"
    assert set(near_names("BTC-JPY", listed)) == {"BTC-USD", "BTC-EUR", "BTC-PERP-INTX"}
    assert near_names("QQQ-ZZZ", listed) == []
