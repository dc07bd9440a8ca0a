"""The exchange's product lists, without their socket.

    GET /products, /products/{id}                           as Coinbase Exchange: no aliases
    GET /api/v3/brokerage/market/products, …/{id}           as Advanced Trade: `alias`, `alias_to`

Names that are one book are those of the list in `venues.books`.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from barograph.simulated.trades_endpoint import error_json
from barograph.venues.books import book_of

_exchange_path = re.compile(r"/products(?:/([^/]{1,100}))?").fullmatch
_advanced_path = re.compile(r"/api/v3/brokerage/market/products(?:/([^/]{1,100}))?").fullmatch


class ProductsEndpoint:
    """Serves the products of a market in both forms."""

    def __init__(self, products: Iterable[str]) -> None:
        self._exchange = {name: _exchange(name) for name in products}
        self._advanced = {name: _advanced(name) for name in self._exchange}
        for name in self._exchange:
            alias = f"{name}C"
            if alias not in self._exchange and book_of(alias) == name:
                self._advanced[name]["alias_to"] = [alias]
                self._advanced[alias] = _advanced(alias) | {"alias": name}

    def answer(self, path: str) -> tuple[HTTPStatus, bytes] | None:
        """Status and JSON body for a path; None for one that is not of products."""
        if match := _exchange_path(path):
            whole: Any = list(self._exchange.values())
            return _found(match[1], self._exchange, whole)
        if match := _advanced_path(path):
            whole = {"products": list(self._advanced.values()), "num_products": len(self._advanced)}
            return _found(match[1], self._advanced, whole)
        return None


def _found(
    name: str | None, products: dict[str, dict[str, Any]], whole: object
) -> tuple[HTTPStatus, bytes]:
    if name is None:
        return HTTPStatus.OK, msgspec.json.encode(whole)
    if name not in products:
        return HTTPStatus.NOT_FOUND, error_json("NotFound")
    return HTTPStatus.OK, msgspec.json.encode(products[name])


def _exchange(name: str) -> dict[str, Any]:
    base, _, quote = name.rpartition("-")
    return {
        "id": name,
        "base_currency": base,
        "quote_currency": quote,
        "display_name": name,
        "status": "online",
        "trading_disabled": False,
    }


def _advanced(name: str) -> dict[str, Any]:
    base, _, quote = name.rpartition("-")
    return {
        "product_id": name,
        "base_currency_id": base,
        "quote_currency_id": quote,
        "display_name": name,
        "product_type": "SPOT",
        "status": "online",
        "is_disabled": False,
        "trading_disabled": False,
        "alias": "",
        "alias_to": [],
    }
