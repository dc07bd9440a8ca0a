"""A venue's own list of its products: which there are, and which names are one book.

Pure: the job that asks for it is `feed.product_check`. Sources: docs.cdp.coinbase.com, "Get all
known trading pairs" (Exchange) and "List Public Products" (Advanced Trade): `alias` of BTC-USDC is
BTC-USD, and `alias_to` of BTC-USD has BTC-USDC. The list of the Exchange knows no aliases.
"""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

import msgspec

from barograph.venues.entries import Dialect

_NEAR = 4
_DELISTED = "delisted"


class _ExchangeProduct(msgspec.Struct):
    id: str
    status: str = ""


class _AdvancedProduct(msgspec.Struct):
    product_id: str
    status: str = ""
    alias: str | None = None
    alias_to: list[str] | None = None


class _AdvancedList(msgspec.Struct):
    products: list[_AdvancedProduct]


_exchange = msgspec.json.Decoder(list[_ExchangeProduct]).decode
_advanced = msgspec.json.Decoder(_AdvancedList).decode


class ProductList(msgspec.Struct, frozen=True):
    """The `names` that a venue lists, and of each that is not its own book, the name of that."""

    names: frozenset[str]
    books: dict[str, str] = {}


def decode_products(body: bytes, dialect: Dialect) -> ProductList:
    """Return the products in the answer of a venue.

    Raises msgspec.DecodeError or UnicodeDecodeError for another answer.
    """
    if dialect is Dialect.EXCHANGE:
        return ProductList(frozenset(p.id for p in _exchange(body) if p.status != _DELISTED))
    products = [p for p in _advanced(body).products if p.status != _DELISTED]
    aliases = {p.product_id: p.alias for p in products if p.alias}
    for product in products:
        for name in product.alias_to or ():
            aliases.setdefault(name, product.product_id)
    books = {name: book for name, book in aliases.items() if name != book}
    return ProductList(
        frozenset(p.product_id for p in products),
        # Two names that point at each other say nothing; one that points on is followed once.
        {name: books.get(book, book) for name, book in books.items() if books.get(book) != name},
    )


def decode_product(body: bytes, dialect: Dialect) -> ProductList:
    """Return the list of the one product in an answer; raises as `decode_products` does."""
    if dialect is Dialect.EXCHANGE:
        return decode_products(b"[%b]" % body, dialect)
    return decode_products(b'{"products":[%b]}' % body, dialect)


def near_names(name: str, listed: Collection[str]) -> list[str]:
    """Return the listed names that are most like one that is not."""
    close = get_close_matches(name, sorted(listed), _NEAR, 0.7)
    return list(dict.fromkeys([*close, *_of_the_same_base(name, listed)]))[:_NEAR]


def _of_the_same_base(name: str, listed: Iterable[str]) -> list[str]:
    base = name.partition("-")[0]
    return sorted((each for each in listed if each.partition("-")[0] == base), key=len)
